"""Getting the files that came with messages: each from its front end into the room's workspace, then into the store.

A part of the conversation, which is told `FilesHere`: it takes as long as a network does, so helper tasks do it. A file
that cannot be had is a sentence, not an error: the agent is told about it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import trio

from actors.asking import insist
from actors.messages import Attachment, Fetch, Place, Room, SavedFile, StoreRequest
from supervisor import ActorError, Context, Message, Ref

DEADLINE: Final = 90.0
"""Seconds for one file, its front end's restarts included, and besides those that its size takes."""
RATE: Final = 100_000
"""Bytes a second: what a slow line does at least."""
LARGEST: Final = 20_000_000
"""Bytes that a file of unknown size is taken for."""


class FilesHere(Message):
    """What became of files, by attachment: a path relative to the workspace, or why there is none."""

    saved: dict[int, str]
    failed: dict[int, str]


class Fetching:
    """One room's files on their way. `files`: who fetches what came from a place; None if nobody can."""

    def __init__(self, context: Context, store: Ref[StoreRequest], files: Callable[[Place], Ref[Fetch] | None]) -> None:
        self._context = context
        self._store = store
        self._files = files
        self._scopes: set[trio.CancelScope] = set()  # at most one for each message that joins or begins the turn

    def begin(self, room: Room, attachments: Sequence[Attachment]) -> None:
        """Get these, one after the other."""
        self._context.start_soon(self._fetch_all, room, attachments)

    def give_up(self) -> None:
        """The turn that wanted them is over; what is not saved is wanted no more."""
        for scope in self._scopes:
            scope.cancel()

    async def _fetch_all(self, room: Room, attachments: Sequence[Attachment]) -> None:
        saved: dict[int, str] = {}
        failed: dict[int, str] = {}
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            for attachment in attachments:
                path, error = await self._fetch(room, attachment)
                if path is None:
                    failed[attachment.id] = error
                else:
                    await insist(self._store, SavedFile(attachment=attachment.id, path=path))
                    saved[attachment.id] = path
        self._scopes.discard(scope)
        if not scope.cancelled_caught:
            with suppress(ActorError):  # the room is just ending
                await self._context.ref.tell(FilesHere(saved=saved, failed=failed))

    async def _fetch(self, room: Room, attachment: Attachment) -> tuple[str | None, str]:
        files = self._files(room.place)
        if files is None:
            return None, "no files can be fetched from there"
        within = DEADLINE + (attachment.size or LARGEST) / RATE
        with trio.move_on_after(within):
            fetched = await insist(files, Fetch(attachment=attachment, workspace=room.workspace), timeout=within)
            return fetched.path, fetched.error or "it could not be fetched"
        return None, f"it did not arrive within {within:.0f} s"
