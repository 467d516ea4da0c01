"""What of a person's text is a command of ours, which, and what the commands are.

Pure. Front ends call it before they hand an inbound over; the conversation answers what it finds. Text that only looks
like a command (a path, a word we do not know with more behind it) stays text.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from actors.messages import BusyMode, Button
from actors.phrases import ago, inert


class _About(NamedTuple):
    """`does`: what for, on a phone's line. `words`: those that stand behind it, in brackets if they may be left
    out, empty if they mean nothing."""

    does: str
    words: str = ""


_GROUPS: Final[dict[str, dict[str, _About]]] = {
    "Work": {
        "stop": _About("end the running turn, hold what waits"),
        "status": _About("what this room does"),
        "steer": _About("words that join the running turn", "[text]"),
        "queue": _About("words that wait for the turn's end", "[text]"),
    },
    "Session": {
        "new": _About("end what runs, begin a new session"),
        "sessions": _About("the sessions of this room"),
        "resume": _About("go back to a session", "id"),
        "compact": _About("summarise the session so far", "[what to keep]"),
        "usage": _About("tokens and cost so far"),
        "model": _About("show or choose the model", "[name]"),
        "think": _About("how much the model thinks", "[level]"),
    },
    "Room": {
        "threads": _About("all rooms"),
        "topic": _About("bind this topic to a project", "project"),
        "create": _About("make a new topic and room", "name [project]"),
        "verbose": _About("how much of the tools shows", "[0–2]"),
        "listen": _About("what I hear in a group", "[all|mentions]"),
        "mute": _About("answers arrive silently", "[off]"),
    },
    "Sub-agents": {
        "agents": _About("this room's sub-agents"),
        "spawn": _About("give a sub-agent a task", "task"),
        "apply": _About("merge what one made", "id"),
        "diff": _About("what one changed", "id"),
        "discard": _About("throw away what one made", "id"),
    },
    "Agents": {
        "restart": _About("start this room's agent anew"),
        "kill": _About("end a room's agent, or a sub-agent", "id"),
        "cleanup": _About("put idle agents to sleep, or end all", "[all]"),
        "whoami": _About("who you are to me"),
    },
    "": {
        "help": _About("what I understand"),
        "start": _About("say hello"),
    },
}
"""Every command by what it is about, the likelier first. Help leaves out the last group."""

_ABOUT: Final = {name: about for group in _GROUPS.values() for name, about in group.items()}

_ALIASES: Final[dict[str, str]] = {
    "cancel": "stop",
    "abort": "stop",
    "reset": "new",
    "rooms": "threads",
    "reasoning": "think",
    "thinking": "think",
}

_ONCE: Final[dict[str, BusyMode]] = {"steer": "steer", "queue": "follow_up"}

_SHAPE: Final = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{3,64}))?(?:\s+(.*))?", re.DOTALL)


def parse(text: str, username: str | None = None) -> str | None:
    """The command in `text`: its name, `?word` for a bare unknown one, "" if another bot is meant; None for text.

    `username`: the bot's own, without `@`; None where there are no bots, and an `@` means nothing. What `once` reads
    is text.
    """
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        return None
    word, bot, rest = shape[1].lower(), shape[2], shape[3]
    if bot is not None and username is None:
        return None
    if bot is not None and username is not None and bot.lower() != username.lower():
        return ""
    name = _ALIASES.get(word, word)
    if name in _ABOUT:
        return None if rest and name in _ONCE else name
    return None if rest else f"?{word}"


def once(text: str, username: str | None = None) -> tuple[BusyMode, str] | None:
    """What is done with this one message while the agent is busy, and its words: `/steer words`, `/queue words`.

    None for every other text, and for those two without words, which are commands.
    """
    shape = _SHAPE.fullmatch(text.strip())
    mode = _ONCE.get(shape[1].lower()) if shape else None
    if shape is None or mode is None or not shape[3]:
        return None
    if shape[2] is not None and (username is None or shape[2].lower() != username.lower()):
        return None
    return mode, shape[3]


def argument(text: str) -> str:
    """The words behind a command, as they were written; empty if there are none, or if the text is no command."""
    shape = _SHAPE.fullmatch(text.strip())
    return (shape[3] or "") if shape else ""


def takes_words(name: str) -> bool:
    """Whether the words behind this command mean something to it. `name`: as `parse` gave it."""
    return name in _ABOUT and bool(_ABOUT[name].words)


def nearest(word: str) -> str | None:
    """The command that somebody who wrote `/word` most likely meant."""
    known = [*_ABOUT, *_ALIASES]
    # Half a word is a beginning more often than a misspelling; of two that it begins, the likelier stands first.
    begun = [name for name in known if name.startswith(word)]
    close = begun or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return _ALIASES.get(close[0], close[0]) if close else None


def menu() -> tuple[tuple[str, str], ...]:
    """The commands and what they do, for a front end that shows a list of them while people type."""
    return tuple((name, about.does) for name, about in _ABOUT.items() if name != "start")


def answer(name: str) -> str:
    """What to say, as Markdown, to a command that is not about a room. `name`: as `parse` gave it."""
    if name == "help":
        return help_text()
    if name == "start":
        return f"Write what you want done. I understand:\n\n{help_text()}"
    word = name.removeprefix("?")
    near = nearest(word)
    hint = f"Did you mean /{near}?" if near else "/help shows what I understand."
    return f"I do not know /{inert(word)}. {hint}"


def send_as_text(text: str) -> tuple[tuple[Button, ...], ...]:
    """The buttons under the answer to a word that is no command: it may have been meant as it stands."""
    return ((Button(label="Send as text", command="text", argument=text.strip()),),)


def help_text() -> str:
    """The commands as Markdown, by what they are about, one a line."""
    return "\n".join(_help_group(title, commands) for title, commands in _GROUPS.items() if title)


def _help_group(title: str, commands: dict[str, _About]) -> str:
    lines = (f"{' '.join((f'/{name}', about.words)).strip()} – {about.does}" for name, about in commands.items())
    return "\n".join((f"**{title}**", *lines))


def listing(rooms: Sequence[tuple[str, str, float]], now: float) -> str:
    """Rooms (slug, title, last use in Unix seconds) as Markdown, one a line."""
    if not rooms:
        return "There is no room yet."
    return "\n".join(f"- `{slug}` {inert(title)} – {ago(now - used)}" for slug, title, used in rooms)
