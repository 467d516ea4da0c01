"""What this machine gives to contain agents: looked at once, before the service starts.

Used by the entry point and by `dispatchd doctor`; decides nothing, `ladder` does. It blocks, for some 20 ms, and for
at most a few seconds where a program hangs.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from actors.pi import cgroup
from actors.pi.ladder import Probed, cgroup_of

TRIAL_DEADLINE: Final = 5.0
"""Seconds for a program that is tried."""
# What is mounted on the machine later is seen inside, too; what is mounted inside is not seen outside.
_NAMESPACE: Final = ("--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "slave", "--")
_TRIAL: Final = 'test $$ = 1 && test -e /proc/1/stat && "$@"; exit $?'


def probe() -> Probed:
    """Look at everything. Raises nothing: what cannot be looked at is not there."""
    own, no_cgroup = _own_cgroup()
    namespace, no_namespace = _namespace()
    return Probed(
        cgroup=own,
        controllers=frozenset() if own is None else cgroup.controllers(Path(own)),
        namespace=namespace,
        counts_processes=namespace is not None and "--user" in namespace and _runs(("prlimit", "--nproc=64", "true")),
        subreaper=sys.platform == "linux",
        no_cgroup=no_cgroup,
        no_namespace=no_namespace,
    )


def _own_cgroup() -> tuple[str | None, str]:
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        found = cgroup_of(mounts, Path("/proc/self/cgroup").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = None
    if found is None:
        return None, "this system has no cgroup v2"
    reason = cgroup.usable(Path(found))
    return (found, "") if reason is None else (None, reason)


def _namespace() -> tuple[tuple[str, ...] | None, str]:
    """Root needs no user namespace, and keeps its groups and setuid programs without one."""
    ways = [(), ("--user", "--map-current-user")]
    for way in ways if os.geteuid() == 0 else ways[1:]:
        namespace = ("unshare", *way, *_NAMESPACE)
        if _runs((*namespace, "/bin/sh", "-c", _TRIAL, "sh", "true")):
            return namespace, ""
    return None, "unshare (util-linux) is missing or user namespaces are forbidden here"


def _runs(argv: tuple[str, ...]) -> bool:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TRIAL_DEADLINE, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
