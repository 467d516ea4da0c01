"""What a working tree holds becomes a commit, byte for byte."""

from pathlib import Path

from actors.subagents import git, snapshots
from tests.actors.subagents.workshop import write


async def test_a_tree_becomes_a_commit(tmp_path: Path) -> None:
    own, index, tree = tmp_path / "own.git", tmp_path / "own.git/index", tmp_path / "tree"
    git.make(own)
    write(tree, {"a": "1\r\n", "d/b": "2", ".gitattributes": "* text eol=lf\n", "-x\ny": ""})
    (tree / "a").chmod(0o755)
    (tree / "l").symlink_to("/etc/passwd")
    await snapshots.record(own, tree, index, [b"a", b"d/b", b"l", b"-x\ny", b"missing"], ())
    first = await snapshots.commit(own, await snapshots.tree_of(own, index), "base")
    listed = (await git.run(own, "ls-tree", "-r", "-z", first)).split(b"\0")[:-1]
    assert [entry[:7] + entry.partition(b"\t")[2] for entry in listed] == [
        b"100644 -x\ny",
        b"100755 a",
        b"100644 d/b",
        b"120000 l",
    ]
    assert await git.run(own, "cat-file", "-p", f"{first}:a") == b"1\r\n"
    assert await git.run(own, "cat-file", "-p", f"{first}:l") == b"/etc/passwd"
    (tree / "a").unlink()
    write(tree, {"a/now": "a folder"})
    await snapshots.record(own, tree, index, [b"a/now"], [b"a", b"d/b"])
    second = await snapshots.commit(own, await snapshots.tree_of(own, index), "result", first)
    assert (await git.run(own, "diff-tree", "-r", "--name-status", "base", "result")).decode().split() == [
        *("D", "a"),
        *("A", "a/now"),
        *("D", "d/b"),
    ]
    assert (await git.run(own, "rev-parse", f"{second}^")).decode().strip() == first


async def test_an_empty_tree(tmp_path: Path) -> None:
    git.make(tmp_path / "own.git")
    tree = await snapshots.tree_of(tmp_path / "own.git", tmp_path / "own.git/index")
    assert tree == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
