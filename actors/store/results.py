"""What becomes of what a sub-agent made: decided once.

A plain function of a connection and a request, called inside a transaction by `records`. The files are the
registrar's affair; here is only the row.
"""

import apsw

from actors.messages import SettleResult
from actors.store.inbounds import answer
from actors.store.outgoing import tell_room
from actors.store.rooms import room
from actors.store.subagent_rows import note_step, set_fields, the_subagent


def settle_result(db: apsw.Connection, now: float, request: SettleResult) -> bool:
    """A decision counts while none was made; one that comes too late changes nothing and answers no command."""
    found = the_subagent(db, "SettleResult", request.slug)
    is_open = found.kept == "open"
    if request.kept is not None and not is_open:
        return False
    if request.command is not None and not answer(db, now, "SettleResult", found.room, request.command):
        return is_open
    if request.kept not in {None, "open"}:
        set_fields(db, found.slug, kept=request.kept)
        note_step(db, now, found.slug, f"result {request.kept}")
    tell_room(db, now, room(db, found.room), request.deliveries, inbound=request.command)
    return is_open
