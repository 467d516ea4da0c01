"""How the model of a campaign thinks: its next word, from nothing but the conversation so far.

So it can be asked again at any point, after any kill, by the real pi or in place of it. Pure, and standard library
only: the scripted pi has no other. A message says `say-<number> <kind>`; kinds are in `KINDS`.
"""

import re
from collections.abc import Sequence
from typing import Any

SAID = re.compile(r"\bsay-(\d+) (\w+)")
DONE = re.compile(r"\bdone-(\d+)\b")
WORDS = 20
IDLE = "nothing waits"
"""The answer to one who wants the model to go on when it has answered everything."""

TOOLS: dict[str, tuple[str, ...]] = {
    "tool": ("echo did-{n}",),
    "tools": ("echo did-{n} once", "echo did-{n} twice"),
    "slow": ("sleep 0.7; echo did-{n}",),
    "daemon": ("setsid sleep 300 >/dev/null 2>&1 & echo did-{n}",),
}
"""What a message of this kind makes the model run, before it answers."""
KINDS = ("quick", "stream", "late", *TOOLS)


def reply(context: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The answer to these (role, text): `deltas`, seconds between them (`gap`) and before (`pause`), perhaps a `tool`.

    All that waits is answered at once, after the tools of all of it; what was answered before is not again, unless it
    is just what was said last. If nothing waits, the answer is `IDLE`.
    """
    own = "\n".join(text for role, text in context if role == "assistant")
    asked = [found for role, text in context if role == "user" for found in SAID.findall(text)]
    done = set(DONE.findall(own))
    open_ = [(n, kind) for n, kind in dict.fromkeys(asked) if n not in done]
    last = next((text for role, text in reversed(context) if role == "user"), "")
    open_ = open_ or SAID.findall(last)
    for number, kind in open_:
        for at, command in enumerate(TOOLS.get(kind, ())):
            if not re.search(rf"\brun-{number}-{at}\b", own):
                bash = {"name": "bash", "arguments": {"command": command.format(n=number)}}
                return {"deltas": [f"run-{number}-{at}"], "tool": bash, "gap": 0.0, "pause": 0.0}
    kinds = {kind for _, kind in open_}
    ending = " ".join(f"done-{number}" for number, _ in open_) or IDLE
    words = [f"word{at} " for at in range(WORDS)] if "stream" in kinds else []
    return {"deltas": [*words, ending], "gap": 0.03, "pause": 0.4 if "late" in kinds else 0.0}
