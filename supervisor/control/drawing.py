"""How the tree and one actor's status look on a terminal: from the JSON of an answer to lines of text.

Pure: takes the time and the width as arguments. Standard library only, because `actorctl` pays for every import.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

Json: TypeAlias = Mapping[str, object]

DOWN: Final = frozenset({"failed", "zombie", "restarting", "stopped"})
"""States in which the last failure says more than what the actor says of itself."""
COLOURS: Final = {"failed": "31", "zombie": "31", "restarting": "33", "asleep": "2"}
BOLD: Final = "1"
STOPS: Final = {"brutal": "stopped at once", "infinite": "no limit to stop"}


class Style(NamedTuple):
    """`width`: columns of the terminal, or None for as long as it takes. `now`: Unix seconds."""

    now: float
    ascii_only: bool = False
    colour: bool = False
    width: int | None = None

    def sign(self, pretty: str, plain: str) -> str:
        """One of two signs for the same thing."""
        return plain if self.ascii_only else pretty

    def paint(self, text: str, code: str | None) -> str:
        """Coloured text, where colour is wanted."""
        return f"\x1b[{code}m{text}\x1b[0m" if code and self.colour and text.strip() else text


class Row(NamedTuple):
    """One line of the tree, as cells that are aligned below each other, and a note of any length."""

    cells: tuple[str, ...]
    note: str
    state: str


def tree(node: Json, style: Style) -> list[str]:
    """The tree below `node`, one line for each node."""
    rows = list(_rows(node, _label(node), "", style))
    widths = [max(map(columns, column)) for column in zip(*(row.cells for row in rows), strict=True)]
    return [_joined(row, widths, style) for row in rows]


def pruned(node: Json, depth: int) -> Json:
    """The same tree, at most `depth` levels below `node`."""
    children = [pruned(child, depth - 1) for child in _children(node)] if depth > 0 else []
    return {**node, "children": children}


def status(answer: Json, style: Style) -> list[str]:
    """One screen about one actor."""
    state, spec = str(answer["state"]), _object(answer, "spec")
    since = str(answer["since"])
    head = f"{style.sign('●', '*')} {clean(str(answer['path']))} {style.sign('–', '-')} {clean(str(answer['kind']))}"
    facts = [
        ("State", f"{style.paint(state, COLOURS.get(state))} since {_local(since)} ({age(since, style.now)})"),
        ("Doing", clean(str(answer.get("doing", "")))),
        ("Process", ", ".join(filter(None, _process(answer)))),
        ("Mailbox", _mailbox_in_words(answer, spec)),
        ("Restarts", str(answer["restarts"])),
        ("Kept", _kept(spec)),
        ("Children", _census(answer)),
    ]
    if "last_error" in answer:
        error = _object(answer, "last_error")
        at = f"{_local(str(error['at']))}  " if "at" in error else ""
        facts.append(("Last error", at + style.paint(clean(str(error["text"])), "31" if state in DOWN else None)))
    lines = [style.paint(head, COLOURS.get(state, BOLD)), *(f"{name:>12}: {text}" for name, text in facts if text)]
    if log := _objects(answer, "log"):
        lines.append("")
        lines += [_log_line(line, str(answer["path"])) for line in log]
    return [clipped(line, style) for line in lines]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], style: Style) -> list[str]:
    """Rows below their heads, aligned from the left."""
    lines = [[clean(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(columns, column)) for column in zip(*lines, strict=True)]
    aligned = ["  ".join(c + " " * (w - columns(c)) for c, w in zip(line, widths, strict=True)) for line in lines]
    return [clipped(line.rstrip(), style) for line in aligned]


def age(since: str, now: float) -> str:
    """How long ago an RFC 3339 time was, in its largest unit: `3 s`, `5 min`, `2 h`, `4 d`."""
    return lasting(now - moment(since))


def moment(at: str) -> float:
    """An RFC 3339 time as Unix seconds."""
    return datetime.fromisoformat(at).timestamp()


def lasting(seconds: float) -> str:
    """A length of time in its largest unit, rounded down: `3 s`, `5 min`, `2 h`, `4 d`; what is over lasts `0 s`."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def memory(size: int) -> str:
    """Bytes in their unit: `640 kB`, `84 MB`, `1.2 GB`."""
    if size >= 1_000_000_000:
        return f"{size / 1_000_000_000:.1f} GB"
    return f"{size / 1_000_000:.0f} MB" if size >= 1_000_000 else f"{size / 1_000:.0f} kB"


def clean(text: str) -> str:
    """The text on one line, without what would steer the terminal: people's words get in here."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - only now is it needed

    return sum(0 if combining(char) else 1 + (east_asian_width(char) in "WF") for char in text)


def clipped(line: str, style: Style) -> str:
    """The line, cut to the width of the terminal. A line with colours is left to the terminal."""
    if style.width is None or columns(line) <= style.width or "\x1b" in line:
        return line
    while columns(line) >= style.width:
        line = line[:-1]
    return line + style.sign("…", "~")


def _rows(node: Json, label: str, indent: str, style: Style) -> Iterator[Row]:
    state, restarts = str(node["state"]), node["restarts"]
    yield Row(
        (
            label,
            state,
            age(str(node["since"]), style.now),
            f"{style.sign('↻', 'r')}{restarts}" if restarts else "",
            _mailbox(node),
            *_process(node),
        ),
        _note(node, state),
        state,
    )
    children = _children(node)
    for child in children:
        last = child is children[-1]
        branch = style.sign("└─ ", "`- ") if last else style.sign("├─ ", "|- ")
        deeper = "   " if last else style.sign("│  ", "|  ")
        yield from _rows(child, indent + branch + _name(child), indent + deeper, style)


def _joined(row: Row, widths: Sequence[int], style: Style) -> str:
    cells = []
    for number, (cell, width) in enumerate(zip(row.cells, widths, strict=True)):
        if width:
            blank = " " * (width - columns(cell))
            painted = style.paint(cell, COLOURS.get(row.state)) if number == 1 else cell
            # Names and states read from the left; ages and amounts are compared by their last digit.
            cells.append(blank + painted if number in (2, 6) else painted + blank)
    taken = sum(width + 2 for width in widths if width)
    room = style._replace(width=None if style.width is None else max(style.width - taken, 1))
    note = style.paint(clipped(row.note, room), COLOURS.get(row.state))
    return "  ".join([*cells, note]).rstrip()


def _label(node: Json) -> str:
    """What stands at the top: the system's name, or the whole path of a part of it."""
    return clean(str(node.get("name", node["path"])))


def _name(node: Json) -> str:
    return clean(str(node["path"]).rpartition("/")[2])


def _note(node: Json, state: str) -> str:
    says = node.get("error") if state in DOWN else None
    return clean(str(says or node.get("doing") or ("" if "mailbox" in node else node["kind"])))


def _mailbox(node: Json) -> str:
    if "mailbox" not in node:
        return ""
    mailbox = _object(node, "mailbox")
    return f"{mailbox['size']}/{mailbox['capacity']}" if mailbox["size"] else ""


def _mailbox_in_words(node: Json, spec: Json) -> str:
    if "mailbox" not in node:
        return ""
    mailbox = _object(node, "mailbox")
    return f"{mailbox['size']} of {mailbox['capacity']} waiting; when full: {spec.get('overflow')}"


def _process(node: Json) -> tuple[str, str]:
    pid, rss = node.get("pid"), node.get("rss")
    return "" if pid is None else f"pid {pid}", memory(rss) if isinstance(rss, int) else ""


def _kept(spec: Json) -> str:
    shutdown = spec["shutdown"]
    stop = f"{shutdown:g} s to stop" if isinstance(shutdown, int | float) else STOPS[str(shutdown)]
    parts = [str(spec["restart"]), stop]
    if spec["start_timeout"] is not None and "strategy" not in spec:
        parts.append(f"{spec['start_timeout']:g} s to start")
    if "intensity" in spec:
        intensity = _object(spec, "intensity")
        parts.append(f"gives up after more than {intensity['restarts']} restarts in {intensity['within']:g} s")
    if "max_children" in spec:
        parts.append(f"at most {spec['max_children']} children")
    return ", ".join(parts)


def _log_line(line: Json, own: str) -> str:
    place = clean(str(line["path"]).removeprefix(own).strip("/"))
    return f"{_local(str(line['at']))}  {place}{': ' if place else ''}{clean(str(line['text']))}"


def _census(node: Json) -> str:
    counts: dict[str, int] = {}
    for child in _children(node):
        state = str(child["state"])
        counts[state] = counts.get(state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _local(at: str) -> str:
    """A time as the person at this terminal counts it."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _children(node: Json) -> Sequence[Json]:
    return _objects(node, "children")


def _object(holder: Json, key: str) -> Json:
    value = holder[key]
    assert isinstance(value, dict)
    return value


def _objects(holder: Json, key: str) -> Sequence[Json]:
    values = holder[key]
    assert isinstance(values, list)
    return values
