"""The text of a run as it grows: blocks of the current message, and the messages that have ended.

A part of `session`, which calls it in the order of pi's events; it knows text and its bounds only.
"""

from typing import NamedTuple

MAX_TEXT = 1024 * 1024


class _Message(NamedTuple):
    text: str
    is_answer: bool


class Transcript:
    """Collects the assistant's text of one run, at most `max_text` characters each of the message and of the run.

    Deltas cost O(1); `text` joins them when it is read.
    """

    def __init__(self, max_text: int = MAX_TEXT) -> None:
        self._max_text = max_text
        self._blocks: dict[int, list[str]] = {}
        self._length = 0
        self._ended: list[_Message] = []
        self._ended_length = 0
        self._answered: list[str] = []

    @property
    def text(self) -> str:
        """The current assistant message's text so far, or the last one's, below the answers that were given before."""
        for parts in self._blocks.values():
            if len(parts) > 1:
                parts[:] = ["".join(parts)]
        current = "".join(self._blocks[index][0] for index in sorted(self._blocks) if self._blocks[index])
        return "\n\n".join(text for text in (*self._answered, current) if text)

    @property
    def answer(self) -> str:
        """The run's answer, as `Settled.text` says. A run that was steered may have several: all of them."""
        whole = bool(self._ended) and self._ended[-1].is_answer and bool(self._ended[-1].text)
        return "\n\n".join(said.text for said in self._ended if said.text and (said.is_answer or not whole))

    def begin_message(self) -> None:
        """The next assistant message begins, empty."""
        self._blocks.clear()
        self._length = 0
        self._answered = [said.text for said in self._ended if said.is_answer]

    def grow(self, index: int, delta: str) -> None:
        """Block `index` of the message has `delta` more; past the bound it is dropped until the end makes it whole."""
        if self._length + len(delta) <= self._max_text:
            self._blocks.setdefault(index, []).append(delta)
            self._length += len(delta)

    def end_message(self, text: str, *, is_answer: bool) -> None:
        """The message is complete and its text is `text`, whatever the deltas said."""
        text = text[: self._max_text]
        self._blocks = {0: [text]}
        self._length = len(text)
        self._ended.append(_Message(text, is_answer))
        self._ended_length += len(text)
        while self._ended_length > self._max_text and len(self._ended) > 1:
            self._ended_length -= len(self._ended.pop(0).text)

    def drop_last(self) -> None:
        """The last message failed and its call is repeated: its text is no part of the answer."""
        if self._ended:
            self._ended_length -= len(self._ended.pop().text)
