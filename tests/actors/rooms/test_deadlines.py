"""The time that questions have."""

import time

import msgspec
import trio
from trio.testing import MockClock

from actors.messages import Question
from actors.rooms.deadlines import Deadlines
from actors.rooms.questions import QuestionOver
from tests.actors.rooms.parts import open_context
from tests.actors.rooms.rows import question


def waiting(*seconds: float) -> dict[int, Question]:
    """Questions that have so many seconds each, by ids from 1."""
    now = time.time()
    return {id: msgspec.structs.replace(question(id), expires_at=now + left) for id, left in enumerate(seconds, 1)}


async def test_each_is_over_once_at_its_time(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        deadlines, questions = Deadlines(context), waiting(60.0, 20.0, -5.0)
        deadlines.keep(questions)
        await trio.sleep(1)
        assert told == [QuestionOver(question=3)]
        deadlines.keep(questions)  # looked at again, none has a second timer
        await trio.sleep(100)
        assert told == [QuestionOver(question=id) for id in (3, 2, 1)]


async def test_one_that_waits_no_more_is_not_over(autojump_clock: MockClock) -> None:
    async with open_context() as (context, told, _):
        deadlines, questions = Deadlines(context), waiting(60.0, 20.0)
        deadlines.keep(questions)
        del questions[2]
        deadlines.keep(questions)
        await trio.sleep(100)
        assert told == [QuestionOver(question=1)]
