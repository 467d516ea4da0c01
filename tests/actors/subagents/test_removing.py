"""Folders go, however they were left, and nothing that a link in them leads to."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from actors.subagents.removing import remove_now
from tests.actors.subagents.workshop import dig, write


def test_all_of_it_goes(tmp_path: Path) -> None:
    write(tmp_path, {"gone/a/b/c": "1", "gone/removed-1/x": "2", "gone/a/removed-2": "3", "stays/x": "4"})
    (tmp_path / "gone/link").symlink_to(tmp_path / "stays")
    (tmp_path / "gone/a/link").symlink_to(tmp_path / "stays")
    os.mkfifo(tmp_path / "gone/pipe")
    remove_now(tmp_path / "gone")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stays"]
    assert (tmp_path / "stays/x").read_text() == "4"


def test_what_is_not_a_folder(tmp_path: Path) -> None:
    write(tmp_path, {"file": "1", "stays/x": "2"})
    (tmp_path / "link").symlink_to("stays")
    for name in ("file", "link", "nothing", "file/below"):
        remove_now(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stays"]
    assert (tmp_path / "stays/x").exists()


CODE = """
import os, sys
from pathlib import Path
from actors.subagents.removing import remove_now
if os.geteuid() == 0:
    os.setuid(65534)
place = Path(sys.argv[1])
(place / "gone/a/b").mkdir(parents=True)
(place / "gone/a/b/c").write_text("1")
for name in ("gone/a/b", "gone/a", "gone"):
    (place / name).chmod(0)
remove_now(place / "gone")
sys.exit((place / "gone").exists())
"""


def test_folders_that_may_not_be_written() -> None:
    with tempfile.TemporaryDirectory() as place:  # where anybody may go: root is stopped by no mode
        Path(place).chmod(0o777)
        subprocess.run([sys.executable, "-c", CODE, place], check=True, timeout=60)


def test_depth_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    dig(tmp_path / "gone", 3000)
    remove_now(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
