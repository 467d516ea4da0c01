"""What actors say: messages, requests that are owed a reply, and the notices of the runtime.

Pure. Every message is a frozen, keyword-only, tagged msgspec struct, so that it can be logged, compared and put on a
wire. mypy --strict rejects a message that an actor does not take, a request it does not serve and a wrong reply.
"""

import reprlib
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, dataclass_transform

import msgspec

if TYPE_CHECKING:
    from supervisor.refs import Ref

SHORT: Final = 200
"""How much of a message's text is kept, in characters."""

_REPR = reprlib.Repr()  # survives what cannot print itself
_REPR.maxother = _REPR.maxstring = SHORT

R = TypeVar("R")  # invariant on purpose: it makes `reply` checkable


class _MessageMeta(msgspec.StructMeta):
    """Gives each subclass the options that msgspec does not inherit."""

    def __new__(
        mcls: type["_MessageMeta"], name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        return super().__new__(
            mcls, name, bases, namespace, **({"frozen": True, "kw_only": True, "tag": True} | options)
        )


# The transform stands on the class and spells its defaults out: mypy reads neither from the metaclass.
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, metaclass=_MessageMeta, frozen=True, kw_only=True):
    """Something one actor tells another. Class names must be unique within one actor's union."""


class Reply(msgspec.Struct, frozen=True):
    """What `receive` returns for a request; made by `Request.reply` and opaque to handlers."""

    value: object


class Request(Message, Generic[R]):
    """A message that is owed an `R`."""

    def reply(self, value: R, /) -> Reply:
        """The answer, to be returned from `receive`."""
        return Reply(value)

    if TYPE_CHECKING:

        def _for(self, ref: "Ref[Self]", /) -> R:
            """Never called: lets `Ref.ask` see both the message type and the reply type."""


class Down(Message):
    """An incarnation of a monitored actor ended. Sent each time, not once.

    `reason` is `normal`, `shutdown`, `noproc` (there was nothing to monitor) or the failure's text;
    `restarting` says whether its supervisor is about to start the next incarnation.
    """

    path: str
    incarnation: int
    reason: str
    restarting: bool


def short_repr(value: object) -> str:
    """A value as people are shown it: at most 200 characters. Does not raise."""
    return _REPR.repr(value)[:SHORT]
