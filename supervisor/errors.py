"""What can go wrong between actors, one type per cause.

Raised by refs (`tell`, `ask`), by the admin calls of `System`, and by specs that make no sense.
An actor's own failure reaches its caller as `ActorCrashed`; the caller's own lateness is `AskTimeout`: never the same.
"""

import traceback
from typing import Final

LINE: Final = 500
"""How much of an error's text is kept, in characters: it may name a path, and the mend comes last."""

_PLAIN: Final = frozenset({str, int, float})


def one_line(error: BaseException) -> str:
    """An error in one line of at most 500 characters. Does not raise, even if the error cannot print itself."""
    kind = type(error)
    text = " ".join(kind_and_text(error).split())
    if kind.__module__ != "builtins":  # the kinds that people know keep their name; of the others the text says enough
        text = text.partition(": ")[2] or kind.__name__
    return text[:LINE]


def kind_and_text(error: BaseException) -> str:
    """An error as the last line of a traceback shows it. Does not raise, even if the error cannot print itself.

    The standard library's way is safe and slow; most errors hold a plain text and need no such care.
    """
    if isinstance(error, BaseExceptionGroup):  # the library's way would go through all that is in it
        return f"{type(error).__name__}: {error.message} ({len(error.exceptions)} sub-exceptions)"
    plain = type(error).__str__ is BaseException.__str__ and all(type(arg) in _PLAIN for arg in error.args)
    if not plain:
        return traceback.format_exception_only(type(error), error)[0].rstrip()
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class RuntimeFault(Exception):
    """The root of everything the runtime raises on purpose."""


class InvalidSpec(RuntimeFault, ValueError):
    """A mailbox, child spec or supervisor that cannot work as written; raised when it is built."""


class ActorError(RuntimeFault):
    """Something about one place in the tree.

    `path`: the place's path, such as `/service/store`.
    """

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path


class NoSuchActor(ActorError):
    """Nothing has ever been at this path, or it has left the tree for good."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "no such actor")


class ActorStopped(ActorError):
    """The actor was stopped, or gave up, and will not handle this message."""

    def __init__(self, path: str, text: str = "the actor is stopped") -> None:
        super().__init__(path, text)


class ActorCrashed(ActorError):
    """The incarnation that held the request died on it; the request may have taken effect.

    `reason`: the exception that ended the incarnation.
    """

    def __init__(self, path: str, reason: BaseException) -> None:
        super().__init__(path, f"the actor crashed: {one_line(reason)}")
        self.reason = reason


class MailboxFull(ActorError):
    """The mailbox is at its bound and its policy does not wait.

    `bound`: how many messages it holds.
    """

    def __init__(self, path: str, bound: int) -> None:
        super().__init__(path, f"the mailbox is full ({bound} messages)")
        self.bound = bound


class AskTimeout(ActorError):
    """No reply in time. The request is not handled if it still waits; it may be handled if it had begun.

    `timeout`: seconds.
    """

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(path, f"no reply within {timeout:g} s")
        self.timeout = timeout


class NoReply(ActorError):
    """The handler returned without replying and without a promise: a mistake in the actor, told at once."""

    def __init__(self, path: str, request: str) -> None:
        super().__init__(path, f"the handler of {request} returned no reply")
        self.request = request


class StartFailed(ActorError):
    """An actor could not be started: its factory or `started` raised, or took too long.

    `reason`: what it raised.
    """

    def __init__(self, path: str, reason: BaseException) -> None:
        super().__init__(path, f"could not start: {one_line(reason)}")
        self.reason = reason


class Ignore(RuntimeFault):
    """Raised by a factory or by `started`: do not run me. No failure; the child is down until an admin call."""


class StartTimeout(ActorError):
    """`started` did not return within the child spec's `start_timeout`."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(path, f"did not start within {timeout:g} s")
        self.timeout = timeout


class IntensityExceeded(ActorError):
    """More restarts than a supervisor's intensity allows; the supervisor gives up with this as its reason.

    `restarts` within `within` seconds, the last one because of `reason` (None if unknown).
    """

    def __init__(self, path: str, restarts: int, within: float, reason: BaseException | None) -> None:
        cause = "" if reason is None else f": {one_line(reason)}"
        failures = "1 failure" if restarts == 1 else f"{restarts} failures"
        super().__init__(path, f"gave up, {failures} within {within:g} s{cause}")
        self.restarts = restarts
        self.within = within
        self.reason = reason


class AdminRefused(ActorError):
    """An admin call that does not fit the state of the child: already there, still running, no such child, too many."""


class AskCycle(ActorError):
    """An ask, or a tell that waits, that would wait for the asker itself."""
