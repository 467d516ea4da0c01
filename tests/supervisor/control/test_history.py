"""The log of a status: the last events of one place and what is below it, as sentences."""

import pytest

from supervisor.control.history import KEPT, History, told
from supervisor.events import (
    BecameZombie,
    ChildExited,
    ChildStarted,
    DeadLetter,
    End,
    Event,
    EventsLost,
    GaveUp,
    RestartScheduled,
)


def started(path: str, incarnation: int = 1) -> ChildStarted:
    return ChildStarted(path=path, at=0.0, incarnation=incarnation)


def test_a_place_hears_of_itself_and_what_is_below_it() -> None:
    history = History()
    for path in ("/a", "/a/b", "/ab", "/c"):
        history.add(started(path))

    assert [line.path for line in history.last(10, "/a")] == ["/a", "/a/b"]
    assert [line.path for line in history.last(10, "/")] == ["/a", "/a/b", "/ab", "/c"]


def test_the_last_ones_are_told_in_the_order_they_happened() -> None:
    history = History()
    for number in range(2, KEPT + 100):
        history.add(started("/a", number))

    assert [line.text for line in history.last(2, "/a")] == [
        f"started, incarnation {KEPT + 98}",
        f"started, incarnation {KEPT + 99}",
    ]
    assert len(history.last(KEPT * 2, "/a")) == KEPT


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (started("/a"), "started"),
        (ChildExited(path="/a", at=0.0, incarnation=1, end=End.NORMAL, reason="", trace=""), "ended (normal)"),
        (ChildExited(path="/a", at=0.0, incarnation=1, end=End.FAILED, reason="no", trace="T"), "ended (failed): no"),
        (
            RestartScheduled(path="/a", at=0.0, delay=0.1234, count=1, most=3, within=5.0),
            "restart 1 of 3 within 5 s follows in 0.12 s",
        ),
        (
            RestartScheduled(path="/a", at=0.0, delay=0.0, count=1, most=3, within=5.0),
            "restart 1 of 3 within 5 s follows at once",
        ),
        (GaveUp(path="/a", at=0.0, reason="too many"), "gave up: too many"),
        (DeadLetter(path="/a", at=0.0, message="Say", text="Say('secret')", reason="full"), "dead letter Say: full"),
        (BecameZombie(path="/a", at=0.0, overdue=2.0), "still runs 2 s after it was cancelled"),
        (EventsLost(path="/", at=0.0, count=7), "7 events were lost: more came than could be noted down"),
    ],
)
def test_events_in_words(event: Event, text: str) -> None:
    assert told(event) == text
