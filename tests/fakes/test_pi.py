"""The fake pi's own tricks, which no contract with the real one covers: each bad turn a script can ask for."""

import json
from pathlib import Path
from signal import SIGKILL

import pytest
import trio

from actors.pi.commands import Abort, GetState, Prompt
from actors.pi.outputs import Ignored, RunStarted, Settled, TextGrew
from actors.pi.process import Exited, LaunchSpec, launch
from tests.contracts.pi_rig import Live
from tests.fakes import pi as fake_pi

PROMPT = Prompt(message="hello you", streaming_behavior="steer")


async def start(folder: Path, nursery: trio.Nursery, **script: object) -> Live:
    argv = (*fake_pi.COMMAND, "--mode", "rpc", "--session-id", "s", "--session-dir", str(folder))
    spec = LaunchSpec(argv=argv, cwd=str(folder), env={"FAKE_PI": json.dumps(script)})
    return Live(await launch(spec, nursery, grace=0.3))


async def test_without_a_script_it_repeats_what_it_was_told(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery)
    await pi.send(PROMPT)
    settled, _ = await pi.until(Settled)
    assert settled.text == "You said: hello you "
    await pi.proc.stop(grace=9.0)


async def test_hang_and_stubborn(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery, hang=True, stubborn=True)
    await pi.send(GetState())
    nursery.start_soon(pi.proc.stop, 3.0)  # time enough for it to come to where it ignores SIGTERM
    with pytest.raises(EOFError):
        await pi.next()
    assert await pi.proc.wait() == Exited(code=None, signal=SIGKILL)


async def test_deaf(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery, deaf=True, replies=[{"deltas": ["a"], "hold": True}])
    await pi.send(PROMPT)
    await pi.until(TextGrew)
    await pi.send(Abort())
    assert (await pi.ask(GetState())).ok
    assert (pi.session.streaming, pi.session.pending) == (True, 1)
    await pi.proc.stop(grace=9.0)


@pytest.mark.parametrize(
    ("crash", "ended"), [(9, Exited(None, SIGKILL)), (15, Exited(143, None)), (-3, Exited(3, None))]
)
async def test_crash(tmp_path: Path, nursery: trio.Nursery, crash: int, ended: Exited) -> None:
    pi = await start(tmp_path, nursery, replies=[{"deltas": ["a"], "crash": crash}])
    await pi.send(PROMPT)
    await pi.until(TextGrew)
    assert await pi.proc.wait() == ended
    await pi.proc.stop(grace=0.0)


async def test_refuse(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery, refuse="Error: no")
    assert await pi.proc.wait() == Exited(code=1, signal=None)
    assert pi.proc.stderr_tail() == "Error: no\n"
    await pi.proc.stop(grace=0.0)


async def test_noise_a_huge_line_and_a_flood(tmp_path: Path, nursery: trio.Nursery) -> None:
    bad = {"noise": ["null", "{oops", '{"type":"hologram"}'], "huge": 9_000_000, "flood": 5_000}
    pi = await start(tmp_path, nursery, replies=[bad])
    await pi.send(PROMPT)
    await pi.until(RunStarted)
    settled, before = await pi.until(Settled)
    assert settled.text == "x " * 5_000
    kinds = [output.kind for output in before if isinstance(output, Ignored)]
    assert kinds == ["garbage", "garbage", "unknown", "oversized"]
    assert sum(isinstance(output, TextGrew) for output in before) == 5_000
    await pi.proc.stop(grace=9.0)


async def test_last_spin_and_mute(tmp_path: Path, nursery: trio.Nursery) -> None:
    pi = await start(tmp_path, nursery, replies=[{"deltas": ["a"]}], last=-256)
    await pi.send(PROMPT)
    await pi.until(Settled)
    assert await pi.proc.wait() == Exited(0, None)
    await pi.proc.stop(grace=0.0)
    for trick, ended in (("spin", Exited(143, None)), ("mute", Exited(143, None))):
        pi = await start(tmp_path, nursery, replies=[{"deltas": ["a"], trick: True}])
        await pi.send(PROMPT)
        await pi.until(TextGrew)
        await trio.sleep(0.2)  # it comes to that only when nobody has a wish
        await pi.send(GetState())
        if trick == "mute":
            with pytest.raises(EOFError):
                await pi.next()
        else:
            with trio.move_on_after(0.2) as silence:
                await pi.next()
            assert silence.cancelled_caught
        assert await pi.proc.stop(grace=1.0) == ended
