"""The `actorctl` command of this service: the runtime's command, told where our socket is and how we are started.

Speaks to nobody itself. It stays as light as `paths`, because people wait for it.
"""

import os
import sys

from actors.errors import ConfigurationError
from actors.paths import socket_path
from supervisor.control import actorctl

START_HINT = "Start it with: dispatchd run"


def main() -> int:
    """Run the command; returns its exit code."""
    try:
        return actorctl.main(default_socket=lambda: str(socket_path(os.environ)), start_hint=START_HINT)
    except ConfigurationError as error:
        sys.stderr.write(f"actorctl: {error}\n")
        return 2
