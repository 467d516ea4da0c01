"""The service's database, read from outside while it runs or after: what is open in it, and who was tried how often."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

OPEN: Final = {
    "turns running": "SELECT count(*) FROM turns WHERE outcome IS NULL",
    "messages waiting": "SELECT count(*) FROM inbound WHERE state NOT IN ('done', 'quarantined', 'refused', 'dropped')",
    "deliveries waiting or sending": "SELECT count(*) FROM deliveries WHERE ended_at IS NULL",
    "questions open": "SELECT count(*) FROM questions WHERE state = 'open'",
}
"""What must be 0 when all is quiet."""
_GOING_ON: Final = {
    "a delivery being sent": "SELECT count(*) FROM deliveries WHERE state = 'sending'",
    "a delivery waiting": OPEN["deliveries waiting or sending"],
    "a turn running": OPEN["turns running"],
    "a message waiting": OPEN["messages waiting"],
}


class Books:
    """The database of a state folder."""

    def __init__(self, state: Path) -> None:
        self.path = state / "state.db"

    def open_rows(self) -> dict[str, int]:
        """How many rows are not at their end, by what they are."""
        with self._read() as db:
            return {what: int(db.execute(query).fetchone()[0]) for what, query in OPEN.items()}

    def most_attempts(self, room: str | None = None) -> int:
        """How often that message (of a room) has been begun which is tried most often just now; 0 if none is."""
        if not self.path.exists():
            return 0
        with self._read() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'inbound'").fetchone():
                return 0
            query = "SELECT max(attempts) FROM inbound WHERE state IN ('taken', 'queued') AND room = ifnull(?, room)"
            return int(db.execute(query, (room,)).fetchone()[0] or 0)

    def busiest(self) -> str:
        """What is going on, of all that is the latest on a message's way."""
        try:
            with self._read() as db:
                for what, query in _GOING_ON.items():
                    if db.execute(query).fetchone()[0]:
                        return what
        except sqlite3.Error:
            return "no tables yet"
        return "nothing to do"

    def attempts(self) -> dict[int, int]:
        """How many turns took how many attempts."""
        with self._read() as db:
            return dict(db.execute("SELECT attempt, count(*) FROM turns GROUP BY attempt").fetchall())

    def outcomes(self) -> dict[str, int]:
        """How many turns have ended in which way."""
        with self._read() as db:
            rows = db.execute("SELECT outcome, count(*) FROM turns WHERE outcome IS NOT NULL GROUP BY outcome")
            return dict(rows.fetchall())

    def undeliverable(self) -> list[str]:
        """Why deliveries were given up."""
        with self._read() as db:
            return [str(why) for (why,) in db.execute("SELECT reason FROM deliveries WHERE state = 'undeliverable'")]

    def sound(self) -> str:
        """What SQLite's own check says: ok."""
        with self._read() as db:
            return str(db.execute("PRAGMA integrity_check").fetchone()[0])

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5.0)) as db:
            yield db
