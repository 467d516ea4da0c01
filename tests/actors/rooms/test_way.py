"""What the conversation notes of a turn's way."""

from actors.rooms.way import Way


def hops(way: Way, turn: str = "t1") -> list[tuple[float, str]]:
    return [(hop.at, hop.what) for hop in way.end(turn)]


def test_each_hop_of_the_last_attempt_is_kept_once() -> None:
    way = Way()
    way.prompted("t1", 1.0)
    way.spoke("t1", 2.0)
    way.prompted("t1", 3.0)
    for now in (4.0, 5.0):
        way.spoke("t1", now)
    way.spoke("t0", 6.0)
    way.settled("t0", 7.0)
    way.settled("t1", 8.0)
    assert hops(way) == [(3.0, "prompted"), (4.0, "first word"), (8.0, "settled")]
    assert hops(way) == []


def test_a_turn_without_a_run_has_none() -> None:
    way = Way()
    way.prompted("t1", 1.0)
    assert hops(way, "t2") == []
    way.spoke("t1", 2.0)
    assert hops(way) == []
