"""What the type checker must refuse, and what it must let pass: mypy runs on the examples below.

A line that ends in `# wrong` must be an error, and no other line may be one.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

EXAMPLES = '''
from functools import partial
from typing import Any, assert_type
from supervisor import (Actor, ChildSpec, Down, DynamicSupervisor, Mailbox, Message, Overflow, Promise, Ref, Reply,
                        Request, Supervisor, System, open_system)

class Add(Message):
    n: int

class Total(Request[int]):
    """How much."""

class Name(Request[str]):
    upper: bool = False

class Other(Message):
    """Not for the counter."""

class Unserved(Request[int]):
    """Not served by the counter."""

class Counter(Actor[Add | Total | Name | Down]):
    mailbox = Mailbox(64, Overflow.WAIT)
    def __init__(self, start: int = 0) -> None:
        self.total = start
        self.owed: list[Promise[int]] = []
    async def receive(self, message: Add | Total | Name | Down) -> Reply | Promise[Any] | None:
        match message:
            case Add(n=n):
                self.total += n
            case Total():
                if self.total < 0:
                    self.owed.append(self.later(message))
                    return self.owed[-1]
                message.reply("much")  # wrong
                return message.reply(self.total)
            case Name():
                self.later(message).set(3)  # wrong
                self.later(message).set("three")
                return message.reply("counter")
            case Down(path=path, restarting=restarting):
                assert_type(path, str)
                assert_type(restarting, bool)
        return None

class Adder(Actor[Add]):
    mailbox = Mailbox(1, Overflow.REJECT)
    async def receive(self, message: Total) -> Reply | None:  # wrong
        return None

async def main(system: System) -> None:
    counter = system.ref("/counter", Counter)
    await counter.tell(Add(n=1))
    await counter.tell(Add(1))  # wrong
    await counter.tell(Add(n="1"))  # wrong
    await counter.tell(Add())  # wrong
    await counter.tell(Other())  # wrong
    counter.tell_nowait(Add(n=1), urgent=True)
    counter.tell_nowait(Other())  # wrong
    assert_type(await counter.ask(Total(), timeout=5.0), int)
    assert_type(await counter.ask(Name(upper=True), timeout=5.0), str)
    wrong: str = await counter.ask(Total(), timeout=5.0)  # wrong
    await counter.ask(Unserved(), timeout=5.0)  # wrong
    await counter.ask(Add(n=1), timeout=5.0)  # wrong
    await counter.ask(Total())  # wrong
    Add(n=1).n = 2  # wrong
    narrow: Ref[Add] = counter
    await narrow.tell(Add(n=1))
    wide: Ref[Add | Other] = counter  # wrong
    worker = await system.start_child("/workers", ChildSpec("w", partial(Counter, 10)))
    await worker.tell(Add(n=1))
    await worker.tell(Other())  # wrong
    ChildSpec("x", 3)  # wrong

async def run() -> None:
    tree = Supervisor(ChildSpec("counter", Counter), ChildSpec("workers", DynamicSupervisor(max_children=9)))
    async with open_system(tree) as system:
        await main(system)
'''


def test_the_checker_refuses_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    examples = tmp_path / "examples.py"
    examples.write_text(EXAMPLES, encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"), str(examples)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = {int(line) for line in re.findall(r"examples\.py:(\d+): error", checked.stdout)}
    wrong = {number for number, line in enumerate(EXAMPLES.splitlines(), 1) if line.endswith("# wrong")}
    assert errors == wrong, checked.stdout + checked.stderr
