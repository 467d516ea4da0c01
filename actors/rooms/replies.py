"""The commands that are answered at once, whatever the agent does: what each says and changes.

Pure. Those that have to wait for something, or that need the agent, are `commanding`'s.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from actors import commands
from actors.messages import (
    AgentReady,
    Binding,
    BusyMode,
    Button,
    DeliveryKind,
    NewDelivery,
    Place,
    Queued,
    Room,
    RoomSettings,
    Topic,
    Turn,
    Usage,
)
from actors.phrases import block, code, inert
from actors.rooms import delegating, trouble, words
from actors.rooms.ends import note
from actors.rooms.steps import Answer, Known, Phase, RestartAgent, Sleep, Step

LISTED: Final = 50
"""Rooms in a list."""
LOG: Final = 3000
"""Characters of a failure that are shown: its end says the most."""

TURN: Final = re.compile(r"t[0-9]{1,18}")
"""The id of a turn: a `t`, and the id of the message that began it."""

_BUSY: Final[dict[str, tuple[BusyMode, str]]] = {
    "steer": ("steer", "From now on a message that finds the agent busy joins the running turn."),
    "queue": ("follow_up", "From now on a message that finds the agent busy waits for its own turn."),
}
_VERBOSE: Final[dict[str, tuple[Literal[0, 1, 2], str]]] = {
    "0": (0, "Tools do not show."),
    "1": (1, "Each tool shows as one line."),
    "2": (2, "Each tool shows as one line, with how it ended and how long it took."),
}
_LISTEN: Final[dict[str, tuple[Literal["all", "mentions"], str]]] = {
    "all": ("all", "I hear everything here, as far as the bot's privacy mode lets me."),
    "mentions": ("mentions", "I hear what mentions me or answers me."),
}
_MUTE: Final = {"": True, "on": True, "off": False}


class View(NamedTuple):
    """The room as a command finds it. `failed`: its agent has ended and was not ready since. `held`: by a stop."""

    room: Room
    phase: Phase
    turn: Turn | None
    queue: tuple[Queued, ...]
    ready: AgentReady | None
    failed: bool
    usage: Usage
    known: Known
    held: tuple[Queued, ...] = ()


def reply(command: Queued, view: View, projects: Mapping[str, Path]) -> list[Step]:
    """What follows from a command. `projects`: path by name."""
    name, argument, settings = command.command or "", commands.argument(command.text).strip(), view.room.settings
    match name:
        case "status" if view.held:
            return said(command, _told(command, view), words.hold())
        case "status" | "threads" | "sessions" | "usage" | "whoami" | "log":
            return said(command, _told(command, view))
        case "steer" | "queue":
            mode, text = _BUSY[name]
            return _set(command, msgspec.structs.replace(settings, busy=mode), text)
        case "verbose" if argument in _VERBOSE:
            verbose, text = _VERBOSE[argument]
            return _set(command, msgspec.structs.replace(settings, verbose=verbose), text)
        case "listen" if argument in _LISTEN:
            listen, text = _LISTEN[argument]
            return _set(command, msgspec.structs.replace(settings, listen=listen), text)
        case "mute" if argument in _MUTE:
            text = "Answers arrive silently." if _MUTE[argument] else "Answers ring again."
            return _set(command, msgspec.structs.replace(settings, muted=_MUTE[argument]), text)
        case "verbose" | "listen" | "mute":
            return said(command, _usage(name, settings))
        case "restart":
            after = "goes on" if view.turn is not None else "is kept"
            text = f"The agent of this room is started anew; what it was doing {after}."
            return [Answer(command, (note(text, command.message_id),)), RestartAgent()]
        case "agents" | "spawn" | "apply" | "diff" | "discard":
            return delegating.reply(command, argument, view.known.subagents, view.room.slug, view.known.now)
        case "create":
            return _create(command, argument, view, projects)
        case "recreate":
            return _recreate(command, argument, view)
        case "kill":
            return _kill(command, argument, view)
        case "cleanup":
            return _cleanup(command, argument)
        case "retry":
            return [Answer(command, retry=argument)]
        case "leave_it" if TURN.fullmatch(argument):
            return [Answer(command, (trouble.left(argument),))]
        case "drop_aside" if TURN.fullmatch(argument):
            return [Answer(command, set_aside=int(argument.removeprefix("t")))]
        case _:
            buttons = commands.send_as_text(command.text) if name.startswith("?") else ()
            told = note(commands.answer(name), command.message_id)
            return [Answer(command, (msgspec.structs.replace(told, buttons=buttons),))]


def said(command: Queued, text: str, buttons: tuple[tuple[Button, ...], ...] = ()) -> list[Step]:
    """A command that only says something."""
    told = NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=command.message_id, buttons=buttons)
    return [Answer(command, (told,))]


def known_projects(projects: Mapping[str, Path]) -> str:
    """A sentence with the projects that there are."""
    if not projects:
        return "No project is configured; [projects.<name>] in the configuration makes one."
    return f"The projects are {', '.join(code(name) for name in sorted(projects))}."


def _told(command: Queued, view: View) -> str:
    room, known = view.room, view.known
    match command.command:
        case "status":
            status = words.status(
                room,
                doing=known.doing,
                since=None if view.turn is None else view.turn.started_at,
                queue=view.queue,
                held=view.held,
                ready=view.ready,
                usage=view.usage,
                turn=view.turn,
                now=known.now,
            )
            return "\n".join((status, *delegating.in_status(known.subagents, room.slug, known.now)))
        case "threads":
            return _rooms(known.rooms, known.now)
        case "sessions":
            return words.sessions(known.sessions, room.session_id, known.now)
        case "usage":
            return words.usage(view.usage, room)
        case "whoami":
            return words.whoami(command, room)
        case _:
            return _log(known.failure)


def _rooms(rooms: tuple[Room, ...], now: float) -> str:
    listed = commands.listing([(each.slug, each.title, each.updated_at) for each in rooms[:LISTED]], now)
    return listed if len(rooms) <= LISTED else f"{listed}\n\nThe {LISTED} that were used last, of {len(rooms)}."


def _log(failure: str) -> str:
    if not failure:
        return "Since the service was started, nothing of this room has failed."
    return block(failure[-LOG:])


def _usage(name: str, settings: RoomSettings) -> str:
    match name:
        case "verbose":
            return f"Write /verbose 0, 1 or 2: how much of the tools' work shows. It is {settings.verbose}."
        case "listen":
            now = "" if settings.listen is None else f" It is {settings.listen}."
            return f"Write /listen all or /listen mentions: what I hear in a group.{now}"
        case _:
            return "Write /mute, or /mute off: whether answers arrive silently."


def _set(command: Queued, settings: RoomSettings, text: str) -> list[Step]:
    return [Answer(command, (note(text, command.message_id),), settings=settings)]


def _create(command: Queued, argument: str, view: View, projects: Mapping[str, Path]) -> list[Step]:
    names = argument.split()
    binding = None
    if len(names) > 1 and names[-1] in projects:
        project = names.pop()
        binding = Binding(project=project, workspace=str(projects[project]))
    if not names:
        return said(command, f"Write /create and a name, and perhaps a project behind it. {known_projects(projects)}")
    return [Answer(command, (_topic(view.room.place, " ".join(names), Topic(binding=binding)),))]


def _recreate(command: Queued, slug: str, view: View) -> list[Step]:
    room = next((room for room in view.known.rooms if room.slug == slug), None)
    if room is None:
        return said(command, f"There is no room {code(slug)}.")
    return [Answer(command, (_topic(room.place, room.title or slug, Topic(room=slug)),))]


def _topic(place: Place, name: str, topic: Topic) -> NewDelivery:
    chat = Place(place.front, place.chat)
    return NewDelivery(kind=DeliveryKind.TOPIC, text=name, place=chat, topic=topic)


def _kill(command: Queued, slug: str, view: View) -> list[Step]:
    if not slug:
        return said(command, "Write /kill and the id of a room (/threads shows them) or of a sub-agent (/agents).")
    if all(room.slug != slug for room in view.known.rooms):
        of_one = delegating.end_one(command, slug, view.known.subagents, view.room.slug)
        unknown = f"There is no room and no sub-agent {code(slug)}; /threads and /agents show those that there are."
        return said(command, unknown) if of_one is None else of_one
    if slug != view.room.slug and not command.owner:
        return said(command, "Only the owner may end what runs in another room.")
    text = (
        f"What runs in {code(slug)} is stopped, its sub-agents too, and its agent ended. Its session is kept: a "
        "message there goes on."
    )
    return [Sleep(slug, True, command.id), *said(command, text)]  # what was said has been done, whatever crashes


def _cleanup(command: Queued, argument: str) -> list[Step]:
    match argument:
        case "":
            text = (
                "Agents that do nothing are sent to sleep now, the others when they are done. Their sessions are kept."
            )
            return [Sleep(None, False, command.id), *said(command, text)]
        case "all" if command.owner:
            text = (
                "Everything that runs is stopped in all rooms, sub-agents too, and all agents are ended. Their "
                "sessions are kept."
            )
            return [Sleep(None, True, command.id), *said(command, text)]
        case "all":
            return said(command, "Only the owner may end every agent; /cleanup sends the idle ones to sleep.")
        case _:
            return said(command, f"I do not know /cleanup {inert(argument)}: write /cleanup, or /cleanup all.")
