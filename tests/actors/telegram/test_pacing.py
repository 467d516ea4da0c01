"""The outbox's budgets, played on a clock of numbers: never too fast, and never a final that waits for previews."""

from collections import defaultdict

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
    pacing.spent(chat, now)
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
        (GROUP_CHAT, [Kind.PREVIEW] * 4, [0, 3, 6, 9]),
        (GROUP_CHAT, [Kind.PREVIEW] * 13, [*range(0, 36, 3), 61]),
        (GROUP_CHAT, [Kind.PREVIEW] * 12 + [Kind.FINAL] * 3, [*range(0, 36, 3), 33, 33, 33]),
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
                pacing.spent(chat + 1, 0.0)
                used[kind] += 1
    assert used == {Kind.PREVIEW: 20, Kind.NOTE: 7, Kind.FINAL: 3}


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
        pacing.spent(chat, chat * 0.04)
    pacing.flood(1, 1000.0)
    assert 1500 < len(pacing) < 1600
    for second in range(200, 400):
        pacing.spent(PRIVATE_CHAT, float(second))
        pacing.spent(PRIVATE_CHAT, float(second))
    assert pacing.may(1, Kind.FINAL, 400.0) > 599
    pacing.spent(1, 1100.0)
    for second in range(1100, 1200):
        pacing.spent(PRIVATE_CHAT, float(second))
    assert len(pacing) == 1


# --- whatever is asked ------------------------------------------------------------------------------------------

WISHES = st.lists(
    st.tuples(st.sampled_from([PRIVATE_CHAT, GROUP_CHAT, *range(1, 40)]), st.sampled_from(Kind), st.floats(0, 2)),
    max_size=150,
)


def over(times: list[float], window: Window) -> bool:
    """Whether more than the window's limit was sent in one of its periods."""
    return any(late - early < window.period for early, late in zip(times, times[window.limit :], strict=False))


@given(WISHES)
def test_no_window_ever_has_more_than_its_limit(wishes: list[tuple[int, Kind, float]]) -> None:
    pacing, now = Pacing(), 0.0
    sent: dict[int, list[float]] = defaultdict(list)
    for chat, kind, pause in wishes:
        now = send(pacing, chat, kind, now + pause / 20)
        sent[chat].append(now)
    assert not over(sorted(time for times in sent.values() for time in times), BOT)
    assert not any(over(times, SHORT) for times in sent.values())
    assert not over(sent[GROUP_CHAT], GROUP)


@given(WISHES, st.sampled_from([PRIVATE_CHAT, GROUP_CHAT, 5]))
def test_after_any_previews_a_final_goes_at_once(wishes: list[tuple[int, Kind, float]], chat: int) -> None:
    pacing, now = Pacing(), 0.0
    for other, _, pause in wishes:
        now += pause
        if pacing.may(other, Kind.PREVIEW, now) == 0.0:
            pacing.spent(other, now)
    assert pacing.may(chat, Kind.FINAL, now) == 0.0


@given(WISHES, st.sampled_from(Kind))
def test_the_higher_kind_never_waits_longer(wishes: list[tuple[int, Kind, float]], kind: Kind) -> None:
    pacing, now = Pacing(), 0.0
    for chat, wish, pause in wishes:
        now += pause
        waits = [pacing.may(chat, each, now) for each in Kind]
        assert waits == sorted(waits, reverse=True)
        if waits[max(wish, kind)] == 0.0:
            pacing.spent(chat, now)
