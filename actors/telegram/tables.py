"""Tables of Markdown, rewritten so that they can be read on a phone. Pure: Markdown in, Markdown without tables out.

Used by `render` before it parses. A narrow table becomes aligned text in a code block; one that is wide, or has links
in it, becomes a paragraph for each row, with the column's name before each value.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import pyromark
from pyromark.event import Event, Range

from actors.phrases import inert

__all__ = ["NARROW", "without_tables"]

NARROW: Final = 40
"""Columns of fixed-width letters that fit on a phone."""

_OPTIONS: Final = (
    pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH | pyromark.Options.ENABLE_TASKLISTS
)
_DELIMITER_ROW: Final = re.compile(r"^[ \t>|:*+\-\d.)]*-[ \t|:]*$", re.MULTILINE)
_MOST_CELLS: Final = 20_000
"""More, at most: the parser fills up every short row, so that few letters may make very many."""


class _Cell(NamedTuple):
    """`text`: its words. `source`: its Markdown, which also stands by itself. `linked`: whether an address is in it."""

    text: str
    source: str
    linked: bool


class _Table(NamedTuple):
    """A table at the bytes from `start` to before `stop`; each row has as many cells as `alignments`."""

    start: int
    stop: int
    alignments: tuple[str, ...]
    rows: list[list[_Cell]]


def without_tables(markdown: str, most: int) -> str | None:
    """The same document with each table as something that needs no width.

    None if it would have more than `most` characters so, or its tables more cells than anybody reads.
    """
    columns = [row[0].count("|") + 1 for row in _DELIMITER_ROW.finditer(markdown)] if "|" in markdown else []
    if not columns:
        return markdown
    if max(columns) * markdown.count("\n") > _MOST_CELLS:
        return None
    source = markdown.encode()
    pieces: list[str] = []
    at = 0
    for table in _tables(source, pyromark.events_with_range(markdown, options=_OPTIONS)):
        begin = source.rfind(b"\n", 0, table.start) + 1
        lead = source[begin : table.start].decode()
        if len(table.rows) * sum(len(name.text) for name in table.rows[0]) > most:
            return None  # the names may stand before each row's values
        pieces += source[at : table.start].decode(), _rewritten(table, lead)
        at = table.stop
    changed = "".join(pieces) + source[at:].decode()
    return changed if len(changed) <= most else None


def _rewritten(table: _Table, lead: str) -> str:
    """The lines for a table before whose first line stands `lead`: the marks of the quotes and items it is in."""
    inside = re.sub(r"[^>\t]", " ", lead)
    if not any(cell.linked for row in table.rows for cell in row) and _width(table) <= NARROW:
        lines = _code_block(table)
    else:
        lines = [*_records(table.rows), ""]
        if lead == inside:  # there may be a paragraph right before it
            lines.insert(0, "")
    return "\n".join([lines[0], *((inside + line).rstrip() for line in lines[1:])]) + "\n"


# --- the two shapes -------------------------------------------------------------------------------------------------


def _code_block(table: _Table) -> list[str]:
    widths = _widths(table)
    lines = [
        " | ".join(
            _padded(cell.text, width, side) for cell, width, side in zip(row, widths, table.alignments, strict=True)
        )
        for row in table.rows
    ]
    if len(lines) > 1:
        lines.insert(1, "-+-".join("-" * width for width in widths))
    ticks = max((len(run) for run in re.findall("`+", "".join(lines))), default=0)
    fence = "`" * max(3, ticks + 1)
    return [fence, *(line.rstrip() for line in lines), fence]


def _records(rows: Sequence[Sequence[_Cell]]) -> list[str]:
    """Lines of Markdown, with an empty one between two rows. What is empty is left out."""
    names, *values = rows
    if not values:
        return [" · ".join(_name(cell) for cell in names if cell.text)]
    records = [[_value(name, cell) for name, cell in zip(names, row, strict=True) if cell.text] for row in values]
    return [line for record in records if record for line in ("", *record)][1:]


def _value(name: _Cell, cell: _Cell) -> str:
    return f"{_name(name)}: {cell.source}" if name.text else f"– {cell.source}"


def _name(cell: _Cell) -> str:
    return cell.source if cell.linked else f"**{inert(cell.text.rstrip(' :')) or ':'}**"


# --- columns --------------------------------------------------------------------------------------------------------


def _widths(table: _Table) -> list[int]:
    return [max(1, *(_columns(cell.text) for cell in column)) for column in zip(*table.rows, strict=True)]


def _width(table: _Table) -> int:
    widths = _widths(table)
    return sum(widths) + 3 * (len(widths) - 1)


def _padded(text: str, width: int, side: str) -> str:
    space = width - _columns(text)
    before = space if side == "Right" else space // 2 if side == "Center" else 0
    return " " * before + text + " " * (space - before)


def _columns(text: str) -> int:
    """How many columns a text takes in a fixed-width font, as far as Unicode knows."""
    return sum(_columns_of(char) for char in text)


def _columns_of(char: str) -> int:
    match unicodedata.category(char):
        case "Mn" | "Me" | "Cf":
            return 0
        case "Cn":  # no letter, but what `render` has put in the place of one
            return 1
        case _:
            return 2 if unicodedata.east_asian_width(char) in "WF" else 1


# --- finding them ---------------------------------------------------------------------------------------------------


def _tables(source: bytes, events: Iterator[tuple[Event, Range]]) -> Iterator[_Table]:
    """The tables that the parser finds, in order; a table is never in another one."""
    alignments: tuple[str, ...] = ()
    rows: list[list[_Cell]] = []
    row: list[_Cell] = []
    words: list[str] = []
    bare: list[str] = []
    links: list[str] = []
    done = 0
    for event, where in events:
        match event:
            case {"Start": {"Table": sides}}:
                alignments, rows = sides, []
            case {"Start": "TableHead" | "TableRow"}:
                row = []
            case {"Start": "TableCell"}:
                words, bare, links = [], [], []
            case {"Start": {"Link": link} | {"Image": link}}:
                links += [link["dest_url"]] if "://" in link["dest_url"] else []
            case {"Text": str(text)}:
                words.append(text)
                bare.append(text)
            case {"Code": str(text)}:
                words.append(text)
                bare.append("|" if "|" in text else "x")  # elsewhere the mark that escapes a bar in it would show
            case {"End": "TableCell"}:
                markdown = source[where["start"] : where["end"]].decode().strip()
                text = " ".join("".join(words).split())
                # Words that hold what could begin something outside of their cell are shown without their looks.
                safe = inert("".join(bare)) == "".join(bare)
                shown = markdown if safe else " ".join((inert(text), *map(inert, links)))
                row.append(_Cell(text, shown, bool(links)))
                done = where["end"]
            case {"End": "TableHead" | "TableRow"}:
                # Cells that have no column any more are no part of a table, but somebody wrote them.
                if rest := source[done : where["end"]].decode().strip("| \t\r\n"):
                    last = row[-1]
                    row[-1] = _Cell(
                        f"{last.text} | {rest}".strip(), f"{last.source} \\| {inert(rest)}".strip(), last.linked
                    )
                rows.append(row)
            case {"End": "Table"}:
                yield _Table(where["start"], where["end"], alignments, rows)
            case _:
                pass
