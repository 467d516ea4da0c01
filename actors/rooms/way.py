"""What only the conversation sees of a turn's way through the agent: prompted, the first word, settled.

Pure; told of what passes the conversation, and asked for it at the turn's end. Kept for the attempt that runs, so it
holds three hops at most.
"""

from actors.messages import Hop

AGENT = "agent"


class Way:
    """The hops of one attempt. Times are Unix seconds."""

    def __init__(self) -> None:
        self._turn: str | None = None
        self._hops: dict[str, Hop] = {}

    def prompted(self, turn: str, now: float) -> None:
        """The agent is told to begin, or to go on; what an earlier attempt has seen is over."""
        self._turn, self._hops = turn, {}
        self._pass("prompted", now)

    def spoke(self, turn: str, now: float) -> None:
        """The answer has grown: the first time counts."""
        if turn == self._turn and "first word" not in self._hops:
            self._pass("first word", now)

    def settled(self, turn: str, now: float) -> None:
        """The run is over."""
        if turn == self._turn:
            self._pass("settled", now)

    def end(self, turn: str) -> tuple[Hop, ...]:
        """The turn is over; the hops of its last attempt, if it had one here."""
        hops = tuple(self._hops.values()) if turn == self._turn else ()
        self._turn, self._hops = None, {}
        return hops

    def _pass(self, what: str, now: float) -> None:
        assert self._turn is not None
        self._hops[what] = Hop(at=now, what=what, where=AGENT, id=self._turn)
