"""What the service can be asked over the control socket beside the runtime's own verbs.

Who may speak to it, what is in quarantine, and which way a message took; those about sub-agents are in `verbs_agents`.
The control server runs these, each within its deadline; they ask the store, which alone decides. How `actorctl` asks
for them and shows what they answer is in `ctl`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final, TypeVar

import msgspec

from actors.errors import Unavailable
from actors.messages import (
    Approve,
    Deny,
    DropQuarantined,
    Hop,
    ListQuarantined,
    OutboxMessage,
    Pairing,
    Pairings,
    People,
    Person,
    Quarantined,
    RemovePerson,
    RetryQuarantined,
    Room,
    StoreRequest,
    Trace,
    Wake,
    WakeRoom,
)
from actors.phrases import short
from supervisor import ActorError, Asks, Ref
from supervisor.control.errors import Refused
from supervisor.control.verbs import Host, Verb, verb
from supervisor.control.views import rfc3339

R = TypeVar("R")
A = TypeVar("A")

STORE_PATIENCE: Final = 2.0
"""Seconds that the store has to answer."""
PATIENCE: Final = STORE_PATIENCE + 1.0
"""Seconds after which the server speaks instead of a verb; the store's silence is told by the verb itself."""
AT_ONCE: Final = 100
"""Messages that one command takes out of quarantine."""
SET_ASIDE: Final = 10_000
"""Messages in quarantine that are looked at."""
TEXT: Final = 200
"""Characters of a message's text in a list."""


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of a verb that takes none."""


class Code(msgspec.Struct, forbid_unknown_fields=True):
    """A code that a stranger was given, in any spelling that the store takes."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class PersonId(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody's id on their front end."""

    id: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class MessageIds(msgspec.Struct, forbid_unknown_fields=True):
    """Some messages, as the list of the quarantine calls them."""

    ids: Annotated[
        list[Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]], msgspec.Meta(min_length=1, max_length=AT_ONCE)
    ]


class MessageId(msgspec.Struct, forbid_unknown_fields=True):
    """One of them."""

    id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """A message by any id that it has."""

    message: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PairingView(msgspec.Struct, frozen=True, kw_only=True):
    """A code that waits for a word. `expires_at`: RFC 3339, UTC."""

    code: str
    person: int
    name: str
    expires_at: str


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was approved. `since`: RFC 3339, UTC."""

    id: int
    name: str
    owner: bool
    since: str


class QuarantinedView(msgspec.Struct, frozen=True, kw_only=True):
    """A message in quarantine. Times: RFC 3339, UTC. `text`: in a list only its beginning, on one line."""

    id: int
    room: str
    name: str
    text: str
    at: str
    attempts: int
    turn: str
    set_aside_at: str


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """One step on a message's way. `at`: RFC 3339, UTC."""

    at: str
    what: str
    where: str
    id: str


async def ask_store(store: Ref[StoreRequest], request: Asks[StoreRequest, R]) -> R:
    """The store's reply, within a verb's deadline; a disk that is full is a verb's no. Raises `Refused`."""
    try:
        return await store.ask(request, timeout=STORE_PATIENCE)
    except Unavailable as error:
        raise Refused("failed", str(error)) from None


class _Service:
    """Whom the verbs ask, and whom they wake: nobody of those need be there, or need a word, for they look again."""

    def __init__(self, store: Ref[StoreRequest], sender: Ref[OutboxMessage], router: Ref[WakeRoom]) -> None:
        self._store = store
        self._sender = sender
        self._router = router

    async def ask(self, request: Asks[StoreRequest, R]) -> R:
        return await ask_store(self._store, request)

    def wake(self) -> None:
        with suppress(ActorError):
            self._sender.tell_nowait(Wake())

    def wake_room(self, room: Room) -> None:
        with suppress(ActorError):
            self._router.tell_nowait(WakeRoom(room=room))


def service_verbs(store: Ref[StoreRequest], sender: Ref[OutboxMessage], router: Ref[WakeRoom]) -> Mapping[str, Verb]:
    """The service's verbs. `sender`: who brings people what the store has for them; `router`: who wakes a room."""
    service = _Service(store, sender, router)
    return {**_pairing_verbs(service), **_message_verbs(service)}


def _pairing_verbs(service: _Service) -> Mapping[str, Verb]:
    ask, wake = service.ask, service.wake

    async def pairings(_host: Host, _nothing: Nothing) -> dict[str, list[PairingView]]:
        return {"pairings": [_pairing(each) for each in await ask(Pairings())]}

    async def approve(_host: Host, given: Code) -> dict[str, PersonView]:
        person = await ask(Approve(code=given.code))
        if person is None:
            raise Refused("refused", f"there is no code {given.code!r}, or its hour is over; see: actorctl pair list")
        wake()
        return {"approved": _person(person)}

    async def deny(_host: Host, given: Code) -> dict[str, str]:
        if not await ask(Deny(code=given.code)):
            raise Refused("refused", f"there is no code {given.code!r}; see: actorctl pair list")
        wake()
        return {"denied": given.code}

    async def people(_host: Host, _nothing: Nothing) -> dict[str, list[PersonView]]:
        return {"people": [_person(each) for each in await ask(People())]}

    async def remove(_host: Host, given: PersonId) -> dict[str, int]:
        if not await ask(RemovePerson(person=given.id)):
            raise Refused("refused", f"nobody with the id {given.id} was approved; see: actorctl pair people")
        return {"removed": given.id}

    return {
        "pair list": _verb(Nothing, pairings),
        "pair approve": _verb(Code, approve),
        "pair deny": _verb(Code, deny),
        "pair people": _verb(Nothing, people),
        "pair remove": _verb(PersonId, remove),
    }


def _message_verbs(service: _Service) -> Mapping[str, Verb]:
    ask = service.ask

    async def quarantine(_host: Host, _nothing: Nothing) -> dict[str, list[QuarantinedView]]:
        return {"quarantined": [_quarantined(each, TEXT) for each in await ask(ListQuarantined())]}

    async def show(_host: Host, given: MessageId) -> dict[str, QuarantinedView | list[HopView]]:
        found = next(each for each in await set_aside([given.id]) if each.inbound == given.id)
        hops = await ask(Trace(message=found.turn))
        return {"message": _quarantined(found), "hops": [_hop(each) for each in hops]}

    async def retry(_host: Host, given: MessageIds) -> dict[str, list[QuarantinedView]]:
        return {"retried": await decide(given.ids, lambda inbound: RetryQuarantined(inbound=inbound))}

    async def drop(_host: Host, given: MessageIds) -> dict[str, list[QuarantinedView]]:
        dropped = await decide(given.ids, lambda inbound: DropQuarantined(inbound=inbound))
        service.wake()
        return {"dropped": dropped}

    async def set_aside(ids: Sequence[int]) -> list[Quarantined]:
        """These messages, and those of their turns: what is decided of one is decided of all."""
        every = await ask(ListQuarantined(limit=SET_ASIDE))
        known = {each.inbound: each.turn for each in every}
        unknown = [str(each) for each in ids if each not in known]
        if unknown:
            which = f"message {unknown[0]} is" if len(unknown) == 1 else f"messages {', '.join(unknown)} are"
            raise Refused("refused", f"{which} not in quarantine; see: actorctl quarantine list")
        turns = {known[each] for each in ids}
        return [each for each in every if each.turn in turns]

    async def decide(
        ids: Sequence[int], request: Callable[[int], RetryQuarantined | DropQuarantined]
    ) -> list[QuarantinedView]:
        found = await set_aside(ids)
        decided: set[str] = set()
        for turn, inbound in {each.turn: each.inbound for each in found}.items():
            room = await ask(request(inbound))
            if room is not None:  # else somebody was faster, and has perhaps decided otherwise
                decided.add(turn)
                service.wake_room(room)
        if not decided:
            raise Refused("refused", "somebody else has just decided that; see: actorctl quarantine list")
        return [_quarantined(each, TEXT) for each in found if each.turn in decided]

    async def trace(_host: Host, given: Named) -> dict[str, str | list[HopView]]:
        hops = await ask(Trace(message=given.message))
        if not hops:
            raise Refused(
                "refused",
                f"no message has the id {given.message!r}: give that of an update, of a message in the chat, of a "
                "turn or a sub-agent, or one of the quarantine's list",
            )
        return {"message": given.message, "hops": [_hop(each) for each in hops]}

    return {
        "quarantine list": _verb(Nothing, quarantine),
        "quarantine show": _verb(MessageId, show),
        "quarantine retry": _verb(MessageIds, retry),
        "quarantine drop": _verb(MessageIds, drop),
        "trace": _verb(Named, trace),
    }


def _verb(args: type[A], run: Callable[[Host, A], Awaitable[object]]) -> Verb:
    return verb(args, run, patience=PATIENCE)


def _pairing(pairing: Pairing) -> PairingView:
    return PairingView(
        code=pairing.code, person=pairing.person, name=pairing.name, expires_at=rfc3339(pairing.expires_at)
    )


def _person(person: Person) -> PersonView:
    return PersonView(id=person.id, name=person.name, owner=person.owner, since=rfc3339(person.since))


def _quarantined(message: Quarantined, longest: int | None = None) -> QuarantinedView:
    return QuarantinedView(
        id=message.inbound,
        room=message.room,
        name=message.name,
        text=message.text if longest is None else short(message.text, longest),
        at=rfc3339(message.at),
        attempts=message.attempts,
        turn=message.turn,
        set_aside_at=rfc3339(message.set_aside_at),
    )


def _hop(hop: Hop) -> HopView:
    return HopView(at=rfc3339(hop.at), what=hop.what, where=hop.where, id=hop.id)
