"""The questions that an agent's people have before them: asked of the conversation, answered back to pi.

A part of `live`. An extension's dialog and a question of the host tool `ask_user` are one thing here; only the form of
the answer differs. What pi said may be long, or hold a secret: people see it bounded and redacted, pi gets its own
words back.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec
import trio

from actors.messages import AgentEvent, QuestionAsked, QuestionClosed
from actors.pi import commands, host_tools
from actors.pi.outputs import DialogMethod, DialogRequested
from actors.redaction import redact

MOST_OPTIONS: Final = 50
MAX_TEXT: Final = 2000
MAX_OPTION: Final = 200
"""Characters of a title or a text, and of an option, as people see them."""
DISMISSED: Final = "The person dismissed the question and gave no answer."


class _Open(msgspec.Struct, frozen=True):
    """A question that waits. `options`: pi's words by those that people see; `hosted`: a host tool asked it.

    `until`: the monotonic second at which pi waits for it no more, of which it says nothing; None for never.
    """

    turn: str
    method: DialogMethod
    options: dict[str, str]
    hosted: bool
    until: float | None


class Dialogs:
    """The open questions of one process. `reply`: brings an answer to pi, if it still waits for it."""

    def __init__(
        self,
        incarnation: int,
        *,
        reply: Callable[[commands.Answer], Awaitable[None]],
        tell: Callable[[AgentEvent], Awaitable[None]],
    ) -> None:
        self._incarnation = incarnation
        self._reply = reply
        self._tell = tell
        self._open: dict[str, _Open] = {}  # as many as the session tracks

    @property
    def waits(self) -> bool:
        """Whether pi waits for a person."""
        return any(each.until is None or trio.current_time() < each.until for each in self._open.values())

    async def ask(self, turn: str, dialog: DialogRequested) -> None:
        """An extension's question."""
        await self._ask(turn, dialog, hosted=False)

    async def ask_user(self, turn: str, dialog: str, question: host_tools.AskUser) -> None:
        """The agent's own question, by the tool."""
        method: DialogMethod = "select" if question.options else "input"
        await self._ask(
            turn, DialogRequested(dialog, method, question.question, "", question.options, None), hosted=True
        )

    async def answer(self, dialog: str, value: str | bool | None) -> None:
        """A person's answer, None to dismiss it; nothing if this question is open no more."""
        asked = self._open.pop(dialog, None)
        if asked is not None:
            await self._reply(_answer(dialog, asked, value))

    async def close(self, dialog: str) -> None:
        """pi waits for this answer no more."""
        asked = self._open.pop(dialog, None)
        if asked is not None:
            await self._tell(QuestionClosed(turn=asked.turn, incarnation=self._incarnation, dialog=dialog))

    async def _ask(self, turn: str, dialog: DialogRequested, *, hosted: bool) -> None:
        options = _shown(dialog.options)
        until = None if dialog.timeout is None else trio.current_time() + dialog.timeout
        self._open[dialog.id] = _Open(turn, dialog.method, options, hosted, until)
        await self._tell(
            QuestionAsked(
                turn=turn,
                incarnation=self._incarnation,
                dialog=dialog.id,
                method=dialog.method,
                title=_bounded(dialog.title, MAX_TEXT),
                text=_bounded(dialog.text, MAX_TEXT),
                options=tuple(options),
                timeout=dialog.timeout,
            )
        )


def _answer(dialog: str, asked: _Open, value: str | bool | None) -> commands.Answer:
    """The answer in the form in which its asker waits for it."""
    if isinstance(value, bool) and asked.method != "confirm":
        value = "yes" if value else "no"
    if asked.hosted:
        text = DISMISSED if value is None else asked.options.get(str(value), str(value))
        return commands.DialogValue(id=dialog, value=host_tools.result(text))
    match value:
        case bool():
            return commands.DialogConfirmed(id=dialog, confirmed=value)
        case str() if asked.method == "select" and value in asked.options:
            return commands.DialogValue(id=dialog, value=asked.options[value])
        case str() if asked.method in ("input", "editor"):
            return commands.DialogValue(id=dialog, value=value)
        case _:  # nothing, or what an extension does not wait for
            return commands.DialogCancelled(id=dialog)


def _shown(options: Iterable[str]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for option in options:
        if len(shown) < MOST_OPTIONS:
            shown.setdefault(_bounded(option, MAX_OPTION), option)
    return shown


def _bounded(text: str, most: int) -> str:
    redacted = redact(text)
    return redacted if len(redacted) <= most else redacted[: most - 1] + "…"
