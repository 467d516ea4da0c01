"""One question to a running service, and its answer. Blocking, for the command line and for tests in a thread.

Standard library only: a command that answers at once cannot wait for trio to be imported.
"""

import socket
import time
from collections.abc import Mapping

from supervisor.control import wire
from supervisor.control.errors import NoAnswer, NoService, Refused


def call(path: str, verb: str, args: Mapping[str, object], *, timeout: float = 5.0) -> object:
    """Ask the service on the socket `path`, and return the JSON of its answer; at most `timeout` seconds in all.

    Raises `Refused` (the service's no, with its reason), `NoService`, or `NoAnswer` (it hangs, or is another program).
    """
    request = wire.request_line(verb, args)
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(path)
            connection.sendall(request)
            line = _read_line(connection, deadline)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise NoService(path) from None
        except PermissionError:
            raise Refused(
                "not_allowed", f"{path} belongs to another user; run this as the user of the service"
            ) from None
        except BlockingIOError:
            raise NoAnswer(path, "has more connections than it takes; try again") from None
        except TimeoutError:
            raise NoAnswer(path, f"gave no answer within {timeout:g} s") from None
        except OSError as error:  # it went away, or the path is none that a socket can have
            raise NoAnswer(path, f"cannot be reached: {error.strerror or error}") from None
    if not line:
        raise NoAnswer(path, "went away without an answer")
    try:
        return wire.parse_response(line)
    except wire.MalformedResponse as error:
        raise NoAnswer(path, f"gave an answer that is {error}") from None


def _read_line(connection: socket.socket, deadline: float) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n") and len(received) <= wire.MAX_RESPONSE:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        chunk = connection.recv(1 << 18)
        if not chunk:
            break
        received += chunk
    return bytes(received)
