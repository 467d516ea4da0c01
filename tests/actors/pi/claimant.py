"""A service that starts one process with a claim, and is killed: a program for `test_claim`.

Arguments: the file that is claimed, and the command. Prints the pid of what it has started.
"""

import sys

import trio

from actors.pi import claim
from actors.pi.process import LaunchSpec, launch


async def main(note: str, argv: tuple[str, ...]) -> None:
    async with trio.open_nursery() as nursery:
        sys.stdout.write("here\n")
        sys.stdout.flush()
        proc = await launch(LaunchSpec(argv=argv, cwd="/", env={}, claim=note), nursery)
        sys.stdout.write(f"{proc.pid}\n")
        sys.stdout.flush()
        await trio.sleep_forever()


if __name__ == "__main__":
    claim.set_number_aside()
    trio.run(main, sys.argv[1], tuple(sys.argv[2:]))
