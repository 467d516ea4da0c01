"""Messages as values: frozen, named, comparable, fit for a wire."""

import msgspec
import pytest

from supervisor import Down, Message, Reply, Request


class Move(Message):
    x: int
    y: int = 0


class Where(Request[int]):
    name: str


def test_a_message_is_frozen_and_has_named_fields_only() -> None:
    move = Move(x=1)
    with pytest.raises(AttributeError):
        move.x = 2  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        Move(1)  # type: ignore[call-arg]  # that is the point
    assert move == Move(x=1, y=0)
    assert hash(move) == hash(Move(x=1))


def test_a_message_carries_its_class_on_a_wire() -> None:
    sent = msgspec.json.encode([Move(x=1), Down(path="/a", incarnation=1, reason="normal", restarting=False)])
    assert msgspec.json.decode(sent, type=list[Move | Down]) == [
        Move(x=1),
        Down(path="/a", incarnation=1, reason="normal", restarting=False),
    ]


def test_options_of_one_message_can_differ() -> None:
    class Loose(Message, kw_only=False):
        x: int

    assert Loose(1).x == 1


def test_a_request_makes_its_reply() -> None:
    assert Where(name="a").reply(3) == Reply(3)
