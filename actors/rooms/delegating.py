"""What people command about the sub-agents of a room: what each command says, and what follows from it.

Pure; a part of `replies`. What a sub-agent made is applied, shown or discarded by their registrar, which then answers
the command itself; what cannot be is said here at once. What a sub-agent tells people by itself is not said here.
"""

from collections.abc import Sequence
from typing import Final, Literal

from actors.messages import (
    Button,
    DeliveryKind,
    NewDelivery,
    Queued,
    Spawned,
    SpawnRefused,
    Subagent,
    SubagentState,
    line_key,
)
from actors.phrases import code, counted, inert, lasting, short
from actors.redaction import redact
from actors.rooms.steps import Answer, Delegate, EndSubagent, PassOn, Step
from actors.standing import ended, undecidable

__all__ = ["ABOUT_ONE", "begun", "end_one", "going_on", "in_status", "reply"]

ABOUT_ONE: Final = ("apply", "diff", "discard", "kill")
"""The commands that name a sub-agent."""
MOST_SHOWN: Final = 10
"""Open sub-agents in the status of a room."""
MOST_LISTED: Final = 50
_TASK: Final = 60
_TASK_OF_LINE: Final = 80

_WHAT: Final[dict[str, tuple[Literal["apply", "diff", "discard"], str]]] = {
    "apply": ("apply", "merges what it made into the workspace"),
    "diff": ("diff", "shows what it changed"),
    "discard": ("discard", "throws away what it made"),
}


def reply(command: Queued, argument: str, subagents: Sequence[Subagent], room: str, now: float) -> list[Step]:
    """What follows from a command about the sub-agents of `room`; `subagents`: as `Known` has them."""
    name = command.command or ""
    mine = [sub for sub in subagents if sub.room == room]
    if name == "agents":
        return _said(command, _listing(mine, now))
    if name == "spawn":
        if not argument:
            return _said(command, "Write /spawn and a task: an agent with its own copy of the workspace does it.")
        return [Delegate(command, argument)]
    what, does = _WHAT[name]
    if not argument:
        return _said(command, f"Write /{name} and a sub-agent's id: it {does}. /agents shows them.")
    sub = _find(mine, argument)
    refused = undecidable(sub, argument)
    return [PassOn(command, argument, what)] if refused is None else _said(command, refused)


def end_one(command: Queued, slug: str, subagents: Sequence[Subagent], room: str) -> list[Step] | None:
    """What follows from a wish to end the sub-agent with this id; None if this person can know of none.

    One of another room is the owner's business.
    """
    sub = _find(subagents, slug)
    if sub is None or (sub.ended and sub.room != room and not command.owner):
        return None
    if sub.ended:
        return _said(command, f"Sub-agent {code(slug)} has ended already.")
    if sub.room != room and not command.owner:
        return _said(command, "Only the owner may end what runs in another room.")
    text = f"Sub-agent {code(slug)} is ended, with all that it has begun."
    return [EndSubagent(slug), *_said(command, text)]  # what was said has been done, whatever crashes


def begun(command: Queued, done: Spawned | SpawnRefused) -> Answer:
    """The answer to `/spawn`: the one message about it, which changes from then on.

    If a crash came between and it has got on since, that message is there already and knows better.
    """
    if isinstance(done, SpawnRefused):
        return Answer(command, (_note(command, f"No sub-agent was begun: {inert(done.reason)}"),))
    sub = done.subagent
    if sub.state is not SubagentState.QUEUED or sub.stop is not None:
        return Answer(command, (_note(command, f"Begun as {code(sub.slug)}. /agents shows it."),))
    where = f"waits for a place ({done.ahead} before it)" if done.ahead else "begins"
    line = NewDelivery(
        kind=DeliveryKind.NOTE,
        text=f"Sub-agent {code(sub.slug)}: {where}\n“{inert(short(redact(sub.task), _TASK_OF_LINE))}”",
        reply_to=command.message_id,
        buttons=((Button(label="End it", command="kill", argument=sub.slug),),),
        key=line_key(sub.slug),
    )
    return Answer(command, (line,))


def going_on(subagents: Sequence[Subagent], room: str) -> str:
    """A sentence about the sub-agents of a room that go on after its turn or its session has ended; empty for none."""
    count = sum(sub.room == room and not sub.ended and sub.stop is None and sub.parent is None for sub in subagents)
    if not count:
        return ""
    if count == 1:
        return "1 sub-agent goes on, and its report comes here: /agents shows it."
    return f"{count} sub-agents go on, and their reports come here: /agents shows them."


def in_status(subagents: Sequence[Subagent], room: str, now: float) -> list[str]:
    """The lines about the open sub-agents of a room in its status."""
    at_work = [sub for sub in subagents if sub.room == room and not sub.ended]
    lines = [f"- sub-agent {_line(sub, now)}" for sub in at_work[:MOST_SHOWN]]
    if len(at_work) > MOST_SHOWN:
        lines.append(f"- and {counted(len(at_work) - MOST_SHOWN, 'sub-agent')} more: /agents shows them")
    return lines


# --- one of them


def _find(subagents: Sequence[Subagent], slug: str) -> Subagent | None:
    return next((sub for sub in subagents if sub.slug == slug), None)


def _listing(subagents: Sequence[Subagent], now: float) -> str:
    if not subagents:
        return "This room has no sub-agent. /spawn and a task begins one."
    shown = subagents[-MOST_LISTED:]
    before = len(subagents) - len(shown)
    lines = [f"{before} older ones are not shown."] if before else []
    lines += [f"{'  ' * depth}- {_line(sub, now)}" for sub, depth in _in_order(shown)]
    if any(not sub.ended and sub.stop is None for sub in shown):
        lines += ["", "/kill and its id ends one."]
    if any(sub.made and sub.kept == "open" and sub.parent is None for sub in shown):
        lines += ["", "/apply, /diff or /discard and its id decides what becomes of what one made."]
    return "\n".join(lines)


def _in_order(subagents: Sequence[Subagent]) -> list[tuple[Subagent, int]]:
    """Each one below its parent, with how deep that is here; one whose parent is not among them is not deep."""
    known = {sub.slug for sub in subagents}
    below: dict[str | None, list[Subagent]] = {}
    for sub in subagents:
        below.setdefault(sub.parent if sub.parent in known else None, []).append(sub)
    found: list[tuple[Subagent, int]] = []
    todo = [(sub, 0) for sub in reversed(below.get(None, []))]
    while todo:
        sub, depth = todo.pop()
        found.append((sub, depth))
        todo += [(child, depth + 1) for child in reversed(below.get(sub.slug, []))]
    return found


def _line(sub: Subagent, now: float) -> str:
    task = inert(short(redact(sub.task), _TASK))
    return f"{code(sub.slug)}: {_state(sub, now)}" + (f" – “{task}”" if task else "")


def _state(sub: Subagent, now: float) -> str:
    """Where it stands, on one line."""
    if sub.ended:
        return ended(sub)
    if sub.stop is not None:
        return "is being ended"
    if sub.state is SubagentState.QUEUED:
        return f"waits for a place ({lasting(now - sub.created_at)} so far)"
    if sub.state is SubagentState.PREPARING:
        return "makes its workspace"
    age = lasting(now - (sub.created_at if sub.started_at is None else sub.started_at))
    return f"waits for its own sub-agents ({age} so far)" if sub.waiting else f"running {age}"


def _said(command: Queued, text: str) -> list[Step]:
    return [Answer(command, (_note(command, text),))]


def _note(command: Queued, text: str) -> NewDelivery:
    return NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=command.message_id)
