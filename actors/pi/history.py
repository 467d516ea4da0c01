"""What pi's session holds: its entries, where it stands, and what it has used in all.

A part of `live`, asked through `link` by it and by the runs. `leaf` is None until an answer is on disk: the ids of what
is only in pi's memory do not survive it.
"""

from actors.messages import Entry, Usage
from actors.pi import answers, commands
from actors.pi.errors import PiError
from actors.pi.link import Link
from actors.redaction import redact


class History:
    """The session of one process. `leaf` and `usage` are as of the last question."""

    def __init__(self, link: Link) -> None:
        self.leaf: str | None = None
        self.usage = Usage()
        self._link = link

    async def read(self, since: str | None) -> tuple[answers.Entry, ...]:
        """The entries after `since`, none if it is not there. Raises PiError if the session cannot be read at all."""
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
        """Bring `leaf` up to date."""
        await self.read(self.leaf)

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

    async def _last_message(self, since: str | None) -> tuple[answers.Entry, ...]:
        """In place of entries too large to be read (pictures are in them): the person's last message, if it is new.

        That it ran and was not seen to finish is what a resume then makes of it; the next one counts from there.
        """
        answer = await self._link.call(commands.GetForkMessages())
        if not isinstance(answer.data, answers.ForkMessages):
            raise PiError(f"pi's session cannot be read: {redact(answer.error)}")
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
    )
