"""The real service with a hasty pi: `python -m tests.campaign.brisk run`. For campaigns whose provider fails often.

pi waits 2, 4 and 8 seconds between its tries of a model, and two minutes for one that says nothing. A campaign that
fails hundreds of times has not that much time, so here these are tenths of a second and a few seconds. Nothing else of
the service is different.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, Final

from actors import service

BASE_DELAY: Final = 0.1
"""Seconds until pi's first new try; doubled for each further one."""
RETRIES: Final = 3
SILENCE: Final = 1.5
"""Seconds that a provider may say nothing."""


def hasty(files: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
    """The files of the service's own pi folder, with other times in pi's settings."""

    def written(*arguments: Any, **named: Any) -> dict[str, str]:
        found = files(*arguments, **named)
        settings = json.loads(found["settings.json"])
        assert settings["retry"]["maxRetries"] == RETRIES
        settings["retry"]["baseDelayMs"] = round(BASE_DELAY * 1000)
        settings["httpIdleTimeoutMs"] = round(SILENCE * 1000)
        return found | {"settings.json": json.dumps(settings)}

    return written


def main() -> int:
    """Be the service."""
    service.agent_files = hasty(service.agent_files)  # type: ignore[attr-defined]
    return service.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
