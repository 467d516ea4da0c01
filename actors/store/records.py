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
    AwaitReport,
    BeginRun,
    BeginTurn,
    CloseQuestion,
    Deny,
    Doubt,
    Doubted,
    DropQuarantined,
    Due,
    Edited,
    EndSubagent,
    EndTurn,
    FailRoom,
    GetAccess,
    GetRoom,
    GetSubagent,
    GrantSlot,
    GroupOffered,
    JoinTurn,
    Knock,
    ListQuarantined,
    ListRooms,
    ListSubagents,
    MigrateChat,
    OpenQuestion,
    Pairings,
    PartRun,
    PartTurn,
    People,
    PrepareSubagent,
    Press,
    PreviewGone,
    PreviewShown,
    Pull,
    RecentlySent,
    RemovePerson,
    RenameRoom,
    RequestStop,
    RetryQuarantined,
    ReturnReports,
    SavedFile,
    SearchHistory,
    Sending,
    Sent,
    Sessions,
    SettleResult,
    Spawn,
    StalePreviews,
    StopSubagents,
    StoreRequest,
    Tell,
    TellReport,
    TopicGone,
    TopicMade,
    Trace,
    Undeliverable,
    Unfinished,
    UnfinishedRooms,
    Unsent,
    WaitForChildren,
)
from actors.store import (
    acceptance,
    access,
    commands,
    deliveries,
    groups,
    history,
    inbounds,
    outgoing,
    pairings,
    people,
    presses,
    previews,
    quarantine,
    questions,
    reports,
    results,
    rooms,
    sessions,
    spawning,
    subagent_rows,
    subagents,
    topics,
    traces,
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
            return turns.request_stop(db, now, request)
        case BeginTurn():
            return turns.begin_turn(db, now, request)
        case JoinTurn():
            return turns.join_turn(db, now, request)
        case OpenQuestion():
            return questions.open_question(db, now, request)
        case Doubt():
            return deliveries.doubt(db, now, request)
        case Due():
            return deliveries.due(db, request)
        case RecentlySent():
            return deliveries.recently_sent(db, request)
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
        case ListQuarantined():
            return quarantine.list_quarantined(db, request)
        case RetryQuarantined():
            return quarantine.retry_quarantined(db, now, request)
        case DropQuarantined():
            return quarantine.drop_quarantined(db, now, request)
        case Trace():
            return traces.trace(db, request)
        case Spawn():
            return spawning.spawn(db, setting, request)
        case GetSubagent():
            return subagent_rows.get_subagent(db, request)
        case ListSubagents():
            return subagent_rows.list_subagents(db, request)
        case PrepareSubagent():
            return subagents.prepare_subagent(db, now, request)
        case BeginRun():
            return subagents.begin_run(db, now, request)
        case WaitForChildren():
            return subagents.wait_for_children(db, request)
        case GrantSlot():
            return subagents.grant_slot(db, request)
        case StopSubagents():
            return subagents.stop_subagents(db, now, request)
        case EndSubagent():
            return subagents.end_subagent(db, now, request)
        case AwaitReport():
            return reports.await_report(db, request)
        case TellReport():
            return reports.tell_report(db, now, request)
        case ReturnReports():
            return reports.return_reports(db, now, request)
        case SettleResult():
            return results.settle_result(db, now, request)
        case SearchHistory():
            return history.search_history(db, request)
        case PartRun():
            subagents.part_run(db, now, request)
        case FailRoom():
            turns.fail_room(db, now, request)
        case PartTurn():
            turns.part_turn(db, now, request)
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
            deliveries.sending(db, now, request)
        case Sent():
            deliveries.sent(db, now, request)
        case Edited():
            deliveries.edited(db, now, request)
        case Unsent():
            deliveries.unsent(db, now, request)
        case Doubted():
            deliveries.doubted(db, now, request)
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
