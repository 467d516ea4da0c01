"""Every request of the shared tongue that is the store's has a function, and may be repeated."""

from collections.abc import Callable
from typing import Any, get_args

import pytest

import actors.messages
from actors.messages import (
    Accept,
    Amend,
    AnswerCommand,
    Approve,
    Attachment,
    AwaitReport,
    BeginRun,
    BeginTurn,
    Binding,
    CloseQuestion,
    DeliveryKind,
    Deny,
    Doubt,
    Doubted,
    DropQuarantined,
    Due,
    Edited,
    EndSubagent,
    EndTurn,
    FailRoom,
    Fetch,
    FindHome,
    GetAccess,
    GetRoom,
    GetSubagent,
    GrantSlot,
    GroupOffered,
    Hop,
    JoinTurn,
    Knock,
    ListQuarantined,
    ListRooms,
    ListSubagents,
    MigrateChat,
    NewDelivery,
    OpenQuestion,
    Outcome,
    Pairings,
    PartRun,
    PartTurn,
    People,
    Place,
    PrepareSubagent,
    Press,
    Preview,
    PreviewGone,
    PreviewShown,
    Pull,
    QuestionState,
    ReadLog,
    RecentlySent,
    RemovePerson,
    RenameRoom,
    RequestStop,
    RetryQuarantined,
    ReturnReports,
    RoomSettings,
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
    Topic,
    TopicGone,
    TopicMade,
    Trace,
    Undeliverable,
    Unfinished,
    UnfinishedRooms,
    Unsent,
    WaitForChildren,
    stop_data,
)
from supervisor import Request
from tests.actors.store.books import CHANGES, HERE, Books

KEYED = NewDelivery(kind=DeliveryKind.NOTE, text="changed", key="busy:1")
NOTE = NewDelivery(kind=DeliveryKind.NOTE, text="said")

READS = {
    RecentlySent,
    GetRoom,
    ListRooms,
    UnfinishedRooms,
    Sessions,
    Pull,
    Unfinished,
    Due,
    StalePreviews,
    GetAccess,
    Pairings,
    People,
    ListQuarantined,
    Trace,
    GetSubagent,
    ListSubagents,
    SearchHistory,
}
"""Those that change nothing at all."""

FILE = Attachment(handle="h", name="a.txt", mime="text/plain", size=1)


def _topic(books: Books) -> int:
    topic = Topic(binding=Binding(project="api", workspace="/src/api"))
    new = NewDelivery(kind=DeliveryKind.TOPIC, text="Blog", place=Place("telegram", -100), topic=topic)
    books.do(Tell(slug="shop", deliveries=(new,)))
    return books.newest_delivery()


def _sending(books: Books, request: Request[Any]) -> Request[Any]:
    books.do(Sending(ids=(books.due()[0].id,)))
    return request


def _changed(books: Books) -> Request[Any]:
    books.tell("joined", key="busy:1")
    edit = books.due()[0]
    return Edited(id=edit.id, revision=edit.revision)


def _granted(books: Books) -> Request[Any]:
    books.do(WaitForChildren(slug="child"))
    return GrantSlot(slug="child")


def in_use(books: Books) -> None:
    """Turns that failed and were set aside, one that runs and asks, messages that wait and are held, and much else."""
    room = books.begin("f", books.say("failed", attachments=(FILE,)))
    books.end(room, "f", "sorry", outcome=Outcome.FAILED)
    books.end(books.begin("q", books.say("boom")), "q", outcome=Outcome.QUARANTINED)
    books.say("held")
    books.do(RequestStop(slug="shop", hold=True))
    books.begin("t", books.say("run"))
    books.tell("waiting", key="busy:1")
    books.ask("t", "Red", "Blue")
    books.send_all()
    books.say("next", mode="follow_up")  # which is no answer
    books.say("/log", command="log")
    books.tell("to be sent")
    books.do(PreviewShown(preview=Preview(turn="t", place=HERE, message_id=70)))
    books.do(Approve(code=str(books.do(Knock(front="telegram", person=8, name="Bob", owner=None)))))
    books.do(Knock(front="telegram", person=7, name="Eve", owner=42))
    books.at_work("parent", turn="t")
    books.at_work("child", parent="parent", turn="parent/1", wait=True)
    books.at_work("ended", turn="t", wait=True)
    books.finish("ended", changes=CHANGES)
    books.spawn("queued", turn="t")


EVERY: dict[type, Callable[[Books], Request[Any]]] = {
    Accept: lambda books: Accept(inbound=books.inbound("red", attachments=(FILE,)), capacity=8),
    Amend: lambda _: Amend(key="e", place=HERE, message_id=1, text="hello"),
    Press: lambda books: books.pressing(stop_data("t")),
    GetRoom: lambda _: GetRoom(slug="shop"),
    ListRooms: lambda _: ListRooms(),
    UnfinishedRooms: lambda _: UnfinishedRooms(),
    Sessions: lambda _: Sessions(slug="shop"),
    Pull: lambda _: Pull(slug="shop"),
    Unfinished: lambda _: Unfinished(place=HERE),
    FailRoom: lambda _: FailRoom(slug="shop", key="k", text="failed"),
    RequestStop: lambda _: RequestStop(slug="shop", hold=True),
    PartTurn: lambda _: PartTurn(slug="shop", turn="t", attempt=1),
    BeginTurn: lambda _: BeginTurn(slug="shop", turn="t", attempt=2, inbounds=(1,), leaf_before=None),
    JoinTurn: lambda books: JoinTurn(slug="shop", turn="t", inbound=books.work().queue[0].id),
    EndTurn: lambda _: EndTurn(
        slug="shop",
        turn="t",
        outcome=Outcome.DONE,
        answer="a",
        leaf="e",
        deliveries=(NOTE, KEYED),
        cost=0.5,
        hops=(Hop(at=1.0, what="prompted", where="agent", id="t"),),
    ),
    AnswerCommand: lambda books: AnswerCommand(
        slug="shop",
        inbound=books.work().commands[0].id,
        deliveries=(NOTE,),
        settings=RoomSettings(verbose=2),
        drop=books.work().queue[0].id,
        retry="f",
        held="run",
    ),
    Tell: lambda _: Tell(slug="shop", deliveries=(KEYED,)),
    OpenQuestion: lambda books: books.question("t", "Red", dialog="new"),
    CloseQuestion: lambda _: CloseQuestion(slug="shop", question=1, state=QuestionState.EXPIRED, deliveries=(NOTE,)),
    SavedFile: lambda _: SavedFile(attachment=1, path="uploads/a.txt"),
    Doubt: lambda books: _sending(books, Doubt(front="telegram")),
    Due: lambda _: Due(front="telegram", limit=9),
    Sending: lambda books: Sending(ids=(books.due()[0].id,)),
    Sent: lambda books: Sent(id=books.due()[0].id, part=0, message_id=70, last=False),
    Edited: _changed,
    TopicMade: lambda books: TopicMade(id=_topic(books), thread=9),
    Unsent: lambda books: _sending(books, Unsent(id=books.due()[0].id)),
    Doubted: lambda books: _sending(books, Doubted(id=books.due()[0].id)),
    Undeliverable: lambda books: Undeliverable(id=_topic(books), reason="blocked"),
    PreviewShown: lambda _: PreviewShown(preview=Preview(turn="t", place=HERE, message_id=71)),
    PreviewGone: lambda _: PreviewGone(preview=Preview(turn="t", place=HERE, message_id=70)),
    StalePreviews: lambda _: StalePreviews(front="telegram"),
    TopicGone: lambda _: TopicGone(place=HERE, owner=42),
    RenameRoom: lambda _: RenameRoom(place=HERE, title="Other"),
    MigrateChat: lambda _: MigrateChat(front="telegram", old=-100, new=-1002),
    GetAccess: lambda _: GetAccess(front="telegram"),
    Knock: lambda _: Knock(front="telegram", person=9, name="Mallory", owner=42),
    Pairings: lambda _: Pairings(),
    People: lambda _: People(),
    Approve: lambda books: Approve(code=books.do(Pairings())[0].code),
    Deny: lambda books: Deny(code=books.do(Pairings())[0].code),
    RemovePerson: lambda _: RemovePerson(person=8),
    GroupOffered: lambda _: GroupOffered(front="telegram", chat=-500, title="Team", name="Ada", owner=42),
    ListQuarantined: lambda _: ListQuarantined(),
    RetryQuarantined: lambda books: RetryQuarantined(inbound=books.do(ListQuarantined())[0].inbound),
    DropQuarantined: lambda books: DropQuarantined(inbound=books.do(ListQuarantined())[0].inbound),
    Trace: lambda _: Trace(message="t"),
    RecentlySent: lambda _: RecentlySent(front="telegram", since=0.0),
    Spawn: lambda books: books.spawning(turn="t", wait=True),
    GetSubagent: lambda _: GetSubagent(slug="parent"),
    ListSubagents: lambda _: ListSubagents(room="shop", ended=3),
    PrepareSubagent: lambda _: PrepareSubagent(slug="queued"),
    PartRun: lambda _: PartRun(slug="parent", run=1, attempt=1),
    BeginRun: lambda _: BeginRun(slug="parent", run=2, attempt=1, prompt="p", leaf=None, reports=("child",)),
    WaitForChildren: lambda _: WaitForChildren(slug="child"),
    GrantSlot: _granted,
    StopSubagents: lambda _: StopSubagents(slug="parent"),
    EndSubagent: lambda books: books.ending("queued", deliveries=(NOTE,)),
    AwaitReport: lambda _: AwaitReport(slug="parent"),
    TellReport: lambda _: TellReport(slug="ended", turn="t", call="c"),
    ReturnReports: lambda _: ReturnReports(room="shop", parent=None, turn="t", heard=()),
    SettleResult: lambda _: SettleResult(slug="ended", kept="applied", deliveries=(NOTE,)),
    SearchHistory: lambda _: SearchHistory(room="shop", words="failed"),
}


def test_every_request_is_one_of_the_stores() -> None:
    spoken = {each for each in vars(actors.messages).values() if isinstance(each, type) and issubclass(each, Request)}
    assert set(get_args(StoreRequest)) == spoken - {Fetch, FindHome, ReadLog}


def test_every_request_is_repeated() -> None:
    assert set(EVERY) == set(get_args(StoreRequest))


@pytest.mark.parametrize("kind", EVERY)
def test_a_repeated_request_changes_nothing(books: Books, kind: type) -> None:
    in_use(books)
    request = EVERY[kind](books)
    assert type(request) is kind
    before = books.rows()
    books.twice(request)
    assert (books.rows() == before) == (kind in READS)


def test_an_empty_store_answers(books: Books) -> None:
    assert books.do(ListRooms()) == ()
    assert books.do(UnfinishedRooms()) == ()
    assert books.do(Unfinished(place=HERE)) == 0
    assert books.do(Doubt(front="telegram")) == 0
    assert books.due() == ()
    (unknown,) = books.batch(GetRoom(slug="shop"))
    assert isinstance(unknown, Exception)
