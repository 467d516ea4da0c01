"""Standard input as lines: read when asked for, one at a time, none lost between two incarnations of the console.

Made once per process and lent to `console`. It knows bytes and file descriptors; what a line means is not its business.
"""

import os
import secrets
from typing import Final, NamedTuple

import trio

LIMIT: Final = 1024 * 1024
"""Bytes that a line may have, without its end."""
_CHUNK: Final = 64 * 1024


class Line(NamedTuple):
    """One line that is not blank. `key`: unique for ever. `text`: None if the line was longer than `LIMIT`."""

    key: str
    text: str | None


class LineBuffer:
    """Bytes in, lines out. Holds at most `limit` bytes and one chunk; of a longer line it keeps nothing."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._data = bytearray()
        self._searched = 0
        self._cut = False

    def feed(self, data: bytes) -> None:
        """More bytes; empty ones mean the end, where a last line needs no newline."""
        if data:
            self._data += data
        elif self._data or self._cut:
            self._data += b"\n"

    def take(self) -> tuple[bytes | None] | None:
        """The next whole line, or `(None,)` in place of one that was too long; None if more bytes are needed."""
        end = self._data.find(b"\n", self._searched)
        if end < 0:
            if len(self._data) > self._limit:
                self._data.clear()
                self._cut = True
            self._searched = len(self._data)
            return None
        line = None if self._cut or end > self._limit else bytes(self._data[:end])
        del self._data[: end + 1]
        self._searched, self._cut = 0, False
        return (line,)


class Lines:
    """The lines of a file descriptor. One reader at a time."""

    def __init__(self, fd: int) -> None:
        self.interactive = os.isatty(fd)
        """Whether a person types them."""
        self._fd = fd
        self._buffer = LineBuffer()
        self._next: Line | None = None
        self._ended = False
        self._run = secrets.token_hex(8)
        self._count = 0

    async def peek(self) -> Line | None:
        """The next line, and the same one again until `drop`; None at the end of input. Undecodable bytes are replaced.

        An input that fails (a terminal that hung up) has ended.
        """
        while self._next is None:
            taken = self._buffer.take()
            if taken is not None:
                self._keep(taken[0])
            elif self._ended:
                return None
            else:
                data = await self._read()
                self._ended = not data
                self._buffer.feed(data)
        return self._next

    def drop(self) -> None:
        """The line that `peek` showed is dealt with."""
        self._next = None

    def _keep(self, data: bytes | None) -> None:
        text = None if data is None else data.decode(errors="replace").removesuffix("\r")
        if text is None or text.strip():
            self._count += 1
            self._next = Line(f"console:{self._run}:{self._count}", text)

    async def _read(self) -> bytes:
        """A chunk; empty at the end. Nothing is lost when it is cancelled."""
        while True:
            try:
                await trio.lowlevel.wait_readable(self._fd)
            except PermissionError:  # epoll knows no regular files; reading one needs no waiting, but may take a while
                return await trio.to_thread.run_sync(os.read, self._fd, _CHUNK)
            except OSError:
                return b""
            try:
                return os.read(self._fd, _CHUNK)
            except BlockingIOError:  # somebody else who has this terminal took it first
                continue
            except OSError:
                return b""
