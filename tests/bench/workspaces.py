"""How long a sub-agent's workspace takes: made, its result kept, merged and removed, beside `git clone --shared` alone.

Real git, on the disk where temporary files are. A part of `python -m tests.bench.telegram`.
"""

import os
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import trio

from actors.subagents import results, workspace
from actors.subagents.workspace import Folder
from tests.bench.telegram_table import Line, milliseconds

FILES: Final = 10_000
PLAIN: Final = 2_000
CHANGED: Final = 50
"""Files that are changed and not committed, and as many that are new."""
ROUNDS: Final = 3
GOAL: Final = 1.0


async def measure(files: int = FILES, plain: int = PLAIN, rounds: int = ROUNDS) -> list[Line]:
    """The lines of the table."""
    with tempfile.TemporaryDirectory(prefix="dispatchd-bench-") as name:
        place = Path(name)
        shop, bare = place / "shop", place / "plain"
        await trio.to_thread.run_sync(partial(_fill, shop, bare, files, plain))
        seconds: dict[str, list[float]] = {"clone": [], "ours": [], "kept": [], "merged": [], "gone": [], "copy": []}
        for number in range(rounds):
            begin = perf_counter()
            await trio.to_thread.run_sync(partial(git, place, "clone", "-q", "--shared", "shop", f"clone{number}"))
            seconds["clone"].append(perf_counter() - begin)
            await workspace.remove(place / f"clone{number}")
            await _one(place, shop, f"kid{number}", seconds)
            folder = Folder.of(place, f"copy{number}")
            begin = perf_counter()
            await workspace.prepare(str(bare), folder, slug="copy", isolation="copy", told=_nobody)
            seconds["copy"].append(perf_counter() - begin)
            await workspace.remove(folder.root)
    middle = {name: median(values) for name, values in seconds.items()}
    # Where making files is slow, git is as slow; the goal is for a disk on which git needs a quarter of a second.
    good = middle["ours"] <= GOAL
    return [
        Line(f"workspace of {files:,} files in git", milliseconds(middle["ours"]), f"{GOAL:g} s", good),
        Line("git clone --shared alone", milliseconds(middle["clone"])),
        Line("what it changed, kept", milliseconds(middle["kept"])),
        Line("merged into the parent's", milliseconds(middle["merged"])),
        Line("its folder removed", milliseconds(middle["gone"])),
        Line(f"copy of {plain:,} files without git", milliseconds(middle["copy"])),
    ]


async def _one(place: Path, shop: Path, slug: str, seconds: dict[str, list[float]]) -> None:
    folder = Folder.of(place, slug)
    begin = perf_counter()
    await workspace.prepare(str(shop), folder, slug=slug, isolation="copy", told=_nobody)
    seconds["ours"].append(perf_counter() - begin)
    (folder.work / f"by-{slug}").write_text("new\n")
    begin = perf_counter()
    changes = await results.collect(folder, place / "results", slug=slug)
    seconds["kept"].append(perf_counter() - begin)
    assert changes is not None
    begin = perf_counter()
    await results.apply(changes, str(shop))
    seconds["merged"].append(perf_counter() - begin)
    begin = perf_counter()
    await workspace.remove(folder.root)
    seconds["gone"].append(perf_counter() - begin)


def _fill(shop: Path, bare: Path, files: int, plain: int) -> None:
    fill(shop, files)
    _write(bare, plain)


def fill(shop: Path, files: int) -> None:
    """Make a git workspace of so many files, a few of them changed and a few more added since its only commit."""
    _write(shop, files)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "begin"], ["gc", "-q"]):
        git(shop, *command)
    for number in range(min(CHANGED, files)):
        (shop / f"part{number % 100}/file{number}.txt").write_text("changed\n")
        (shop / f"new{number}.txt").write_text("new\n")


def _write(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"part{number % 100}/file{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"line of file {number}\n" * 40)


def git(folder: Path, *arguments: str) -> None:
    """Have git do that there, with nobody's configuration."""
    person = {f"GIT_{who}_{what}": "bench@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(
        ["git", "-c", "gc.auto=0", *arguments],
        cwd=folder,
        env={**os.environ, **person, **alone},
        check=True,
        timeout=120,
    )


def _nobody(text: str) -> None:
    """Nobody listens."""
