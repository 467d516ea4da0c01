"""The files of our pi folder on disks that are well and on one that is full."""

import errno
import os
from pathlib import Path

import pytest

from actors.pi.own_folder import write

FILES = {"settings.json": '{"a": "ü"}\n', "models.json": "{}\n"}


def seen(folder: Path) -> dict[str, tuple[str, int]]:
    return {file.name: (file.read_text(), file.stat().st_mode & 0o777) for file in folder.iterdir()}


def test_they_are_written_for_their_user_alone(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("old and longer than what comes")
    (tmp_path / "settings.json").chmod(0o644)
    (tmp_path / "models.json").write_text(FILES["models.json"])
    (tmp_path / "models.json.new").write_text("of a start that was cut off")
    for _ in range(2):
        write(tmp_path, FILES)
        found = seen(tmp_path)
        assert {name: found[name] for name in FILES} == {name: (text, 0o600) for name, text in FILES.items()}


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["fsync", "open"])
def test_on_a_full_disk_what_is_right_stays_and_the_other_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    write(tmp_path, FILES)
    before = seen(tmp_path)
    monkeypatch.setattr(os, where, full)
    write(tmp_path, FILES)
    with pytest.raises(OSError, match="No space") as raised:
        write(tmp_path, FILES | {"models.json": "[]\n"})
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / "models.json"))
    assert seen(tmp_path) == before, "neither torn nor empty"
