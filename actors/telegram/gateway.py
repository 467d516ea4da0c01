"""The gateway actor: fetches what people wrote and hands it to the store, one update after the other.

It polls, asks the store, tells the router and the outbox, and is asked by nobody. Telegram's offset moves only when the
store has committed, so an update is never lost, and what comes twice the store knows. It sends nothing of a room's.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple, Never, TypeVar, assert_never

import trio
from telegram import Bot, BotCommand, ChatMember, Update

from actors import commands
from actors.asking import insist
from actors.errors import Unfit
from actors.messages import (
    Accept,
    Accepted,
    Access,
    Amend,
    DeliveryKind,
    Duplicate,
    GetAccess,
    GroupOffered,
    Inbound,
    Knock,
    Mark,
    NewDelivery,
    OutboxMessage,
    Place,
    Press,
    React,
    RenameRoom,
    Room,
    StoreRequest,
    Tell,
    Wake,
    WakeRoom,
)
from actors.settings import TelegramSettings
from actors.telegram.access import Gate, gate
from actors.telegram.addressing import Me, is_addressed
from actors.telegram.api import connect
from actors.telegram.bursts import ALONE, Bursts, Part
from actors.telegram.outage import Outage
from actors.telegram.polling import Poller
from actors.telegram.sideline import Sideline
from actors.telegram.updates import (
    FRONT,
    UNREADABLE,
    Ignored,
    Migrated,
    Refused,
    Removed,
    Unsupported,
    Verdict,
    translate,
)
from supervisor import Actor, ActorError, Asks, Description, Mailbox, Overflow, Ref

CONNECTIONS: Final = 4
"""For what runs beside the poll, which has its own."""

UNSUPPORTED_EVERY: Final = 2.0
"""Seconds between two words in one place about what is not understood: ten stickers at once get one."""
KNOCK_EVERY: Final = 60.0
"""Seconds between two knocks of one stranger that the store hears of."""
REMEMBERED: Final = 256
"""People refused and places answered that are remembered; beyond it the oldest is forgotten."""

PRIVACY: Final = (
    "Telegram gives me only what mentions me, answers me or is a command here, because my privacy mode is on. To let "
    "me hear everything, turn it off with /setprivacy at @BotFather and add me to this group again, or make me an "
    "administrator of it."
)

R = TypeVar("R")

_log = logging.getLogger(__name__)


class Gateway(Actor[Never]):
    """Telegram's inbound half. It ends with `TokenRefused` when Telegram does not know the token."""

    mailbox = Mailbox(1, Overflow.REJECT)

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        store: Ref[StoreRequest],
        router: Ref[WakeRoom],
        outbox: Ref[OutboxMessage],
        capacity: int,
        ready: trio.Event | None = None,
    ) -> None:
        """`capacity`: inbounds that may wait in a room. `ready`: set when the first poll, or a try of it, has ended."""
        self._settings = settings
        self._store = store
        self._router = router
        self._outbox = outbox
        self._capacity = capacity
        self._ready = trio.Event() if ready is None else ready
        self._gate: Gate | None = None
        self._last_gate = gate(settings, Access())  # as far as is known when the store does not answer
        self._outage: Outage | None = None
        self._bursts = Bursts()
        self._refused = _Recent()
        self._answered = _Recent()
        self._knocked = _Recent()
        self._poller: Poller | None = None

    async def started(self) -> None:
        self.context.start_soon(self._run)

    async def receive(self, message: Never) -> None:
        assert_never(message)

    def describe(self) -> Description:
        doing = "connecting" if self._poller is None else self._poller.doing
        plight = "" if self._outage is None else self._outage.plight
        return Description(doing=f"{doing}; nothing is taken, because {plight}" if plight else doing)

    async def _run(self) -> None:
        async with connect(self._settings, connections=CONNECTIONS) as bot:
            self._poller = poller = Poller(bot, self._ready)
            user = await poller.user()
            me = Me(user.id, user.username or "")
            self._outage = Outage(self.context, bot, poller, partial(self._wanted, me))
            desk = _Desk(bot, Sideline(self.context), me, self._outage)
            while True:
                heard_before = poller.listening
                updates = await poller.batch()
                if not heard_before:
                    desk.aside.start("the list of commands", partial(_set_menu, bot))
                self._gate = None  # whoever was let in since then may speak now
                for update, part in zip(updates, self._parts(updates, desk.me), strict=True):
                    await self._take(desk, update, part)
                    poller.taken(update)

    # --- one update

    async def _ask(self, desk: "_Desk", request: Asks[StoreRequest, R]) -> R:
        """The store's reply; people are told if that takes long, because all that is behind this one waits as well."""
        return await insist(self._store, request, unavailable=desk.outage.noticed)

    def _wanted(self, me: Me, update: Update) -> Inbound | None:
        """What an update that waits says to us, if whoever wrote it may speak."""
        try:
            verdict = translate(update, me, self._last_gate, now=time.time(), part=ALONE)
        except UNREADABLE:
            return None
        return verdict if isinstance(verdict, Inbound) else None

    def _parts(self, updates: Sequence[Update], me: Me) -> list[Part]:
        """What each update's message is a part of."""
        messages = [update.message for update in updates if update.message is not None]
        try:
            parts = iter(self._bursts.join(messages, partial(is_addressed, me=me)))
        except UNREADABLE:
            _log.exception("albums and forwards are not put together")
            return [ALONE] * len(updates)
        return [ALONE if update.message is None else next(parts) for update in updates]

    async def _take(self, desk: "_Desk", update: Update, part: Part) -> None:
        if self._gate is None:
            access = await self._ask(desk, GetAccess(front=FRONT))
            self._gate = self._last_gate = gate(self._settings, access)
        said = ""
        try:
            verdict = translate(update, desk.me, self._gate, now=time.time(), part=part)
            said = await self._act(desk, update.update_id, verdict)
        except (Unfit, *UNREADABLE):  # a mistake of ours, and the next update must not wait for its mend
            _log.exception("update %s is skipped", update.update_id)
        await desk.outage.over()
        if update.callback_query is not None:  # whatever became of it, or the button would go on spinning
            answer = partial(desk.bot.answer_callback_query, update.callback_query.id, said or None)
            desk.aside.start("the answer to a press", answer)

    async def _act(self, desk: "_Desk", update: int, verdict: Verdict) -> str:
        """Does what is to be done; returns what is said to somebody who has pressed a button."""
        match verdict:
            case Inbound():
                await self._accept(desk, verdict)
            case Press():
                pressed = await self._ask(desk, verdict)
                self._gate = None  # it may have let somebody in
                self._tell_outbox(Wake())
                await self._wake(pressed.room)
                return pressed.said
            case Amend():
                amended = await self._ask(desk, verdict)
                if amended.late:
                    self._tell_outbox(Wake())
                else:
                    await self._wake(amended.room)
            case Knock(person=person):
                if self._knocked.is_new(person, trio.current_time() + KNOCK_EVERY):
                    code = await self._ask(desk, verdict)
                    _log.info("person %s asks to be let in%s", person, "" if code else ", but others wait already")
                    self._tell_outbox(Wake())
            case GroupOffered():
                await self._ask(desk, verdict)
                self._tell_outbox(Wake())
            case RenameRoom():
                await self._ask(desk, verdict)
            case Migrated(request, offer):
                _log.info("group %s has become group %s", request.old, request.new)
                await self._ask(desk, request)
                self._gate = None
                if offer is not None:
                    _log.warning("[telegram] allowed_group_ids names %s: let it name %s", request.old, request.new)
                    await self._ask(desk, offer)
                self._tell_outbox(Wake())
            case Unsupported(place):
                if self._answered.is_new((place, verdict.text), trio.current_time() + UNSUPPORTED_EVERY):
                    await self._say(place, verdict.text, verdict.message_id, f"unsupported:{desk.me.id}:{update}")
            case Removed(chat, title):
                if self._refused.is_new(("removed", chat)):  # which any stranger may do to theirs, again and again
                    _log.warning("the bot was removed from group %s (%s)", chat, title)
            case Refused(person, chat, reason):
                if self._refused.is_new((person, chat)):
                    _log.warning("a message is refused: %s", reason)
            case Ignored(reason):
                _log.debug("update %s is ignored: %s", update, reason)
        return ""

    async def _accept(self, desk: "_Desk", inbound: Inbound) -> None:
        reply = await self._ask(desk, Accept(inbound=inbound, capacity=self._capacity))
        match reply:
            case Accepted():
                if inbound.command is None and inbound.message_id is not None:
                    self._tell_outbox(React(place=inbound.place, message_id=inbound.message_id, mark=Mark.SEEN))
                if inbound.command == "listen" and commands.argument(inbound.text) == "all":
                    desk.aside.start("a word about privacy", partial(self._mind_privacy, desk.bot, inbound))
            case Duplicate():
                pass
            case _:
                self._tell_outbox(Wake())
        await self._wake(reply.room)  # a refused message, too, makes a room that gave up try again

    async def _mind_privacy(self, bot: Bot, inbound: Inbound) -> None:
        """Somebody wants everything to be heard in a group; Telegram may not let us."""
        if await _hears_all(bot, inbound.place.chat):
            return
        await self._say(inbound.place, PRIVACY, inbound.message_id, f"privacy:{inbound.key}")

    async def _say(self, place: Place, text: str, reply_to: int | None, key: str) -> None:
        note = NewDelivery(kind=DeliveryKind.NOTE, text=text, reply_to=reply_to, key=key, place=place)
        await insist(self._store, Tell(slug=None, deliveries=(note,)))
        self._tell_outbox(Wake())

    # The rows are the truth: the router asks for what is unfinished when it starts, the outbox looks by itself.

    def _tell_outbox(self, message: OutboxMessage) -> None:
        try:
            self._outbox.tell_nowait(message)
        except ActorError as error:
            _log.warning("the outbox is not told: %s", error)

    async def _wake(self, room: Room | None) -> None:
        if room is None:
            return
        try:
            await self._router.tell(WakeRoom(room=room))
        except ActorError as error:
            _log.warning("room %s could not be woken: %s", room.slug, error)


class _Desk(NamedTuple):
    """What an incarnation works with."""

    bot: Bot
    aside: Sideline
    me: Me
    outage: Outage


async def _hears_all(bot: Bot, chat: int) -> bool:
    """Whether Telegram gives the bot all that is said in a chat. Asked each time, because people change it."""
    if chat > 0:
        return True
    user = await bot.get_me()
    if user.can_read_all_group_messages:
        return True
    member = await bot.get_chat_member(chat, user.id)
    return member.status in {ChatMember.ADMINISTRATOR, ChatMember.OWNER}


async def _set_menu(bot: Bot) -> None:
    await bot.set_my_commands([BotCommand(name, about) for name, about in commands.menu()])


class _Recent:
    """The last keys that came up, each until a time or until it is pushed out."""

    def __init__(self) -> None:
        self._until: OrderedDict[object, float] = OrderedDict()

    def is_new(self, key: object, until: float = float("inf")) -> bool:
        """Whether the key is not known now; it is from then on, `until` that time of trio's clock."""
        if self._until.get(key, 0.0) > trio.current_time():
            return False
        self._until[key] = until
        self._until.move_to_end(key)
        if len(self._until) > REMEMBERED:
            self._until.popitem(last=False)
        return True
