"""How a turn ends: which outcome, and what its people are told.

Pure. `turns` knows when; here is what.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from actors.messages import DeliveryKind, Mark, NewDelivery, Outcome, ToolCall, Turn
from actors.rooms import trouble, words
from actors.rooms.reports import subject
from actors.rooms.steps import End

TOO_LONG: Final = "The turn took too long and was ended."
STOPPED: Final = "Stopped."
MARKS: Final = {
    Outcome.DONE: Mark.DONE,
    Outcome.FAILED: Mark.FAILED,
    Outcome.QUARANTINED: Mark.FAILED,
    Outcome.STOPPED: Mark.STOPPED,
    Outcome.INTERRUPTED: Mark.FAILED,
    Outcome.WAITING: Mark.STOPPED,  # it goes on as the turn that the answer begins
}
"""What the messages of a turn bear when it has ended."""


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


def quarantined(turn: Turn, loss: trouble.Loss, most: int, said: str = "") -> Ending:
    """It was cut off `most` times, which is too often. `said`: what it had answered all the same."""
    report = trouble.set_aside(turn.id, loss, most, subject=subject(turn.inbounds))
    return Ending(Outcome.QUARANTINED, said, (*_answer(said), report))


def interrupted(turn: str, loss: trouble.Loss, running: Sequence[ToolCall], said: str = "") -> Ending:
    """It was cut off, and a person has to say whether it goes on. `running`: tools that may have had an effect."""
    return Ending(Outcome.INTERRUPTED, said, (*_answer(said), trouble.interrupted(turn, loss, running)))


def dropped(turn: str, loss: trouble.Loss, said: str = "") -> Ending:
    """It was cut off, and by the configuration that is its end."""
    return Ending(Outcome.INTERRUPTED, said, (*_answer(said), trouble.dropped(turn, loss)))


def waiting() -> Ending:
    """It was cut off while its agent waited for an answer: whatever that will be, it begins the next turn."""
    text = (
        "The agent was interrupted while it waited for your answer. Its question stands: your answer goes on from it."
    )
    return Ending(Outcome.WAITING, "", (note(text),))


def holding(key: str, ending: Ending, held: int) -> Ending:
    """The same with a word about the messages that a stop holds, if there are any, and what can be done with them.

    `key`: of that word, which the command that stopped the turn says once more if it does not know that it was said.
    """
    if not held:
        return ending
    *before, last = ending.deliveries
    text, rest = words.held(held), ending.deliveries
    if (last.kind, last.text) == (DeliveryKind.NOTE, STOPPED):
        text, rest = f"{STOPPED} {text}", tuple(before)
    told = NewDelivery(kind=DeliveryKind.NOTE, text=text, buttons=words.hold(key), key=key)
    return ending._replace(deliveries=(*rest, told))


def end(
    turn: Turn,
    ending: Ending,
    leaf: str | None,
    returned: tuple[int, ...],
    cost: float | None,
    files: int | None,
    *,
    hold: bool = False,
) -> End:
    """Commit 2 of it, as an answer to the message that began it.

    `returned`: what had joined it and waits again, or is held (`hold`).
    """
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
        hold,
    )


def note(text: str, reply_to: int | None = None) -> NewDelivery:
    """Small talk."""
    return NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=reply_to)


def _answer(text: str) -> tuple[NewDelivery, ...]:
    return (NewDelivery(kind=DeliveryKind.ANSWER, text=text),) if text else ()


def _report(turn: str, text: str) -> NewDelivery:
    return NewDelivery(kind=DeliveryKind.REPORT, text=text, buttons=words.crash(turn))
