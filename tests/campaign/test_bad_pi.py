"""Each bad pi does its one bad thing, every time; and whoever is not to have one gets the real Node."""

import subprocess
import sys
from pathlib import Path
from signal import SIGSEGV

import pytest
import trio

from actors.pi.commands import Abort, Prompt
from actors.pi.outputs import Ignored, Settled, TextGrew
from actors.pi.process import Exited, LaunchSpec, launch
from tests.campaign.bad_pi import DELTAS, HUGE, PREFIX, node_program
from tests.contracts.pi_rig import Live

PROMPT = Prompt(message="say-7 quick", streaming_behavior="steer")


def node(folder: Path) -> Path:
    """The program in Node's place; the real one repeats what it is told."""
    program = folder / "node"
    program.write_text(node_program("/bin/echo"))
    program.chmod(0o755)
    return program


async def start(folder: Path, nursery: trio.Nursery, kind: str) -> Live:
    sessions = folder / "sessions" / f"{PREFIX}{kind}"
    sessions.mkdir(parents=True)
    argv = (str(node(folder)), "cli.js", "--mode", "rpc", "--session-id", "s", "--session-dir", str(sessions))
    return Live(await launch(LaunchSpec(argv=argv, cwd=str(folder), env={}), nursery, grace=0.9))


def test_other_rooms_get_the_real_one(tmp_path: Path) -> None:
    argv = [str(node(tmp_path)), "cli.js", "--session-dir", f"/state/sessions/not-{PREFIX}x", "two words"]
    said = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=30).stdout.decode()
    assert said == f"cli.js --session-dir /state/sessions/not-{PREFIX}x two words\n"


async def test_it_crashes_in_a_turn_or_at_its_start(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery, "crash-loop")
    await pi.send(PROMPT)
    with pytest.raises(EOFError):
        await pi.until(Settled)
    assert await pi.proc.wait() == Exited(code=None, signal=SIGSEGV)
    pi = await start(tmp_path, nursery, "crash-at-start")
    assert await pi.proc.wait() == Exited(code=1, signal=None)


async def test_it_hangs_at_its_start_or_in_a_turn(tmp_path: Path, nursery: trio.Nursery) -> None:
    for kind in ("hang-at-start", "hang-in-turn", "ignores-abort"):
        pi = await start(tmp_path, nursery, kind)
        await pi.send(PROMPT)
        await pi.send(Abort())
        with trio.move_on_after(0.3) as waiting:
            await pi.until(Settled)
        assert waiting.cancelled_caught, kind
        await pi.proc.stop(grace=0.9)


async def test_between_what_is_no_protocol_it_answers_each_time(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery, "garbage")
    for _ in range(2):
        await pi.send(PROMPT)
        settled, before = await pi.until(Settled)
        assert settled.text == "in all that noise: done-7"
        assert sum(isinstance(each, Ignored) for each in before) > 100
    await pi.proc.stop(grace=9.0)


async def test_a_long_line_and_a_flood_are_as_large_as_they_say(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery, "long-line")
    await pi.send(PROMPT)
    settled, before = await pi.until(Settled)
    assert settled.text.endswith("done-7")
    [cut] = [each for each in before if isinstance(each, Ignored)]
    assert cut.kind == "oversized"
    assert int(cut.detail.split()[-2]) >= HUGE
    await pi.proc.stop(grace=9.0)
    pi = await start(tmp_path, nursery, "flood")
    await pi.send(PROMPT)
    _, before = await pi.until(Settled)
    assert sum(isinstance(each, TextGrew) for each in before) >= DELTAS
    await pi.proc.stop(grace=9.0)


def test_it_is_run_by_the_python_of_the_campaign() -> None:
    assert sys.executable in node_program("/usr/bin/node")
