"""The files that came with a room's messages: which are still to be fetched, where the others lie.

Pure. What was saved stands in the store too; what is remembered here is for the run that is about to begin.
"""

from collections.abc import Mapping, Sequence

import msgspec

from actors.messages import Attachment, Queued
from actors.rooms.steps import FetchFiles


class Files:
    """The files of one turn and of what may join it. `failed`: why some could not be fetched, by attachment."""

    def __init__(self) -> None:
        self.failed: dict[int, str] = {}
        self._paths: dict[int, str] = {}
        self._asked: set[int] = set()

    def missing(self, rows: Sequence[Queued]) -> list[Attachment]:
        """Those that are neither saved nor known to be out of reach."""
        return [
            file
            for row in rows
            for file in row.attachments
            if file.path is None and file.id not in self._paths and file.id not in self.failed
        ]

    def ask(self, rows: Sequence[Queued]) -> list[FetchFiles]:
        """The fetching of what is missing, unless it is on."""
        wanted = tuple(file for file in self.missing(rows) if file.id not in self._asked)
        self._asked |= {file.id for file in wanted}
        return [FetchFiles(wanted)] if wanted else []

    def fetched(self, paths: Mapping[int, str], failed: Mapping[int, str]) -> None:
        """What became of them: their paths, relative to the workspace, or why there is none."""
        self._paths.update(paths)
        self.failed.update(failed)

    def filled(self, rows: Sequence[Queued]) -> tuple[Queued, ...]:
        """The rows with the paths that are known by now."""
        return tuple(
            msgspec.structs.replace(row, attachments=tuple(map(self._placed, row.attachments)))
            if row.attachments
            else row
            for row in rows
        )

    def forget(self) -> None:
        """The turn is over: what was not saved is tried again by the next one that wants it."""
        self.failed, self._paths, self._asked = {}, {}, set()

    def _placed(self, file: Attachment) -> Attachment:
        if file.path is not None or file.id not in self._paths:
            return file
        return msgspec.structs.replace(file, path=self._paths[file.id])


def pictures(rows: Sequence[Queued]) -> tuple[str, ...]:
    """The paths of the saved pictures, relative to the workspace."""
    return tuple(file.path for row in rows for file in row.attachments if file.picture and file.path is not None)
