"""What a bad room's agent runs by its bash tool: `python bad_tool.py KIND MARK SECONDS`. Standard library only.

All of it is bounded: by a number of processes, by bytes, and by the seconds after which every process ends by itself.
MARK is a whole number that stands in the command line of each process, so that it can be found.
"""

import errno
import os
import shutil
import sys
import time

CHAINS = 200
"""Processes of the storm that are alive at a time."""
LINK = 0.2
"""Seconds that each of them lives before its successor takes over."""
MEMORY = 1 << 30
STEP = 1 << 24
DISK = 1 << 28
"""Bytes that are written at most, should the disk turn out to be no small one."""
DAEMONS_LIVE = 120
"""Seconds, if nobody ends them: longer than the room that they are of."""


def storm(seconds: float) -> None:
    """Processes that fork and end, so that whoever looks for one finds its successor."""
    until = time.monotonic() + seconds
    for _ in range(CHAINS):
        if os.fork() == 0:
            chain(until)
    sys.stdout.write(f"{CHAINS} chains\n")
    sys.stdout.flush()
    time.sleep(seconds)


def chain(until: float) -> None:
    """One process at a time, each the child of the one before."""
    while time.monotonic() < until:
        time.sleep(LINK)
        if os.fork() != 0:
            os._exit(0)
    os._exit(0)


def daemons(mark: str) -> None:
    """One in the background, one in a session of its own, one that has left its parents, one without environment."""
    sleep = ["sleep", f"{DAEMONS_LIVE}.{mark}"]
    for session, orphan, environ in (
        (False, False, os.environ),
        (True, False, os.environ),
        (True, True, os.environ),
        (True, True, {"PATH": os.environ["PATH"]}),
    ):
        if os.fork() == 0:
            if session:
                os.setsid()
            if orphan and os.fork() != 0:
                os._exit(0)
            os.chdir("/")
            for fd in range(3):
                os.dup2(os.open(os.devnull, os.O_RDWR), fd)
            os.execvpe("sleep", sleep, environ)
    sys.stdout.write("4 daemons\n")


def memory(seconds: float) -> None:
    """A gibibyte, each page of it written to, held until the time is over."""
    until = time.monotonic() + seconds
    held: list[bytes] = []
    while len(held) * STEP < MEMORY and time.monotonic() < until:
        held.append(b"x" * STEP)
    sys.stdout.write(f"{len(held) * STEP >> 20} MiB\n")
    sys.stdout.flush()
    time.sleep(max(0.0, until - time.monotonic()))


def fill() -> None:
    """The disk that the workspace is on, until it is full."""
    try:
        with open("filler", "ab") as file:
            while file.tell() < DISK:
                file.write(b"x" * (1 << 20))
                file.flush()
    except OSError as error:
        sys.stdout.write(f"{errno.errorcode[error.errno or 0]}\n")


def main() -> None:
    """Does the one thing."""
    kind, mark, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    match kind:
        case "storm":
            storm(seconds)
        case "daemons":
            daemons(mark)
        case "memory":
            memory(seconds)
        case "fill":
            fill()
        case "delete":
            shutil.rmtree(os.getcwd())
        case _:
            sys.exit(f"there is no {kind}")


if __name__ == "__main__":
    main()
