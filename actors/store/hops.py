"""The rows of hops: each step of a message's way, noted in the transaction that made it.

Called by the functions that change the rows, for they alone know that something has changed; read by `traces`. A hop
is noted for an inbound, a turn or a delivery.
"""

from collections.abc import Sequence

import apsw

from actors.messages import Hop
from actors.store.texts import storable

STORE = "store"
"""Whose step a commit is."""
SEEN = 100
"""Hops of one turn that its conversation may add."""

_EACH = 16
"""Attempts or changes of one thing that are all noted; of more only every doubling is: an outage may last for days."""


def of_inbound(inbound: int) -> str:
    """What the hops of an inbound are kept by."""
    return f"inbound:{inbound}"


def of_turn(turn: str) -> str:
    """What the hops of a turn are kept by."""
    return f"turn:{turn}"


def of_delivery(delivery: int) -> str:
    """What the hops of a delivery are kept by."""
    return f"delivery:{delivery}"


def note(db: apsw.Connection, at: float, subject: str, what: str, ref: str, *, whose: str = STORE) -> None:
    """One more step of `subject`. The other arguments are the fields of `Hop`."""
    db.execute(
        "INSERT INTO hops (subject, at, what, whose, ref) VALUES (?, ?, ?, ?, ?)", (subject, at, what, whose, ref)
    )


def note_all(db: apsw.Connection, subject: str, hops: Sequence[Hop]) -> None:
    """What somebody else has seen of the way of `subject`."""
    for hop in hops[:SEEN]:
        note(db, hop.at, subject, storable(hop.what), storable(hop.id), whose=storable(hop.where))


def is_noted(number: int) -> bool:
    """Whether so late an attempt, or a change, is still a step of its own."""
    return number <= _EACH or number & (number - 1) == 0
