"""The console's gateway: takes the person's lines from stdin to the store, and knows when the service may end.

It hands inbounds over as every front end does and says what it has to say through `terminal`. Lines that are typed are
taken at once; lines that come from a pipe or a file wait for each other's answers, and answer the agent's questions.
"""

import re
import secrets
import time
from contextlib import suppress
from math import inf
from typing import Final

import trio

from actors.commands import once, parse
from actors.console.lines import LIMIT, Line, Lines
from actors.console.terminal import PLACE, Notice, Offered, QuestionShown
from actors.errors import Unavailable
from actors.messages import (
    Accept,
    Acceptance,
    Accepted,
    Inbound,
    Press,
    Pressed,
    Refused,
    Unfinished,
    Wake,
    WakeRoom,
)
from supervisor import Actor, ActorError, Description, Mailbox, Message, Overflow, Ref

_ASK: Final = 5.0
"""Seconds that the store has for an answer."""
_ATTEMPTS: Final = 8
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
"""Seconds between the attempts to hand a line over: the pause doubles from the first to the longest."""
_LOOK_AGAIN: Final = 0.5
"""Seconds after which the store is asked again what is unfinished, should a wake have been lost."""
_TWICE: Final = 3.0
"""Seconds within which a second Ctrl-C ends the service."""
_LEAVE: Final = frozenset({"/quit", "/exit"})
_NUMBER: Final = re.compile(r"/[0-9]{1,9}")


class Interrupted(Message):
    """The person pressed Ctrl-C."""


def _key(message: object) -> str | None:
    return "wake" if isinstance(message, Wake) else None


class Console(Actor[Wake | QuestionShown | Offered | Interrupted]):
    """Reads until the input ends or the person leaves; then sets `finished`.

    At the end of input it first waits until nothing of this place is unfinished.
    """

    mailbox = Mailbox(16, Overflow.WAIT, coalesce=_key)

    def __init__(
        self,
        store: Ref[Accept | Press | Unfinished],
        router: Ref[WakeRoom],
        terminal: Ref[Wake | Notice],
        lines: Lines,
        finished: trio.Event,
        *,
        name: str,
        capacity: int,
        banner: str,
    ) -> None:
        """`lines`: one for all incarnations. `name`: the person's. `capacity`: how many inbounds may wait.

        `banner`: said once. `finished`: ends the service.
        """
        self._store = store
        self._router = router
        self._terminal = terminal
        self._lines = lines
        self._finished = finished
        self._name = name
        self._capacity = capacity
        self._banner = banner
        self._news = trio.Event()
        self._asked = False
        self._offers: dict[int, str] = {}
        self._interrupted_at = -inf
        self._doing = "starting"

    async def started(self) -> None:
        if self.context.incarnation == 1:
            await self._say(self._banner, dim=False)
        self.context.start_soon(self._converse)

    async def receive(self, message: Wake | QuestionShown | Offered | Interrupted) -> None:
        """Never waits, so that a second Ctrl-C is heard whatever became of the first."""
        match message:
            case Wake():
                self._news.set()
            case QuestionShown():
                self._asked = True
                self._news.set()
            case Offered(offers=offers):
                self._offers = offers
            case Interrupted():
                now = trio.current_time()
                if now - self._interrupted_at < _TWICE:
                    self._finished.set()
                else:
                    self._interrupted_at = now
                    self.context.start_soon(self._interrupt)

    def describe(self) -> Description:
        return Description(doing=self._doing)

    async def _converse(self) -> None:
        while True:
            if not self._lines.interactive:
                await self._nothing_unfinished(or_asked=True)
            self._doing = "reading"
            line = await self._lines.peek()
            if line is None:
                break
            if self._lines.interactive and line.text is not None and line.text.strip() in _LEAVE:
                self._finished.set()
            else:
                self._asked = False
                await self._take(line)
            self._lines.drop()
        if self._asked:
            await self._say(
                "The input has ended, and the agent waits for an answer; it goes on when the question is too old."
            )
        await self._nothing_unfinished()
        self._finished.set()

    async def _take(self, line: Line) -> None:
        if line.text is None:
            await self._say(f"A line of more than {LIMIT} bytes was not taken: put it into a file and name that.")
            return
        acceptance = await self._hand_over(line.key, line.text)
        if isinstance(acceptance, Pressed):
            await self._say(acceptance.said)
        if isinstance(acceptance, Accepted) and acceptance.ahead and self._lines.interactive:
            await self._say(f"queued, {acceptance.ahead} before it")

    async def _interrupt(self) -> None:
        if await self._unfinished() == 0:
            self._finished.set()
            return
        await self._say(f"stopping; Ctrl-C again within {_TWICE:g} s ends the service")
        await self._hand_over(f"console:{secrets.token_hex(16)}", "/stop")

    async def _hand_over(self, key: str, text: str) -> Acceptance | Pressed | None:
        """Commit 1, which the key makes repeatable, and the wake after it. None if nobody said that it was taken."""
        request = self._request(key, text)
        acceptance: Acceptance | Pressed | None = None
        pause = _FIRST_PAUSE
        for attempt in range(_ATTEMPTS):
            try:
                if acceptance is None:
                    acceptance = await self._store.ask(request, timeout=_ASK)
                await self._wake_for(acceptance)
            except (ActorError, Unavailable) as error:
                if attempt == 0:
                    await self._say(f"The service cannot take this now ({error}); trying again.")
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return acceptance
        if acceptance is None:  # a store that did not answer in time may have taken it all the same
            await self._say(
                "The service could not take this now; unless it is still answered, please send it again later."
            )
        else:
            await self._say(
                "This is taken, but nobody works on it yet; it is answered as soon as its room can be woken."
            )
        return acceptance

    def _request(self, key: str, text: str) -> Accept | Press:
        """The line as the store is to take it: a message, a command, or the press of a button by its number."""
        now = time.time()
        data = self._offers.get(int(text.strip()[1:])) if _NUMBER.fullmatch(text.strip()) else None
        if data is not None:
            return Press(
                key=key, place=PLACE, person=0, name=self._name, owner=True, data=data, at=now, message_id=None
            )
        mode, words = once(text) or (None, text)
        inbound = Inbound(
            key=key,
            place=PLACE,
            person=0,
            name=self._name,
            text=words,
            at=now,
            owner=True,
            command=parse(text),
            title=PLACE.front,
            mode=mode,
        )
        return Accept(inbound=inbound, capacity=self._capacity)

    async def _wake_for(self, acceptance: Acceptance | Pressed) -> None:
        if isinstance(acceptance, Refused):
            await self._terminal.tell(Wake())  # the refusal is a delivery
        if acceptance.room is not None:  # a refused line, too, makes a room that gave up try again
            await self._router.tell(WakeRoom(room=acceptance.room))

    async def _nothing_unfinished(self, *, or_asked: bool = False) -> None:
        """Waits for that; `or_asked`: or for a question to the person."""
        self._doing = "waiting for an answer"
        while True:
            self._news = trio.Event()
            if (or_asked and self._asked) or await self._unfinished() == 0:
                return
            with trio.move_on_after(_LOOK_AGAIN):
                await self._news.wait()

    async def _unfinished(self) -> int | None:
        """How much is still to do; None if the store cannot say."""
        try:
            return await self._store.ask(Unfinished(place=PLACE), timeout=_ASK)
        except (ActorError, Unavailable):
            return None

    async def _say(self, text: str, *, dim: bool = True) -> None:
        with suppress(ActorError):
            await self._terminal.tell(Notice(text=text, dim=dim))
