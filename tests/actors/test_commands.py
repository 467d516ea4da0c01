"""What of a person's text is a command."""

import pytest

from actors.commands import ABOUT, ALIASES, answer, help_text, listing, nearest, parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hello", None),
        ("", None),
        ("/", None),
        ("/stop", "stop"),
        ("  /STOP \n", "stop"),
        ("/stop at once", "stop"),
        ("/new\nfix it", "new"),
        ("/cancel", "stop"),
        ("/reset", "new"),
        ("/etc", "?etc"),
        ("/etc/hosts is odd", None),
        ("/etc/hosts", None),
        ("/frobnicate the door", None),
        ("see /stop", None),
        ("/stop@MyBot", "stop"),
        ("/stop@mybot now", "stop"),
        ("/stop@otherbot", ""),
        ("/frobnicate@otherbot", ""),
        ("/" + "a" * 33, None),
    ],
)
def test_what_is_a_command(text: str, found: str | None) -> None:
    assert parse(text, "MyBot") == found


def test_where_there_are_no_bots_an_at_is_text() -> None:
    assert parse("/usr@home is full") is None
    assert parse("/stop") == "stop"


def test_every_alias_is_of_a_command() -> None:
    assert set(ALIASES.values()) <= set(ABOUT)
    assert not set(ALIASES) & set(ABOUT)


@pytest.mark.parametrize(("word", "meant"), [("stpo", "stop"), ("cancle", "stop"), ("stat", "status"), ("xyzzy", None)])
def test_the_nearest_command(word: str, meant: str | None) -> None:
    assert nearest(word) == meant


def test_help_names_every_command_once() -> None:
    lines = help_text().splitlines()
    assert [line.partition(" ")[0] for line in lines] == [f"/{name}" for name in ABOUT if name != "start"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("?stpo", "I do not know /stpo. Did you mean /stop?"),
        ("?xyzzy", "I do not know /xyzzy. /help shows what I understand."),
        ("help", help_text()),
    ],
)
def test_answers(name: str, text: str) -> None:
    assert answer(name) == text


def test_a_greeting_says_what_to_do() -> None:
    assert answer("start").startswith("Write what you want done.")


def test_rooms_are_listed_with_their_last_use() -> None:
    rooms = [("a", "A", 1000.0), ("b", "B", 1000.0 - 120), ("c", "C", 1000.0 - 7200), ("d", "D", 1000.0 - 172800)]
    assert listing(rooms, 1000.0).splitlines() == [
        "- `a` A – just now",
        "- `b` B – 2 min ago",
        "- `c` C – 2 h ago",
        "- `d` D – 2 d ago",
    ]
    assert listing([], 1.0) == "There is no room yet."
