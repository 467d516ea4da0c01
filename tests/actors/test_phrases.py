"""Small pieces of what people read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.phrases import ago, block, code, counted, inert, lasting, money, short, tokens
from actors.telegram.render import render

MARKDOWN = """# x|- a|+ a|1. b|1)|```py|~~~|---|===|    code|> q|- [ ] x|* * *|[x]: http://a.b|[x]|![x](y)|[x](http://a.b)
<b>|<!-- x|<http://a.b>|&amp;|&#65;|**x**|__y__|~~z~~|snake_case_name|a\\|$$x$$|tail  |*|_|\t- a"""
ROWS = ["| a | b |", "|---|---|", ":--|:--", "a || b ||c||"]
LINES = st.lists(
    st.text(st.sampled_from("ab1 \t\\`*_{}[]()#+-.!|<>~$&=:;\"'/@\u00e4\u6f22"), max_size=20)
    | st.sampled_from([*re.split(r"[|\n]", MARKDOWN), *ROWS]),
    max_size=8,
)


@given(LINES)
def test_inert_text_is_shown_as_it_is(lines: list[str]) -> None:
    text = "\n".join(line.strip(" \t") for line in lines).strip()
    parts = render(inert("\n".join(lines)))
    assert "\n".join(part.text for part in parts).replace("\u00a0", "").strip() == re.sub("\n{3,}", "\n\n", text)
    assert not any(part.entities for part in parts)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("plain words, with (some) marks: $1 < 2!", "plain words, with (some) marks: $1 < 2!"),
        ("snake_case & Co, -5 to +5, 3. of 4", "snake_case & Co, -5 to +5, 3. of 4"),
        ("-5 or =5 or #5", "-5 or =5 or #5"),
        ("*a* _b_ `c`", r"\*a\* \_b\_ \`c\`"),
        ("# a\r\n- b\n1. c", "\\# a\n\\- b\n1\\. c"),
        ("  a", "\u00a0\u00a0a"),
    ],
)
def test_only_what_would_be_markdown_is_changed(text: str, markdown: str) -> None:
    assert inert(text) == markdown


@given(st.text(st.sampled_from("ab `|*<\n"), max_size=20))
def test_code_is_shown_as_it_is(text: str) -> None:
    line = " ".join(text.split())
    parts = render(f"x {code(text)} x")
    assert "".join(part.text for part in parts).split() == ["x", *line.split(), "x"]
    assert [str(entity.type) for part in parts for entity in part.entities] == (["code"] if line else [])


def test_a_long_text_is_cut_on_one_line() -> None:
    assert short("a\n b", 3) == "a b"
    assert short("abc def", 5) == "abc…"
    assert len(short("x" * 100)) == 60


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (190, "3 min 10 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86399, "23 h 59 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_how_long_something_lasts(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_how_long_something_is_past() -> None:
    assert [ago(s) for s in (0, 59, 60, 3599, 3600, 200_000)] == [
        *("just now", "just now", "1 min ago", "59 min ago", "1 h ago", "2 d ago")
    ]


def test_sums() -> None:
    assert [money(s) for s in (0.00001, 0.00042, 0.0129, 0.5, 120)] == [
        *("<$0.0001", "$0.0004", "$0.013", "$0.50", "$120.00")
    ]
    assert [tokens(n) for n in (0, 999, 1000, 45_300, 999_499, 999_500, 1_250_000)] == [
        *("0", "999", "1 k", "45 k", "999 k", "1.0 M", "1.2 M")
    ]


@pytest.mark.parametrize("text", ["make: *** no", "```\nend", "a\n````b````\nc", "~~~"])
def test_nothing_in_a_block_ends_it(text: str) -> None:
    fence, *lines, end = block(text).splitlines()
    assert fence == end == "`" * len(fence)
    assert "\n".join(lines) == text
    assert fence not in text


def test_an_empty_block_is_none() -> None:
    assert block(" \n") == ""


def test_numbers_of_things() -> None:
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
