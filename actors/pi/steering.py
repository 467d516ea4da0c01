"""What became of the messages that were to join a run: heard by the model, or given back. Never both, never neither.

Pure; `run` keeps one for each run. pi consumes what was steered in order and says so with the message's end; what is
left in its queue when the run is over was not heard. An extension of the person's may have changed a text on its way,
so what cannot be told by its text is told by its number.
"""

from collections.abc import Sequence

MOST = 64
"""Messages that pi may have or be about to get."""


class Steers:
    """The messages of one run, by inbound id, in the order in which they came."""

    def __init__(self) -> None:
        self._sent: dict[int, str] = {}  # in pi's hands and not known to be heard
        self._kept: set[int] = set()  # not in pi's hands

    @property
    def waiting(self) -> bool:
        """Whether pi may have some that it has not shown to the model."""
        return bool(self._sent)

    @property
    def full(self) -> bool:
        """Whether pi is to get no more of them."""
        return len(self._sent) + len(self._kept) >= MOST

    @property
    def unheard(self) -> tuple[int, ...]:
        """Those that are not in pi's hands: what is given back when the run is over."""
        return tuple(sorted(self._kept))

    def keep(self, inbound: int) -> None:
        """This one is not in pi's hands: it has just come, or pi refused it."""
        self._sent.pop(inbound, None)
        self._kept.add(inbound)

    def sent(self, inbound: int, text: str) -> None:
        """pi is given this text now."""
        self._kept.discard(inbound)
        self._sent[inbound] = text

    def heard(self, text: str) -> int | None:
        """The model was shown this text: the inbound that it is; None for a text of somebody else's."""
        for inbound, sent in self._sent.items():
            if sent == text:
                del self._sent[inbound]
                return inbound
        return None

    def settle(self, left: Sequence[str]) -> tuple[int, ...]:
        """The run is over and pi gave these texts back: the inbounds that were heard after all. Nothing is sent now."""
        unheard: set[int] = set()
        strange = 0
        for text in reversed(left):
            own = [inbound for inbound, sent in self._sent.items() if sent == text and inbound not in unheard]
            if own:
                unheard.add(own[-1])
            else:
                strange += 1
        changed = [inbound for inbound in self._sent if inbound not in unheard]
        unheard.update(changed[max(0, len(changed) - strange) :])
        heard = tuple(inbound for inbound in self._sent if inbound not in unheard)
        self._kept |= unheard
        self._sent.clear()
        return heard
