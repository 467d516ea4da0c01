"""What the store can be asked, and which function does it.

Pure of trio and of the clock: a connection inside a transaction, a setting and a request go in, the reply comes out.
The functions stand with their rows: `rooms`, `inbounds`, `turns`, `deliveries`.
"""

import apsw

from actors.messages import (
    Accept,
    AnswerCommand,
    BeginTurn,
    Doubt,
    Doubted,
    Due,
    EndTurn,
    FailRoom,
    GetRoom,
    ListRooms,
    PreviewGone,
    PreviewShown,
    Pull,
    Sending,
    Sent,
    StalePreviews,
    StoreRequest,
    Undeliverable,
    Unfinished,
    UnfinishedRooms,
    Unsent,
)
from actors.store.deliveries import (
    doubt,
    doubted,
    due,
    preview_gone,
    preview_shown,
    sending,
    sent,
    stale_previews,
    undeliverable,
    unsent,
)
from actors.store.inbounds import accept, answer_command
from actors.store.rooms import Setting, get_room, list_rooms, unfinished_rooms
from actors.store.turns import begin_turn, end_turn, fail_room, pull, unfinished


def apply(db: apsw.Connection, setting: Setting, request: StoreRequest) -> object:
    """Does one request and returns its reply.

    Raises `UnknownRoom`, `Conflict`, and what apsw raises; the caller then rolls back what this request did.
    """
    match request:
        case Accept():
            return accept(db, setting, request)
        case GetRoom():
            return get_room(db, request)
        case ListRooms():
            return list_rooms(db, request)
        case UnfinishedRooms():
            return unfinished_rooms(db, request)
        case Unfinished():
            return unfinished(db, request)
        case Pull():
            return pull(db, request)
        case BeginTurn():
            return begin_turn(db, setting.now, request)
        case Doubt():
            return doubt(db, request)
        case Due():
            return due(db, request)
        case StalePreviews():
            return stale_previews(db, request)
        case EndTurn():
            end_turn(db, setting.now, request)
        case AnswerCommand():
            answer_command(db, setting.now, request)
        case FailRoom():
            fail_room(db, setting.now, request)
        case Sending():
            sending(db, request)
        case Sent():
            sent(db, setting.now, request)
        case Unsent():
            unsent(db, request)
        case Doubted():
            doubted(db, request)
        case Undeliverable():
            undeliverable(db, setting.now, request)
        case PreviewShown():
            preview_shown(db, request)
        case PreviewGone():
            preview_gone(db, request)
    return None
