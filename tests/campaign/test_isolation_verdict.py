"""What is counted as beside a bad room, and what is made of the figures."""

from math import isnan

from tests.campaign.isolation_verdict import Episode, Sample, Span, between, lines, ratio, together

EPISODE = Episode("kind", quiet=[Span(0.0, 10.0), Span(20.0, 30.0)], bad=[Span(10.0, 20.0)])


def test_a_message_counts_where_it_was_sent_however_late_its_answer_is() -> None:
    before, late, amid, later, after, none = (
        Sample(1.0, 1.0),
        Sample(9.5, 2.0),
        Sample(10.0, 3.0),
        Sample(19.5, 4.0),
        Sample(25.0, 5.0),
        Sample(40.0, 6.0),
    )
    samples = [before, late, amid, later, after, none]
    assert EPISODE.without(samples) == [1.0, 2.0, 5.0]
    assert EPISODE.beside(samples) == [3.0, 4.0]


def test_the_ratio_is_that_of_the_slowest_and_says_how_sure_it_is() -> None:
    even = [0.5] * 200
    assert ratio(even, even) == 1.0
    assert between(even, even) == (1.0, 1.0)
    slow = [*even[:-4], 1.0, 1.0, 1.0, 1.0]
    assert ratio(even, slow) == 2.0
    least, most = between(even, slow)
    assert least <= 2.0 <= most
    assert isnan(ratio([], even))


def test_what_was_measured_right_before_and_after_a_kind_is_without_it_too() -> None:
    def episode(at: float) -> Episode:
        return Episode(f"at {at}", quiet=[Span(at, at + 10)], bad=[Span(at + 10, at + 20)])

    episodes = [episode(at) for at in (0.0, 100.0, 200.0, 300.0)]
    samples = [Sample(start + 5.0, 0.5) for start in (0.0, 100.0, 200.0, 300.0)]
    samples += [Sample(start + 15.0, 0.5) for start in (0.0, 100.0, 200.0, 300.0)]
    counted = [line.title for line in lines(episodes, samples) if "without p50" in line.title]
    assert [title.partition(" ms of ")[2][0] for title in counted] == ["2", "3", "3", "2"]


def test_a_miss_and_a_broken_promise_are_shown_as_such() -> None:
    samples = [Sample(at, 0.5) for at in range(9)] + [Sample(11.0 + at, 1.0) for at in range(9)]
    told = {line.title: line for line in lines([EPISODE], samples)}
    assert told["kind"].good
    assert next(line for title, line in told.items() if "p99 beside" in title).good is False
    broken = Episode("other", quiet=EPISODE.quiet, bad=EPISODE.bad, broken=["message 1 was not answered"])
    assert not next(iter(lines([broken], samples))).good


def test_where_nobody_can_be_answered_there_is_no_ratio() -> None:
    untimed = Episode("disk", timed=False, quiet=EPISODE.quiet, bad=EPISODE.bad)
    samples = [Sample(1.0, 1.0), Sample(11.0, 9.0)]
    assert not [line for line in lines([untimed], samples) if "p99 beside" in line.title]
    assert together([([untimed], samples)]) == []
    assert together([([EPISODE], samples)])[0].figure == "9.00 x"
