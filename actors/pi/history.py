"""What pi's session holds: its entries, where it stands, and what it has used in all.

A part of `live`, asked through `link` by it and by the runs. `leaf` is None until an answer is on disk: the ids of what
is only in pi's memory do not survive it. What pi could not write it does not say, so `look` looks.
"""

from functools import partial
from pathlib import Path
from typing import Final

import trio

from actors.messages import Entry, ToolCall, Usage
from actors.pi import answers, commands
from actors.pi.arguments import summary
from actors.pi.disk import TooSlow, off_thread
from actors.pi.errors import SessionUnfit, SessionUnsaved
from actors.pi.link import Link
from actors.pi.session_file import Chain
from actors.redaction import redact

DISK_PATIENCE: Final = 5.0
"""Seconds to look at the session's file."""


class History:
    """The session of one process. `leaf` and `usage` are as of the last question. `folder`: where its file is."""

    def __init__(self, link: Link, folder: Path) -> None:
        self.leaf: str | None = None
        self.usage = Usage()
        self._link = link
        self._folder = folder
        self._looking = trio.Lock()
        self._chain: tuple[str, Chain] | None = None
        self._unsaved: SessionUnsaved | None = None

    async def read(self, since: str | None) -> tuple[answers.Entry, ...]:
        """The entries after `since`, none if it is not there. Raises SessionUnfit if that cannot be read at all."""
        answer = await self._link.call(commands.GetEntries(since=since))
        if since is not None and answer.error.startswith("Entry not found"):
            # pi only appends, and does not wait for the disk: when the power fails the end of its file may be lost,
            # and with this entry all that came after it. What is left is of earlier turns.
            await self.read(None)
            return ()
        if not isinstance(answer.data, answers.Entries):
            return await self._last_message(since)
        found = answer.data
        spoken = since is not None or any(
            entry.message is not None and entry.message.role == "assistant" for entry in found.entries
        )
        self.leaf = (found.leaf_id or since) if spoken else None
        return found.entries

    async def look(self) -> None:
        """Bring `leaf` up to date; it stays where it was if the disk does not have all that pi has in its memory."""
        async with self._looking:  # a run that ends and a summary that is done may both want to know
            before = self.leaf
            await self.read(before)
            if self.leaf is not None and not await self._is_saved(self.leaf):
                self.leaf = before

    def see_saved(self) -> None:
        """Raises SessionUnsaved if the last look found that not all is on the disk: pi has to be started anew."""
        if self._unsaved is not None:
            raise self._unsaved

    async def count(self) -> None:
        """Bring `usage` up to date; it stays as it was if pi does not know."""
        stats = (await self._link.call(commands.GetSessionStats())).data
        if isinstance(stats, answers.Stats):
            context = stats.context_usage
            self.usage = Usage(
                cost=stats.cost,
                input=stats.tokens.input + stats.tokens.cache_read + stats.tokens.cache_write,
                output=stats.tokens.output,
                context=context.tokens if context else None,
                window=(context.context_window or None) if context else None,
            )

    async def _is_saved(self, leaf: str) -> bool:
        if self._chain is None:
            state = (await self._link.call(commands.GetState())).data
            if not isinstance(state, answers.State) or state.session_file is None:
                return True
            place = self._folder / Path(state.session_file).name  # whatever it says: an agent can speak in pi's name
            self._chain = str(place), Chain(place)
        file, chain = self._chain
        try:
            saved = await off_thread(partial(chain.holds, leaf), place=file, seconds=DISK_PATIENCE)
        except TooSlow:
            return True  # nobody can say
        if not saved:
            self._unsaved = SessionUnsaved(file)
        return saved

    async def _last_message(self, since: str | None) -> tuple[answers.Entry, ...]:
        """In place of entries too large to be read (pictures are in them): the person's last message, if it is new.

        That it ran and was not seen to finish is what a resume then makes of it; the next one counts from there.
        """
        answer = await self._link.call(commands.GetForkMessages())
        if not isinstance(answer.data, answers.ForkMessages):
            raise SessionUnfit(
                f"pi's session cannot be read ({redact(answer.error)}): begin a fresh one with /new, which keeps it"
            )
        if not answer.data.messages or answer.data.messages[-1].entry_id == since:
            return ()
        last = answer.data.messages[-1]
        self.leaf = last.entry_id
        body = answers.MessageBody(role="user", content=last.text)
        return (answers.Entry(type="message", id=last.entry_id, message=body),)


def messages_of(entries: tuple[answers.Entry, ...]) -> tuple[Entry, ...]:
    """What of the entries matters for a resume."""
    return tuple(_entry(entry.id, entry.message) for entry in entries if entry.message is not None)


def _entry(entry_id: str, message: answers.MessageBody) -> Entry:
    return Entry(
        id=entry_id,
        role=message.role,
        text=redact(message.text),
        stop_reason=message.stop_reason or "",
        error=redact(message.error_message),
        calls=tuple(ToolCall(id=call.id, tool=call.name, summary=summary(call.arguments)) for call in message.calls),
        call=message.tool_call_id if message.role == "toolResult" else "",
    )
