"""A service with one agent and nothing else: a program for the tests to command, and to kill.

Arguments: rung, state folder, program, as JSON the limits, and `sandboxed` if the agent is to be. It prints the
keeper's pid and what the program prints; it reads `kill` (the agent) or `stop`, says how the agent ended, and lives on
until the end of its input. The kernel lets only a whole process become the reaper of orphans, so this is not done in
the process of the tests.
"""

import sys
from pathlib import Path
from signal import SIGKILL

import msgspec
import trio

from actors.pi.cages import Cages
from actors.pi.ladder import Limits, Probed, Rung
from actors.pi.probe import probe
from actors.pi.process import LaunchSpec, Proc, launch
from tests.actors.pi import sandboxes


def at_most(rung: Rung, found: Probed) -> Probed:
    """What a machine whose best rung is this would have."""
    if rung is not Rung.CGROUP:
        found = msgspec.structs.replace(found, cgroup=None)
    return msgspec.structs.replace(found, namespace=None) if rung is Rung.MARKS else found


async def main(cages: Cages, program: str, limits: Limits, sandbox: Path | None) -> None:
    spec = LaunchSpec(
        argv=(sys.executable, "-S", program), cwd="/", env={"PATH": "/usr/bin:/bin"}, name="den", limits=limits
    )
    if sandbox is not None:
        spec = sandboxes.enclosed(spec, sandbox, sandboxes.found(sandbox), program, *sandboxes.python())
    async with trio.open_nursery() as nursery:
        proc = await launch(spec, nursery, cages=cages)
        say("agent", proc.pid)
        nursery.start_soon(obey, proc)
        while (chunk := await proc.read()) is not None:
            say(chunk.decode().strip())
        exited = await proc.stop(0.3)
        nursery.cancel_scope.cancel()
    say("ended", exited)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def obey(proc: Proc) -> None:
    word = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    if word == "kill\n":
        proc.signal(SIGKILL)
    else:
        await proc.stop(0.3)


if __name__ == "__main__":
    rung, state_dir, program, limits, *how = sys.argv[1:]
    opened = Cages.open(Path(state_dir), at_most(Rung(rung), probe()))
    say("keeper", opened.keeper)
    folder = Path(state_dir) if how == ["sandboxed"] else None
    trio.run(main, opened, program, msgspec.json.decode(limits, type=Limits), folder)
    sys.stdin.read()
    opened.close()
