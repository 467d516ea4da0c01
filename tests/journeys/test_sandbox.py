"""The service where bubblewrap does not work, as `[subagents] sandbox` wants it: refused, or on without, and said."""

from pathlib import Path

import pytest

from tests.journeys.house import House, open_house
from tests.journeys.test_console import piped

REASON = "No permissions to create a new namespace"


def refused(house: House) -> dict[str, str]:
    """The house's environment, with a bubblewrap that the kernel refuses."""
    program = house.home / "refused/bwrap"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {house.home}/ran\necho 'bwrap: {REASON}' >&2\nexit 1\n")
    program.chmod(0o755)
    return house.environ | {"PATH": f"{program.parent}:{house.environ['PATH']}"}


async def test_a_sandbox_that_must_work_and_does_not_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    async with open_house(tmp_path, config='[subagents]\nsandbox = "bwrap"') as house:
        done = await piped(refused(house), "hello\n")
        sentence = done.stderr.decode()
        assert (done.returncode, len(sentence.splitlines())) == (2, 1), sentence
        assert f"bubblewrap does not work here: {REASON}" in sentence
        assert 'set sandbox = "none" or "auto"' in sentence
        assert not (house.state / "trial").exists()


@pytest.mark.parametrize("wanted", ["auto", "none"])
async def test_without_one_the_service_goes_on_and_says_so(tmp_path: Path, wanted: str) -> None:
    async with open_house(tmp_path, config=f'[subagents]\nsandbox = "{wanted}"') as house:
        (tmp_path / "disk").mkdir()
        house.state.symlink_to(tmp_path / "disk")
        done = await piped(refused(house), "hello\n")
        assert done.returncode == 0, done.stderr.decode()
        assert "you said “hello”" in done.stdout.decode()
        log = (house.state / "dispatchd.log").read_text()
        [said] = [line for line in log.splitlines() if "Sub-agents run without a sandbox" in line]
        assert (REASON in said, "WARNING" in said, (tmp_path / "ran").exists()) == (wanted == "auto",) * 3
        assert "[subagents] has no effect" not in log
        assert f"state in {tmp_path}/disk" in log  # where there is none on the way into a sandbox
