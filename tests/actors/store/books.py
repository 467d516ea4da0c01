"""A store without an actor, for tests: one request, one transaction, with a clock that moves only when told."""

from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar

import apsw
import msgspec

from actors.messages import (
    Accept,
    Accepted,
    BeginRun,
    BeginTurn,
    Bounds,
    Button,
    Changes,
    Delivery,
    DeliveryKind,
    Due,
    EndSubagent,
    EndTurn,
    GetSubagent,
    Inbound,
    NewDelivery,
    OpenQuestion,
    Outcome,
    Place,
    PrepareSubagent,
    Press,
    Pressed,
    Pull,
    Question,
    Room,
    Sending,
    Sent,
    Spawn,
    Spawned,
    StoreRequest,
    Subagent,
    SubagentState,
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
BOUNDS = Bounds(max=8, max_per_room=4, max_depth=3)
CHANGES = Changes(files=1, names=("M a.txt",), added=2, removed=1, patch="/r/patch", repository="/r/repository.git")


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

    # --- sub-agents

    def spawning(self, task: str = "Look into it", **changes: Any) -> Spawn:
        """A sub-agent that nobody asked for before, for the shop's agent; changes of any field."""
        wanted = Spawn(
            key=f"call:{next(self._keys)}",
            room="shop",
            parent=None,
            turn=None,
            by=None,
            task=task,
            isolation="copy",
            model=None,
            timeout=60.0,
            wait=False,
            queue=True,
            bounds=BOUNDS,
        )
        return msgspec.structs.replace(wanted, **changes)

    def spawn(self, task: str = "Look into it", **changes: Any) -> Subagent:
        """One that is queued."""
        reply = self.do(self.spawning(task, **changes))
        assert isinstance(reply, Spawned), reply
        return reply.subagent

    def at_work(self, task: str = "Look into it", **changes: Any) -> str:
        """The name of one in its first run."""
        slug = self.spawn(task, **changes).slug
        self.do(PrepareSubagent(slug=slug))
        self.run(slug, 1)
        return slug

    def run(self, slug: str, run: int, *reports: str, attempt: int = 1) -> Subagent:
        """A run of one."""
        return self.do(
            BeginRun(slug=slug, run=run, attempt=attempt, prompt=f"prompt {run}", leaf=f"e{run}", reports=reports)
        )

    def ending(self, slug: str, **changes: Any) -> EndSubagent:
        """The report of one; changes of any field."""
        ended = EndSubagent(
            slug=slug,
            outcome=SubagentState.COMPLETED,
            text="done",
            error="",
            report=f"{slug} is done",
            changes=None,
            cost=0.25,
            deliveries=(),
        )
        return msgspec.structs.replace(ended, **changes)

    def finish(self, slug: str, **changes: Any) -> None:
        """One has ended."""
        assert self.do(self.ending(slug, **changes))

    def subagent(self, slug: str) -> Subagent:
        """One as it is now."""
        found = self.do(GetSubagent(slug=slug))
        assert found is not None
        return found

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
