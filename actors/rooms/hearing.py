"""Which fact of the state machine a message of the agent, of a timer or of a helper is.

Pure: a message in, the steps that follow out. Wakes, pictures and the agent's end are the conversation's own business.
"""

from actors.messages import (
    AgentLost,
    AgentReady,
    AgentWaits,
    Compacted,
    ModelSet,
    PromptRefused,
    QuestionAsked,
    QuestionClosed,
    Recalled,
    SteerTaken,
    TurnSettled,
    TurnTooLong,
)
from actors.rooms.fetching import FilesHere
from actors.rooms.line import BurstQuiet
from actors.rooms.questions import QuestionOver
from actors.rooms.steps import Step
from actors.rooms.turns import Turns
from supervisor import Message


def hear(turns: Turns, message: Message) -> list[Step]:
    """What follows from a fact. Raises TypeError for a message that is none."""
    match message:
        case AgentReady():
            return turns.agent_ready(message)
        case AgentLost():
            return turns.agent_lost(message)
        case Recalled():
            return turns.recalled(message)
        case PromptRefused():
            return turns.refused(message)
        case TurnSettled():
            return turns.settled(message)
        case SteerTaken():
            return turns.steer_taken(message)
        case AgentWaits():
            return turns.waits(message)
        case QuestionAsked():
            return turns.asked(message)
        case QuestionClosed():
            return turns.question_closed(message)
        case Compacted():
            return turns.compacted(message)
        case ModelSet():
            return turns.model_set(message)
        case TurnTooLong(turn=turn):
            return turns.too_long(turn)
        case BurstQuiet(newest=newest):
            return turns.quiet(newest)
        case QuestionOver(question=question):
            return turns.questions.expired(question)
        case FilesHere(saved=saved, failed=failed):
            return turns.fetched(saved, failed)
        case _:
            raise TypeError(f"a conversation does not understand {type(message).__name__}")
