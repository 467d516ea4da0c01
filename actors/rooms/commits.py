"""What the store is asked to commit, made of the steps that the state machine wants done.

Pure: a step in, the request out. What only the conversation knows (ids, times) is an argument.
"""

from typing import Final

import msgspec

from actors import resume
from actors.messages import (
    AnswerCommand,
    BeginTurn,
    CloseQuestion,
    DeliveryKind,
    EndTurn,
    Hop,
    OpenQuestion,
    PartTurn,
    Recalled,
    ReturnReports,
)
from actors.rooms import steps, words

QUESTION_TIMEOUT: Final = 86400.0
"""Seconds that a question waits if its agent does not say how long."""


def begin(slug: str, step: steps.Begin) -> BeginTurn:
    """Commit 1b."""
    return BeginTurn(
        slug=slug,
        turn=step.turn,
        attempt=step.attempt,
        inbounds=step.inbounds,
        leaf_before=step.leaf,
        cost_before=step.cost,
    )


def part(slug: str, step: steps.Part) -> PartTurn:
    """An attempt that does not count."""
    return PartTurn(slug=slug, turn=step.turn, attempt=step.attempt, decided=step.decided)


def reports(slug: str, event: Recalled) -> ReturnReports:
    """Which reports of sub-agents a turn that was cut off has heard: those that its session holds."""
    return ReturnReports(room=slug, parent=None, turn=event.turn, heard=resume.results(event.entries))


def end(slug: str, step: steps.End, seconds: float, hops: tuple[Hop, ...] = ()) -> EndTurn:
    """Commit 2. `seconds`: the agent's own time, which stands below its answer with what else is known."""
    footer = words.footer(seconds, step.cost, step.files)
    deliveries = tuple(
        msgspec.structs.replace(each, footer=footer) if each.kind is DeliveryKind.ANSWER else each
        for each in step.deliveries
    )
    return EndTurn(
        slug=slug,
        turn=step.turn,
        outcome=step.outcome,
        answer=step.answer,
        leaf=step.leaf,
        deliveries=deliveries,
        returned=step.returned,
        cost=step.cost,
        hold=step.hold,
        hops=hops,
    )


def answer(slug: str, step: steps.Answer, session: str | None) -> AnswerCommand:
    """A command is done. `session`: the one that the room goes on with from now on, None for the one it has."""
    return AnswerCommand(
        slug=slug,
        inbound=step.command.id,
        deliveries=step.deliveries,
        new_session=session,
        binding=step.binding,
        settings=step.settings,
        drop=step.drop,
        retry=step.retry,
        held=step.held,
    )


def open_question(slug: str, step: steps.Open, now: float) -> OpenQuestion:
    """The agent asks. `now`: Unix seconds."""
    asked = step.asked
    options = asked.options or (words.YES_NO if asked.method == "confirm" else ())
    return OpenQuestion(
        slug=slug,
        turn=asked.turn,
        dialog=asked.dialog,
        method=asked.method,
        title=asked.title,
        text=asked.text,
        options=options,
        expires_at=now + (QUESTION_TIMEOUT if asked.timeout is None else asked.timeout),
        delivery=words.question(asked, step.reply_to),
    )


def close_question(slug: str, step: steps.Close) -> CloseQuestion:
    """A question is over."""
    return CloseQuestion(slug=slug, question=step.question.id, state=step.state, deliveries=step.deliveries)
