"""The tongues of a room: each kind can be told from the others, and nobody in a room is asked."""

from typing import get_args

import pytest

from actors import messages
from supervisor import Message, Request


@pytest.mark.parametrize("tongue", ["AgentMessage", "AgentEvent", "OutboxMessage"])
def test_the_kinds_of_one_tongue_can_be_told_apart(tongue: str) -> None:
    kinds = get_args(getattr(messages, tongue))
    assert len({kind.__name__ for kind in kinds}) == len(kinds) > 1
    assert all(issubclass(kind, Message) and not issubclass(kind, Request) for kind in kinds)
