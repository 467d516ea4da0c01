"""A store without an actor, for tests: one request, one transaction, with a clock that moves only when told."""

from itertools import count
from pathlib import Path
from typing import TypeVar

import apsw

from actors.messages import (
    Accept,
    Accepted,
    BeginTurn,
    Delivery,
    DeliveryKind,
    Due,
    EndTurn,
    Inbound,
    NewDelivery,
    Outcome,
    Place,
    Pull,
    Room,
    StoreRequest,
    Work,
)
from actors.store.rooms import Setting
from actors.store.schema import prepare
from actors.store.transaction import commit
from supervisor import Request

R = TypeVar("R")

HERE = Place("telegram", -100, 7)
ELSEWHERE = Place("telegram", -200)


class Books:
    """A database file and what is asked of it."""

    def __init__(self, path: Path) -> None:
        self.db = apsw.Connection(str(path))
        prepare(self.db)
        self.now = 1000.0
        self._keys = count(1)

    def do(self, request: Request[R]) -> R:
        """One request's reply; its error is raised."""
        (reply,) = self.batch(request)  # type: ignore[arg-type]  # only the store's requests are made here
        if isinstance(reply, Exception):
            raise reply
        return reply  # type: ignore[return-value]  # the request says what it is

    def twice(self, request: Request[R]) -> R:
        """The second reply to a request, which must change no row."""
        self.do(request)
        before = self.rows()
        reply = self.do(request)
        assert self.rows() == before
        return reply

    def batch(self, *requests: StoreRequest) -> list[object]:
        """The replies of one transaction."""
        return commit(self.db, Setting(self.now, "/work", f"{next(self._keys):08x}"), requests)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything there is, table by table."""
        tables = [name for (name,) in self.db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: self.db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}

    # --- the steps that most tests begin with

    def inbound(
        self, text: str = "hi", *, place: Place = HERE, command: str | None = None, title: str = "Shop"
    ) -> Inbound:
        """A message that nobody sent before."""
        number = next(self._keys)
        return Inbound(
            key=f"telegram:1:{number}",
            place=place,
            person=5,
            name="Ada",
            text=text,
            at=self.now,
            message_id=number,
            command=command,
            title=title,
        )

    def say(self, text: str = "hi", *, place: Place = HERE, command: str | None = None) -> Accepted:
        """A message that is accepted."""
        reply = self.do(Accept(inbound=self.inbound(text, place=place, command=command), capacity=8))
        assert isinstance(reply, Accepted)
        return reply

    def begin(self, turn: str, *said: Accepted, attempt: int = 1) -> Room:
        """A turn with those messages; its room."""
        room = said[0].room
        inbounds = tuple(each.inbound for each in said)
        self.do(BeginTurn(slug=room.slug, turn=turn, attempt=attempt, inbounds=inbounds, leaf_before=room.leaf))
        return room

    def end(self, room: Room, turn: str, *texts: str, leaf: str | None = "leaf") -> None:
        """That turn done, with these answers as deliveries."""
        deliveries = tuple(NewDelivery(kind=DeliveryKind.ANSWER, text=text) for text in texts)
        answer = "\n".join(texts)
        self.do(
            EndTurn(slug=room.slug, turn=turn, outcome=Outcome.DONE, answer=answer, leaf=leaf, deliveries=deliveries)
        )

    def answered(self, *texts: str, place: Place = HERE) -> Room:
        """A message, its turn and these deliveries."""
        said = self.say(place=place)
        turn = f"turn of {said.inbound}"
        self.end(self.begin(turn, said), turn, *texts)
        return said.room

    def work(self, place: Place = HERE) -> Work:
        """What the room of a place has to do."""
        slug = self.db.execute(
            "SELECT slug FROM rooms WHERE front = ? AND chat = ? AND thread IS ?",
            (place.front, place.chat, place.thread),
        ).get
        return self.do(Pull(slug=slug))

    def due(self, limit: int = 100) -> tuple[Delivery, ...]:
        """What Telegram's outbox would send next."""
        return self.do(Due(front="telegram", limit=limit))
