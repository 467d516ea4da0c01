"""Which fact of a sub-agent's life a message of its agent, of a timer or of a helper is.

A message in, the steps that follow out. Wakes, pictures and questions are the worker's own business.
"""

from actors.messages import (
    AgentLost,
    AgentReady,
    PromptRefused,
    Recalled,
    TurnSettled,
    TurnTooLong,
)
from actors.subagents.ground import Made
from actors.subagents.homes import HomeMade, WorkKept
from actors.subagents.life import Life
from actors.subagents.steps import Step
from supervisor import Down, Message


class AgentEnded(Message):
    """A helper of the worker: the agent is no more, and none follows."""


def hear(life: Life, message: Message) -> list[Step]:
    """What follows from a fact; nothing from what only a room's people could do something with."""
    match message:
        case AgentReady():
            return life.agent_ready(message)
        case AgentLost():
            life.agent_lost(message)
        case Down(incarnation=incarnation, reason=reason):
            return life.agent_down(incarnation, reason)
        case Recalled():
            return life.recalled(message)
        case PromptRefused():
            return life.refused(message)
        case TurnSettled():
            return life.settled(message)
        case TurnTooLong(turn=turn):
            return life.too_long(turn)
        case HomeMade(made=Made(kind, left_out)):
            return life.prepared(kind, left_out)
        case HomeMade(error=error, gone=gone):
            return life.gone() if gone else life.impossible(error)
        case AgentEnded():
            return life.agent_ended()
        case WorkKept(changes=changes, error=error):
            return life.collected(changes, error)
        case _:
            pass
    return []
