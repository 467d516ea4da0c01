"""Small disks: seen from inside and from outside, full while they are to be, and nothing of them on the real disk."""

import subprocess
from pathlib import Path

import pytest
import trio

from tests.campaign import bad_disks
from tests.campaign.bad_room import within

pytestmark = pytest.mark.skipif(bad_disks.way() is None, reason="no small disk can be made here")


async def test_a_disk_is_the_process_s_own_and_can_be_filled_from_outside(tmp_path: Path) -> None:
    one, other = tmp_path / "one's", tmp_path / "other"
    argv = bad_disks.with_disks(["sleep", "30"], {one: 1 << 20, other: 1 << 20})
    process = await trio.lowlevel.open_process(argv)
    try:
        inside = bad_disks.seen(process.pid, one)
        assert await within(10.0, lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
        with bad_disks.full(inside):
            with pytest.raises(OSError, match="No space left"):
                (inside / "more").write_text("x")
            (bad_disks.seen(process.pid, other) / "more").write_text("x")
        (inside / "more").write_text("x" * 1000)
        assert list(one.iterdir()) == []
    finally:
        process.kill()
        await process.wait()


def test_what_runs_on_a_disk_gets_its_arguments_as_they_are(tmp_path: Path) -> None:
    argv = bad_disks.with_disks(["printf", "%s|", "a b", "'c'", "$d"], {tmp_path / "disk": 1 << 16})
    assert subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=30).stdout == b"a b|'c'|$d|"
