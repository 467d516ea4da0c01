"""A small process that outlives a killed service by some milliseconds, to end what that service's agents began.

Started by `cages`, one for each service. Its standard input is a pipe whose other end only the service holds: when that
ends, however it ends, so does the pipe. It imports neither trio nor anything else that is large.

Not PR_SET_PDEATHSIG: the kernel takes the THREAD that started a process for its parent, and trio starts processes in
threads that end when they are idle.
"""

import signal
import sys
from pathlib import Path

from actors.pi import containment


def main(arguments: list[str]) -> None:
    """Wait for the end of the input, then end all that carries the mark, and what is in the folder of cgroups."""
    mark, *folders = arguments
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # meant for the service, after whose end there is still work
    while sys.stdin.buffer.read(1):
        pass
    containment.kill_marked(mark)
    if folders:
        from actors.pi import cgroup  # noqa: PLC0415 - with msgspec: a quarter of the memory, for most never needed

        for folder in folders:
            cgroup.end(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
