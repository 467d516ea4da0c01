"""Agents that try to leave something behind, and a look at what they left.

Everything that they begin is a `sleep` for a number of seconds that no other test has: by it each is found, whatever
its environment, its parent, its session and its namespace.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from time import monotonic, sleep

from actors.pi.ladder import Rung, choose
from actors.pi.probe import probe
from tests.actors.pi.little_service import at_most

PATIENCE = 20.0

BEGIN = """
import os, subprocess, sys, time
def child(**more): subprocess.Popen(["/bin/sleep", "TOKEN"], **more)
def daemon(environ):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open("/dev/null", os.O_RDWR)
            for fd in range(3): os.dup2(null, fd)
            os.execve("/bin/sleep", ["sleep", "TOKEN"], environ)
        os._exit(0)
    os.wait()
def ready():
    print("ready", flush=True)
    time.sleep(600)
"""
EVERY_WAY = """
child()
child(start_new_session=True)
child(start_new_session=True, env={})
os.system("nohup sleep TOKEN >/dev/null 2>&1 &")
daemon(os.environ)
ready()
"""
CLEARED_AND_CUT_LOOSE = "daemon({}); ready()"
FORK_STORM = """
for _ in range(300):
    try:
        child(start_new_session=True)
    except OSError:
        break
ready()
"""
FORKS_FOR_EVER = """
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
            time.sleep(0.005)
        os._exit(0)
ready()
"""
DEAF = """
import signal
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
child()
ready()
"""


def has(rung: Rung) -> bool:
    """Whether this machine has it."""
    return choose(at_most(rung, probe())) is rung


RUNGS = [rung for rung in Rung if has(rung)]


class Agent:
    """A little service with one hostile agent, ready."""

    def __init__(self, process: "subprocess.Popen[str]", program: Path, token: str) -> None:
        self.process = process
        self.program = f"-S\0{program}"  # not the service, which has only been told of it
        self.token = token
        self.keeper = int(self.says("keeper"))
        self.pid = int(self.says("agent"))
        self.says("ready")

    def says(self, word: str) -> str:
        """Read until a line begins with the word; returns the rest of it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return line.removeprefix(word).strip()
        raise AssertionError(f"the service ended without saying {word}")

    def told(self, word: str) -> str:
        """Tell the service to kill or stop its agent; returns how that ended. The service lives on."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.says("ended")

    def leave(self) -> None:
        """Let the service end in order."""
        self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0

    def kill_service(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def agent(
    folder: Path, rung: Rung, program: str, *, wrapper: tuple[str, ...] = (), sandboxed: bool = False, **limits: int
) -> Iterator[Agent]:
    """A service in the folder whose agent runs the program; what of it still lives at the end is killed."""
    token = f"9{secrets.randbelow(10**8):08d}"
    file = folder / "agent.py"
    file.write_text((BEGIN + program).replace("TOKEN", token))
    argv = [*wrapper, sys.executable, "-m", "tests.actors.pi.little_service"]
    argv += [rung, str(folder / "state"), str(file), json.dumps(limits), *(["sandboxed"] if sandboxed else [])]
    if sandboxed:
        (folder / "state").mkdir(exist_ok=True)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Agent(process, file, token)
        finally:
            process.kill()
            for pid in (*alive(token), *alive(f"-S\0{file}")):
                with suppress(ProcessLookupError):
                    os.kill(pid, SIGKILL)


def alive(token: str) -> list[int]:
    """The processes that have the token in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if token.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def until(token: str, number: int) -> None:
    """Wait until as many processes with the token are alive."""
    deadline = monotonic() + PATIENCE
    while len(there := alive(token)) != number:
        assert monotonic() < deadline, f"alive: {there}"
        sleep(0.01)
