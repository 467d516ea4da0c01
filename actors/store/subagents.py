"""The life of a sub-agent's row: prepared, run after run, told to stop, ended once.

Plain functions of a connection and a request, called inside a transaction by `records`. Who hears of its end is in
`reports`; how it comes to be, in `spawning`.
"""

from collections.abc import Collection
from typing import Final

import apsw
import msgspec

from actors.messages import (
    ENDED,
    BeginRun,
    EndSubagent,
    GrantSlot,
    PartRun,
    PrepareSubagent,
    StopSubagents,
    Subagent,
    SubagentState,
    WaitForChildren,
)
from actors.store.errors import Conflict
from actors.store.outgoing import again, tell_room
from actors.store.reports import find_way, hear_in_prompt, leave_run
from actors.store.rooms import room
from actors.store.subagent_rows import note_step, set_fields, the_subagent
from actors.store.texts import storable

LOGGED: Final = 200
"""Lines of what it did that are kept: the last ones."""

_MEANT: Final = (
    "SELECT slug FROM subagents WHERE slug = ?1 UNION ALL SELECT slug FROM subagents WHERE parent = ?2 "
    "UNION ALL SELECT slug FROM subagents WHERE room = ?3 AND ended_at IS NULL"
)
_BELOW: Final = (
    "WITH RECURSIVE below (slug) AS (SELECT value FROM json_each(?) "
    "UNION SELECT subagents.slug FROM subagents JOIN below ON parent = below.slug) "
    "SELECT slug, stop FROM below JOIN subagents USING (slug) WHERE ended_at IS NULL ORDER BY depth DESC, id"
)


def prepare_subagent(db: apsw.Connection, now: float, request: PrepareSubagent) -> Subagent:
    """It has its slot, and its time begins."""
    found = the_subagent(db, "PrepareSubagent", request.slug)
    if found.state is SubagentState.QUEUED:
        set_fields(db, found.slug, state=SubagentState.PREPARING, started_at=now)
        note_step(db, now, found.slug, "prepared")
    return the_subagent(db, "PrepareSubagent", request.slug)


def begin_run(db: apsw.Connection, now: float, request: BeginRun) -> Subagent:
    """It runs. A new run settles what the one before has left; of one that is known only the attempt changes."""
    found = the_subagent(db, "BeginRun", request.slug)
    if found.ended:
        raise Conflict("BeginRun", f"sub-agent {found.slug} has ended")
    if request.run not in {found.run, found.run + 1} or min(request.run, request.attempt) < 1:
        raise Conflict("BeginRun", f"after run {found.run} of {found.slug} comes no run {request.run}")
    if request.run > found.run:
        leave_run(db, now, found)
        hear_in_prompt(db, now, found, request.reports)
        set_fields(db, found.slug, prompt=storable(request.prompt), leaf=request.leaf)
    if found.parted:
        set_fields(db, found.slug, parted=False)
    if (request.run, request.attempt) > (found.run, found.attempt):
        started = now if found.started_at is None else found.started_at
        set_fields(db, found.slug, state=SubagentState.RUNNING, waiting=False, started_at=started)
        set_fields(db, found.slug, run=request.run, attempt=request.attempt)
        note_step(db, now, found.slug, f"run {request.run} begun (attempt {request.attempt})")
    return the_subagent(db, "BeginRun", request.slug)


def part_run(db: apsw.Connection, now: float, request: PartRun) -> None:
    """The attempt that is on does not count; another one is nobody's matter any more."""
    found = the_subagent(db, "PartRun", request.slug)
    if not found.ended and (found.run, found.attempt, found.parted) == (request.run, request.attempt, False):
        set_fields(db, found.slug, parted=True)
        note_step(db, now, found.slug, f"run {request.run} parted (attempt {request.attempt})")


def wait_for_children(db: apsw.Connection, request: WaitForChildren) -> Subagent:
    """It needs no slot for now."""
    found = the_subagent(db, "WaitForChildren", request.slug)
    if not found.ended:
        set_fields(db, found.slug, waiting=True)
    return the_subagent(db, "WaitForChildren", request.slug)


def grant_slot(db: apsw.Connection, request: GrantSlot) -> Subagent:
    """It has a slot again, unless a call of it waits for a child that is open: it may have begun that one just now."""
    found = the_subagent(db, "GrantSlot", request.slug)
    awaits: int = db.execute(
        "SELECT count(*) FROM subagents WHERE parent = ? AND ended_at IS NULL AND awaited = 1", (found.slug,)
    ).get
    if not awaits:
        set_fields(db, found.slug, waiting=False)
    return the_subagent(db, "GrantSlot", request.slug)


def stop_subagents(db: apsw.Connection, now: float, request: StopSubagents) -> tuple[str, ...]:
    """Those that are meant, and all below them. Raises `Conflict` unless exactly one says who is meant, and how."""
    given = (request.slug, request.parent, request.room)
    if given.count(None) != len(given) - 1 or request.outcome not in ENDED:
        raise Conflict("StopSubagents", "it does not say who is to end, or how")
    meant = [each for (each,) in db.execute(_MEANT, given)]
    return stop_below(db, now, meant, request.outcome, quiet=request.room is not None)


def stop_below(
    db: apsw.Connection, now: float, meant: Collection[str], outcome: SubagentState, *, quiet: bool
) -> tuple[str, ...]:
    """These are to end so, and all below them as cancelled; who is to end already stays so. Deepest first.

    `quiet`: with their room, whose agent is to rest.
    """
    found = list(db.execute(_BELOW, (msgspec.json.encode(list(meant)).decode(),)))
    for slug, stop in found:
        if stop is None:
            set_fields(db, slug, stop=outcome if slug in meant else SubagentState.CANCELLED)
            note_step(db, now, slug, "told to stop")
        if quiet:
            set_fields(db, slug, quiet=True)
    return tuple(slug for slug, _ in found)


def end_subagent(db: apsw.Connection, now: float, request: EndSubagent) -> bool:
    """The first end counts; the reports that it had to hear itself are settled with it."""
    found = the_subagent(db, "EndSubagent", request.slug)
    if request.outcome not in ENDED:
        raise Conflict("EndSubagent", f"{request.outcome} is no end")
    if found.ended:
        return False
    set_fields(
        db,
        found.slug,
        state=request.outcome,
        waiting=False,
        ended_at=now,
        text=storable(request.text),
        error=storable(request.error),
        report=storable(request.report),
        changes=None if request.changes is None else storable(msgspec.json.encode(request.changes).decode()),
        kept=None if request.changes is None else "open",
        cost=request.cost,
        log=msgspec.json.encode([storable(line) for line in request.log[-LOGGED:]]).decode(),
    )
    note_step(db, now, found.slug, f"ended ({request.outcome})")
    leave_run(db, now, found)
    find_way(db, now, the_subagent(db, "EndSubagent", request.slug))
    told = tuple(again(db, each) for each in request.deliveries)  # how it ended is news, also where nothing is edited
    tell_room(db, now, room(db, found.room), told, inbound=found.by)
    return True
