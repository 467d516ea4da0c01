"""Small pieces of what people read: text that must not be taken for Markdown, lengths of time, sums of money.

Pure. Whoever puts a title, a name or a person's words into a Markdown text passes them through `inert` or `code` first.
"""

import re

__all__ = ["ago", "asking", "block", "code", "counted", "inert", "lasting", "money", "short", "tokens"]

# `<` and `$` stay: the front end takes neither for Markdown. A `_` inside a word and a `&` that begins no entity are
# none either, and stay for those who read the text as it is written.
_SPECIAL = re.compile(r"[\\`*\[\]~|]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w{1,32};)")
_LEADING = re.compile(r"#{1,6}(?!\S)|[-+](?!\S)|-[-:\s]*$|=+\s*$|:-|>")
_NUMBERED = re.compile(r"^(\d{1,9})(?=[.)](?!\S))")
_BODY = 1500
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def inert(text: str) -> str:
    """Markdown that shows this text as it is, line by line, whatever is in it."""
    return "\n".join(_inert_line(line) for line in _BREAK.split(text))


def _inert_line(line: str) -> str:
    words = line.strip(" \t")
    escaped = _SPECIAL.sub(r"\\\g<0>", words)
    indent = "\u00a0" * (len(line) - len(line.lstrip(" \t")))  # four plain ones would make it code
    if indent and words:
        return indent + escaped
    return "\\" + escaped if _LEADING.match(escaped) else _NUMBERED.sub(r"\1\\", escaped)


def short(text: str, longest: int = 60) -> str:
    """The text on one line of at most `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def code(text: str) -> str:
    """A Markdown code span with this text on one line, backticks included; nothing for nothing."""
    line = " ".join(text.split())
    if not line:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(text: str) -> str:
    """A Markdown code block with this text, which nothing in it can end; nothing for nothing."""
    if not text.strip():
        return ""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def asking(title: str, text: str, outcome: str = "") -> str:
    """A question as its message shows it and, below it, what became of it; short enough for one message."""
    heading, body = inert(short(title, 500)), text.strip()
    body = body if len(body) <= _BODY else body[: _BODY - 1] + "…"
    parts = (heading and f"❓ **{heading}**", inert(body), outcome and f"→ {inert(short(outcome, 500))}")
    return "\n\n".join(part for part in parts if part)


def lasting(seconds: float) -> str:
    """A length of time in its two largest units: `42 s`, `3 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, int(seconds))
    for size, name, below, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {name} {rest} {part}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def ago(seconds: float) -> str:
    """How long something is past, in one unit: `just now`, `5 min ago`, `3 h ago`, `2 d ago`."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} ago"
    return "just now"


def money(dollars: float) -> str:
    """US dollars with as many digits as say something: `$0.0004`, `$0.013`, `$1.25`."""
    if 0 < dollars < 0.00005:
        return "<$0.0001"
    digits = 2 if dollars >= 0.1 else 3 if dollars >= 0.001 else 4
    return f"${dollars:.{digits}f}"


def tokens(count: int) -> str:
    """A number of tokens: `950`, `45 k`, `1.2 M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.0f} k" if count < 999_500 else f"{count / 1_000_000:.1f} M"


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`; `thing`: a word whose plural ends in a plain s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
