"""What can go wrong between the service and a pi process, as types with fields.

Raised by `process` and `session`, caught by the agent. Each message is one sentence, with the mend if there is one.
"""


class PiError(Exception):
    """Base of all errors of this folder's protocol and process."""


class LaunchFailed(PiError):
    """The process could not be started. `what` is the path or the setting at fault, `why` the reason with its mend."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"cannot start {what}: {why}")
        self.what = what
        self.why = why


class ProcessGone(PiError):
    """The child no longer takes input: it has closed its stdin, has ended, or is being stopped by us."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} takes no more input: it has ended or is being stopped")
        self.pid = pid


class ProcessStuck(PiError):
    """The process outlived SIGKILL: the kernel holds it in a call that cannot be interrupted."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} has outlived SIGKILL; look at the disk or the network mount that it waits for")
        self.pid = pid


class TooManyPending(PiError):
    """As many commands as the session tracks (`limit`) are unanswered: pi has stopped answering."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} commands to pi are unanswered; stop this process and start another")
        self.limit = limit


class AgentEnded(PiError):
    """The process ended by itself. `how`: its exit code or signal; `stderr`: the end of what it said, redacted."""

    def __init__(self, how: str, stderr: str) -> None:
        # What killed it says nothing on its stderr: the last line there is of something else, long ago.
        last = "" if how.startswith("killed") else (stderr.strip().splitlines() or [""])[-1].strip()
        super().__init__(f"pi ended, {how}" + (f": {last}" if last else ""))
        self.how = how
        self.stderr = stderr


class AgentHung(PiError):
    """The process lives and does not do what it must. `what` it did not do, within `seconds`; 0: at all."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"pi {what} within {seconds:g} s" if seconds else f"pi {what}")
        self.what = what
        self.seconds = seconds


class Misconfigured(PiError):
    """pi runs, but not as it is configured to; the sentence names the key and the mend."""


class SessionUnfit(Misconfigured):
    """The room's session cannot be gone on with as it is: only another one, or a mend of its file, helps."""


class SessionUnsaved(PiError):
    """pi's session is not on the disk as pi has it in its memory: what pi adds now would not fit what is there."""

    def __init__(self, file: str) -> None:
        super().__init__(
            f"pi could not write its session ({file}): the disk is full or failing, or the file was removed; pi is "
            "started anew from what is there"
        )
        self.file = file
