"""How long to wait before the next restart of a child.

Pure: the random number comes from the caller. The first restart is immediate; then the wait doubles up to a cap.
A child that stayed up long enough has earned a clean slate.
"""

import msgspec

from supervisor.errors import InvalidSpec


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Exponential delays with jitter, in seconds.

    The first restart waits nothing, the second `base`, then each `factor` times the one before, at most `cap`.
    Each is lengthened by up to `jitter` (a share, 0 to 1) of itself. After `reset` seconds up, counting starts anew.
    """

    base: float = 0.1
    factor: float = 2.0
    cap: float = 30.0
    jitter: float = 0.2
    reset: float = 60.0

    def __post_init__(self) -> None:
        if self.base < 0 or self.cap < self.base or self.factor < 1 or not 0 <= self.jitter <= 1 or self.reset <= 0:
            raise InvalidSpec(f"a backoff needs 0 <= base <= cap, factor >= 1, 0 <= jitter <= 1, reset > 0: {self}")

    def delay(self, attempt: int, random: float) -> float:
        """Seconds before restart number `attempt` (from 1), with `random` in [0, 1)."""
        if attempt <= 1 or self.base == 0:
            return 0.0
        # The exponent is bounded so that a child that crashes for months cannot overflow a float.
        plain = min(self.cap, self.base * self.factor ** min(attempt - 2, 64))
        return plain * (1 + self.jitter * random)

    def least(self, restarts: int) -> float:
        """The sum of the first `restarts` delays without jitter, seconds."""
        total = 0.0
        for attempt in range(1, restarts + 1):
            step = self.delay(attempt, 0.0)
            if step == self.cap:
                return total + step * (restarts - attempt + 1)
            total += step
        return total
