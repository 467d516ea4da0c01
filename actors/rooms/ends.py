"""How a turn ends: which outcome, and what its people are told.

Pure. `turns` knows when; here is what.
"""

from typing import Final, NamedTuple

import msgspec

from actors.messages import DeliveryKind, NewDelivery, Outcome, Turn
from actors.rooms import words
from actors.rooms.steps import End

MOST_ATTEMPTS: Final = 3
"""How often a message is run before its quarantine. One attempt more only looks whether the last one had finished."""

TOO_LONG: Final = "The turn took too long and was ended."
STOPPED: Final = "Stopped."


class Ending(NamedTuple):
    """What becomes of a turn. `text`: what the agent said in it, perhaps nothing."""

    outcome: Outcome
    text: str
    deliveries: tuple[NewDelivery, ...]


def settled(turn: str, text: str, stop_reason: str, error: str = "", aborted: str | None = None) -> Ending:
    """The run is over. `aborted`: why it was to be ended, `STOPPED` or `TOO_LONG`; None if nobody wanted that."""
    said = _answer(text)
    match stop_reason:
        case "stop":
            return Ending(Outcome.DONE, text, said or (note("The agent ended its turn without a word."),))
        case "length":
            cut = note("The answer ends here because it reached the model's length limit.")
            return Ending(Outcome.DONE, text, (*said, cut))
        case "aborted" if aborted == STOPPED:
            return Ending(Outcome.STOPPED, text, (*said, note(STOPPED)))
        case "aborted":
            why = aborted or "The run was ended before it finished."
        case _:
            why = f"The model could not answer: {error or f'it stopped with {stop_reason!r}'}"
    return Ending(Outcome.FAILED, text, (*said, _report(turn, why)))


def stopped() -> Ending:
    """A person has stopped it, and no run of it is on."""
    return Ending(Outcome.STOPPED, "", (note(STOPPED),))


def failed(turn: str, why: str) -> Ending:
    """It cannot go on."""
    return Ending(Outcome.FAILED, "", (_report(turn, why),))


def quarantined(turn: str, said: str = "") -> Ending:
    """It was cut off too often. `said`: what it had answered all the same."""
    text = (
        f"This message was tried {MOST_ATTEMPTS} times and was cut off each time, so it is set aside and not tried "
        "again by itself."
    )
    return Ending(Outcome.QUARANTINED, said, (*_answer(said), _report(turn, text)))


def waiting() -> Ending:
    """It was cut off while its agent waited for an answer: whatever that will be, it begins the next turn."""
    text = (
        "The agent was interrupted while it waited for your answer. Its question stands: your answer goes on from it."
    )
    return Ending(Outcome.WAITING, "", (note(text),))


def end(
    turn: Turn, ending: Ending, leaf: str | None, returned: tuple[int, ...], cost: float | None, files: int | None
) -> End:
    """Commit 2 of it, as an answer to the message that began it. `returned`: what had joined it and waits again."""
    first, *rest = ending.deliveries
    inbounds = [row for row in turn.inbounds if row.id not in returned]
    return End(
        turn.id,
        ending.outcome,
        ending.text,
        leaf,
        (msgspec.structs.replace(first, reply_to=inbounds[0].message_id if inbounds else None), *rest),
        returned,
        tuple(row.message_id for row in inbounds if row.message_id is not None),
        cost,
        files,
    )


def note(text: str, reply_to: int | None = None) -> NewDelivery:
    """Small talk."""
    return NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=reply_to)


def _answer(text: str) -> tuple[NewDelivery, ...]:
    return (NewDelivery(kind=DeliveryKind.ANSWER, text=text),) if text else ()


def _report(turn: str, text: str) -> NewDelivery:
    return NewDelivery(kind=DeliveryKind.REPORT, text=text, buttons=words.crash(turn))
