"""Files by safe names, and what is answered, quoted or passed on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import Attachment
from actors.telegram.contents import LARGEST, LONGEST_QUOTE, TooLarge, attachment, quoted, safe_name, text_of
from tests.actors.telegram.said import ANN, BOB, FILE, FROM_BOB, GROUP, ME, OURS, message, photo, read, topic_begin


def held(**content: Any) -> Attachment | TooLarge | None:
    return attachment(read(message(None, **content)))


def test_of_a_photo_the_largest_counts() -> None:
    assert attachment(read(photo())) == Attachment(
        handle="l", name="photo-5.jpg", mime="image/jpeg", size=0, picture=True
    )


@pytest.mark.parametrize(
    ("kind", "file", "name", "picture"),
    [
        ("document", {"file_name": "plan.pdf", "mime_type": "application/pdf"}, "plan.pdf", False),
        ("document", {"file_name": "../../etc/passwd"}, "passwd", False),
        ("document", {"mime_type": "application/pdf"}, "document-5.pdf", False),
        ("document", {}, "document-5", False),
        ("document", {"file_name": "a.png", "mime_type": "image/png"}, "a.png", True),
        ("document", {"file_name": "a.svg", "mime_type": "image/svg+xml"}, "a.svg", False),
        ("video", {"width": 1, "height": 1, "duration": 1, "mime_type": "video/mp4"}, "video-5.mp4", False),
        ("audio", {"duration": 1, "file_name": "song.mp3", "mime_type": "audio/mpeg"}, "song.mp3", False),
    ],
)
def test_files(kind: str, file: dict[str, Any], name: str, picture: bool) -> None:
    mime = file.get("mime_type", "")
    assert held(**{kind: {**FILE, "file_size": 7, **file}}) == Attachment(
        handle="f", name=name, mime=mime, size=7, picture=picture
    )


def test_what_is_too_large_for_a_bot() -> None:
    assert held(document={**FILE, "file_name": "disk.img", "file_size": LARGEST + 1}) == TooLarge("disk.img")
    assert isinstance(held(document={**FILE, "file_size": LARGEST}), Attachment)


@pytest.mark.parametrize("content", [{"voice": {**FILE, "duration": 1}}, {"new_chat_title": "Shop"}])
def test_what_is_no_file(content: dict[str, Any]) -> None:
    assert held(**content) is None


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("notes.txt", "notes.txt"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ann\\notes.txt", "notes.txt"),
        ("..", ""),
        ("a/", ""),
        (".bashrc", "bashrc"),
        ("...hidden", "hidden"),
        ("-rf", "rf"),
        ("a\nb\x00c.txt", "a b c.txt"),
        ("gpj\u202efdp.exe", "gpj fdp.exe"),
        ("  a   b .txt ", "a b.txt"),
        ("", ""),
        ("größe.tar.gz", "größe.tar.gz"),
        ("x" * 200 + ".txt", "x" * 116 + ".txt"),
        ("名" * 200 + ".txt", "名" * 65 + ".txt"),
    ],
)
def test_names(given: str, name: str) -> None:
    assert safe_name(given) == name


@given(st.text() | st.text(alphabet="./\\ -a\n\u202e😀"))
def test_every_name_is_safe(given: str) -> None:
    name = safe_name(given)
    assert len(name) <= 120
    assert len(name.encode()) <= 200
    assert "/" not in name
    assert "\\" not in name
    assert name == name.strip()
    assert not name.startswith((".", "-"))
    assert safe_name(name) == name


def test_a_link_behind_words_is_shown() -> None:
    links = [
        {"type": "text_link", "offset": 3, "length": 4, "url": "https://a.example"},
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "text_link", "offset": 8, "length": 1, "url": "https://b.example"},
    ]
    assert text_of(read(message("😀 this or that", entities=links))) == (
        "😀 this (https://a.example) o (https://b.example)r that"
    )
    assert text_of(read(photo("this", caption_entities=[{**links[0], "offset": 0}]))) == "this (https://a.example)"
    assert text_of(read(message("no links"))) == "no links"
    assert text_of(read(photo())) == ""


HIDDEN = {"type": "hidden_user", "date": 1, "sender_user_name": "Eve\n(admin)"}
CHANNEL = {"id": -5, "type": "channel", "title": "News"}


@pytest.mark.parametrize(
    ("content", "context"),
    [
        ({}, ""),
        ({"reply_to_message": message("the plan", sender=BOB)}, "Bob: the plan"),
        ({"reply_to_message": message("the plan")}, "Ann Lee: the plan"),
        ({"reply_to_message": message("my answer", sender=OURS)}, "you: my answer"),
        ({"reply_to_message": photo("cat", sender=BOB)}, "Bob: (photo-5.jpg) cat"),
        ({"reply_to_message": message(None, voice={**FILE, "duration": 1}, sender=BOB)}, "Bob: (no text)"),
        ({"reply_to_message": message(None, new_chat_title="Shop", sender=BOB)}, "Bob: (a service message)"),
        ({"reply_to_message": message("post", sender_chat=CHANNEL)}, "News: post"),
        ({"reply_to_message": topic_begin()}, ""),
        ({"reply_to_message": message("a b c"), "quote": {"text": "b", "position": 2}}, "Ann Lee: b"),
        ({"external_reply": {"origin": FROM_BOB}, "quote": {"text": "b", "position": 2}}, "Bob: b"),
        ({"external_reply": {"origin": HIDDEN}}, "Eve (admin): (a message in another chat)"),
        ({"forward_origin": FROM_BOB}, "forwarded from Bob"),
        ({"forward_origin": HIDDEN}, "forwarded from Eve (admin)"),
        ({"forward_origin": {"type": "chat", "date": 1, "sender_chat": GROUP}}, "forwarded from Shop"),
        (
            {"forward_origin": {"type": "channel", "date": 1, "chat": CHANNEL, "message_id": 3}},
            "forwarded from News",
        ),
    ],
)
def test_what_a_message_answers_or_passes_on(content: dict[str, Any], context: str) -> None:
    assert quoted(read(message("and this", **content)), ME) == context


def test_a_long_quote_is_cut() -> None:
    endless = message("x" * 4096, sender={**ANN, "first_name": "A" * 200})
    said = quoted(read(message(reply_to_message=endless)), ME)
    assert len(said) == LONGEST_QUOTE
    assert said.startswith("A" * 63 + "…: xxx")
    assert said.endswith("x…")
