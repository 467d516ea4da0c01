"""The runtime stands alone: a wheel with nothing but `supervisor/` in it, in an empty environment, runs a tree."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "supervisor-alone"
version = "0"
dependencies = ["trio", "msgspec", "outcome"]

[tool.hatch.build.targets.wheel]
packages = ["supervisor"]
"""

LENT = ["trio", "outcome", "attr", "attrs", "sortedcontainers", "idna", "sniffio", "msgspec"]
"""What the runtime depends on, and its dependencies: linked into the empty environment in place of a download."""

EXAMPLE = '''
import sys
from functools import partial
from typing import Any

import trio

from supervisor import (
    Actor, ChildSpec, DynamicSupervisor, Intensity, Mailbox, Message, Overflow, Promise, Reply, Request, Strategy,
    Supervisor, open_system,
)


class Add(Message):
    n: int


class Total(Request[int]):
    """How much has been added."""


class Counter(Actor[Add | Total]):
    """Adds up what it is told."""

    mailbox = Mailbox(64, Overflow.WAIT)

    def __init__(self, start: int = 0) -> None:
        self.total = start

    async def receive(self, message: Add | Total) -> Reply | Promise[Any] | None:
        match message:
            case Add(n=n):
                self.total += n
                return None
            case Total():
                return message.reply(self.total)


tree = Supervisor(
    ChildSpec("counter", partial(Counter, 10)),
    ChildSpec("workers", DynamicSupervisor(max_children=1000)),
    strategy=Strategy.REST_FOR_ONE, intensity=Intensity(3, within=5.0),
)


async def main() -> None:
    async with open_system(tree) as system:
        counter = system.ref("/counter", Counter)
        await counter.tell(Add(n=1))
        counter.tell_nowait(Add(n=1))
        assert await counter.ask(Total(), timeout=5.0) == 12
    assert "actors" not in sys.modules


trio.run(main)
print("it stands")
'''


@pytest.mark.timeout(60)
def test_a_wheel_of_the_runtime_alone_runs_a_tree_in_an_empty_environment(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "supervisor", source / "supervisor", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "pyproject.toml").write_text(PROJECT)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=source)
    [wheel] = tmp_path.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin/python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    shutil.unpack_archive(wheel, site, "zip")
    for package in LENT:
        (site / package).symlink_to(Path(sysconfig.get_path("platlib")) / package)
    assert run(python, "-c", EXAMPLE, cwd=tmp_path) == "it stands\n"
    where = run(python, "-c", "import supervisor; print(supervisor.__file__)", cwd=tmp_path)
    assert where.startswith(str(site))
    missing = "import importlib.util; print(importlib.util.find_spec('actors'))"
    assert run(python, "-c", missing, cwd=tmp_path) == "None\n"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
