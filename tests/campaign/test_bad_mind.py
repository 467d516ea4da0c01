"""What the model of the isolation campaign says, from the conversation alone."""

from tests.campaign import mind
from tests.campaign.bad_mind import BEGUN, HANG, TOOLS, TRIP, command, thinking
from tests.campaign.bad_service import HEARD

REPLY = thinking(4711, 2.0)


def test_a_bad_kind_runs_its_tool_once_and_is_answered_behind_it() -> None:
    for kind in TOOLS:
        asked = ["user", f"say-7 {kind}"]
        first = REPLY([asked])
        assert first["tool"] == {"name": "bash", "arguments": {"command": command(kind, 4711, 2.0)}}
        after = REPLY([asked, ["assistant", first["deltas"][0]], ["tool", "its output"]])
        assert "tool" not in after
        assert after["deltas"] == ["done-7"]


def test_it_hangs_and_trips_when_it_is_told_to_and_only_then() -> None:
    assert REPLY([["user", f"say-1 {HANG}"]]) == {"deltas": [BEGUN], "hold": True}
    assert HEARD in REPLY([["user", f"say-1 {TRIP}"]])["deltas"][0]
    assert REPLY([["user", f"say-1 {HANG}"], ["user", "say-2 quick"]])["deltas"] == ["done-1 done-2"]


def test_all_else_is_answered_as_in_any_campaign() -> None:
    assert REPLY([["user", "say-3 late"]])["deltas"] == ["done-3"]
    assert REPLY([["user", "hello"]])["deltas"] == [mind.IDLE]
