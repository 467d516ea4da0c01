"""What the store can be asked, and which function does it.

Pure of trio and of the clock: a connection inside a transaction, a setting and a request go in, the reply comes out.
The functions stand with their rows, each file one kind of them.
"""

import apsw

from actors.messages import (
    Accept,
    Amend,
    AnswerCommand,
    Approve,
    BeginTurn,
    CloseQuestion,
    Deny,
    Doubt,
    Doubted,
    Due,
    Edited,
    EndTurn,
    FailRoom,
    GetAccess,
    GetRoom,
    GroupOffered,
    JoinTurn,
    Knock,
    ListRooms,
    MigrateChat,
    OpenQuestion,
    Pairings,
    People,
    Press,
    PreviewGone,
    PreviewShown,
    Pull,
    RemovePerson,
    RenameRoom,
    RequestStop,
    SavedFile,
    Sending,
    Sent,
    Sessions,
    StalePreviews,
    StoreRequest,
    Tell,
    TopicGone,
    TopicMade,
    Undeliverable,
    Unfinished,
    UnfinishedRooms,
    Unsent,
)
from actors.store import (
    acceptance,
    access,
    commands,
    deliveries,
    groups,
    inbounds,
    outgoing,
    pairings,
    people,
    presses,
    previews,
    questions,
    rooms,
    sessions,
    topics,
    turns,
)
from actors.store.rooms import Setting


def apply(db: apsw.Connection, setting: Setting, request: StoreRequest) -> object:
    """Does one request and returns its reply.

    Raises `UnknownRoom`, `Conflict`, and what apsw raises; the caller then rolls back what this request did.
    """
    now = setting.now
    match request:
        case Accept():
            return acceptance.accept(db, setting, request)
        case Amend():
            return acceptance.amend(db, setting, request)
        case Press():
            return presses.press(db, setting, request)
        case GetRoom():
            return rooms.get_room(db, request)
        case ListRooms():
            return rooms.list_rooms(db, request)
        case UnfinishedRooms():
            return rooms.unfinished_rooms(db, request)
        case Sessions():
            return sessions.sessions(db, request)
        case Pull():
            return turns.pull(db, request)
        case Unfinished():
            return turns.unfinished(db, request)
        case RequestStop():
            return turns.request_stop(db, request)
        case BeginTurn():
            return turns.begin_turn(db, now, request)
        case JoinTurn():
            return turns.join_turn(db, request)
        case OpenQuestion():
            return questions.open_question(db, now, request)
        case Doubt():
            return deliveries.doubt(db, request)
        case Due():
            return deliveries.due(db, request)
        case TopicMade():
            return topics.topic_made(db, setting, request)
        case StalePreviews():
            return previews.stale_previews(db, request)
        case GetAccess():
            return access.get_access(db, request)
        case Knock():
            return pairings.knock(db, setting, request)
        case Pairings():
            return pairings.pairings(db, now, request)
        case People():
            return people.people(db, request)
        case Approve():
            return pairings.approve(db, now, request)
        case Deny():
            return pairings.deny(db, now, request)
        case RemovePerson():
            return people.remove_person(db, request)
        case FailRoom():
            turns.fail_room(db, now, request)
        case EndTurn():
            turns.end_turn(db, now, request)
        case AnswerCommand():
            commands.answer_command(db, now, request)
        case Tell():
            outgoing.tell(db, now, request)
        case CloseQuestion():
            questions.close_question(db, now, request)
        case SavedFile():
            inbounds.saved_file(db, request)
        case Sending():
            deliveries.sending(db, request)
        case Sent():
            deliveries.sent(db, now, request)
        case Edited():
            deliveries.edited(db, now, request)
        case Unsent():
            deliveries.unsent(db, request)
        case Doubted():
            deliveries.doubted(db, request)
        case Undeliverable():
            deliveries.undeliverable(db, now, request)
        case PreviewShown():
            previews.preview_shown(db, request)
        case PreviewGone():
            previews.preview_gone(db, request)
        case TopicGone():
            topics.topic_gone(db, now, request)
        case RenameRoom():
            rooms.rename_room(db, request)
        case MigrateChat():
            topics.migrate_chat(db, now, request)
        case GroupOffered():
            groups.group_offered(db, now, request)
    return None
