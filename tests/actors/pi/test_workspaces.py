"""The folder that an agent is to work in: made only where nothing is lost by it, and else said."""

import os
from pathlib import Path

import msgspec
import pytest

from actors.messages import Room
from actors.pi.errors import Misconfigured
from actors.pi.workspaces import see_to
from tests.actors.pi.bench import ROOM


def room(folder: Path, project: str | None = None) -> Room:
    return msgspec.structs.replace(ROOM, workspace=str(folder), project=project)


def refused(folder: Path, project: str | None = None) -> str:
    with pytest.raises(Misconfigured) as caught:
        see_to(room(folder, project))
    assert "/restart" in str(caught.value), "it names the mend"
    return str(caught.value)


def test_a_rooms_own_folder_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "workspaces/den"
    assert see_to(room(folder))
    assert folder.is_dir()
    assert not see_to(room(folder))


def test_a_projects_folder_is_never_made(tmp_path: Path) -> None:
    assert f"{tmp_path}/shop of the project shop is gone" in refused(tmp_path / "shop", "shop")
    assert not (tmp_path / "shop").exists()
    (tmp_path / "shop").mkdir()
    assert not see_to(room(tmp_path / "shop", "shop"))


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "den").write_text("")
    assert "there is a file in its place" in refused(tmp_path / "den")
    assert "den/deeper cannot be made (Not a directory)" in refused(tmp_path / "den/deeper")


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "den").symlink_to(tmp_path / "gone")
    assert "cannot be made (No such file or directory)" in refused(tmp_path / "den")
    assert not (tmp_path / "gone").exists()


def test_the_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "den").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert "belongs to another user" in refused(tmp_path / "den")
    assert not see_to(room(tmp_path / "den", "shop")), "a project may be somebody else's"


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def access(path: str, mode: int) -> bool:
        asked.append(mode)
        return False

    monkeypatch.setattr(os, "access", access)  # root may write everywhere
    assert "cannot be written by the service's user" in refused(tmp_path)
    assert asked == [os.R_OK | os.W_OK | os.X_OK]
