"""What the agent is told, made of the steps that the state machine wants done.

Pure: a step in, the message to the agent out.
"""

import posixpath
from collections.abc import Mapping, Sequence

from actors.messages import (
    Abort,
    AgentMessage,
    AgentReady,
    AnswerDialog,
    Compact,
    Continue,
    DeliveryKind,
    NewDelivery,
    Prompt,
    Queued,
    Recall,
    Room,
    SetModel,
    Steer,
)
from actors.rooms import steps, words
from actors.rooms.files import pictures


def message(step: steps.Step, room: Room, ready: AgentReady | None, *, since: float, now: float) -> AgentMessage | None:
    """The message that this step is; None if it is none. `since`: when the turn began. `ready`: who is told."""
    incarnation = 0 if ready is None else ready.incarnation
    match step:
        case steps.SendPrompt(turn, rows, failed):
            text, images = _said(rows, failed, room, ready, now)
            return Prompt(turn=turn, incarnation=incarnation, text=text, images=images, since=since)
        case steps.SendSteer(turn, rows, failed):
            text, images = _said(rows, failed, room, ready, now)
            return Steer(turn=turn, incarnation=incarnation, inbound=rows[0].id, text=text, images=images)
        case steps.SendContinue(turn, note):
            return Continue(turn=turn, incarnation=incarnation, note=note, since=since)
        case steps.SendRecall(turn, leaf):
            return Recall(turn=turn, incarnation=incarnation, since=leaf)
        case steps.SendAbort(turn):
            return Abort(turn=turn, incarnation=incarnation)
        case steps.GiveAnswer(dialog, value):
            return AnswerDialog(incarnation=incarnation, dialog=dialog, value=value)
        case steps.SendCompact(instructions):
            return Compact(incarnation=incarnation, instructions=instructions)
        case steps.SendModel(model, thinking):
            return SetModel(incarnation=incarnation, model=model, thinking=thinking)
        case _:
            return None


def unseen(rows: Sequence[Queued], ready: AgentReady | None) -> NewDelivery | None:
    """What a person is told whose pictures the model cannot see; None if it sees them, or if there are none."""
    if ready is None or ready.model is None or ready.model.images or not pictures(rows):
        return None
    return NewDelivery(
        kind=DeliveryKind.NOTE,
        text=words.blind(ready.model.id),
        reply_to=rows[0].message_id,
        key=f"blind:{rows[0].id}",
    )


def _said(
    rows: Sequence[Queued], failed: Mapping[int, str], room: Room, ready: AgentReady | None, now: float
) -> tuple[str, tuple[str, ...]]:
    """The text of these messages, and absolute paths of their pictures if the model sees any."""
    sees = ready is not None and ready.model is not None and ready.model.images
    images = tuple(posixpath.join(room.workspace, path) for path in pictures(rows)) if sees else ()
    group = room.place.chat < 0
    return words.prompt(rows, images_seen=sees, failed=failed, now=now, group=group), images
