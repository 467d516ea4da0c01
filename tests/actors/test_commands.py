"""What of a person's text is a command, and what the commands are."""

import re

import pytest

from actors.commands import (
    answer,
    argument,
    help_text,
    listing,
    menu,
    nearest,
    once,
    parse,
    send_as_text,
    takes_words,
)
from actors.messages import Button

TAKE_WORDS = [
    *("steer", "queue", "compact", "resume", "model", "think", "topic"),
    *("create", "verbose", "listen", "mute", "kill", "cleanup"),
    *("spawn", "apply", "diff", "discard"),
]
COMMANDS = [
    *TAKE_WORDS,
    *("help", "new", "stop", "status", "threads", "sessions", "usage", "restart", "whoami", "agents"),
]


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
        ("/model gpt", "model"),
        ("/spawn count the\nlines", "spawn"),
        ("/apply@MyBot shop-2", "apply"),
        ("/cancel", "stop"),
        ("/abort", "stop"),
        ("/reset", "new"),
        ("/rooms", "threads"),
        ("/reasoning high", "think"),
        ("/thinking", "think"),
        ("/start", "start"),
        ("/etc", "?etc"),
        ("/etc/hosts is odd", None),
        ("/etc/hosts", None),
        ("/frobnicate the door", None),
        ("/answer 1 2", None),
        ("see /stop", None),
        ("/stop@MyBot", "stop"),
        ("/stop@mybot now", "stop"),
        ("/stop@otherbot", ""),
        ("/frobnicate@otherbot", ""),
        ("/steer@otherbot left", ""),
        ("/steer", "steer"),
        ("/queue ", "queue"),
        ("/steer left", None),
        ("/" + "a" * 33, None),
    ],
)
def test_what_is_a_command(text: str, found: str | None) -> None:
    assert parse(text, "MyBot") == found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_one(name: str) -> None:
    assert parse(f"/{name}") == name


def test_where_there_are_no_bots_an_at_is_text() -> None:
    assert parse("/usr@home is full") is None
    assert parse("/stop") == "stop"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/steer go left", ("steer", "go left")),
        (" /QUEUE@mybot\nthen\nthis ", ("follow_up", "then\nthis")),
        ("/steer@otherbot go", None),
        ("/steer", None),
        ("/stop it", None),
        ("steer it", None),
    ],
)
def test_words_that_are_steered_or_queued_once(text: str, found: tuple[str, str] | None) -> None:
    assert once(text, "MyBot") == found


def test_where_there_are_no_bots_nobody_is_meant_by_an_at() -> None:
    assert once("/steer go") == ("steer", "go")
    assert once("/steer@mybot go") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/model a b", "a b"),
        ("/answer 3 the\nsecond", "3 the\nsecond"),
        ("/model@MyBot  x ", "x"),
        ("/stop", ""),
        ("text", ""),
    ],
)
def test_the_words_behind_a_command(text: str, words: str) -> None:
    assert argument(text) == words


def test_which_commands_take_words() -> None:
    assert [name for name in COMMANDS if takes_words(name)] == TAKE_WORDS
    assert not takes_words("?frobnicate")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("stpo", "stop"),
        ("cancle", "stop"),
        ("stat", "status"),
        ("st", "stop"),
        ("compat", "compact"),
        ("session", "sessions"),
        ("agent", "agents"),
        ("spwan", "spawn"),
        ("disc", "discard"),
        ("reason", "think"),
        ("xyzzy", None),
    ],
)
def test_the_nearest_command(word: str, meant: str | None) -> None:
    assert nearest(word) == meant


def test_the_menu_is_one_that_telegram_takes() -> None:
    assert sorted(name for name, _ in menu()) == sorted(COMMANDS)
    assert all(re.fullmatch("[a-z0-9_]{1,32}", name) and 1 <= len(about) <= 256 for name, about in menu())


def test_help_names_every_command_once_and_fits_a_screen() -> None:
    lines = help_text().splitlines()
    named = [line[1:].split()[0] for line in lines if line.startswith("/")]
    assert sorted(named) == sorted(set(COMMANDS) - {"help"})
    assert len(lines) <= 31
    assert max(map(len, lines)) <= 55


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("?stpo", "I do not know /stpo. Did you mean /stop?"),
        ("?xyzzy", "I do not know /xyzzy. /help shows what I understand."),
        ("?_x_", r"I do not know /\_x\_. /help shows what I understand."),
        ("help", help_text()),
    ],
)
def test_answers(name: str, text: str) -> None:
    assert answer(name) == text


def test_what_is_no_command_can_be_sent_as_it_stands() -> None:
    assert send_as_text("/etc\n") == ((Button(label="Send as text", command="text", argument="/etc"),),)


def test_a_greeting_says_what_to_do() -> None:
    assert answer("start").startswith("Write what you want done.")


def test_rooms_are_listed_with_their_last_use() -> None:
    rooms = [("a", "A", 1000.0), ("b", "*B*", 1000.0 - 120), ("c", "C", 1000.0 - 7200), ("d", "D", 1000.0 - 172800)]
    assert listing(rooms, 1000.0).splitlines() == [
        "- `a` A – just now",
        r"- `b` \*B\* – 2 min ago",
        "- `c` C – 2 h ago",
        "- `d` D – 2 d ago",
    ]
    assert listing([], 1.0) == "There is no room yet."
