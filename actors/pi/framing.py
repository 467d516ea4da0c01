"""Cuts pi's byte stream into lines, with a bound on what one line may hold.

Fed by the agent with chunks as they are read; knows bytes only. A record ends at LF and nowhere else: U+2028, U+2029
and U+0085 are legal inside a JSON string, which is why `str.splitlines` and its like would be wrong here.
"""

import msgspec

MAX_LINE = 8 * 1024 * 1024
HEAD = 64 * 1024


class Oversized(msgspec.Struct, frozen=True):
    """A line that was too long to keep. `head`: its first bytes; `size`: how long it was in bytes, without the LF."""

    head: bytes
    size: int


class LineFramer:
    """Collects chunks and gives the lines that they complete.

    Holds at most `max_line` bytes of an unfinished line. Of a longer one it keeps the first `head` bytes and counts the
    rest, so that a line of any length costs neither memory nor a pause. Both are in bytes, and `head <= max_line`.
    """

    def __init__(self, max_line: int = MAX_LINE, head: int = HEAD) -> None:
        if not 0 <= head <= max_line:
            raise ValueError(f"head must be between 0 and max_line ({max_line}), not {head}")
        self._max_line = max_line
        self._head = head
        self._line = bytearray()  # the unfinished line, or its head once it is too long
        self._size = 0  # how long the unfinished line is in truth

    @property
    def buffered(self) -> int:
        """Bytes held for the unfinished line; never more than `max_line`."""
        return len(self._line)

    def feed(self, chunk: bytes) -> list[bytes | Oversized]:
        """Takes the next bytes of the stream; returns the lines that are now whole, in order.

        Lines come without LF and without a CR before it; empty ones are left out.
        """
        *ends, rest = chunk.split(b"\n")
        records: list[bytes | Oversized] = []
        for end in ends:
            if not self._size and len(end) <= self._max_line:
                record: bytes | Oversized = end.removesuffix(b"\r")  # the usual case: no copy through the buffer
            else:
                self._extend(end)
                record = self._take()
            if record:
                records.append(record)
        self._extend(rest)
        return records

    def _extend(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._max_line:
            self._line += piece
        elif len(self._line) < self._head:
            self._line += piece[: self._head - len(self._line)]
        else:
            del self._line[self._head :]

    def _take(self) -> bytes | Oversized:
        line, size = bytes(self._line), self._size
        self._line.clear()
        self._size = 0
        return line.removesuffix(b"\r") if size <= self._max_line else Oversized(line, size)
