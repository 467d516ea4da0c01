"""Places, and that every record of the shared tongue is a value."""

import msgspec

from actors import messages
from actors.messages import Place, RoomSettings


def test_a_place_is_written_in_one_word() -> None:
    assert str(Place("telegram", -100, 7)) == "telegram:-100:7"
    assert str(Place("console", 1)) == "console:1"


def test_a_place_is_a_key() -> None:
    assert {Place("telegram", -100, 7): 1}[Place("telegram", -100, 7)] == 1
    assert Place("telegram", -100) != Place("telegram", -100, 7)


def test_a_room_where_nothing_is_set_is_an_empty_row() -> None:
    assert msgspec.json.encode(RoomSettings()) == b"{}"
    changed = RoomSettings(verbose=2, muted=True)
    assert msgspec.json.decode(msgspec.json.encode(changed), type=RoomSettings) == changed


def test_every_record_and_message_is_frozen_and_says_what_it_is() -> None:
    structs = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    assert len(structs) > 100
    for kind in structs:
        assert kind.__struct_config__.frozen, kind
        assert kind.__doc__, kind
