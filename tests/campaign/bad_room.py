"""One bad room as the isolation campaign sees it: what its person says, what chat and tree show, what it leaves.

Everything is looked at from outside. What it has begun is found by its working folder and by the number that every
process of `bad_tool` carries, so that one without its environment, its session and its parents is found as well.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import trio

from tests.campaign.house import House, gone
from tests.campaign.processes import Process
from tests.fakes.telegram import FakeTelegram, User

LOOK_EVERY: Final = 0.05
_LONGEST: Final = 110
"""Characters of a line in the table."""


class BadRoom:
    """A room, or where `slug` is None only the word for a part of the service.

    `bugs`: the folder in which a file makes a part crash. `mark`: what its tools carry.
    """

    def __init__(self, house: House, fake: FakeTelegram, slug: str | None, person: int, mark: int) -> None:
        self.bugs = house.home / "bugs"
        self._house = house
        self._fake = fake
        self._slug = slug or ""
        self._mark = mark
        self._person = User(person, self._slug.replace("-", " "))
        self._said = 0
        self._before = 0

    # --- its person

    def say(self, words: str, *, file: int = 0) -> int:
        """Says this, as a message with a number; a command has none. `file`: bytes of one that comes with it."""
        self._said += 1
        self._before = len(self._texts())
        text = words if words.startswith("/") else f"say-{self._said} {words}"
        if file:
            self._fake.send_file(self._person.id, b"x" * file, caption=text, sender=self._person)
        else:
            self._fake.say(self._person.id, text, sender=self._person)
        return self._said

    async def answered(self, number: int) -> None:
        """Until the message with this number is answered."""
        await self._until(f"done-{number}")

    async def hears(self, words: str) -> None:
        """Until the bot has said this since the last `say`, be it in a draft."""
        await self._until(words)

    async def _until(self, words: str) -> None:
        while True:
            shown = [*self._texts()[self._before :], self._fake.draft(self._person.id) or ""]
            if any(words in text for text in shown):
                return
            await trio.sleep(LOOK_EVERY)

    def _texts(self) -> list[str]:
        return self._fake.said(self._person.id) if self._person.id in self._fake.world.chats else []

    # --- what there is of it

    @property
    def pid(self) -> int | None:
        """Its agent, if it has one now. Blocks for some milliseconds."""
        return self._house.agents().get(self._slug)

    def at_rest(self) -> bool:
        """Whether it does nothing: it has left the tree, or its conversation and its agent are idle. Blocks."""
        nodes = {node["path"].rpartition("/")[2]: node for node in self._nodes()}
        return all(nodes[name].get("doing") == "idle" for name in ("conversation", "agent") if name in nodes)

    def gone(self) -> bool:
        """Whether it has left the tree. Blocks."""
        return not self._nodes()

    def tree(self) -> str:
        """What the tree says of it, on one line. Blocks."""
        told = []
        for node in self._nodes():
            name = node["path"].rpartition("/")[2]
            words = [node["state"], *([f"{node['restarts']} restarts"] if node["restarts"] else [])]
            words += [str(node[key]) for key in ("doing", "error") if node.get(key)]
            if name != self._slug or len(words) > 1:
                told.append(f"{name} {', '.join(words)}")
        return cut("; ".join(told) or "it is not there")

    def chat(self) -> str:
        """The last that the bot said, or what it is just writing, on one line."""
        texts = self._texts()
        draft = self._fake.draft(self._person.id) if texts or self._said else None
        return cut(f"{draft} ✍" if draft else (texts or ["nothing"])[-1])

    def _nodes(self) -> list[dict[str, Any]]:
        path = f"/service/rooms/pool/{self._slug}"
        return [node for node in self._house.nodes() if node["path"] == path or node["path"].startswith(f"{path}/")]

    # --- its end

    def left(self) -> set[Process]:
        """What it has begun and still lives. Blocks."""
        workspace = str(self._house.state / "workspaces" / self._slug)
        return marked(self._mark) | {process for process in _processes() if _is_in(process.pid, workspace)}

    async def until_nothing_is_left(self) -> dict[int, str]:
        """The ids and commands of what is left even after a while; they are killed."""
        left = {process.pid: process.command() for process in await gone(self.left)}
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left


async def within(seconds: float, found: Callable[[], bool]) -> bool:
    """Whether it is found in so many seconds. It may block for a moment, so it runs in a thread."""
    with trio.move_on_after(seconds):
        while True:
            if await trio.to_thread.run_sync(found):
                return True
            await trio.sleep(LOOK_EVERY)  # another process's doings: nobody tells us of them
    return False


def marked(mark: int) -> set[Process]:
    """The processes that have this number in their command line, at the end of a word. Blocks."""
    return {process for process in _processes() if _is_marked(process.pid, str(mark).encode())}


def _is_marked(pid: int, mark: bytes) -> bool:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return any(word == mark or word.endswith(b"." + mark) for word in words)
    return False


def _processes() -> Iterator[Process]:
    """All that live, but the dead that nobody has buried."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] not in "ZX":
                yield Process(int(folder.name), int(fields[19]))


def _is_in(pid: int, folder: str) -> bool:
    with suppress(OSError):
        at = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
        return at == folder or at.startswith(f"{folder}/")
    return False


def cut(text: str) -> str:
    """On one line, and not longer than a table is wide."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
