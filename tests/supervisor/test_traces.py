"""A failure as text: where it happened and what led to it, whatever it is made of."""

import pytest

from supervisor import InvalidSpec, Mailbox, Overflow
from supervisor.events import ChildExited
from supervisor.testing import Recorder, open_test_system
from supervisor.traces import KEPT, trace_of
from tests.supervisor.workers import Do, Worker, one, worker


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_it_says_where_and_what() -> None:
    text = trace_of(raised(ValueError("boom")))
    assert text.splitlines()[-1] == "ValueError: boom"
    assert "test_traces.py:" in text
    assert " in raised" in text


async def test_the_way_through_the_runtime_to_an_actor_is_left_out() -> None:
    async with open_test_system(one(worker([]))) as system:
        recorder = Recorder(system)
        await system.ref("/a", Worker).tell(Do(what=lambda _: 1 / 0))
        places = (await recorder.wait_for(ChildExited)).trace.splitlines()
    assert "workers.py:" in places[0]
    assert " in receive" in places[0]
    assert " in <lambda>" in places[1]


def test_an_error_of_the_runtime_itself_is_shown_whole() -> None:
    with pytest.raises(InvalidSpec) as caught:
        Mailbox(0, Overflow.WAIT)
    error = caught.value
    assert error.__traceback__ is not None
    text = trace_of(error.with_traceback(error.__traceback__.tb_next))
    assert "spec.py:" in text


def test_what_led_to_it_comes_first() -> None:
    error = ValueError("late")
    error.__cause__ = raised(KeyError("early"))
    error.add_note("and a note")
    text = trace_of(error)
    assert text.index("KeyError: 'early'") < text.index("which led to") < text.index("ValueError: late")
    assert text.splitlines()[-1] == "and a note"


def test_groups_tell_their_members() -> None:
    text = trace_of(ExceptionGroup("some", [ValueError("one"), KeyError("two")]))
    assert text.count("of which") == 2
    assert "ValueError: one" in text
    assert "KeyError: 'two'" in text


class Mute(Exception):
    """Cannot print itself."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_that_cannot_print_itself_still_has_a_place() -> None:
    assert " in raised" in trace_of(raised(Mute()))


def test_a_ring_and_a_great_depth_come_to_an_end() -> None:
    error = ValueError("ring")
    other = ValueError("other")
    error.__cause__, other.__cause__ = other, error
    assert "ring" in trace_of(error)

    def deep(n: int) -> None:
        if n == 0:
            raise ValueError("deep")
        deep(n - 1)

    with pytest.raises(ValueError, match="deep") as caught:
        deep(300)
    text = trace_of(caught.value)
    assert len(text) <= KEPT
    assert text.endswith("ValueError: deep")


def test_groups_within_groups_come_to_an_end() -> None:
    error: Exception = ValueError("leaf")
    for _ in range(10):
        error = ExceptionGroup("group", [error] * 8)
    assert trace_of(error).count("of which") <= 8 + 64
