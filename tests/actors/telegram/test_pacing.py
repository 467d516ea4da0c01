"""The outbox's budgets, played on a clock of numbers: never too fast, and never a final that waits for previews."""

from collections import defaultdict
from contextlib import ExitStack
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.telegram.pacing import BOT, GROUP, PREVIEW_REST, SHORT, Kind, Pacing, Window

PRIVATE_CHAT = 77
GROUP_CHAT = -100


def send(pacing: Pacing, chat: int, kind: Kind, now: float) -> float:
    """Waits as it is told to and sends; returns when."""
    while wait := pacing.may(chat, kind, now):
        now += wait
    pacing.spent(chat, kind, now)
    return now


def send_all(chat: int, kinds: list[Kind]) -> list[float]:
    pacing, now, times = Pacing(), 0.0, []
    for kind in kinds:
        now = send(pacing, chat, kind, now)
        times.append(round(now, 1))
    return times


@pytest.mark.parametrize(
    ("chat", "kinds", "times"),
    [
        (PRIVATE_CHAT, [Kind.FINAL] * 11, [0] * 5 + [5.5] * 5 + [11]),
        (PRIVATE_CHAT, [Kind.PREVIEW] * 5, [0, 1.5, 3, 5.5, 7]),
        (PRIVATE_CHAT, [Kind.PREVIEW, Kind.PREVIEW, Kind.FINAL], [0, 1.5, 1.5]),
        (PRIVATE_CHAT, [Kind.FINAL, Kind.PREVIEW], [0, 1.5]),
        (PRIVATE_CHAT, [Kind.FINAL, Kind.FIRST, Kind.PREVIEW], [0, 0, 1.5]),
        (PRIVATE_CHAT, [Kind.PREVIEW] * 4 + [Kind.FIRST, Kind.FINAL], [0, 1.5, 3, 5.5, 5.5, 5.5]),
        (GROUP_CHAT, [Kind.PREVIEW] * 4, [0, 3, 6, 9]),
        (GROUP_CHAT, [Kind.PREVIEW] * 13, [*range(0, 36, 3), 61]),
        (GROUP_CHAT, [Kind.PREVIEW] * 12 + [Kind.FINAL] * 3, [*range(0, 36, 3), 33, 33, 33]),
        (GROUP_CHAT, [Kind.PREVIEW] * 12 + [Kind.FIRST] * 2, [*range(0, 36, 3), 33, 33]),
    ],
)
def test_a_chats_timetable(chat: int, kinds: list[Kind], times: list[float]) -> None:
    assert send_all(chat, kinds) == pytest.approx(times, abs=0.11)


def test_a_group_takes_twenty_finals_a_minute() -> None:
    times = send_all(GROUP_CHAT, [Kind.FINAL] * 21)
    assert times[19] < 25
    assert times[20] == pytest.approx(61, abs=0.1)


def test_finals_may_use_what_notes_and_previews_must_leave() -> None:
    pacing = Pacing()
    used = dict.fromkeys(Kind, 0)
    for kind in Kind:
        for chat in range(1000 * kind, 1000 * kind + 100):
            if pacing.may(chat + 1, kind, 0.0) == 0.0:
                pacing.spent(chat + 1, kind, 0.0)
                used[kind] += 1
    assert list(used.items()) == [
        (Kind.REACTION, 15),
        (Kind.PREVIEW, 3),
        (Kind.BUTTON, 4),
        (Kind.FIRST, 3),
        (Kind.NOTE, 2),
        (Kind.FINAL, 3),
    ]


def test_a_flood_concerns_its_chat_only_and_previews_longer() -> None:
    pacing = Pacing()
    pacing.flood(PRIVATE_CHAT, 100.0)
    pacing.flood(PRIVATE_CHAT, 50.0)  # a shorter one does not shorten it
    assert pacing.may(PRIVATE_CHAT, Kind.FINAL, 10.0) == pytest.approx(90.0, abs=0.01)
    assert pacing.may(PRIVATE_CHAT, Kind.FINAL, 100.0) == 0.0
    assert pacing.may(PRIVATE_CHAT, Kind.PREVIEW, 100.0) == pytest.approx(PREVIEW_REST, abs=0.01)
    assert pacing.may(GROUP_CHAT, Kind.PREVIEW, 10.0) == 0.0


def test_idle_chats_are_forgotten_but_not_a_flood() -> None:
    pacing = Pacing()
    for chat in range(1, 2001):
        pacing.spent(chat, Kind.FINAL, chat * 0.04)
    pacing.flood(1, 1000.0)
    assert 1500 < len(pacing) < 1600
    for second in range(200, 400):
        pacing.spent(PRIVATE_CHAT, Kind.FINAL, float(second))
        pacing.spent(PRIVATE_CHAT, Kind.FINAL, float(second))
    assert pacing.may(1, Kind.FINAL, 400.0) > 599
    pacing.spent(1, Kind.FINAL, 1100.0)
    for second in range(1100, 1200):
        pacing.spent(PRIVATE_CHAT, Kind.FINAL, float(second))
    assert len(pacing) == 1


# --- many turns at once -----------------------------------------------------------------------------------------


def show_all(pacing: Pacing, chats: list[int], seconds: float) -> dict[int, list[float]]:
    """A turn is shown in each of these chats and has something new to show all the time; when each showed it."""
    times: dict[int, list[float]] = {chat: [] for chat in chats}
    with ExitStack() as shown:
        for chat in chats:
            shown.enter_context(pacing.showing(chat))
        for tick in range(int(seconds * 20)):
            for chat in chats:
                kind = Kind.PREVIEW if times[chat] else Kind.FIRST
                if pacing.may(chat, kind, tick / 20) == 0.0:
                    pacing.spent(chat, kind, tick / 20)
                    times[chat].append(tick / 20)
    return times


@pytest.mark.parametrize(("count", "spacing"), [(1, 1.5), (15, 1.5), (28, 2.2), (56, 4.4)])
def test_the_more_chats_show_a_turn_the_rarer_are_the_previews_of_each(count: int, spacing: float) -> None:
    for times in show_all(Pacing(), list(range(1, count + 1)), 40.0).values():
        apart = [late - early for early, late in pairwise(times)]
        assert min(apart[1:]) >= spacing - 0.001
        assert times[-1] > 40 - 2 * max(spacing, 1.9)  # and nobody goes without


@pytest.mark.parametrize("count", [20, 60, 200])
def test_however_many_turns_are_shown_the_next_one_begins_at_once(count: int) -> None:
    pacing = Pacing()
    show_all(pacing, list(range(1, count + 1)), 30.0)
    for chat in (PRIVATE_CHAT + 1000, GROUP_CHAT):
        assert pacing.may(chat, Kind.FIRST, 30.0) == 0.0


def test_previews_in_a_group_leave_to_its_other_turns_what_they_will_need() -> None:
    pacing = Pacing()
    counts = []
    for topics in range(1, 8):
        with ExitStack() as shown:
            for _ in range(topics):
                shown.enter_context(pacing.showing(GROUP_CHAT))
            times: list[float] = []
            while not times or times[-1] < 100 * topics + 61:
                times.append(send(pacing, GROUP_CHAT, Kind.PREVIEW, 100.0 * topics if not times else times[-1]))
            counts.append(sum(at < times[0] + 60 for at in times))
    assert counts == [12, 10, 8, 6, 4, 2, 1]


def test_turns_that_are_shown_no_more_need_nothing() -> None:
    pacing = Pacing()
    with ExitStack() as shown:
        for chat in [*range(1, 100), GROUP_CHAT, GROUP_CHAT, GROUP_CHAT]:
            shown.enter_context(pacing.showing(chat))
    times = [0.0]
    while times[-1] < 61:
        times.append(send(pacing, GROUP_CHAT, Kind.PREVIEW, times[-1]))
    assert sum(at < 60 for at in times[1:]) == 12
    assert times[2] - times[1] == pytest.approx(3.0, abs=0.1)


# --- whatever is asked ------------------------------------------------------------------------------------------

WISHES = st.lists(
    st.tuples(st.sampled_from([PRIVATE_CHAT, GROUP_CHAT, *range(1, 40)]), st.sampled_from(Kind), st.floats(0, 2)),
    max_size=150,
)


SHOWING = [Kind.REACTION, Kind.PREVIEW, Kind.BUTTON, Kind.FIRST]


def over(times: list[float], window: Window) -> bool:
    """Whether more than the window's limit was sent in one of its periods."""
    return any(late - early < window.period for early, late in zip(times, times[window.limit :], strict=False))


@given(WISHES)
def test_no_window_ever_has_more_than_its_limit(wishes: list[tuple[int, Kind, float]]) -> None:
    pacing, now = Pacing(), 0.0
    every: list[float] = []
    sent: dict[int, list[float]] = defaultdict(list)
    for chat, kind, pause in wishes:
        now = send(pacing, chat, kind, now + pause / 20)
        every.append(now)
        if kind is not Kind.REACTION:
            sent[chat].append(now)
    assert not over(every, BOT)
    assert not any(over(times, SHORT) for times in sent.values())
    assert not over(sent[GROUP_CHAT], GROUP)


@given(WISHES, st.sampled_from([PRIVATE_CHAT, GROUP_CHAT, 5]))
def test_after_anything_that_shows_turns_and_marks_a_final_goes_at_once(
    wishes: list[tuple[int, Kind, float]], chat: int
) -> None:
    pacing, now = Pacing(), 0.0
    for other, wish, pause in wishes:
        now += pause / 10
        kind = min(wish, Kind.FIRST)
        if pacing.may(other, kind, now) == 0.0:
            pacing.spent(other, kind, now)
    assert pacing.may(chat, Kind.FINAL, now) == 0.0


@given(WISHES, st.sampled_from([PRIVATE_CHAT, GROUP_CHAT, 5]))
def test_after_any_previews_and_marks_a_first_picture_goes_at_once(
    wishes: list[tuple[int, Kind, float]], chat: int
) -> None:
    pacing, now = Pacing(), 0.0
    for other, wish, pause in wishes:
        now += pause / 10
        kind = min(wish, Kind.PREVIEW)
        if pacing.may(other, kind, now) == 0.0:
            pacing.spent(other, kind, now)
    assert pacing.may(chat, Kind.FIRST, now) == 0.0


@given(WISHES, st.lists(st.sampled_from(SHOWING), min_size=1, max_size=40))
def test_what_waits_behind_a_final_waits_the_same_without_previews_between(
    wishes: list[tuple[int, Kind, float]], greedy: list[Kind]
) -> None:
    """However greedy previews are while finals wait, the next final is due no later than its own kind's limits say."""
    pacing, now = Pacing(), 0.0
    for chat, kind, pause in wishes:
        now += pause / 10
        if pacing.may(chat, kind, now) == 0.0:
            pacing.spent(chat, kind, now)
    due = now + pacing.may(PRIVATE_CHAT, Kind.FINAL, now)
    for kind in greedy:
        now += 0.05
        for chat in (PRIVATE_CHAT, GROUP_CHAT):
            if pacing.may(chat, kind, now) == 0.0:
                pacing.spent(chat, kind, now)
        assert pacing.may(PRIVATE_CHAT, Kind.FINAL, now) <= max(0.0, due - now) + 0.002


@given(WISHES, st.sampled_from([Kind.PREVIEW, Kind.BUTTON, Kind.FIRST, Kind.NOTE, Kind.FINAL]), st.integers(0, 9))
def test_the_higher_kind_never_waits_longer(wishes: list[tuple[int, Kind, float]], kind: Kind, turns: int) -> None:
    pacing, now = Pacing(), 0.0
    with ExitStack() as shown:
        for _ in range(turns):
            shown.enter_context(pacing.showing(GROUP_CHAT))
        for chat, wish, pause in wishes:
            now += pause
            waits = [pacing.may(chat, each, now) for each in Kind if each is not Kind.REACTION]
            assert waits == sorted(waits, reverse=True)
            if pacing.may(chat, most := max(wish, kind), now) == 0.0:
                pacing.spent(chat, most, now)


def test_a_mark_counts_for_the_bot_and_holds_up_only_marks_in_its_chat() -> None:
    pacing = Pacing()
    pacing.spent(GROUP_CHAT, Kind.REACTION, 0.0)
    assert pacing.may(GROUP_CHAT, Kind.REACTION, 0.0) == pytest.approx(1.0, abs=0.01)
    assert pacing.may(GROUP_CHAT, Kind.PREVIEW, 0.0) == 0.0
    for chat in range(1, BOT.limit):
        pacing.spent(chat, Kind.FINAL, 0.0)
    assert pacing.may(GROUP_CHAT, Kind.FINAL, 0.0) > 0


def test_a_flood_wait_is_told_to_the_second() -> None:
    pacing = Pacing()
    pacing.flood(PRIVATE_CHAT, 20.0)
    assert [pacing.flooded(PRIVATE_CHAT, now) for now in (0.0, 19.0, 20.0, 30.0)] == [20.0, 1.0, 0.0, 0.0]
    assert pacing.flooded(GROUP_CHAT, 0.0) == 0.0


def test_a_request_counts_from_when_telegram_may_have_seen_it() -> None:
    pacing = Pacing()
    for _ in range(5):
        pacing.spent(PRIVATE_CHAT, Kind.FINAL, 0.0)
    for answered in (0.1, 2.0, 2.0, 2.0, 2.0):  # a slow way
        pacing.answered(PRIVATE_CHAT, Kind.FINAL, 0.0, answered)
    assert pacing.may(PRIVATE_CHAT, Kind.FINAL, 2.0) == pytest.approx(3.6, abs=0.01)
    assert send(pacing, PRIVATE_CHAT, Kind.FINAL, 2.0) == pytest.approx(5.6, abs=0.01)
    assert pacing.may(PRIVATE_CHAT, Kind.FINAL, 5.7) == pytest.approx(1.8, abs=0.01)


def test_an_answer_to_what_nobody_remembers_says_nothing() -> None:
    pacing = Pacing()
    pacing.answered(PRIVATE_CHAT, Kind.FINAL, 0.0, 2.0)
    pacing.spent(GROUP_CHAT, Kind.REACTION, 1.0)
    pacing.answered(GROUP_CHAT, Kind.REACTION, 1.0, 2.0)
    assert [pacing.may(chat, Kind.PREVIEW, 2.0) for chat in (PRIVATE_CHAT, GROUP_CHAT)] == [0.0, 0.0]
