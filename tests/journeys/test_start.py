"""Starts that fail: what is said, and by the exit code whether systemd is to try again."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.journeys.house import DISPATCHD

FULL = """
mount -t tmpfs -o size=1m,mode=0700 tmpfs "$THREADS_DIR" && mkdir -m 700 "$THREADS_DIR/pi"
echo '{}' >"$THREADS_DIR/pi/settings.json"
head -c 2M /dev/zero >"$THREADS_DIR/filler" 2>"$THREADS_DIR.log"
"$@"; code=$?
cat "$THREADS_DIR/pi/settings.json"
exit $code
"""
READ_ONLY = 'mount -t tmpfs -o ro,mode=0700 tmpfs "$THREADS_DIR" && exec "$@"'
IS_A_FILE = 'rmdir "$THREADS_DIR" && touch "$THREADS_DIR" && exec "$@"'


@pytest.mark.parametrize(
    ("disk", "code", "said", "kept"),
    [
        (FULL, 1, "{state}/pi/settings.json cannot be used: No space left on device.", "{}\n"),
        (READ_ONLY, 1, "{state} cannot be used: Read-only file system.", ""),
        (IS_A_FILE, 2, "{state} cannot be used: File exists.", ""),
    ],
    ids=["full", "read-only", "a file"],
)
def test_what_may_be_over_by_itself_is_tried_again_and_what_must_be_mended_is_not(
    tmp_path: Path, disk: str, code: int, said: str, kept: str
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(tmp_path),
        "THREADS_DIR": str(state),
        "TELEGRAM_BOT_TOKEN": "1:token",
    }
    unshare = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
    ended = subprocess.run(
        (*unshare, "sh", "-c", disk, "sh", str(DISPATCHD), "run"),
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (code, f"dispatchd: {said.format(state=state)}\n")
    assert ended.stdout == kept
