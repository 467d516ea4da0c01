"""Who begins, goes on and ends: one rule a test. Random days are in `tests/machines/test_slots_machine.py`."""

from actors.messages import Bounds, Subagent, SubagentState
from actors.subagents.slots import Counts, Decision, count, decide
from tests.actors.subagents.rows import PREPARING, QUEUED, RUNNING, sub

CANCELLED, COMPLETED = SubagentState.CANCELLED, SubagentState.COMPLETED


def decided(*rows: Subagent, most: int = 2, per_room: int = 2) -> Decision:
    return decide(rows, Bounds(max=most, max_per_room=per_room, max_depth=8))


def slugs(rows: tuple[Subagent, ...]) -> list[str]:
    return [row.slug for row in rows]


def test_queued_ones_begin_in_order_while_there_are_slots() -> None:
    done = decided(sub("a", PREPARING), sub("b", QUEUED), sub("c", QUEUED), sub("d", QUEUED))
    assert slugs(done.begin) == ["b"]
    assert done.ahead == {"c": 1, "d": 2}


def test_what_has_ended_holds_nothing() -> None:
    assert slugs(decided(sub("a", COMPLETED), sub("b", QUEUED), most=1).begin) == ["b"]


def test_a_room_that_has_its_share_holds_up_no_other() -> None:
    rows = (sub("a"), sub("b", QUEUED), sub("c", QUEUED), sub("x", QUEUED, room="tea"), sub("y", QUEUED, room="tea"))
    done = decided(*rows, most=3, per_room=1)
    assert slugs(done.begin) == ["x"]
    assert done.ahead == {"b": 1, "c": 2, "y": 1}  # each counts in its own room, for that is what is full


def test_where_the_service_is_full_all_before_it_count_but_those_that_their_room_holds_up() -> None:
    rows = (sub("a"), sub("b"), sub("x", room="tea"), sub("c", QUEUED), sub("y", QUEUED, room="tea"))
    done = decided(*rows, sub("z", QUEUED, room="ink"), most=3)
    assert done.begin == ()
    assert done.ahead == {"c": 1, "y": 1, "z": 2}


def test_who_waits_holds_no_slot() -> None:
    rows = (sub("a", waiting=True), sub("a1", QUEUED, parent="a", awaited=True))
    assert slugs(decided(*rows, most=1).begin) == ["a1"]


def test_one_that_waits_in_a_tool_goes_on_when_all_that_it_awaits_have_ended() -> None:
    ended = sub("a1", COMPLETED, parent="a", awaited=True)
    other = sub("a2", parent="a")  # nobody waits for this one
    assert slugs(decided(sub("a", waiting=True), ended, other).grant) == ["a"]
    more = sub("a3", parent="a", awaited=True)
    assert decided(sub("a", waiting=True), ended, more, most=9).grant == ()


def test_one_that_waits_between_two_runs_goes_on_when_all_its_children_have_ended() -> None:
    assert decided(sub("a", waiting=True), sub("a1", parent="a"), most=9).grant == ()
    assert slugs(decided(sub("a", waiting=True), sub("b")).grant) == ["a"]


def test_who_waited_comes_before_the_queue() -> None:
    rows = (sub("q", QUEUED), sub("a", waiting=True), sub("b"))
    done = decided(*rows)
    assert (slugs(done.grant), done.begin, done.ahead) == (["a"], (), {"q": 1})


def test_who_waited_and_finds_no_slot_is_ahead_of_the_queue() -> None:
    done = decided(sub("q", QUEUED), sub("a", waiting=True), sub("b"), sub("c"))
    assert (done.grant, done.begin, done.ahead) == ((), (), {"q": 2})


def test_who_waited_keeps_to_the_share_of_its_room_and_lets_others_begin() -> None:
    rows = (sub("a", waiting=True), sub("b"), sub("x", QUEUED, room="tea"))
    done = decided(*rows, most=3, per_room=1)
    assert (done.grant, slugs(done.begin)) == ((), ["x"])


def test_a_queued_one_that_is_to_end_ends_and_counts_for_nobody() -> None:
    done = decided(sub("a"), sub("b", QUEUED, stop=CANCELLED), sub("c", QUEUED), most=1)
    assert (slugs(done.end), done.begin, done.stop, done.ahead) == (["b"], (), (), {"c": 1})


def test_those_at_work_are_told_to_end_the_deepest_first_and_when_all_below_has_ended() -> None:
    top = sub("a", stop=CANCELLED, waiting=True)
    middle = sub("b", stop=CANCELLED, parent="a", depth=2, awaited=True)
    deep = sub("c", PREPARING, stop=CANCELLED, parent="b", depth=3)
    flat = sub("d", stop=CANCELLED)
    assert slugs(decided(top, flat, middle, deep).stop) == ["c", "d"]
    assert slugs(decided(top, flat, middle).stop) == ["b", "d"]
    assert slugs(decided(top).stop) == ["a"]
    assert decided(sub("b", QUEUED, parent="a", stop=CANCELLED), top).stop == ()


def test_one_that_waits_and_is_to_end_is_granted_nothing() -> None:
    assert decided(sub("a", waiting=True, stop=CANCELLED)).grant == ()


def test_they_are_counted_by_what_they_hold() -> None:
    rows = (sub("a"), sub("b", PREPARING), sub("c", RUNNING, waiting=True), sub("d", QUEUED), sub("e", COMPLETED))
    assert count(rows) == Counts(run=2, wait=1, queued=1)
