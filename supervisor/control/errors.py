"""What can go wrong between `actorctl` and the service, on either side of the socket.

Standard library only: the command line imports it too.
"""

from supervisor.errors import RuntimeFault


class Refused(RuntimeFault):
    """The service said no, in one sentence.

    `kind`: for programs: `bad_request`, `unknown_verb`, `no_such_actor`, `refused`, `failed`, `too_late`, `too_large`,
    `not_allowed` or `internal`. `text`: for people.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class NoService(RuntimeFault):
    """Nobody listens on the socket."""

    def __init__(self, socket: str) -> None:
        super().__init__(f"no service runs on {socket}")
        self.socket = socket


class NoAnswer(RuntimeFault):
    """Somebody listens on the socket, but what came back is no answer."""

    def __init__(self, socket: str, why: str) -> None:
        super().__init__(f"the service on {socket} {why}")
        self.socket = socket


class SocketUnusable(RuntimeFault):
    """The service cannot listen on this socket. `why`: the reason and the mend, which must survive a cut at the end."""

    def __init__(self, socket: str, why: str) -> None:
        super().__init__(f"{why} ({socket})")
        self.socket = socket
