"""What is read of a repository without git; real repositories, and some that nobody would make."""

import os
from pathlib import Path

import pytest

from actors.subagents.folder import IsolationImpossible
from actors.subagents.repositories import copy_index, find
from tests.actors.subagents.workshop import git, repository


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return repository(tmp_path / "shop", {"a": "1"})


def test_a_head_in_all_its_ways(shop: Path) -> None:
    head = git(shop, "rev-parse", "HEAD").strip()
    for prepare in (
        ["gc", "-q"],
        ["pack-refs", "--all"],
        ["checkout", "-q", "-b", "x/y"],
        ["checkout", "-q", "--detach"],
    ):
        git(shop, *prepare)
        for trusted in (True, False):
            found = find(shop, trusted=trusted)
            assert found is not None
            assert (found.head, found.stores) == (head, (shop / ".git/objects",))


def test_a_head_that_stands_for_a_ref_that_stands_for_another(shop: Path) -> None:
    git(shop, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    git(shop, "symbolic-ref", "HEAD", "refs/heads/alias")
    found = find(shop, trusted=True)
    assert found is not None
    assert found.head == git(shop, "rev-parse", "main").strip()
    git(shop, "symbolic-ref", "refs/heads/alias", "refs/heads/alias")
    assert find(shop, trusted=True) is None


@pytest.mark.parametrize("said", ["", "ref: refs/heads/none", "ref: ../../x", "ref: refs/../../x", "nonsense", "ref:"])
def test_no_commit(shop: Path, said: str) -> None:
    (shop / ".git/HEAD").write_text(said)
    assert find(shop, trusted=True) is None


def test_no_repository(tmp_path: Path, shop: Path) -> None:
    assert find(tmp_path, trusted=True) is None
    (shop / "inner").mkdir()
    assert find(shop / "inner", trusted=True) is None, "only its top is a working tree"


def test_a_repository_that_is_elsewhere(shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", "../side")
    found = find(tmp_path / "side", trusted=True)
    assert found is not None
    assert (found.folder, found.common) == (shop / ".git/worktrees/side", shop / ".git")
    assert find(tmp_path / "side", trusted=False) is None
    (tmp_path / "side/.git").write_text("gitdir: /nowhere\n")
    with pytest.raises(IsolationImpossible, match="a repository that is not there"):
        find(tmp_path / "side", trusted=True)


def test_lenders_of_one_that_is_not_trusted_are_not_read(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", "shop", "second")
    for trusted, count in ((True, 2), (False, 1)):
        found = find(tmp_path / "second", trusted=trusted)
        assert found is not None
        assert len(found.stores) == count


def test_lenders_that_lend_from_each_other(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", "shop", "second")
    (shop / ".git/objects/info/alternates").write_text(f'# note\n"{tmp_path}/second/.git/objects"\n')
    found = find(shop, trusted=True)
    assert found is not None
    assert found.stores == (shop / ".git/objects", tmp_path / "second/.git/objects")


def test_refs_in_a_way_that_is_not_read(shop: Path) -> None:
    (shop / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    with pytest.raises(IsolationImpossible, match="reftable"):
        find(shop, trusted=True)


def test_a_copy_of_the_index_has_its_time(shop: Path, tmp_path: Path) -> None:
    found = find(shop, trusted=True)
    assert found is not None
    os.utime(shop / ".git/index", ns=(5, 7))
    (tmp_path / "to").mkdir()
    assert copy_index(found, tmp_path / "to")
    assert (tmp_path / "to/index").stat().st_mtime_ns == 7
    assert (tmp_path / "to/index").read_bytes() == (shop / ".git/index").read_bytes()
    (shop / ".git/index").unlink()
    assert not copy_index(found, tmp_path / "to")
