"""How often the kernel has killed a process for want of memory, on the whole machine since it began.

Used by `process` for what no cgroup of ours tells. It says that somebody was killed, not who; beside a process that has
just died of a SIGKILL which we did not send, it is the best that an ordinary user can know. Reads /proc, which blocks
no longer than a look at the clock.
"""

from pathlib import Path

_COUNTS = Path("/proc/vmstat")


def kills() -> int | None:
    """The kernel's count; None where it keeps none (before Linux 4.13, and where there is no /proc)."""
    try:
        text = _COUNTS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        word, _, number = line.partition(" ")
        if word == "oom_kill" and number.isdecimal():
            return int(number)
    return None
