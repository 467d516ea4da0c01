"""Which messages are one: albums, forwards sent together with their comment, a paste that Telegram has cut.

Pure but for what it remembers, which is bounded. The gateway asks it about each batch of updates; the conversation
makes one turn of all messages with the same burst.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from telegram import Message

__all__ = ["ALONE", "Bursts", "Part"]

TOGETHER: Final = 2.0
"""Seconds between two messages of one burst. Telegram's dates are whole seconds."""
COMMENT: Final = 1.0
"""Seconds between forwards and the comment that is sent with them, which comes first."""
CUT: Final = 4000
"""UTF-16 units: Telegram's programs cut a paste at 4096, and some at a blank before that."""
REMEMBERED: Final = 256
"""Speakers, and bursts that were addressed; beyond it the oldest is forgotten."""

K = TypeVar("K")
V = TypeVar("V")


class Part(NamedTuple):
    """`burst`: of which it is a part; None if it stands alone. `addressed`: whether any part so far is meant for us."""

    burst: str | None
    addressed: bool


ALONE: Final = Part(None, False)


class _Chain(NamedTuple):
    """What somebody sends just now in one place. `forwards`: forwards, else a long text."""

    burst: str
    forwards: bool
    at: float


_Speaker = tuple[int, int | None, int]
"""Chat, thread and person."""


class Bursts:
    """Remembers who has just sent what."""

    def __init__(self) -> None:
        self._chains: OrderedDict[_Speaker, _Chain] = OrderedDict()
        self._addressed: OrderedDict[str, None] = OrderedDict()

    def join(self, messages: Sequence[Message], addressed: Callable[[Message], bool]) -> list[Part]:
        """The part that each of these is, in the order in which they came.

        A comment is known by the forwards behind it, so it must come in one batch with them. If one part of a burst is
        addressed to us, all of them in this batch and the later ones are.
        """
        bursts = [self._burst(message, messages[index + 1 :]) for index, message in enumerate(messages)]
        for message, burst in zip(messages, bursts, strict=True):
            if burst is not None and addressed(message):
                _keep(self._addressed, burst, None)
        return [Part(burst, burst in self._addressed) for burst in bursts]

    def _burst(self, message: Message, later: Sequence[Message]) -> str | None:
        speaker = _speaker(message)
        if speaker is None:
            return None
        chain, at = self._chains.get(speaker), message.date.timestamp()
        if chain is not None and at - chain.at > TOGETHER:
            chain = None
        forward = message.forward_origin is not None
        if forward and chain is not None and chain.forwards:
            return self._go_on(speaker, chain.burst, True, at)
        if forward:
            return self._go_on(speaker, f"forwards:{message.message_id}", True, at)
        if message.media_group_id is not None:
            return f"album:{message.media_group_id}"
        if message.text is None:
            return None
        following = next((each for each in later if _speaker(each) == speaker), None)
        comments = following is not None and following.forward_origin is not None
        if following is not None and comments and abs(following.date.timestamp() - at) <= COMMENT:
            return self._go_on(speaker, f"forwards:{message.message_id}", True, at)
        joins = chain is not None and not chain.forwards
        burst = chain.burst if chain is not None and joins else f"paste:{message.message_id}"
        if _units(message.text) >= CUT:
            return self._go_on(speaker, burst, False, at)
        self._chains.pop(speaker, None)  # whatever it was, this is its end
        return burst if joins else None

    def _go_on(self, speaker: _Speaker, burst: str, forwards: bool, at: float) -> str:
        _keep(self._chains, speaker, _Chain(burst, forwards, at))
        return burst


def _speaker(message: Message) -> _Speaker | None:
    if message.from_user is None:
        return None
    thread = message.message_thread_id if message.is_topic_message else None
    return message.chat.id, thread, message.from_user.id


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def _keep(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
