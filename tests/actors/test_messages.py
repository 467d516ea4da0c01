"""The shared tongue."""

from typing import get_args

import msgspec
import pytest

from actors import messages
from actors.messages import EndProgress, Place, ShowProgress, Wake, outbox_key
from supervisor import Message, Request

HERE = Place("telegram", -100, 7)


def picture(turn: str) -> ShowProgress:
    return ShowProgress(place=HERE, turn=turn, text="", tools=(), since=0.0)


def test_a_place_is_written_in_one_word() -> None:
    assert str(HERE) == "telegram:-100:7"
    assert str(Place("console", 1)) == "console:1"


def test_a_place_is_a_key() -> None:
    assert {HERE: 1}[Place("telegram", -100, 7)] == 1
    assert Place("telegram", -100) != HERE


@pytest.mark.parametrize("tongue", ["StoreRequest", "AgentMessage", "AgentEvent", "OutboxMessage"])
def test_the_kinds_of_one_tongue_can_be_told_apart(tongue: str) -> None:
    kinds = get_args(getattr(messages, tongue))
    assert len({kind.__name__ for kind in kinds}) == len(kinds) > 1
    assert all(issubclass(kind, Message) for kind in kinds)


def test_the_store_is_only_asked() -> None:
    assert all(issubclass(kind, Request) for kind in get_args(messages.StoreRequest))


def test_every_message_is_frozen_and_says_what_it_is() -> None:
    for kind in vars(messages).values():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == messages.__name__:
            assert kind.__struct_config__.frozen, kind
            assert kind.__doc__, kind


def test_an_outbox_keeps_one_wake_and_one_picture_for_each_turn_and_every_end() -> None:
    assert outbox_key(Wake()) == outbox_key(Wake()) is not None
    assert outbox_key(picture("t1")) == outbox_key(picture("t1"))
    assert outbox_key(picture("t1")) != outbox_key(picture("t2"))
    assert outbox_key(EndProgress(place=HERE, turn="t1")) is None
