"""What the service can be asked over the control socket beside the runtime's own verbs: who may speak to it.

The control server runs these, each within its deadline; they ask the store, which alone decides. How `actorctl` asks
for them and shows what they answer is in `ctl`.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Annotated, Final, TypeVar

import msgspec

from actors.errors import Unavailable
from actors.messages import (
    Approve,
    Deny,
    OutboxMessage,
    Pairing,
    Pairings,
    People,
    Person,
    RemovePerson,
    StoreRequest,
    Wake,
)
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


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of a verb that takes none."""


class Code(msgspec.Struct, forbid_unknown_fields=True):
    """A code that a stranger was given, in any spelling that the store takes."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class PersonId(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody's id on their front end."""

    id: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


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


def service_verbs(store: Ref[StoreRequest], sender: Ref[OutboxMessage]) -> Mapping[str, Verb]:
    """The service's verbs. `sender`: who brings people what the store has for them; it may not be there."""

    async def ask(request: Asks[StoreRequest, R]) -> R:
        try:
            return await store.ask(request, timeout=STORE_PATIENCE)
        except Unavailable as error:
            raise Refused("failed", str(error)) from None

    def wake() -> None:
        with suppress(ActorError):  # not there, or too busy to need a word: it looks again by itself
            sender.tell_nowait(Wake())

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


def _verb(args: type[A], run: Callable[[Host, A], Awaitable[object]]) -> Verb:
    return verb(args, run, patience=PATIENCE)


def _pairing(pairing: Pairing) -> PairingView:
    return PairingView(
        code=pairing.code, person=pairing.person, name=pairing.name, expires_at=rfc3339(pairing.expires_at)
    )


def _person(person: Person) -> PersonView:
    return PersonView(id=person.id, name=person.name, owner=person.owner, since=rfc3339(person.since))
