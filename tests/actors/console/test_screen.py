"""The screen, played without a terminal: what a person reads after any course of progress, and what stays out."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.console.screen import CHOOSE, MOST_OFFERS, REPEATED, Piece, Screen, banner, harmless
from actors.messages import Delivery, DeliveryKind, Key, Place, ShowProgress

PLACE = Place("console", 0)
Course = list[tuple[str, tuple[str, ...]]]


def progress(text: str, *tools: str, turn: str = "t1") -> ShowProgress:
    return ShowProgress(place=PLACE, turn=turn, text=text, tools=tools, since=0.0)


def delivery(
    text: str,
    *,
    turn: str | None = "t1",
    kind: DeliveryKind = DeliveryKind.ANSWER,
    doubtful: bool = False,
    keys: tuple[tuple[Key, ...], ...] = (),
    file: str | None = None,
    footer: str = "",
) -> Delivery:
    return Delivery(
        id=1,
        place=PLACE,
        kind=kind,
        text=text,
        reply_to=None,
        turn=turn,
        part=0,
        attempts=1,
        doubtful=doubtful,
        created_at=0.0,
        keys=keys,
        file=file,
        footer=footer,
    )


def said(pieces: list[Piece]) -> str:
    """What stdout gets."""
    return "".join(text for text, aside in pieces if not aside)


def seen(pieces: list[Piece]) -> str:
    """What a person sees who has stdout and stderr on one terminal."""
    return "".join(text for text, _ in pieces)


COURSES: list[tuple[str, Course, str, str]] = [
    ("no progress", [], "Hi.", "Hi.\n"),
    ("the whole of it", [("Hi.", ())], "Hi.", "Hi.\n"),
    ("a part of it", [("H", ()), ("Hi", ()), ("Hi", ())], "Hi there.\nBye.\n", "Hi there.\nBye.\n"),
    ("white space taken off", [("\n\nHi ", ()), ("\n\nHi there. \n", ())], "Hi there.", "Hi there. \n"),
    ("another answer", [("Once", ())], "Never", "Once\nNever\n"),
    ("a tool, then the answer", [("", ()), ("", ("bash: ls",)), ("a", ("bash: ls",))], "ab", "⚙ bash: ls\nab\n"),
    ("a word, a tool, the answer", [("Look:", ()), ("Look:", ("ls",)), ("Good", ("ls",))], "Good.",
     "Look:\n⚙ ls\nGood.\n"),
    ("the tool and the answer at once", [("Look:", ()), ("Good", ("ls",))], "Good.", "Look:\n⚙ ls\nGood.\n"),
    ("the text grew before the tool", [("Lo", ()), ("Look", ("ls",))], "Good.", "Look\n⚙ ls\nGood.\n"),
    ("two tools, each once", [("", ("a",)), ("", ("a", "b")), ("", ("a", "b"))], "ok", "⚙ a\n⚙ b\nok\n"),
    ("a long list that slides", [("", ("a", "b", "c")), ("", ("b", "c", "d")), ("", ("d", "e", "f"))], "ok",
     "⚙ a\n⚙ b\n⚙ c\n⚙ d\n⚙ e\n⚙ f\nok\n"),
    ("a tool that failed", [("", ("a", "b")), ("", ("a – failed", "b")), ("", ("a – failed", "b", "c"))], "ok",
     "⚙ a\n⚙ b\n⚙ c\nok\n"),
    ("a turn begun again", [("", ("a", "b")), ("", ("a",)), ("", ("a", "c"))], "ok", "⚙ a\n⚙ b\n⚙ a\n⚙ c\nok\n"),
    ("the answer is all messages", [("One", ()), ("Two", ("ls",))], "One\n\nTwo, cut", "One\n⚙ ls\nTwo, cut\n"),
    ("a tool of two lines", [("", ("bash: a\nb\x1b[2J",))], "ok", "⚙ bash: a b␛[2J\nok\n"),
    ("empty", [("", ())], "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("course", "final", "expected"), [case[1:] for case in COURSES], ids=[c[0] for c in COURSES])
def test_a_turn_as_a_person_sees_it(course: Course, final: str, expected: str) -> None:
    screen = Screen(dim=False)
    pieces = [piece for text, tools in course for piece in screen.progress(progress(text, *tools))]
    assert seen(pieces + screen.delivery(delivery(final))) == expected


@given(final=st.text(), cuts=st.lists(st.integers(0, 60)))
def test_growing_snapshots_and_the_final_make_the_final(final: str, cuts: list[int]) -> None:
    screen = Screen(dim=False)
    pieces = [piece for cut in sorted(cuts) for piece in screen.progress(progress(final[:cut]))]
    pieces += screen.delivery(delivery(final))
    text = harmless(final.lstrip())
    assert said(pieces) == (text + "\n" if text and not text.endswith("\n") else text)


@given(
    abandoned=st.lists(st.text("ab \n\r\t", max_size=5)),
    cuts=st.lists(st.integers(0, 12)),
    final=st.text("xy \x1b", max_size=10).map(lambda text: f"<{text}>"),
    between=st.lists(st.sampled_from(["notice", "tool", "nothing"]), min_size=20, max_size=20),
)
def test_whatever_comes_between_the_final_is_said_once(
    abandoned: list[str], cuts: list[int], final: str, between: list[str]
) -> None:
    screen, pieces, tools = Screen(dim=False), [], 0
    for text, other in zip([*abandoned, *(final[:cut] for cut in sorted(cuts))], between * 9, strict=False):
        tools += other == "tool"
        pieces += screen.progress(progress(text, *map(str, range(tools))))
        pieces += screen.notice("note") if other == "notice" else []
    pieces += screen.delivery(delivery(final))
    # An aside ends the line that is begun; apart from that, nothing comes into the final.
    assert said(pieces).replace("\n", "").count(harmless(final)) == 1
    lines = seen(pieces).split("\n")
    assert [line for line in lines if line.startswith("⚙")] == [f"⚙ {number}" for number in range(tools)]
    assert lines[-1] == ""


def test_what_is_late_is_not_shown_again() -> None:
    screen = Screen(dim=False)
    screen.delivery(delivery("done"))
    assert screen.progress(progress("do", "ls")) == []
    assert said(screen.progress(progress("next", turn="t2"))) == "next"


def test_a_report_does_not_spoil_the_answer_and_a_note_begins_a_line() -> None:
    screen = Screen(dim=False)
    screen.progress(progress("Hello"))
    assert said(screen.delivery(delivery("The agent crashed.", kind=DeliveryKind.REPORT))) == "\nThe agent crashed.\n"
    assert said(screen.delivery(delivery("Hello"))) == ""


def test_another_turns_answer_is_whole() -> None:
    screen = Screen(dim=False)
    screen.progress(progress("Hel"))
    assert said(screen.delivery(delivery("Hello", turn="t0"))) == "\nHello\n"
    assert said(screen.delivery(delivery("Hello"))) == "lo\n"


def test_a_doubtful_delivery_says_so_and_is_whole() -> None:
    screen = Screen(dim=False)
    screen.progress(progress("Hello"))
    assert said(screen.delivery(delivery("Hello", doubtful=True))) == f"\n{REPEATED}\nHello\n"


KEYS = ((Key("red\x1b", "b:1:0"), Key("blue", "b:1:1")), (Key("none", "b:1:2"),))


def test_a_question_shows_its_choices_and_another_delivery_numbers_to_press() -> None:
    screen = Screen(dim=False)
    screen.progress(progress("Let me ask"))
    question = screen.delivery(delivery("Which?", kind=DeliveryKind.QUESTION, keys=KEYS))
    assert said(question) == f"\nWhich?\n  1. red␛\n  2. blue\n  3. none\n{CHOOSE}\n"
    assert screen.offers == {}
    crash = screen.delivery(delivery("Crashed", kind=DeliveryKind.REPORT, keys=KEYS))
    assert (said(crash), seen(crash)) == ("Crashed\n", "Crashed\n/1 red␛ · /2 blue · /3 none\n")
    assert screen.offers == {1: "b:1:0", 2: "b:1:1", 3: "b:1:2"}
    assert said(screen.delivery(delivery("Name?", kind=DeliveryKind.QUESTION))) == "Name?\n"


def test_no_number_is_used_twice_and_only_the_newest_are_kept() -> None:
    screen = Screen(dim=False)
    for number in range(MOST_OFFERS):
        screen.delivery(delivery("Crashed", kind=DeliveryKind.REPORT, keys=((Key("Retry", f"b:{number}:0"),),)))
    last = screen.delivery(delivery("Stopped", kind=DeliveryKind.NOTE, keys=((Key("Run", "b:run"),),)))
    assert seen(last) == f"Stopped\n/{MOST_OFFERS + 1} Run\n"
    assert list(screen.offers) == list(range(2, MOST_OFFERS + 2))
    assert screen.offers[MOST_OFFERS + 1] == "b:run"


def test_a_file_shows_its_path_and_a_footer_goes_elsewhere() -> None:
    screen = Screen(dim=False)
    screen.progress(progress("Hel"))
    pieces = screen.delivery(delivery("Hello", file="/w/a.pdf", footer="12 s · $0.03"))
    assert said(pieces) == "lo\n📎 /w/a.pdf\n"
    assert pieces[-1] == Piece("12 s · $0.03\n", aside=True)


def test_asides_go_elsewhere_and_are_dim_only_where_told() -> None:
    assert Screen(dim=False).notice("a\x1bb") == [Piece("a␛b\n", aside=True)]
    assert Screen(dim=True).notice("a") == [Piece("\x1b[2ma\x1b[0m\n", aside=True)]
    assert Screen(dim=True).notice("a", dim=False) == [Piece("a\n", aside=True)]
    assert Screen(dim=True).progress(progress("", "ls")) == [Piece("\x1b[2m⚙ ls\x1b[0m\n", aside=True)]


@given(st.text(st.characters(categories=["Cc", "L"])))
def test_no_control_character_gets_through(text: str) -> None:
    shown = harmless(text)
    assert not [char for char in shown if unicodedata.category(char) == "Cc" and char not in "\n\t"]
    assert [char for char in shown if char.isalpha()] == [char for char in text if char.isalpha()]


@pytest.mark.parametrize(
    ("demo", "telegram", "exports"),
    [
        (True, False, ["LLM_PROVIDER=zai LLM_API_KEY=…", "TELEGRAM_BOT_TOKEN=…"]),
        (True, True, ["LLM_PROVIDER=zai LLM_API_KEY=…"]),
        (False, False, ["TELEGRAM_BOT_TOKEN=…"]),
        (False, True, []),
    ],
)
def test_the_banner_says_what_runs_and_what_is_missing(demo: bool, telegram: bool, exports: list[str]) -> None:
    text = banner(
        version="1.2", pi_version="3.4", provider="p", model="m", demo=demo, telegram=telegram, workspace="/w"
    )
    assert text.startswith("dispatchd 1.2 · pi 3.4 · p/m")
    assert "/w" in text
    assert re.findall(r"^  export (.*)$", text, re.MULTILINE) == exports
    assert ("demo" in text) is ("run: <shell command>" in text) is demo
    assert "Ctrl-C stops a turn" in text


def test_the_banner_does_without_pis_version() -> None:
    text = banner(version="1", pi_version=None, provider="p", model="m", demo=False, telegram=True, workspace="/w")
    assert text.startswith("dispatchd 1 · pi · p/m · works in /w\n")
