"""The time that the questions of a room's agent have: one timer for each that waits.

A part of the conversation, which is told `QuestionOver` when the time of one is up.
"""

import time
from collections.abc import Mapping

from actors.messages import Question
from actors.rooms.questions import QuestionOver
from supervisor import Context, Timer


class Deadlines:
    """One room's."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._timers: dict[int, Timer] = {}  # as many as there are questions that wait

    def keep(self, waiting: Mapping[int, Question]) -> None:
        """These questions wait, by their ids, and no others."""
        for number in self._timers.keys() - waiting.keys():
            self._timers.pop(number).cancel()
        for number in waiting.keys() - self._timers.keys():
            left = max(0.0, waiting[number].expires_at - time.time())
            self._timers[number] = self._context.send_after(left, QuestionOver(question=number))
