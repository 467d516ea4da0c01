"""How the model of the isolation campaign thinks: as in any campaign, but some messages make it do what is bad.

It too follows from nothing but the conversation so far. A message says `say-<number> <kind>`; what the tools are, and
what bounds them, is in `bad_tool`.
"""

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.campaign import bad_tool, mind
from tests.campaign.bad_service import HEARD

HANG: Final = "hang"
"""An answer that begins and never goes on."""
TRIP: Final = "trip"
"""An answer with the word in it that a conversation cannot hear."""
TOOLS: Final = ("storm", "daemons", "memory", "fill", "delete")
BEGUN: Final = "I think"


def thinking(mark: int, seconds: float) -> Callable[[Sequence[Sequence[str]]], dict[str, Any]]:
    """The mind. `mark` and `seconds` are what the tools get: how they are found, and after how long they end."""

    def reply(context: Sequence[Sequence[str]]) -> dict[str, Any]:
        asked = [found for role, text in context if role == "user" for found in mind.SAID.findall(text)]
        number, kind = asked[-1] if asked else ("0", "quick")
        own = "\n".join(text for role, text in context if role == "assistant")
        if kind == HANG:
            return {"deltas": [BEGUN], "hold": True}
        if kind == TRIP:
            return {"deltas": [f"{HEARD} done-{number}"]}
        if kind in TOOLS and f"run-{number}-0" not in own:
            bash = {"name": "bash", "arguments": {"command": command(kind, mark, seconds)}}
            return {"deltas": [f"run-{number}-0"], "tool": bash}
        return mind.reply(context)

    return reply


def command(tool: str, mark: int, seconds: float) -> str:
    """What the agent runs in its shell."""
    program = str(Path(bad_tool.__file__).absolute())
    return shlex.join([sys.executable, "-S", "-E", program, tool, str(mark), f"{seconds:g}"])
