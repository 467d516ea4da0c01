"""All that the store is asked. Every request that changes something may be repeated."""

from actors.messages.accepting import (
    Accept,
    Amend,
    Approve,
    Deny,
    GetAccess,
    GroupOffered,
    Knock,
    Pairings,
    People,
    Press,
    RemovePerson,
)
from actors.messages.delegating import (
    AwaitReport,
    BeginRun,
    EndSubagent,
    GetSubagent,
    GrantSlot,
    ListSubagents,
    PartRun,
    PrepareSubagent,
    ReturnReports,
    SettleResult,
    Spawn,
    StopSubagents,
    TellReport,
    WaitForChildren,
)
from actors.messages.delivering import (
    Doubt,
    Doubted,
    Due,
    Edited,
    PreviewGone,
    PreviewShown,
    RecentlySent,
    Sending,
    Sent,
    StalePreviews,
    TopicMade,
    Undeliverable,
    Unsent,
)
from actors.messages.operating import (
    DropQuarantined,
    ListQuarantined,
    RetryQuarantined,
    Trace,
)
from actors.messages.working import (
    AnswerCommand,
    BeginTurn,
    CloseQuestion,
    EndTurn,
    FailRoom,
    GetRoom,
    JoinTurn,
    ListRooms,
    MigrateChat,
    OpenQuestion,
    PartTurn,
    Pull,
    RenameRoom,
    RequestStop,
    SavedFile,
    SearchHistory,
    Sessions,
    Tell,
    TopicGone,
    Unfinished,
    UnfinishedRooms,
)

__all__ = ["StoreRequest"]

StoreRequest = (
    Accept
    | Amend
    | Press
    | GetRoom
    | ListRooms
    | UnfinishedRooms
    | Sessions
    | Pull
    | Unfinished
    | FailRoom
    | RequestStop
    | BeginTurn
    | PartTurn
    | JoinTurn
    | EndTurn
    | AnswerCommand
    | Tell
    | OpenQuestion
    | CloseQuestion
    | SavedFile
    | Doubt
    | Due
    | Sending
    | Sent
    | Edited
    | TopicMade
    | Unsent
    | Doubted
    | Undeliverable
    | RecentlySent
    | PreviewShown
    | PreviewGone
    | StalePreviews
    | TopicGone
    | RenameRoom
    | MigrateChat
    | GetAccess
    | Knock
    | Pairings
    | People
    | Approve
    | Deny
    | RemovePerson
    | GroupOffered
    | ListQuarantined
    | RetryQuarantined
    | DropQuarantined
    | Trace
    | Spawn
    | GetSubagent
    | ListSubagents
    | PrepareSubagent
    | PartRun
    | BeginRun
    | WaitForChildren
    | GrantSlot
    | StopSubagents
    | EndSubagent
    | AwaitReport
    | TellReport
    | ReturnReports
    | SettleResult
    | SearchHistory
)
