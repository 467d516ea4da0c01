"""The store's tongue."""

from typing import get_args

from actors.messages import StoreRequest
from supervisor import Request


def test_the_store_is_only_asked_and_its_requests_can_be_told_apart() -> None:
    kinds = get_args(StoreRequest)
    assert all(issubclass(kind, Request) for kind in kinds)
    assert len({kind.__name__ for kind in kinds}) == len(kinds) > 1
