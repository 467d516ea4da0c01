"""The questions of a room's agent that wait for a person: asked, answered, expired, cancelled.

Pure; a part of `turns`. A dialog is good for one process of the agent. An answer that the agent was told counts only
when it has moved on: until then its command waits in the store, so that a crash does not lose it.
"""

from typing import NamedTuple

from actors import commands
from actors.messages import Question, QuestionState, Queued
from actors.rooms import words
from actors.rooms.steps import Answer, Close, GiveAnswer, Step
from supervisor import Message


class QuestionOver(Message):
    """A timer's message: the time of this question is up."""

    question: int


class Given(NamedTuple):
    """An answer that the agent was told, and in words for people. `question`: None if an earlier life has asked it."""

    command: Queued
    question: Question | None = None
    words: str = ""


class Questions:
    """`open`: those that the agent waits for now. `left`: those of a turn that was cut off, whose answer comes late."""

    def __init__(self) -> None:
        self.open: dict[int, Question] = {}
        self.left: dict[int, Question] = {}
        self._given: list[Given] = []
        self._unheard: dict[int, Given] = {}

    @property
    def asking(self) -> bool:
        """Whether the agent waits for a person."""
        return bool(self.open)

    @property
    def waiting(self) -> dict[int, Question]:
        """All that wait for a person."""
        return self.left | self.open

    def opened(self, question: Question) -> None:
        """It is shown to people."""
        self.open[question.id] = question

    def left_behind(self, questions: tuple[Question, ...]) -> None:
        """What the store says is open; the agent that waits for the answer of some may be gone."""
        self.left = {question.id: question for question in questions if question.id not in self.open}

    def answer(self, command: Queued) -> list[Step] | None:
        """Give the agent what the command `answer` says; None if it does not wait for that."""
        number, said = read(command)
        question = self.open.pop(number, None)
        if question is None:
            return None
        value, chosen = _value(question, said)
        self._given.append(Given(command, question, chosen))
        return [GiveAnswer(question.dialog, value)]

    def moved(self) -> list[Step]:
        """The agent has moved on: what it was told has arrived."""
        given, self._given = self._given, []
        return [_done(each) for each in given]

    def tell_late(self, command: Queued) -> None:
        """The agent is told by the note that makes it go on."""
        self._given.append(self._unheard.pop(command.id, Given(command)))

    def closed(self, dialog: str) -> list[Step]:
        """The agent waits for this dialog no more."""
        for question in self.open.values():
            if question.dialog == dialog:
                del self.open[question.id]
                return [_cancel(question)]
        return []

    def expired(self, number: int) -> list[Step]:
        """The question's time is up."""
        waited, left = self.open.pop(number, None), self.left.pop(number, None)
        question = waited or left
        if question is None:
            return []
        close = Close(question, QuestionState.EXPIRED, (words.expired(question),))
        return [close] if waited is None else [GiveAnswer(question.dialog, None), close]

    def dismiss(self) -> list[Step]:
        """Nobody is asked any more."""
        questions, self.open = self.open, {}
        steps: list[Step] = []
        for question in questions.values():
            steps += [GiveAnswer(question.dialog, None), _cancel(question)]
        return steps

    def leave(self) -> list[Step]:
        """The session that asked those of a turn that was cut off is left."""
        left, self.left = self.left, {}
        return [_cancel(question) for question in left.values()]

    def cut_off(self) -> set[int]:
        """The agent is gone, and with it its dialogs. Returns the commands whose answers it may not have heard."""
        self.left |= self.open
        self.open = {}
        self._unheard = {each.command.id: each for each in self._given}
        self._given = []
        return set(self._unheard)


def read(command: Queued) -> tuple[int, str]:
    """A command `answer`: the question's id (0 for none) and what is said to it."""
    number, _, said = commands.argument(command.text).partition(" ")
    return (int(number) if number.isdecimal() else 0), said


def _value(question: Question, said: str) -> tuple[str | bool, str]:
    """What the agent is told, and the same in words. An option is named by its own words, or by its index."""
    options = question.options
    if said not in options and said.isdecimal() and int(said) < len(options):
        said = options[int(said)]
    return (said == options[0] if question.method == "confirm" else said), said


def _done(given: Given) -> Answer:
    message = given.command.message_id
    receipts = () if message is None else (message,)
    if given.question is None:
        return Answer(given.command, receipts=receipts)
    return Answer(given.command, (words.answered(given.question, given.words),), receipts=receipts)


def _cancel(question: Question) -> Close:
    return Close(question, QuestionState.CANCELLED, (words.cancelled(question),))
