"""Fixtures of the store's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.store.books import Books


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made."""
    return tmp_path / "state.db"


@pytest.fixture
def books(path: Path) -> Iterator[Books]:
    """A new store."""
    books = Books(path)
    yield books
    books.db.close()
