"""Each error is one sentence that names the thing and the mend."""

import pytest

from actors.errors import Unavailable
from actors.store.errors import (
    Conflict,
    StoreCorrupt,
    StoreError,
    StoreTooNew,
    StoreUnavailable,
    StoreUnopened,
    UnknownRoom,
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreUnavailable("disk full"), ["disk full", "free its disk"]),
        (UnknownRoom("shop", ("blog", "home")), ["'shop'", "there are: blog, home"]),
        (UnknownRoom("shop"), ["'shop'"]),
        (Conflict("EndTurn", "there is no turn t1"), ["EndTurn", "no turn t1"]),
        (StoreCorrupt("/x/state.db", "not a database"), ["/x/state.db", "not a database", "restore"]),
        (StoreUnopened("/x/state.db", "unable to open"), ["/x/state.db", "unable to open", "folder"]),
        (StoreTooNew("/x/state.db", 3, 1), ["/x/state.db", "version 3", "up to 1", "update dispatchd"]),
    ],
)
def test_sentence(error: StoreError, words: list[str]) -> None:
    assert all(word in str(error) for word in words)
    assert "\n" not in str(error)


def test_only_a_disk_that_fails_is_worth_another_try() -> None:
    assert issubclass(StoreUnavailable, Unavailable)
    assert not issubclass(Conflict, Unavailable)
    assert not issubclass(UnknownRoom, Unavailable)
