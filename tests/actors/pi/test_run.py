"""A run with the scripted pi: what joins it, what is given back, and what its end says."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.messages import (
    Abort,
    AgentNoted,
    AgentReady,
    Compact,
    Compacted,
    Continue,
    Prompt,
    PromptRefused,
    QuestionAsked,
    Steer,
    SteerTaken,
    TextGrew,
    ToolStarted,
    TurnSettled,
)
from tests.actors.pi.bench import Bench, open_bench, scripted

GO: dict[str, Any] = {"tool": {"name": "bash", "arguments": {"command": "while [ ! -e go ]; do sleep 0.02; done"}}}
HELD = {"deltas": ["part "], "hold": True}
DONE = {"deltas": ["done"]}
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


def steer(inbound: int, text: str, turn: str = "t1", *images: Path) -> Steer:
    return Steer(turn=turn, incarnation=1, inbound=inbound, text=text, images=tuple(map(str, images)))


def prompt(text: str, turn: str = "t1", **more: Any) -> Prompt:
    return Prompt(turn=turn, incarnation=1, text=text, **more)


def taken(bench: Bench) -> list[int]:
    return [event.inbound for event in bench.heard if isinstance(event, SteerTaken)]


def asked(folder: Path) -> list[list[list[str]]]:
    """What the model was sent, each time."""
    return [msgspec.json.decode(line) for line in (folder / "asked").read_bytes().splitlines()]


async def test_steers_are_heard_in_order_and_each_is_told(tmp_path: Path) -> None:
    script = {"replies": [DONE | {"steers": 3}, DONE, DONE, DONE], "requests": str(tmp_path / "asked")}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(prompt("ok"))  # as one of them: its own end is not the steer's
        for inbound, text in ((7, "ok"), (8, "/host-resume now"), (9, "ok")):
            await bench.agent.tell(steer(inbound, text))
        settled = await bench.until(TurnSettled)
    assert taken(bench) == [7, 8, 9]
    assert settled.unconsumed == ()
    assert [text for role, text in asked(tmp_path)[-1] if role == "user"] == ["ok", "ok", " /host-resume now", "ok"]


async def test_a_steer_right_behind_its_prompt_joins_it(tmp_path: Path) -> None:
    script = {"replies": [DONE, DONE], "requests": str(tmp_path / "asked")}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(prompt("one"))
        await bench.agent.tell(steer(7, "two"))
        settled = await bench.until(TurnSettled)
    assert sorted((*taken(bench), *settled.unconsumed)) == [7]
    heard = [text for role, text in asked(tmp_path)[-1] if role == "user"]
    assert ("two" in heard) == (taken(bench) == [7])


async def test_an_abort_gives_back_what_was_not_heard_and_the_next_run_does_not_hear_it(tmp_path: Path) -> None:
    script = {"replies": [GO, DONE], "requests": str(tmp_path / "asked")}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(prompt("one"))
        await bench.until(ToolStarted)
        await bench.agent.tell(steer(8, "later"))
        await bench.agent.tell(steer(7, "late"))
        bench.agent.tell_nowait(Abort(turn="t1", incarnation=1), urgent=True)
        await bench.agent.tell(steer(9, "too late"))
        settled = await bench.until(TurnSettled)
        assert (settled.stop_reason, settled.unconsumed) == ("aborted", (7, 8, 9))
        await bench.agent.tell(prompt("two", "t2"))
        assert (await bench.until(TurnSettled)).text == "done"
    assert taken(bench) == []
    assert "late" not in str(asked(tmp_path))


async def test_a_steer_of_another_turn_or_of_none_is_nothing(tmp_path: Path) -> None:
    script = {"replies": [DONE, DONE], "requests": str(tmp_path / "asked")}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(steer(6, "to nobody"))
        await bench.agent.tell(prompt("one"))
        await bench.agent.tell(steer(7, "to another", "t0"))
        assert (await bench.until(TurnSettled)).unconsumed == ()
        await bench.agent.tell(steer(8, "to one that is over"))
        await bench.agent.tell(prompt("two", "t2"))
        assert (await bench.until(TurnSettled)).unconsumed == ()
    assert "to " not in str(asked(tmp_path))


async def test_a_continued_run_can_be_steered(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [DONE | {"steers": 1}, HELD]})) as bench:
        await bench.ready()
        await bench.agent.tell(Continue(turn="t1", incarnation=1, note="go on"))
        await bench.agent.tell(steer(7, "go on"))
        assert (await bench.until(SteerTaken)).inbound == 7  # while it is on: no message of a person's began it
        assert not any(isinstance(event, TurnSettled) for event in bench.heard)


async def test_pictures_go_to_the_model_and_one_that_cannot_is_told(tmp_path: Path) -> None:
    script = {"replies": [DONE | {"steers": 1}, DONE], "requests": str(tmp_path / "asked")}
    (tmp_path / "outside.png").write_bytes(PNG)
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        inside = tmp_path / "work/inside.png"
        inside.write_bytes(PNG)
        await bench.agent.tell(prompt("look", images=(str(inside), str(tmp_path / "outside.png"))))
        await bench.agent.tell(steer(7, "and here", "t1", inside, tmp_path / "work/nowhere.png"))
        await bench.until(TurnSettled)
    assert taken(bench) == [7]
    users = [text for role, text in asked(tmp_path)[-1] if role == "user"]
    outside = "the picture outside.png was left out: it is outside of the workspace"
    nowhere = "the picture nowhere.png was left out: it does not exist"
    assert users == [f"look\n\n[{outside}][image/png]", f"and here\n\n[{nowhere}][image/png]"]
    assert [event.text for event in bench.heard if isinstance(event, AgentNoted)] == [outside, nowhere]


async def test_the_end_says_what_was_used_and_changed(tmp_path: Path) -> None:
    write = {"tool": {"name": "bash", "arguments": {"command": "echo > a; mkdir uploads; echo > uploads/b; echo > c"}}}
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [write, DONE, DONE]})) as bench:
        ready = await bench.until(AgentReady)
        assert (ready.usage.input, ready.usage.context, ready.usage.window) == (0, 0, 128_000)
        await bench.agent.tell(prompt("one", since=time.time() - 1))
        settled = await bench.until(TurnSettled)
        assert settled.files == 2
        assert (settled.usage.input, settled.usage.output, settled.usage.context) == (20, 10, 15)
        await bench.agent.tell(prompt("two", "t2"))
        assert (await bench.until(TurnSettled)).files is None  # since nobody knows when


@pytest.mark.parametrize("instructions", ["", "Keep the names."])
async def test_while_a_summary_is_made_nothing_is_sent_to_pi(tmp_path: Path, instructions: str) -> None:
    script = {"replies": [DONE, {"deltas": ["In short."], "pause": 0.2}, DONE], "compactable": True}
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(prompt("one"))
        leaf = (await bench.until(TurnSettled)).leaf
        await bench.agent.tell(Compact(incarnation=1, instructions=instructions))
        await bench.agent.tell(prompt("two", "t2"))  # pi would refuse it
        compacted = await bench.until(Compacted)
        assert (compacted.error, compacted.before, compacted.after) == ("", 15, 7)
        assert compacted.leaf not in (None, leaf)
        settled = await bench.until(TurnSettled)
        assert (settled.turn, settled.text) == ("t2", "done")
    assert not any(isinstance(event, PromptRefused) for event in bench.heard)


async def test_what_waits_for_a_summary_can_be_stopped_and_does_not_run(tmp_path: Path) -> None:
    script = {
        "replies": [DONE, {"deltas": ["In short."], "pause": 0.4}, DONE],
        "compactable": True,
        "requests": str(tmp_path / "asked"),
    }
    async with open_bench(tmp_path, scripted(tmp_path, script)) as bench:
        await bench.ready()
        await bench.agent.tell(prompt("one"))
        await bench.until(TurnSettled)
        await bench.agent.tell(Compact(incarnation=1, instructions=""))
        await bench.agent.tell(prompt("two", "t2"))
        await bench.agent.tell(steer(7, "more", "t2"))
        for _ in range(2):
            await bench.agent.tell(Abort(turn="t2", incarnation=1))
        settled = await bench.until(TurnSettled)
        assert (settled.turn, settled.stop_reason, settled.unconsumed) == ("t2", "aborted", (7,))
        assert (await bench.until(Compacted)).error == ""
        await bench.agent.tell(prompt("three", "t3"))
        assert (await bench.until(TurnSettled)).turn == "t3"
    assert "two" not in str(asked(tmp_path))
    assert len([event for event in bench.heard if isinstance(event, TurnSettled)]) == 3


async def test_a_summary_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path, {"replies": [HELD]})) as bench:
        await bench.ready()
        await bench.agent.tell(Compact(incarnation=1, instructions=""))
        compacted = await bench.until(Compacted)
        assert compacted == Compacted(incarnation=1, error="Nothing to compact (session too small)")
        await bench.agent.tell(prompt("one"))
        await bench.until(TextGrew)
        await bench.agent.tell(Compact(incarnation=1, instructions=""))  # pi would abort the run
        assert "at work" in (await bench.until(Compacted)).error
        assert not any(isinstance(event, TurnSettled | QuestionAsked) for event in bench.heard)
