"""When a kill campaign kills: drawn from the seed, so that a run can be replayed.

Pure. A third of the kills come at any time, some while the service starts, and most right after something that a
person or a model would see of it: there the instants lie that are rare by chance. Every fifth lets the first answer
after the start pass before: that is measured.
"""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

SEAMS: Final = (
    "getUpdates",
    "sendMessage",
    "final",
    "sendMessageDraft",
    "editMessageText",
    "setMessageReaction",
    "deleteMessage",
    "model",
)
"""What is waited for: the n-th call of this method after the start, or answer that is sent, or request to the model."""
LONGEST: Final = 2.0
"""Seconds after the first poll at which a kill comes that waits for a seam in vain."""


class Kill(NamedTuple):
    """One kill. `delay`: seconds after the `nth` sight of `seam`; without one, after the first poll of the service.

    `seam`: one of `SEAMS`, or "start", or "answer": the first to a message that was waiting. `agent`: seconds after the
    first poll at which one agent is killed before, and `which` of them; None for none. `fault`: what happens to the
    messages that are sent meanwhile: "" or the name of a fault of the fake Telegram.
    """

    delay: float
    seam: str = ""
    nth: int = 1
    agent: float | None = None
    which: float = 0.0
    fault: str = ""


def plan(seed: object, kills: int, *, seams: Sequence[str] = SEAMS, agents: float = 0.15) -> list[Kill]:
    """The kills of a campaign. `seams`: those there are; `agents`: how often an agent is killed beside."""
    chance = random.Random(f"{seed}/kills")
    return [_drawn(chance, number, seams, agents) for number in range(kills)]


def _drawn(chance: random.Random, number: int, seams: Sequence[str], agents: float) -> Kill:
    agent = chance.uniform(0.0, 1.5) if chance.random() < agents else None
    kill = Kill(0.0, agent=agent, which=chance.random())
    how = chance.random()
    if number % 5 == 4:
        return kill._replace(seam="answer", delay=chance.uniform(0.0, 0.5))
    if how < 0.1:
        return kill._replace(seam="start", delay=chance.uniform(0.0, 0.6))
    if how < 0.45:
        return kill._replace(delay=chance.uniform(0.0, LONGEST))
    seam = chance.choice(seams)
    delay = chance.choice((0.0, chance.uniform(0.0, 0.005), chance.uniform(0.0, 0.05)))
    sending = seam in {"sendMessage", "final"}
    fault = chance.choice(("", "", "HANG_BEFORE", "SLOW")) if sending else ""
    return kill._replace(seam=seam, delay=delay, nth=chance.randint(1, 4), fault=fault)
