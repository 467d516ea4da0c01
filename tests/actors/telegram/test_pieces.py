"""Deliveries as messages: what stands where, what makes room for what, all of it within the limits of Telegram."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram import MessageEntity

from actors.messages import Delivery, DeliveryKind, Key, Place
from actors.telegram.pieces import (
    MOST_PARTS,
    REPETITION,
    REST,
    Document,
    Piece,
    bared,
    keyboard,
    marked,
    pieces,
    topic_name,
    whole,
)
from actors.telegram.render import MESSAGE_UNITS, plain, render, utf16_len
from tests.fakes.telegram_api.rules import entity_problem

FOOTER = "12 s · $0.03 · 2 files changed"


def delivery(
    text: str, *, footer: str = "", file: str | None = None, keys: tuple[tuple[Key, ...], ...] = ()
) -> Delivery:
    return Delivery(
        id=1,
        place=Place("telegram", 7),
        kind=DeliveryKind.ANSWER,
        text=text,
        reply_to=None,
        turn=None,
        part=0,
        attempts=0,
        doubtful=False,
        created_at=0.0,
        footer=footer,
        file=file,
        keys=keys,
    )


def italics(piece: Piece) -> list[str]:
    units = piece.text.encode("utf-16-le")
    return [
        units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")
        for entity in piece.entities
        if entity.type == MessageEntity.ITALIC
    ]


def long(parts: int) -> str:
    return "\n\n".join("x" * 4000 for _ in range(parts))


# --- footers ----------------------------------------------------------------------------------------------------


def test_a_footer_is_one_italic_line_below_the_text() -> None:
    (piece,) = pieces(delivery("**done** 👍", footer="12 s\n· $0.03"))
    assert piece.text == "done 👍\n\n12 s · $0.03"
    assert italics(piece) == ["12 s · $0.03"]


def test_a_footer_stands_below_the_last_part() -> None:
    first, last = pieces(delivery(long(2), footer=FOOTER))
    assert FOOTER not in first.text
    assert last.text.endswith(f"\n\n{FOOTER}")


def test_a_footer_without_room_follows() -> None:
    full, below = pieces(delivery("x" * 4096, footer=FOOTER))
    assert (full.text, below.text, italics(below)) == ("x" * 4096, FOOTER, [FOOTER])


def test_a_footer_under_a_hundred_entities_is_not_italic() -> None:
    (piece,) = pieces(delivery("`a` " * 100, footer=FOOTER))
    assert (len(piece.entities), italics(piece)) == (100, [])


def test_a_footer_alone_is_nothing_to_show() -> None:
    assert pieces(delivery(" \n", footer=FOOTER)) == []


# --- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("parts", "messages"), [(MOST_PARTS, MOST_PARTS), (MOST_PARTS + 1, 4), (9, 4)])
def test_a_text_of_too_many_parts_ends_in_a_file_with_all_of_it(parts: int, messages: int) -> None:
    text = long(parts)
    found = pieces(delivery(text, footer=FOOTER))
    assert [piece.text for piece in found[:messages]] == ["x" * 4000] * messages or parts == MOST_PARTS
    assert len(found) == MOST_PARTS
    if parts > MOST_PARTS:
        assert found[-1].document == Document("answer.md", text.encode())
        assert found[-1].text == f"{REST}\n\n{FOOTER}"


def test_a_file_has_the_text_and_the_footer_for_its_caption() -> None:
    (piece,) = pieces(delivery("the **report**", file="/w/out/report.pdf", footer=FOOTER))
    assert piece.document == Document("report.pdf", source="/w/out/report.pdf")
    assert piece.text == f"the report\n\n{FOOTER}"
    assert [entity.type for entity in piece.entities] == ["bold", "italic"]


def test_a_file_needs_no_caption() -> None:
    assert pieces(delivery("", file="/w/a")) == [Piece("", document=Document("a", source="/w/a"))]


def test_a_text_that_is_no_caption_comes_first() -> None:
    text, file = pieces(delivery("x" * 1025, file="/w/a", footer=FOOTER))
    assert (text.text, text.document) == ("x" * 1025, None)
    assert (file.text, file.document) == (FOOTER, Document("a", source="/w/a"))


# --- one message ------------------------------------------------------------------------------------------------


def test_an_edit_is_one_message_with_its_footer() -> None:
    piece = whole(delivery("**Which?** → red", footer=FOOTER))
    assert piece is not None
    assert (piece.text, italics(piece)) == (f"Which? → red\n\n{FOOTER}", [FOOTER])
    assert whole(delivery(" ")) is None


def test_an_edit_that_is_too_long_ends_in_an_ellipsis() -> None:
    piece = whole(delivery("**" + "👍" * 4096 + "**", footer=FOOTER))
    assert piece is not None
    assert piece.text.endswith(f"👍…\n\n{FOOTER}")
    assert MESSAGE_UNITS - 2 < utf16_len(piece.text) <= MESSAGE_UNITS


def test_an_edit_of_a_file_is_a_caption() -> None:
    piece = whole(delivery("x" * 3000, file="/w/a"))
    assert piece is not None
    assert piece.text == "x" * 1023 + "…"


# --- marks, buttons, names --------------------------------------------------------------------------------------


def test_a_mark_moves_the_formatting_and_needs_room() -> None:
    (piece,) = pieces(delivery("so **bold**"))
    above = marked(piece)
    assert above is not None
    assert above.text == f"{REPETITION}\nso bold"
    (bold,) = above.entities
    assert above.text.encode("utf-16-le")[2 * bold.offset :].decode("utf-16-le") == "bold"
    assert marked(Piece("x" * 4096)) is None
    assert marked(Piece("x" * 1020, document=Document("a"))) is None
    assert marked(Piece("", document=Document("a"))) == Piece(REPETITION, document=Document("a"))


def test_buttons_are_rows_of_labels_and_data() -> None:
    found = keyboard(delivery("?", keys=((Key("Yes", "b:1:0"), Key("No", "b:1:1")), (Key("Log", "b:1:2"),))))
    assert found is not None
    shown = [[(button.text, button.callback_data) for button in row] for row in found.inline_keyboard]
    assert shown == [[("Yes", "b:1:0"), ("No", "b:1:1")], [("Log", "b:1:2")]]
    assert keyboard(delivery("no buttons")) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [("web\nshop", "web shop"), ("x" * 200, "x" * 127 + "…"), ("👍" * 100, "👍" * 63 + "…"), (" \n", "")],
)
def test_a_topic_has_a_short_name_of_one_line(text: str, name: str) -> None:
    assert topic_name(delivery(text)) == name


# --- whatever is written ----------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["word ", "**bold** ", "`code` ", "👍", "\n\n", "```py\nx = 1\n```\n", "[a](https://b.c) ", "_"]
)
TEXTS = st.tuples(st.lists(WORDS, max_size=12).map("".join), st.sampled_from([1, 40, 400, 2500])).map(
    lambda made: (made[0] * made[1])[:24_000]
)


@settings(deadline=None, max_examples=50)
@given(TEXTS, st.text(max_size=400), st.sampled_from([None, "/w/a"]), st.booleans())
def test_every_piece_is_within_the_limits(text: str, footer: str, file: str | None, bare: bool) -> None:
    whole_one = whole(delivery(text, footer=footer, file=file), bare=bare)
    found = pieces(delivery(text, footer=footer, file=file), bare=bare)
    for piece in [*found, *([] if whole_one is None else [whole_one])]:
        assert utf16_len(piece.text) <= piece.room
        assert piece.text or piece.document
        assert entity_problem(piece.text, [entity.to_dict() for entity in piece.entities]) is None
        assert not (bare and piece.entities)
    assert len(found) <= MOST_PARTS + 2
    shown = "".join(piece.text for piece in found)
    if len(plain(text) if bare else render(text)) <= MOST_PARTS:
        expected = plain(text) if bare else [part.text for part in render(text)]
        assert shown.startswith("".join(expected))
    assert all(bared(piece).entities == () for piece in found)
