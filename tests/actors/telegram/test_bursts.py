"""Which messages are one: what people send together is, and what they send one after the other is not."""

from typing import Any

from telegram import Message

from actors.telegram.bursts import REMEMBERED, Bursts, Part
from tests.actors.telegram.said import BOB, DATE, FROM_BOB, GROUP, message, photo, read

LONG = "x" * 4000


def text(id: int, at: int = 0, words: str = "hello", **more: Any) -> Message:
    return read(message(words, message_id=id, **{"date": DATE + at, **more}))


def forward(id: int, at: int = 0, **more: Any) -> Message:
    return text(id, at, forward_origin=FROM_BOB, **more)


def never(_: Message) -> bool:
    return False


def joined(*batches: list[Message]) -> list[str | None]:
    bursts = Bursts()
    return [part.burst for batch in batches for part in bursts.join(batch, never)]


def test_texts_stand_alone() -> None:
    assert joined([text(1), text(2), text(3)]) == [None, None, None]


def test_an_album_is_one_also_over_two_polls() -> None:
    one, two, other = (read(photo(media_group_id=album, message_id=id)) for id, album in ((1, "a"), (2, "a"), (3, "b")))
    assert joined([one], [two, other]) == ["album:a", "album:a", "album:b"]


def test_forwards_together_are_one() -> None:
    assert joined([forward(1), forward(2, 2)], [forward(3, 4), forward(4, 7)]) == [
        "forwards:1",
        "forwards:1",
        "forwards:1",
        "forwards:4",
    ]


def test_a_forwarded_album_is_forwards() -> None:
    album = read(photo(media_group_id="a", message_id=2, forward_origin=FROM_BOB))
    assert joined([forward(1), album]) == ["forwards:1", "forwards:1"]


def test_a_comment_goes_with_the_forwards_behind_it() -> None:
    assert joined([text(1), forward(2, 1), forward(3, 1)]) == ["forwards:1"] * 3
    assert joined([text(1), forward(2, 2)]) == [None, "forwards:2"]
    assert joined([text(1)], [forward(2)]) == [None, "forwards:2"]
    assert joined([text(1), text(2), forward(3)]) == [None, "forwards:2", "forwards:2"]


def test_a_second_comment_begins_anew() -> None:
    batch = [forward(1), text(2), forward(3)]
    assert joined(batch) == ["forwards:1", "forwards:2", "forwards:2"]


def test_forwards_of_two_people_or_in_two_places_are_two() -> None:
    batch = [text(1), forward(2, sender=BOB), forward(3), forward(4, chat=GROUP), forward(5, sender=BOB)]
    assert joined(batch) == ["forwards:1", "forwards:2", "forwards:1", "forwards:4", "forwards:2"]


def test_a_cut_paste_is_one_with_what_follows() -> None:
    batch = [text(1, 0, LONG), text(2, 0, LONG), text(3, 1, "end"), text(4, 1)]
    assert joined(batch) == ["paste:1"] * 3 + [None]
    assert joined([text(1, 0, LONG)], [text(2, 3)]) == ["paste:1", None]
    assert joined([text(1, 0, "😀" * 2000), text(2)]) == ["paste:1"] * 2, "counted as Telegram counts"
    assert joined([text(1, 0, LONG[1:]), text(2)]) == [None, None]


def test_what_nobody_wrote_stands_alone() -> None:
    post = read({"message_id": 1, "date": DATE, "chat": GROUP, "text": LONG})
    assert joined([post]) == [None]


def test_a_burst_is_addressed_as_a_whole() -> None:
    album = [read(photo(caption, media_group_id="a", message_id=id)) for id, caption in ((1, None), (2, "you"))]
    later = read(photo(media_group_id="a", message_id=3))
    bursts = Bursts()
    assert bursts.join([*album, text(4)], lambda each: bool(each.caption)) == [
        Part("album:a", True),
        Part("album:a", True),
        Part(None, False),
    ]
    assert bursts.join([later], never) == [Part("album:a", True)]


def test_memory_is_bounded() -> None:
    bursts = Bursts()
    crowd = [forward(id, sender={**BOB, "id": id}) for id in range(1, REMEMBERED + 2)]
    bursts.join(crowd, lambda _: True)
    assert bursts.join([forward(999, sender={**BOB, "id": 1})], never) == [Part("forwards:999", False)]
    assert bursts.join([forward(998, sender={**BOB, "id": 5})], never) == [Part("forwards:5", True)]
