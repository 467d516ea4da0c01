"""How git is run: with our configuration and no other, within bounds, and with nothing left of it."""

import fcntl
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from actors.subagents import folder, git
from tests.actors.subagents.workshop import git as person
from tests.actors.subagents.workshop import repository


@pytest.fixture
def own(tmp_path: Path) -> Path:
    git.make(tmp_path / "own.git")
    return tmp_path / "own.git"


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git of our own making, in front of the real one."""
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(git, "_version", [])


async def test_nothing_of_the_service_reaches_it(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "touch sprung")
    monkeypatch.setenv("GIT_SSH_COMMAND", "touch sprung")
    monkeypatch.setenv("ZAI_API_KEY", "secret")
    program(tmp_path / "bin", "env", monkeypatch)
    said = dict(line.split("=", 1) for line in (await git.run(own, "anything")).decode().splitlines())
    assert said["GIT_DIR"] == str(own)
    assert not {"GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "ZAI_API_KEY"} & said.keys()
    assert said["GIT_CONFIG_GLOBAL"] == "/dev/null"
    pairs = {said[f"GIT_CONFIG_KEY_{n}"]: said[f"GIT_CONFIG_VALUE_{n}"] for n in range(int(said["GIT_CONFIG_COUNT"]))}
    assert (pairs["core.hooksPath"], pairs["core.fsmonitor"]) == ("/dev/null", "false")


async def test_our_word_outranks_the_repository(own: Path, tmp_path: Path) -> None:
    with (own / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = touch {tmp_path}/sprung\n")
    (tmp_path / "tree").mkdir()
    await git.run(own, "status", tree=tmp_path / "tree", index=own / "index")
    assert not (tmp_path / "sprung").exists()


async def test_what_goes_wrong_is_named(own: Path) -> None:
    with pytest.raises(git.GitFailed) as caught:
        await git.run(own, "cat-file", "-p", "nothing")
    assert (caught.value.command, caught.value.code) == ("cat-file", 128)
    assert caught.value.words == "Not a valid object name nothing"
    assert await git.run(own, "rev-parse", "--verify", "-q", "nothing", fine=(0, 1)) == b""


async def test_too_slow_and_too_much(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "case $1 in slow) echo $$ > $GIT_DIR/pid; sleep 600;; *) yes;; esac", monkeypatch)
    with trio.fail_after(30):
        with pytest.raises(git.GitFailed, match=r"was not done within 0\.5 s"):
            await git.run(own, "slow", limit=0.5)
        with pytest.raises(git.GitFailed, match="more to say"):
            await git.run(own, "talk", most=1000)
        group = int((own / "pid").read_text())
        await until(lambda: not lives(group))


async def test_cancelled_nothing_of_it_is_left(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "echo $$ > $GIT_DIR/pid; sleep 600 & wait", monkeypatch)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(git.run, own, "slow"))
            await until(lambda: (own / "pid").exists() and (own / "pid").read_text() != "")
            nursery.cancel_scope.cancel()
        group = int((own / "pid").read_text())
        await until(lambda: not lives(group))


async def until(true: Callable[[], bool]) -> None:
    """What happens in another process, and tells nobody."""
    while not true():  # noqa: ASYNC110
        await trio.sleep(0.01)


def lives(group: int) -> bool:
    """Whether a process of that group is there, or not yet waited for."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("said", "fits"), [("git version 2.38.0", True), ("git version 2.37.9", False), ("?", False)])
async def test_which_git_is_fit(said: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", f"echo '{said}'", monkeypatch)
    if fits:
        await git.fit()
    else:
        with pytest.raises(git.GitUnfit, match=r"install git 2\.38 or newer"):
            await git.fit()


async def test_the_first_failure_of_several_ends_the_others(own: Path) -> None:
    async def forever() -> None:
        await trio.sleep_forever()

    with trio.fail_after(30), pytest.raises(git.GitFailed):
        await git.together(forever, partial(git.run, own, "nothing-like-that"))


async def test_what_is_written_alone_marks_no_lender(own: Path, tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop", {"a": "1"})
    blob = person(shop, "rev-parse", "HEAD:a").strip()
    lent = shop / ".git/objects" / blob[:2] / blob[2:]
    os.utime(lent, (1, 1))
    git.make(own, stores=[shop / ".git/objects"])
    assert (await git.run(own, "hash-object", "-w", "--stdin", given=b"1", alone=True)).decode().strip() == blob
    assert lent.stat().st_mtime == 1
    assert await git.run(own, "cat-file", "-p", blob) == b"1"


@pytest.mark.parametrize("name", ["plain", '"quoted"', "#hash", "new\nline", "ümlaut"])
async def test_lenders_with_odd_names(own: Path, tmp_path: Path, name: str) -> None:
    shop = repository(tmp_path / name, {"a": "1"})
    git.make(own, stores=[shop / ".git/objects"])
    assert await git.run(own, "cat-file", "-t", person(shop, "rev-parse", "HEAD").strip()) == b"commit\n"


def test_a_repository_of_ours_is_for_nobody_else(own: Path) -> None:
    assert stat.S_IMODE((own / "objects/info").stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("path", [b"a", b"a/b", b"-x", b"a\nb", b"\xff", b".gitignore", b"a/.github/x"])
def test_paths_that_are_carried(path: bytes) -> None:
    assert git.wanted(path)


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/a",
        b"a//b",
        b"../a",
        b"a/..",
        b"./a",
        b".git",
        b"a/.GIT/hooks",
        b"a/",
        b"a\0b",
        b".pi/x",
        b"x/__pycache__/y",
    ],
)
def test_paths_that_are_not(path: bytes) -> None:
    assert not git.wanted(path)


def test_paths_are_shown_on_one_line() -> None:
    assert git.shown(b"a\nb\xff\x1b[2J") == "a\\nb\\xff\\x1b[2J"
    assert len(git.shown(b"x" * 1000)) == 300


async def test_what_outlived_the_service_is_waited_for(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[bool] = []

    async def settle() -> None:
        await git.settle(own.parent)
        done.append((await trio.run_process(["pgrep", "-g", pid()], check=False, capture_stdout=True)).returncode == 1)

    def pid() -> str:
        return (own / "begun").read_text().strip()

    program(tmp_path / "bin", "echo $$ > $GIT_DIR/new; mv $GIT_DIR/new $GIT_DIR/begun; exec sleep 600", monkeypatch)
    with trio.fail_after(30):
        async with trio.open_nursery() as waiting, trio.open_nursery() as nursery:
            nursery.start_soon(partial(git.run, own, "slow"))
            await until((own / "begun").exists)
            waiting.start_soon(settle)
            await trio.sleep(0.1)
            assert done == []
            nursery.cancel_scope.cancel()
    assert done == [True]
    await git.settle(tmp_path / "nothing")


async def test_who_holds_the_lock_for_good_takes_no_thread_and_delays_us_only_for_a_while(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "_OUTLIVES", 0.3)
    descriptor = os.open(own.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # as one who may read the folder can
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    nursery.start_soon(git.settle, own.parent)
                await trio.sleep(0.1)
                assert await folder.in_thread(lambda: "served") == "served"
                assert len(nursery.child_tasks) == 100
    finally:
        os.close(descriptor)
