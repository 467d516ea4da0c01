"""The keeper ends what carries the mark when its input ends, and not before, whatever it is sent."""

import os
import subprocess
import sys
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM

from actors.pi.containment import MARK, new_mark


def test_it_waits_for_the_end_of_its_input_and_then_ends_the_marked(tmp_path: Path) -> None:
    mark = new_mark("house")
    sleeper = ["/bin/sleep", "300"]
    with (
        subprocess.Popen(sleeper, env={MARK: f"{mark}-agent"}) as marked,
        subprocess.Popen(sleeper, env={MARK: "house-another-agent"}) as other,
        subprocess.Popen([sys.executable, "-m", "actors.pi.keeper", mark], stdin=subprocess.PIPE) as keeper,
    ):
        try:
            assert keeper.stdin is not None
            while _ignores(keeper.pid) & {SIGINT, SIGTERM, SIGHUP} != {SIGINT, SIGTERM, SIGHUP}:
                assert keeper.poll() is None
            for number in (SIGINT, SIGTERM, SIGHUP):
                keeper.send_signal(number)
            assert marked.poll() is keeper.poll() is None
            keeper.stdin.close()
            assert keeper.wait() == 0
            assert marked.wait() == -9
            assert other.poll() is None
        finally:
            for process in (marked, other, keeper):
                process.kill()


def test_it_ends_what_is_in_the_folders_of_cgroups_too(tmp_path: Path) -> None:
    (tmp_path / "agents/den").mkdir(parents=True)
    argv = [sys.executable, "-m", "actors.pi.keeper", new_mark(), str(tmp_path / "agents")]
    subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, env=os.environ)
    assert not (tmp_path / "agents").exists()


def test_it_imports_nothing_large() -> None:
    code = "import sys, actors.pi.keeper; print(*({'trio', 'msgspec'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def _ignores(pid: int) -> set[int]:
    status = Path(f"/proc/{pid}/status").read_text()
    [mask] = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")]
    return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}
