"""What the sub-agents' campaign sees: the rows, the processes, what agents were given, what is left.

Of each sub-agent's session a second name is made as soon as it is seen: so what it was given can be read when its
folder is gone. Linux only.
"""

import json
import os
import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from tests.campaign.house import House
from tests.campaign.subagents_verdict import Bounds, Facts, Sub, Watch
from tests.fakes.telegram import FakeTelegram

_COLUMNS: Final = ", ".join(Sub._fields)
_SLUG: Final = re.compile(r"/state/subagents/([^/]+)/")
_STOPPED: Final = "SELECT id FROM turns WHERE outcome = 'stopped'"
_SET_ASIDE: Final = (
    f"SELECT key FROM inbound WHERE key LIKE 'subagent:%' AND (state = 'quarantined' OR turn IN ({_STOPPED}))"
)
_READ: Final = "read"


class Sight:
    """Of one service. `rooms`: their chats; `repositories`: those rooms whose workspace is one, which nobody changes.

    All of it blocks for a moment.
    """

    def __init__(
        self, house: House, fake: FakeTelegram, rooms: Mapping[str, int], repositories: Sequence[str], bounds: Bounds
    ) -> None:
        self.house = house
        self.fake = fake
        self.rooms = rooms
        self.repositories = repositories
        self.watch = Watch(bounds)
        self._began: set[str] = set()

    def begin(self) -> None:
        """What is in the service's home now belongs there."""
        self._began = {path.name for path in self.house.home.iterdir()} | {_READ}

    def look(self) -> None:
        """What is there at this instant."""
        now = time.time()  # before the rest: nothing is late that has ended since
        processes = {slug: len(pids) for slug, pids in self.processes().items()}
        rows = self.rows()
        for row in rows:
            _keep(self.house.state / "sessions" / row.slug, self.house.home / _READ / row.slug)
        self.watch.look(now, rows, processes)

    def facts(self) -> Facts:
        """What came of it all."""
        rows = self.rows()
        state, rooms = self.house.state, self.rooms
        files = {slug: (state / "sessions" / slug).glob("*.jsonl") for slug in rooms}
        files |= {path.name: path.glob("*.jsonl") for path in (self.house.home / _READ).glob("*")}
        sent = [call for call in self.fake.called("sendMessage") if call.status == 200]
        return Facts(
            rows=rows,
            said={room: self.fake.said(chat) for room, chat in rooms.items()},
            sent={r: [str(call.params["text"]) for call in sent if call.params["chat_id"] == rooms[r]] for r in rooms},
            read={slug: [text for path in paths for text in given(path)] for slug, paths in files.items()},
            set_aside={key.partition(":")[2] for (key,) in self._ask(_SET_ASIDE)},
            stopped={turn for (turn,) in self._ask(_STOPPED)},
            ends=dict(self._ask("SELECT ref, count(*) FROM hops WHERE what LIKE 'sub-agent ended%' GROUP BY ref")),
            results={path.name for path in (state / "results").glob("*") if any(path.iterdir())},
            left=self.left(),
            failures=self.house.failures(),
        )

    def left(self) -> list[str]:
        """What should not be there once all is quiet."""
        rows = self.rows()
        home, state, slugs = self.house.home, self.house.state, {row.slug for row in rows}
        kept = {row.slug for row in rows if row.kept == "open"}
        found = [f"{count} {what}" for what, count in self.house.books.open_rows().items() if count]
        found += [f"the folder subagents/{path.name}" for path in (state / "subagents").glob("*")]
        found += [f"the result {path.name}" for path in (state / "results").glob("*") if path.name not in kept]
        found += [f"the session of {path.name}" for path in (state / "sessions").glob("*") if path.name in slugs]
        found += [f"{path.name} in its home" for path in home.iterdir() if path.name not in self._began]
        found += [f"{len(pids)} processes of {slug}" for slug, pids in self.processes().items() if slug in slugs]
        for room in self.repositories:
            found += _touched(state / "workspaces" / room)
        return found

    def goes_on(self) -> bool:
        """Whether anything does, or should not be there."""
        return any(row.ended_at is None for row in self.rows()) or bool(self.left())

    def held(self) -> set[str]:
        """The rooms in which messages are held since a stop."""
        return {room for (room,) in self._ask("SELECT DISTINCT room FROM inbound WHERE state = 'held'")}

    def rows(self) -> list[Sub]:
        """All sub-agents."""
        known = self._ask("SELECT 1 FROM sqlite_master WHERE name = 'subagents'")  # the service may have just begun
        return [Sub(*row) for row in self._ask(f"SELECT {_COLUMNS} FROM subagents ORDER BY id")] if known else []

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        path = self.house.state / "state.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as db:
            return db.execute(query).fetchall()

    def processes(self) -> dict[str, list[int]]:
        """What works in which sub-agent's folder, be it in a sandbox or not. Tools of it are among these."""
        found: dict[str, list[int]] = {}
        mark = str(self.house.home)
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                where = os.readlink(folder / "cwd")
                if where.startswith(mark) and (slug := _SLUG.search(where + "/")):
                    found.setdefault(slug[1], []).append(int(folder.name))
        return found


def given(session: Path) -> list[str]:
    """What an agent was told, by messages and by the results of its tools, as its session has it."""
    found = []
    for line in session.read_text(errors="replace").splitlines():
        message: dict[str, Any] = {}
        with suppress(ValueError):  # a kill has cut it off
            message = json.loads(line).get("message", {})
        if message.get("role") in ("user", "toolResult"):
            content = message["content"]
            found.append(content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content))
    return found


def _touched(workspace: Path) -> list[str]:
    """What of a repository is not as it was: nobody has merged anything."""
    git = workspace / ".git"
    refs = sorted(str(path.relative_to(git)) for path in (git / "refs").rglob("*") if path.is_file())
    found = [] if refs == ["refs/heads/main"] else [f"refs {refs} of {workspace.name}"]
    files = sorted(path.name for path in workspace.iterdir())
    found += [] if files == [".git", "list.txt"] else [f"files {files} of {workspace.name}"]
    return found + ([f"worktrees of {workspace.name}"] if (git / "worktrees").exists() else [])


def _keep(sessions: Path, copies: Path) -> None:
    """A second name for each session file."""
    for path in sessions.glob("*.jsonl"):
        copies.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError, FileNotFoundError):
            (copies / path.name).hardlink_to(path)
