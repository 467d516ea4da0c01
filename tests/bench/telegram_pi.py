"""The pi of the load: a strict scripted pi that answers at the pace of a model, and notes when it heard and began.

A program of its own, started by the service in the place of pi; standard library only, so that a hundred start soon.
To `… load-7 500` it says 500 deltas, fifty a second; to anything else, two. What it notes is in the file `bench.log`
beside its session: `heard` and `began`, the message's name, monotonic seconds.
"""

import os
import re
import sys
import time
from collections.abc import Generator
from itertools import count

if __name__ == "__main__":  # started by path, from another folder and without site-packages
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.fakes import pi
from tests.fakes.pi_session import Record

PACE = 1 / 50  # seconds from one delta to the next
NAMED = re.compile(r"(?:load|warm)-\d+")
ASKED = re.compile(r"(load-\d+) (\d+)")
LOG = "bench.log"


def note(what: str, text: str) -> None:
    """Writes down that something has happened now."""
    now = time.monotonic()
    folder = sys.argv[sys.argv.index("--session-dir") + 1]
    for name in NAMED.findall(text)[-1:]:
        with open(os.path.join(folder, LOG), "a", encoding="utf-8") as log:
            log.write(f"{what} {name} {now}\n")


class LoadPi(pi.FakePi):
    """Answers at a pace."""

    def do_prompt(self, command_id: str | None, command: Record) -> None:
        """Notes when the prompt was read."""
        note("heard", command["message"])
        super().do_prompt(command_id, command)

    def next_reply(self) -> Record:
        """The message's name, some words, and `done-<name>`."""
        heard = self.session.context()[-1][1]
        asked = ASKED.findall(heard)
        name, deltas = asked[-1] if asked else ((NAMED.findall(heard) or ["nothing"])[-1], "2")
        return {"deltas": [f"{name} ", *["ab "] * (int(deltas) - 2), f"done-{name}"]}

    def assistant(self) -> Generator[float, None, Record]:
        """One delta for each step, each in its time."""
        steps = super().assistant()
        begun = time.monotonic()
        for number in count(1):
            try:
                next(steps)
            except StopIteration as end:
                answer: Record = end.value
                return answer
            if number == 1:
                note("began", self.session.context()[-1][1])
            yield max(0.0, begun + number * PACE - time.monotonic())
        raise AssertionError("it counts for ever")


if __name__ == "__main__":
    pi.FakePi = LoadPi  # type: ignore[misc]
    pi.main()
