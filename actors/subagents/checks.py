"""Whether an agent that is ready uses the model that was asked for.

Pure; a part of `life`.
"""

import difflib

from actors.messages import AgentReady
from actors.phrases import short

__all__ = ["model_trouble"]


def model_trouble(wanted: str | None, ready: AgentReady) -> str | None:
    """Why an agent that is ready does not use the model that was asked for; None if it does.

    An agent names a model of the configured provider by its id and another one by `provider/id`; whoever asks may
    write either.
    """
    if wanted is None:
        return None
    used = ready.model.id if ready.model is not None else ""
    if used == wanted or (used and (used.endswith(f"/{wanted}") or wanted.endswith(f"/{used}"))):
        return None
    offered = [model.id for model in ready.models]
    near = difflib.get_close_matches(wanted, offered, n=3, cutoff=0.5) or offered[:5]
    name = short(wanted, 100)
    if wanted in offered:
        return f"The model {name} could not be used."
    there = f"; there are: {', '.join(near)}" if near else ""
    return f"There is no model {name}{there}."
