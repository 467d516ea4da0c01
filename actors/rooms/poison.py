"""What a room's conversation died on, again and again, before it could begin with it: that is set aside as well.

Pure: the work that it found in, requests to the store out. A message that cuts its turn off is counted by its turn; one
that the conversation cannot even look at never gets that far, so the router, which sees the room give up, speaks here.
"""

from actors.messages import AnswerCommand, BeginTurn, DeliveryKind, EndTurn, NewDelivery, Outcome, Queued, Work
from actors.phrases import code
from actors.rooms import trouble
from actors.rooms.fates import MOST_ATTEMPTS
from actors.rooms.line import groups
from actors.rooms.reports import subject

__all__ = ["set_aside"]


def set_aside(work: Work, loss: trouble.Loss) -> tuple[BeginTurn | EndTurn | AnswerCommand, ...]:
    """Ends what stood first in this work, with a word to its people; nothing if there was nothing to do.

    The open turn and messages go into quarantine; a command is answered. Each request may be repeated, and if they are
    cut off in between, the turn is open with all its attempts used up, so that the next conversation ends it.
    """
    turn, slug = work.turn, work.room.slug
    first = min((*work.queue, *work.commands), key=lambda row: row.id, default=None)
    if turn is not None:
        return (_end(work, turn.id, turn.inbounds, loss),)
    if first is None:
        return ()
    if first.command is not None:
        return (AnswerCommand(slug=slug, inbound=first.id, deliveries=(_not_done(first, loss),)),)
    group = groups(work.queue)[0]
    begin = BeginTurn(
        slug=slug,
        turn=f"t{first.id}",
        attempt=MOST_ATTEMPTS,
        inbounds=tuple(row.id for row in group),
        leaf_before=work.room.leaf,
    )
    return begin, _end(work, begin.turn, group, loss)


def _end(work: Work, turn: str, inbounds: tuple[Queued, ...], loss: trouble.Loss) -> EndTurn:
    reply_to = inbounds[0].message_id if inbounds else None
    report = trouble.set_aside(turn, loss, MOST_ATTEMPTS, reply_to, subject(inbounds))
    return EndTurn(
        slug=work.room.slug,
        turn=turn,
        outcome=Outcome.QUARANTINED,
        answer="",
        leaf=work.room.leaf,  # how far the session is since then, the next agent says
        deliveries=(report,),
    )


def _not_done(command: Queued, loss: trouble.Loss) -> NewDelivery:
    text = trouble.cut_off(loss, f"{code(command.text.strip() or '/')} could not be done, and is not tried again")
    return NewDelivery(kind=DeliveryKind.REPORT, text=text, reply_to=command.message_id)
