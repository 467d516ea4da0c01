"""A store without an actor, for tests: one request, one transaction, with a clock that moves only when told."""

from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar

import apsw
import msgspec

from actors.messages import (
    Accept,
    Accepted,
    BeginTurn,
    Button,
    Delivery,
    DeliveryKind,
    Due,
    EndTurn,
    Inbound,
    NewDelivery,
    OpenQuestion,
    Outcome,
    Place,
    Press,
    Pressed,
    Pull,
    Question,
    Room,
    Sending,
    Sent,
    StoreRequest,
    Tell,
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
        """The second reply to a request, which must change no row, though it comes later."""
        self.do(request)
        before = self.rows()
        self.now += 1
        reply = self.do(request)
        assert self.rows() == before
        return reply

    def batch(self, *requests: StoreRequest) -> list[object]:
        """The replies of one transaction."""
        return commit(self.db, Setting(self.now, "/work", f"{next(self._keys):08x}", self._code), requests)

    def _code(self) -> str:
        return f"CODE{next(self._keys):04}"

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything there is, table by table."""
        tables = [name for (name,) in self.db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: self.db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}

    # --- the steps that most tests begin with

    def inbound(
        self,
        text: str = "hi",
        *,
        place: Place = HERE,
        command: str | None = None,
        title: str = "Shop",
        **changes: Any,  # of any field
    ) -> Inbound:
        """A message that nobody sent before."""
        number = next(self._keys)
        inbound = Inbound(
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
        return msgspec.structs.replace(inbound, **changes)

    def say(
        self, text: str = "hi", *, place: Place = HERE, command: str | None = None, capacity: int = 8, **changes: Any
    ) -> Accepted:
        """A message that is accepted."""
        inbound = self.inbound(text, place=place, command=command, **changes)
        reply = self.do(Accept(inbound=inbound, capacity=capacity))
        assert isinstance(reply, Accepted)
        return reply

    def begin(self, turn: str, *said: Accepted, attempt: int = 1) -> Room:
        """A turn with those messages; its room."""
        room = said[0].room
        inbounds = tuple(each.inbound for each in said)
        self.do(BeginTurn(slug=room.slug, turn=turn, attempt=attempt, inbounds=inbounds, leaf_before=room.leaf))
        return room

    def end(
        self, room: Room, turn: str, *texts: str, leaf: str | None = "leaf", outcome: Outcome = Outcome.DONE
    ) -> None:
        """That turn over, with these answers as deliveries."""
        deliveries = tuple(NewDelivery(kind=DeliveryKind.ANSWER, text=text) for text in texts)
        answer = "\n".join(texts)
        self.do(EndTurn(slug=room.slug, turn=turn, outcome=outcome, answer=answer, leaf=leaf, deliveries=deliveries))

    def answered(self, *texts: str, place: Place = HERE) -> Room:
        """A message, its turn and these deliveries."""
        said = self.say(place=place)
        turn = f"turn of {said.inbound}"
        self.end(self.begin(turn, said), turn, *texts)
        return said.room

    def tell(self, text: str, *buttons: Button, kind: DeliveryKind = DeliveryKind.NOTE, key: str | None = None) -> None:
        """The shop's room says something, with a row of buttons."""
        new = NewDelivery(kind=kind, text=text, buttons=(buttons,) if buttons else (), key=key)
        self.do(Tell(slug="shop", deliveries=(new,)))

    def newest_delivery(self) -> int:
        """The id of what was queued last."""
        newest: int = self.db.execute("SELECT max(id) FROM deliveries").get
        return newest

    def send_all(self, front: str = "telegram") -> list[Delivery]:
        """All that is due arrives whole, each as a message whose id is its own and 100; edits are not made."""
        arrived: list[Delivery] = []
        while True:
            due = [each for each in self.do(Due(front=front, limit=9)) if each.edits is None and not each.topic]
            for each in due:
                self.do(Sending(ids=(each.id,)))
                self.do(Sent(id=each.id, part=each.part, message_id=100 + each.id, last=True))
            if not due:
                return arrived
            arrived += due

    def ask(self, turn: str, *options: str, dialog: str = "d", lasts: float = 60.0) -> Question:
        """The shop's agent asks in that turn, with a button for each option, or for any text if there are none."""
        return self.do(self.question(turn, *options, dialog=dialog, lasts=lasts))

    def question(self, turn: str, *options: str, dialog: str = "d", lasts: float = 60.0) -> OpenQuestion:
        """The request of `ask`; “Yes” and “No” are to be confirmed."""
        method: Literal["select", "confirm", "input"] = "select" if options else "input"
        buttons = tuple(
            (Button(label=each, command="answer", argument=f"{{id}} {number}"),) for number, each in enumerate(options)
        )
        return OpenQuestion(
            slug="shop",
            turn=turn,
            dialog=dialog,
            method="confirm" if options == ("Yes", "No") else method,
            title="Which one?",
            text="It matters.",
            options=options,
            expires_at=self.now + lasts,
            delivery=NewDelivery(kind=DeliveryKind.QUESTION, text="Which one?", buttons=buttons, key="question:{id}"),
        )

    def pressing(self, data: str, *, place: Place = HERE, owner: bool = False) -> Press:
        """A press that nobody made before."""
        return Press(
            key=f"telegram:1:{next(self._keys)}",
            place=place,
            person=5,
            name="Ada",
            owner=owner,
            data=data,
            at=self.now,
            message_id=70,
        )

    def press(self, data: str, *, place: Place = HERE, owner: bool = False) -> Pressed:
        """What a press is answered."""
        return self.do(self.pressing(data, place=place, owner=owner))

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
