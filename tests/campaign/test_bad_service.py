"""The bugs of the launcher: where they are put in, and that all else is as it was."""

from pathlib import Path

import pytest

from actors.messages import TextGrew
from tests.campaign.bad_service import HEARD, Bug, hears, once, put_in


class Part:
    """Something with a handler."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def receive(self, message: str) -> int:
        """Does it."""
        self.done.append(message)
        return len(self.done)


async def test_a_bug_is_there_once_for_each_file_and_before_anything_is_done(tmp_path: Path) -> None:
    class Buggy(Part):
        pass

    put_in(Buggy, "receive", once(tmp_path / "part"))
    part = Buggy()
    assert await part.receive("one") == 1
    (tmp_path / "part").touch()
    with pytest.raises(Bug):
        await part.receive("two")
    assert await part.receive("three") == 2
    assert part.done == ["one", "three"]
    assert await Part().receive("nobody else") == 1


async def test_or_when_all_is_done(tmp_path: Path) -> None:
    class Buggy(Part):
        pass

    put_in(Buggy, "receive", once(tmp_path / "part"), afterwards=True)
    (tmp_path / "part").touch()
    part = Buggy()
    with pytest.raises(Bug):
        await part.receive("one")
    assert part.done == ["one"]


def test_a_conversation_cannot_hear_one_word() -> None:
    assert hears(None, TextGrew(turn="t1", text=f"and {HEARD}, and"))
    assert not hears(None, TextGrew(turn="t1", text="another"))
    assert not hears(None, HEARD)
