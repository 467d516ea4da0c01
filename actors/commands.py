"""What of a person's text is a command of ours, and which.

Pure. Front ends call it before they hand an inbound over; the conversation answers what it finds. Text that only looks
like a command (a path, a word we do not know with more behind it) stays text.
"""

import difflib
import re
from collections.abc import Sequence

ABOUT = {
    "help": "what I understand",
    "stop": "end the running turn; it stays ended",
    "new": "begin a new session in this room; the old one is kept",
    "status": "what this room does",
    "threads": "the rooms I know",
    "start": "say hello",
}
"""Every command with what it does, in the order in which help shows them."""

ALIASES = {"cancel": "stop", "abort": "stop", "reset": "new", "rooms": "threads"}

_SHAPE = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{3,64}))?(?:\s+(.*))?", re.DOTALL)


def parse(text: str, username: str | None = None) -> str | None:
    """The command in `text`: its name, `?word` for a bare unknown one, "" if another bot is meant; None for text.

    `username`: the bot's own, without `@`; None where there are no bots, and an `@` means nothing.
    """
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        return None
    word, bot, rest = shape[1].lower(), shape[2], shape[3]
    if bot is not None and username is None:
        return None
    if bot is not None and username is not None and bot.lower() != username.lower():
        return ""
    name = ALIASES.get(word, word)
    if name in ABOUT:
        return name
    return None if rest else f"?{word}"


def nearest(word: str) -> str | None:
    """The command that somebody who wrote `/word` most likely meant."""
    known = [*ABOUT, *ALIASES]
    # Half a word is a beginning more often than a misspelling; of two that it begins, the likelier stands first.
    begun = [name for name in known if name.startswith(word)]
    close = begun or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return ALIASES.get(close[0], close[0]) if close else None


def answer(name: str) -> str:
    """What to say, as Markdown, to a command that is not about a room. `name`: as `parse` gave it."""
    if name == "help":
        return help_text()
    if name == "start":
        return f"Write what you want done. I understand:\n\n{help_text()}"
    word = name.removeprefix("?")
    near = nearest(word)
    hint = f"Did you mean /{near}?" if near else "/help shows what I understand."
    return f"I do not know /{word}. {hint}"


def help_text() -> str:
    """All commands, one a line, as Markdown."""
    return "\n".join(f"/{name} – {about}" for name, about in ABOUT.items() if name != "start")


def listing(rooms: Sequence[tuple[str, str, float]], now: float) -> str:
    """Rooms (slug, title, last use in Unix seconds) as Markdown, one a line."""
    if not rooms:
        return "There is no room yet."
    return "\n".join(f"- `{slug}` {title} – {_ago(now - used)}" for slug, title, used in rooms)


def _ago(seconds: float) -> str:
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name} ago"
    return "just now"
