"""The pi of a campaign: the strict scripted pi, which thinks for itself as the campaign's model does.

A program of its own, started by the service in the place of pi; standard library only.
"""

import os
import sys
from collections.abc import Generator

if __name__ == "__main__":  # started by path, from another folder and without site-packages
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.campaign import mind
from tests.fakes import pi
from tests.fakes.pi_session import Record


class ThinkingPi(pi.FakePi):
    """Answers what the conversation asks for."""

    def next_reply(self) -> Record:
        """The mind's."""
        self.thought = mind.reply(self.session.context())
        return self.thought

    def assistant(self) -> Generator[float, None, Record]:
        """One delta after the other, each in its time."""
        steps = super().assistant()
        while True:
            try:
                least = next(steps)
            except StopIteration as end:
                answer: Record = end.value
                return answer
            yield max(least, self.thought["gap"]) if not self.aborting else 0.0


if __name__ == "__main__":
    pi.FakePi = ThinkingPi  # type: ignore[misc]
    pi.main()
