"""What people are told when something of a room has died: what it was, what it said last, what becomes of the work.

Pure; asked by `fates`, `ends` and the router. Foreign words (stderr, a tool's arguments) are shown as they are.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from actors.messages import Button, DeliveryKind, NewDelivery, ToolCall, Turn
from actors.phrases import block, code, inert, lasting, short

__all__ = [
    "GO_ON",
    "SERVICE_ENDED",
    "Loss",
    "cut_off",
    "dropped",
    "gave_up",
    "goes_on",
    "interrupted",
    "left",
    "set_aside",
    "went_on",
]

SERVICE_ENDED: Final = "the service itself was ended"
GO_ON: Final = (
    "Go on with what you were doing when you were interrupted. A tool that was running may or may not have taken "
    "effect: check before you repeat it."
)
"""What the button that makes an agent go on says to it, as its person's message. The press itself edits the report."""

LOG: Final = Button(label="Log", command="log")
NEW: Final = Button(label="New session", command="new")
_WHAT: Final = 500
"""Characters of the sentence that says what died."""
_TOOL: Final = 200
_LINE: Final = 120


class Loss(NamedTuple):
    """What died. `what`: in one sentence; `stderr`: its last lines; `session`: whether the session can be used."""

    what: str
    stderr: tuple[str, ...] = ()
    session: bool = True


def short_of(what: str) -> str:
    """What died, in a line of the picture of a turn."""
    return short(" ".join(what.split()).rstrip("."), _LINE)


def cut_off(loss: Loss, opening: str = "This was cut off") -> str:
    """What died, in a sentence, with its last words below."""
    what = inert(short(loss.what.strip().rstrip("."), _WHAT)) or "nobody knows why"
    return "\n\n".join(part for part in (f"{opening}: {what}.", block("\n".join(loss.stderr))) if part)


# --- the note about a turn that goes on


def goes_on(turn: Turn, loss: Loss, number: int, most: int, *, again: bool) -> NewDelivery:
    """It goes on by itself, as try `number` of `most`. `again`: from the start, for nothing of it had run."""
    how = "Nothing of it was kept yet, so it starts over" if again else "The session is kept, and it goes on by itself"
    return _note(turn, f"{cut_off(loss)}\n\n{how}: try {number} of {most}.")


def went_on(turn: Turn, loss: Loss, number: int, *, done: bool) -> NewDelivery:
    """The same note once the turn is over, cut off `number` times. `done`: it was answered in the end."""
    often = "once" if number == 1 else f"{number} times"
    what = inert(short(loss.what.strip().rstrip("."), _WHAT))
    return _note(turn, f"This was cut off {often}{' and went on' if done else ''}: {what}.")


def _note(turn: Turn, text: str) -> NewDelivery:
    inbounds = turn.inbounds
    return NewDelivery(
        kind=DeliveryKind.NOTE,
        text=text,
        reply_to=inbounds[0].message_id if inbounds else None,
        key=f"crash:{turn.id}",
    )


# --- the report about one that does not


def interrupted(turn: str, loss: Loss, running: Sequence[ToolCall]) -> NewDelivery:
    """A person has to say whether it goes on. `running`: the tools that may have had an effect."""
    tools = [code(short(f"{call.tool}: {call.summary}" if call.summary else call.tool, _TOOL)) for call in running]
    effect = ""
    if tools:
        verb, pronoun = ("was", "it") if len(tools) == 1 else ("were", "they")
        effect = f"{', '.join(tools)} {verb} running, and {pronoun} may or may not have taken effect. "
    text = f"{cut_off(loss)}\n\n{effect}The session is kept. Shall the agent go on?"
    buttons = (
        Button(label="Go on", command="go_on", argument=f"{turn} {GO_ON}"),
        Button(label="Leave it", command="leave_it", argument=turn),
    )
    return _report(text, (buttons, (LOG,)), turn)


def left(turn: str) -> NewDelivery:
    """The same report when a person wants it left."""
    return _report("This was cut off and is left as it is. Your next message goes on from there.", (), turn)


def dropped(turn: str, loss: Loss) -> NewDelivery:
    """By the configuration it is not gone on with."""
    text = f"{cut_off(loss)}\n\nIt is not gone on with, as `on_restart` under `[rooms]` says. The session is kept."
    return _report(text, ((_again(turn), LOG),), turn)


def set_aside(
    turn: str, loss: Loss, most: int, reply_to: int | None = None, subject: str = "This message"
) -> NewDelivery:
    """It was cut off as often as a message may be. `reply_to`: the message that began it, if nobody else says so.

    `subject`: what was cut off, as Markdown.
    """
    opening = (
        f"{subject} was tried {most} times and was cut off each time, so it is set aside and not tried again by "
        "itself. The last time"
    )
    drop = Button(label="Drop", command="drop_aside", argument=turn)
    report = _report(cut_off(loss, opening), ((_again(turn), drop), (NEW, LOG)))
    return msgspec.structs.replace(report, reply_to=reply_to)


def _again(turn: str) -> Button:
    return Button(label="Try again", command="retry", argument=turn)


def _report(text: str, buttons: tuple[tuple[Button, ...], ...], turn: str | None = None) -> NewDelivery:
    key = None if turn is None else f"cut:{turn}"
    return NewDelivery(kind=DeliveryKind.REPORT, text=text, buttons=buttons, key=key)


# --- a room that gave up


def gave_up(loss: Loss, failures: int, within: float) -> str:
    """A room is not tried any more until somebody writes. `failures`: how often it failed within so many seconds."""
    opening = "The agent of this room could not be kept running and was given up"
    often = f"It failed {failures} times within {lasting(within)}. " if failures > 1 else ""
    if loss.session:
        after = "The session is kept. Your next message tries again."
    else:
        after = "Its session cannot be used as it is: New session begins another, and the file of this one stays."
    return f"{cut_off(loss, opening)}\n\n{often}{after}"
