"""The pi of a room that has a bad one: the scripted pi, which does the same bad thing every time.

A program of its own, started in the place of Node by what `node_program` writes; the room's slug says what it does.
Standard library only.
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Generator

if __name__ == "__main__":  # started by path, from another folder and without site-packages
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tests.campaign import mind
from tests.fakes import pi
from tests.fakes.pi_session import Record
from tests.fakes.pi_wire import emit_raw

PREFIX = "scripted-"
"""The slugs of rooms that get this pi begin so."""
MB = 1_000_000
HUGE = 64 * MB
DELTAS = 40_000
SCRIPTS: dict[str, Record] = {
    "crash-loop": {"deltas": ["I am about to"], "crash": 11},
    "crash-at-start": {"refuse": "Error: this pi does not start"},
    "hang-at-start": {"hang": True, "stubborn": True},
    "hang-in-turn": {"deltas": ["I think"], "hold": True, "stubborn": True, "deaf": True},
    "ignores-abort": {"deltas": ["I go on"], "hold": True, "deaf": True},
    "garbage": {"deltas": ["in all that noise:"]},
    "long-line": {"deltas": ["after a long line:"], "huge": HUGE},
    "flood": {"deltas": ["a flood:"], "flood": DELTAS},
}
"""By the rest of the slug: a reply that it always gives, and what it does instead of answering."""
_OF_THE_PROCESS = ("refuse", "hang", "deaf", "stubborn")


class BadPi(pi.FakePi):
    """Says the same thing for ever."""

    kind = ""

    def next_reply(self) -> Record:
        """The reply of its kind; one that comes to its end answers the last message that has a number."""
        script = SCRIPTS[self.kind]
        asked = [number for _, text in self.session.context() for number, _ in mind.SAID.findall(text)]
        whole = [] if script.get("crash") or script.get("hold") else [f" done-{asked[-1] if asked else 0}"]
        self.replies = [script | {"deltas": [*script["deltas"], *whole]}]
        return super().next_reply()

    def assistant(self) -> Generator[float, None, Record]:
        """The answer, in some kinds with something before it."""
        if self.kind == "garbage":
            for line in garbage():
                emit_raw(line + b"\n")
                if time.monotonic() % 1 < 0.01:
                    yield 0.0  # an abort may be waiting
        return (yield from super().assistant())


def garbage() -> Generator[bytes]:
    """Lines that are no records of pi's: bytes, JSON of other forms, half of it, and far too deep."""
    for number in range(2000):
        yield (
            os.urandom(300).replace(b"\n", b""),
            b"null",
            b"",
            b'{"type":',
            b"\0" * 50,
            b"[" * 5000,
            b'{"type":"response","id":"c99999","success":true}',
            b'{"type":"message_end","message":{"role":7,"content":"\\ud800"}}',
            b'{"type":"agent_settled_not","x":[1,2,3]}',
            "\u2028 {} \u2029".encode(),
        )[number % 10]


def node_program(node: str) -> str:
    """A shell program that starts this file for a bad room's agent, and `node`, the real one, for all others."""
    own = shlex.join([sys.executable, "-S", "-E", os.path.abspath(__file__)])
    return (
        "#!/bin/sh\n"
        f'case "$*" in\n*"/sessions/{PREFIX}"*) shift; exec {own} "$@";;\n'
        f'*) exec {shlex.quote(node)} "$@";;\nesac\n'
    )


def main() -> None:
    """Starts as the kind does."""
    slug = os.path.basename(sys.argv[sys.argv.index("--session-dir") + 1])
    BadPi.kind = slug.removeprefix(PREFIX)
    script = SCRIPTS[BadPi.kind]
    os.environ["FAKE_PI"] = json.dumps({name: script[name] for name in _OF_THE_PROCESS if name in script})
    pi.FakePi = BadPi  # type: ignore[misc]
    pi.main()


if __name__ == "__main__":
    main()
