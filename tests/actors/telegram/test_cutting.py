"""Where long texts are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.telegram.cutting import MESSAGE_UNITS, cuts, head, utf16_len, visible


def pieces(text: str, *whole: tuple[int, int]) -> list[str]:
    return [text[start:stop] for start, stop in cuts(text, whole)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a" * 2500 + "\n\n" + "b" * 1000 + "\n" + "c" * 900, "a" * 2500),
        ("a" * 1500 + "\n\n" + "b" * 2000 + "\n" + "c" * 900, "a" * 1500 + "\n\n" + "b" * 2000),
        ("a" * 3000 + ". " + "b" * 500 + " " + "c" * 900, "a" * 3000 + "."),
        ("a" * 3000 + "。" + "b" * 1500, "a" * 3000 + "。"),
        ('"' + "a" * 3000 + '?" ' + "b" * 500 + " " + "c" * 900, '"' + "a" * 3000 + '?"'),
        ("a" * 3000 + " " + "b" * 1500, "a" * 3000),
        ("a " + "b" * 5000, "a"),
        ("a" * 500 + "\n" + "b c " + "d" * 5000, "a" * 500),
        ("a" * 5000, "a" * 4096),
    ],
    ids=[
        "paragraph",
        "line",
        "sentence",
        "sentence without a space",
        "quoted sentence",
        "word",
        "early",
        "low",
        "none",
    ],
)
def test_a_piece_ends_where_a_reader_would_pause(text: str, first: str) -> None:
    assert pieces(text)[0] == first


@pytest.mark.parametrize(
    "letter",
    [
        "e\u0301",
        "👩\u200d👩\u200d👧",
        "👍🏽",
        "🇩🇪",
        "☝\ufe0f",
        "1\ufe0f\u20e3",
        "각",
        "🏴\U000e0067\U000e0062\U000e007f",
    ],
    ids=["accent", "family", "skin", "flag", "variant", "keycap", "syllable", "region"],
)
def test_a_letter_stays_whole(letter: str) -> None:
    text = "x" + letter * 4000
    assert all(len(piece.removeprefix("x")) % len(letter) == 0 for piece in pieces(text))
    assert "".join(pieces(text)) == text


def test_a_letter_without_end_is_cut() -> None:
    text = "e" + "\u0301" * 9000
    assert [len(piece) for piece in pieces(text)] == [4096, 4096, 809]


def test_what_belongs_together_stays_together_unless_it_fills_a_message() -> None:
    text = "a " * 2000 + "b c " * 100
    assert pieces(text, (3900, 4200))[0] == text[:3899]
    assert pieces("a" * 4000 + "b" * 200, (4000, 4200)) == ["a" * 4000, "b" * 200]
    assert [len(piece) for piece in pieces("b" * 9000, (0, 9000))] == [4096, 4096, 808]
    assert pieces(text, (0, 3000), (3000, 3900))[0] == pieces(text)[0]


def test_what_shows_nothing_is_no_piece() -> None:
    assert pieces(" \n\n\u200b\u00a0\u2800 \n") == []
    assert pieces("\n\na\n" + "\n" * 5000 + "b") == ["a", "b"]
    assert [visible(text) for text in ("", " \t\n", "\u200d\ufeff", "-", "é", "😀")] == [
        False,
        False,
        False,
        *[True] * 3,
    ]


TEXTS = st.lists(
    st.sampled_from(["word", " ", "\n", "\n\n", ". ", "😀", "e\u0301", "🇩🇪", "x" * 700, "字" * 300, "👩\u200d👧"]),
    max_size=60,
).map("".join)


@given(TEXTS | st.text(max_size=50), st.lists(st.integers(0, 9000), max_size=12, unique=True))
def test_nothing_but_space_is_lost_and_no_piece_is_too_long(text: str, edges: list[int]) -> None:
    edges = [edge for edge in sorted(edges) if edge <= len(text)]
    whole = list(zip(edges[::2], edges[1::2], strict=False))
    text = text.encode("utf-8", "replace").decode()
    found = list(cuts(text, whole))
    assert all(0 < utf16_len(text[start:stop]) <= MESSAGE_UNITS for start, stop in found)
    assert [stop for _, stop in found] == sorted(stop for _, stop in found)
    seen = {at for start, stop in found for at in range(start, stop)}
    assert not visible("".join(char for at, char in enumerate(text) if at not in seen))


@pytest.mark.parametrize("blank", [" ", "\n", "\t"], ids=["spaces", "lines", "tabs"])
def test_a_flood_of_blanks_costs_no_more_than_one_of_letters(blank: str) -> None:
    """It is looked at once, and not again for each place at which a piece could end."""
    assert [piece.strip() for piece in pieces(blank * 1_000_000 + "a")] == ["a"]
    assert {piece.strip() for piece in pieces((blank * 4000 + "a" * 96) * 100)} == {"a" * 96}


def test_a_flood_of_flags_is_counted_from_where_its_piece_begins() -> None:
    flags = pieces("🇩🇪" * 100_000)
    assert "".join(flags) == "🇩🇪" * 100_000
    assert {len(piece) % 2 for piece in flags} == {0}


def test_the_beginning_of_a_text() -> None:
    assert (head("abc", 3), head("abcd", 3), head("😀😀", 4), head("😀😀", 3)) == ("abc", "ab…", "😀😀", "😀…")
