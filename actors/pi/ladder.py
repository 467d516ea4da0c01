"""How agents are contained, as a pure decision: from what a probe found to a rung, its words and its command lines.

`cages` acts on it; `probe` finds the facts. Of three rungs the best that there is is taken: a cgroup for each agent, a
pid namespace for each agent, or marks in the environment with the service as the reaper of orphans.
"""

import re
from enum import StrEnum
from signal import Signals
from typing import Final

import msgspec

MORE_LIKELY: Final = 500
"""What an agent's oom_score_adj is: when the whole machine is out of memory, an agent goes before the service."""
MIB: Final = 1024 * 1024


class Rung(StrEnum):
    """A way to contain an agent, best first."""

    CGROUP = "cgroup"
    NAMESPACE = "namespace"
    MARKS = "marks"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent and all that it begins may use together; None is no limit. Kept where the kernel gives a way.

    `memory` in bytes (at least 1 MiB), `processes` in processes and threads (at least 1; pi alone has a dozen).
    Raises ValueError for less.
    """

    memory: int | None = None
    processes: int | None = None

    def __post_init__(self) -> None:
        if self.memory is not None and self.memory < MIB:
            raise ValueError(f"a memory limit of {self.memory} bytes is below 1 MiB")
        if self.processes is not None and self.processes < 1:
            raise ValueError(f"a limit of {self.processes} processes lets nothing start")


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine gives.

    `cgroup`: the service's own cgroup folder, if groups can be made in it. `controllers`: of it, those that set limits.
    `namespace`: the command that runs another one in a pid namespace. `counts_processes`: a namespace has a count of
    processes of its own. `subreaper`: orphans can come to the service. `no_cgroup` and `no_namespace`: why not.
    """

    cgroup: str | None = None
    controllers: frozenset[str] = frozenset()
    namespace: tuple[str, ...] | None = None
    counts_processes: bool = False
    subreaper: bool = False
    no_cgroup: str = "not looked for"
    no_namespace: str = "not looked for"


def choose(probed: Probed) -> Rung:
    """The best rung that there is."""
    if probed.cgroup is not None:
        return Rung.CGROUP
    return Rung.MARKS if probed.namespace is None else Rung.NAMESPACE


def describe(probed: Probed) -> str:
    """The chosen rung, what it does not catch, what limits it keeps, and why there is no better one."""
    rung = choose(probed)
    words = [f"{_HOLDS[rung]} {_MISSES[rung]}"]
    if rung is Rung.MARKS and not probed.subreaper:
        words[0] = f"{_HOLDS[rung]} {_MISSES_ALONE}"
    words.append(_limits(probed, rung))
    if rung is not Rung.CGROUP:
        words.append(f"No cgroup: {probed.no_cgroup}.")
    if rung is Rung.MARKS:
        words.append(f"No pid namespace: {probed.no_namespace}.")
    return " ".join(words)


def summary(probed: Probed) -> str:
    """The rung, what it does not catch and what limits it keeps, in a line for the tree."""
    rung = choose(probed)
    limits = " and ".join(_kept(probed, rung)) or "none"
    return f"{_SHORT[rung]}; limits: {limits}"


def unkept(probed: Probed, limits: Limits) -> str:
    """A sentence about those of the limits that are wanted and cannot be kept here; empty if all can."""
    wanted = {"memory": limits.memory, "processes": limits.processes}
    kept = _kept(probed, choose(probed))
    lacking = [name for name, value in wanted.items() if value is not None and name not in kept]
    if not lacking:
        return ""
    keys = " and ".join(f"{name}_max" for name in lacking)
    return (
        f"{keys} under [pi] cannot be kept here: that takes a cgroup with its controllers (Delegate=yes in the unit)."
    )


_SHORT: Final = {
    Rung.CGROUP: "a cgroup for each agent; not caught: what leaves it, what other services start",
    Rung.NAMESPACE: "a pid namespace for each agent; not caught: what other services start",
    Rung.MARKS: "marks in the environment only; not caught: what clears it, what other services start",
}
_HOLDS: Final = {
    Rung.CGROUP: "Each agent runs in a cgroup of its own, and all that is in it ends with it.",
    Rung.NAMESPACE: "Each agent runs in a pid namespace of its own, and all that is in it ends with it.",
    Rung.MARKS: "Agents' processes are found by a mark in their environment and by their parents.",
}
_MISSES: Final = {
    Rung.CGROUP: (
        "Not caught: a program that moves itself to another cgroup of this user and clears its environment, and what "
        "it has other services start (docker, systemd-run, cron, at)."
    ),
    Rung.NAMESPACE: "Not caught: what an agent has other services start (docker, systemd-run, cron, at).",
    Rung.MARKS: (
        "Not kept against a hostile agent: a program that clears its environment and leaves its parents lives until no "
        "agent runs, and outlives a service that is killed; what other services start (docker, systemd-run, cron, at) "
        "is not caught at all."
    ),
}
_MISSES_ALONE: Final = (
    "Not kept against a hostile agent: a program that clears its environment and leaves its parents escapes, and so "
    "does what other services start (docker, systemd-run, cron, at)."
)


def _kept(probed: Probed, rung: Rung) -> list[str]:
    if rung is Rung.CGROUP:
        return [name for name, controller in _CONTROLLERS.items() if controller in probed.controllers]
    return ["processes"] if rung is Rung.NAMESPACE and probed.counts_processes else []


def _limits(probed: Probed, rung: Rung) -> str:
    kept = _kept(probed, rung)
    return f"Limits for each agent: {' and '.join(kept)}." if kept else "Limits for each agent: none can be set here."


_CONTROLLERS: Final = {"memory": "memory", "processes": "pids"}


def command(probed: Probed, argv: tuple[str, ...], *, cgroup: str | None = None, limits: Limits) -> tuple[str, ...]:
    """What is run in the place of `argv`, so that it is contained before its first instruction.

    `cgroup`: on that rung, the agent's folder. Where it cannot be entered, the command ends with a word on stderr.
    """
    match choose(probed):
        case Rung.CGROUP:
            # 0 is whoever writes it. A shell that cannot open the file says so and does not go on.
            return ("/bin/sh", "-c", f'{_PRELUDE}; echo 0 >"$0/cgroup.procs" && exec "$@"', str(cgroup), *argv)
        case Rung.NAMESPACE:
            counted = probed.counts_processes and limits.processes is not None
            limited = ("prlimit", f"--nproc={limits.processes}") if counted else ()
            return (*(probed.namespace or ()), *limited, "/bin/sh", "-c", _FIRST, "sh", *argv)
        case Rung.MARKS:
            return ("/bin/sh", "-c", f'{_PRELUDE}; exec "$@"', "sh", *argv)


# The shell sets PWD by itself; the agent's environment is what its spec says.
_PRELUDE: Final = f"unset PWD; {{ echo {MORE_LIKELY} >/proc/self/oom_score_adj; }} 2>/dev/null"
# The first process of a namespace buries the orphans, and a signal that it has no handler for does not reach it: so it
# is a shell, and not the agent. The shell's own words ("Killed") are none of the agent's.
_FIRST: Final = f'{_PRELUDE}; exec 3>&2 2>/dev/null; (exec "$@" 2>&3 3>&-); exit $?'


def ended(returncode: int, *, told: bool) -> tuple[int | None, int | None]:
    """The exit code or the signal by which the agent ended; `returncode` is what was seen, negative for a signal.

    `told`: by another process, such as the first one of a namespace, which tells a death by signal n as 128 + n. An
    agent that handles SIGHUP, SIGINT or SIGTERM and exits tells it likewise, so these stay exit codes.
    """
    if returncode < 0:
        return None, -returncode
    number = returncode - 128
    if told and number in _DEADLY:
        return None, number
    return returncode, None


_DEADLY: Final = frozenset(Signals) - {Signals.SIGHUP, Signals.SIGINT, Signals.SIGTERM}


def folder_name(name: str, mark: str) -> str:
    """The name of an agent's cgroup: readable, safe as a file name, and of this launch alone."""
    return f"{re.sub('[^A-Za-z0-9_-]', '_', name)[:64]}-{mark.rpartition('-')[2][:8]}"


def cgroup_of(mountinfo: str, own: str) -> str | None:
    """The service's own cgroup v2 folder, from /proc/self/mountinfo and /proc/self/cgroup; None if it has none."""
    paths = [line.removeprefix("0::") for line in own.splitlines() if line.startswith("0::/")]
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 ") and paths:
            root, place = before.split()[3:5]
            if root == "/":
                return f"{place}{paths[0]}".rstrip("/")
            if paths[0] == root or paths[0].startswith(f"{root}/"):
                return f"{place}{paths[0].removeprefix(root)}"
    return None


def oom_kills(events: str) -> int:
    """How many processes the kernel has killed in a cgroup for want of memory, from its memory.events."""
    for line in events.splitlines():
        word, _, number = line.partition(" ")
        if word == "oom_kill" and number.isdecimal():
            return int(number)
    return 0
