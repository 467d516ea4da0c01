"""Starts the real service, which notes when a sub-agent has come how far: `python -m tests.bench.subagents_service`.

Its notes are in `notes` in its home: a word, whose it is, and the instant (monotonic, in seconds).
"""

import os
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

from actors import service, tree
from actors.messages import AgentReady, TextGrew
from actors.pi import agent
from actors.pi.process import LaunchSpec, Proc
from actors.subagents import workspace
from actors.subagents.folder import Folder, Prepared
from actors.subagents.subagent import Worker

PLACED: Final = "placed"
"""Its worker begins: its row is written, and it has a place in the tree."""
GIVEN, MADE = "given", "made"
"""Its workspace is begun, and there."""
LAUNCHED, READY = "launched", "ready"
"""Its pi is started, and answers."""
TOKEN: Final = "token"
"""The first piece of its answer is there."""


def note(word: str, slug: str) -> None:
    """One line more."""
    with open(f"{os.environ['HOME']}/notes", "a", encoding="utf-8") as notes:
        notes.write(f"{word} {slug} {perf_counter()}\n")


class Noting(Worker):
    """A worker, as it is but for its notes."""

    async def started(self) -> None:
        note(PLACED, self._slug)
        await super().started()

    async def receive(self, message: Any) -> Any:
        if isinstance(message, AgentReady | TextGrew):
            note(READY if isinstance(message, AgentReady) else TOKEN, self._slug)
        return await super().receive(message)


def look_on() -> None:
    """From now on, note what is done."""
    prepare: Callable[..., Awaitable[Prepared]] = workspace.prepare
    launch: Callable[..., Awaitable[Proc]] = vars(agent)["launch"]

    async def prepared(parent: str, folder: Folder, **others: Any) -> Prepared:
        note(GIVEN, folder.root.name)
        found = await prepare(parent, folder, **others)
        note(MADE, folder.root.name)
        return found

    async def launched(spec: LaunchSpec, *rest: Any, **others: Any) -> Proc:
        note(LAUNCHED, spec.name)
        return await launch(spec, *rest, **others)

    vars(tree)["Worker"] = Noting
    vars(workspace)["prepare"] = prepared
    vars(agent)["launch"] = launched


if __name__ == "__main__":
    look_on()
    sys.exit(service.main(["run"]))
