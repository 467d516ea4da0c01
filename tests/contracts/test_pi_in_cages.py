"""The real pi in each cage that this machine has: it works as outside of one, and what its tools began ends with it.

The reaper of orphans is a whole process, so that rung is tried with a little service, beside `cages`.
"""

import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from typing import Any

import pytest
import trio

from actors.pi.cages import Cages
from actors.pi.ladder import Rung
from actors.pi.probe import probe
from actors.pi.process import Exited, LaunchSpec, Proc, launch
from tests.actors.pi.hostile import RUNGS, alive, until
from tests.actors.pi.little_service import at_most
from tests.contracts.pi_rig import CLI, node


@pytest.fixture(params=[rung for rung in RUNGS if rung is not Rung.MARKS])
def cages(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cages]:
    opened = Cages.open(tmp_path, at_most(request.param, probe()))
    yield opened
    opened.close()


@pytest.fixture
async def pi(cages: Cages, tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Proc]:
    argv = (str(node()), str(CLI), "--mode", "rpc", "--no-session", "-ne", "-ns", "-np", "-nc", "--no-themes", "-na")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PI_CODING_AGENT_DIR": str(tmp_path), "PI_OFFLINE": "1"}
    spec = LaunchSpec(argv=argv, cwd=str(tmp_path), env=env, name="den", claim=str(tmp_path / "pi.pid"))
    proc = await launch(spec, nursery, cages=cages)
    yield proc
    await proc.stop(3.0)


async def bash(pi: Proc, command: str) -> dict[str, Any]:
    """Have pi run a command; returns what came of it."""
    await pi.write(json.dumps({"id": "1", "type": "bash", "command": command}).encode() + b"\n")
    read = b""
    while True:
        read += await pi.read() or b"\n"
        for line in read.splitlines():
            record = json.loads(line) if line.endswith(b"}") and line.startswith(b'{"id":"1","type":"response"') else {}
            if record:
                return dict(record["data"])


async def test_it_runs_commands_and_ends_in_order(pi: Proc, tmp_path: Path) -> None:
    done = await bash(pi, "echo out; exit 4")
    assert (done["output"], done["exitCode"]) == ("out\n", 4)
    killed = await bash(pi, "kill -9 $$")
    assert killed["exitCode"] != 0
    noted = (await trio.Path(tmp_path / "pi.pid").read_text()).strip()
    assert int(noted) == pi.pid
    assert "cli.js" in (argv := await trio.Path(f"/proc/{pi.pid}/cmdline").read_text()) or argv.startswith("pi")
    assert await pi.stop(6.0) == Exited(0, None)


async def test_what_its_tools_began_ends_with_it(pi: Proc) -> None:
    token = f"9{secrets.randbelow(10**8):08d}"
    begin = f"env -i setsid sleep {token} >/dev/null 2>&1 & nohup sleep {token} >/dev/null 2>&1 & sleep 0.1"
    assert (await bash(pi, begin))["exitCode"] == 0
    await trio.to_thread.run_sync(until, token, 2)
    os.kill(pi.pid, SIGKILL)
    assert await pi.wait() == Exited(None, SIGKILL)
    assert alive(token) == []


async def test_one_that_is_stopped_ends_all_the_same(pi: Proc) -> None:
    assert (await bash(pi, "true"))["exitCode"] == 0
    os.kill(pi.pid, SIGSTOP)
    assert await pi.stop(0.3) == Exited(None, SIGKILL)
