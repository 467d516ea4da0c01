"""How git is run: on repositories that the service has made itself, and never on one that an agent may have written.

A repository's configuration, hooks and attributes decide what git executes. So an agent's repository lends nothing but
its objects, and a copy of its index; the git folder in use is ours, with this file's configuration and no other. Used
by `cloning`, `copying`, `results` and `applying`.
"""

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import trio

LIMIT: Final = 120.0
"""Seconds that one command may take, unless told otherwise: a file that never ends must not hold us for good."""
MOST: Final = 256 << 20
"""Bytes that one command may say, unless told otherwise."""
MEMORY: Final = 2 << 30
"""Bytes of memory that one command may have: git reads a .gitignore whole, and one may be as large as the disk."""
OLDEST: Final = (2, 38)
"""The first git that merges without a working tree (`git merge-tree --write-tree`)."""
MADE: Final = "made"
"""The folder of a repository of ours with the objects that were written `alone`."""
_BOUNDED: Final = ("/bin/sh", "-c", 'unset PWD; ulimit -d "$0" 2>/dev/null; exec "$@"', str(MEMORY >> 10))
_LAST_WORDS: Final = 4096
_OUTLIVES: Final = 30.0
_LOOK_EVERY: Final = 0.02
_CLAIMED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK: Final = 1 << 18

_SETTINGS: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.splitIndex": "false",
    "core.excludesFile": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.fileMode": "true",
    "core.symlinks": "true",
    "core.ignoreCase": "false",
    "core.autocrlf": "false",
    "core.looseCompression": "0",
    "core.quotePath": "false",
    "core.pager": "cat",
    "checkout.workers": "0",
    "submodule.recurse": "false",
    "protocol.allow": "never",
    "diff.external": "",
    "diff.renames": "false",
    "merge.renames": "false",
    "merge.directoryRenames": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "index.threads": "true",
    "safe.directory": "*",
}
"""What holds for every command, whatever a repository says; it has the rank of `git -c`."""

_BYTE_FOR_BYTE: Final = "* -text -eol -ident -filter -working-tree-encoding !diff !merge\n"
"""The attributes of our repositories: they outrank every .gitattributes. A file is its bytes, nothing converts it."""

NEVER: Final = frozenset({b".git", b".pi", b"__pycache__"})
"""Names of folders and files that are neither carried into a sub-agent's workspace nor taken out of it."""

_version: list[tuple[int, int]] = []
"""Of the git that was found; looked at once."""


class GitUnfit(Exception):
    """There is no git here, or only an older one; `reason` is a sentence with the mend."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GitFailed(Exception):
    """A command ended with a `code` (None: it was too slow or said too much); `words`: one line of what it said."""

    def __init__(self, command: str, code: int | None, words: str) -> None:
        super().__init__(f"git {command}: {words or f'exit code {code}'}")
        self.command = command
        self.code = code
        self.words = words


async def fit() -> None:
    """Returns if git is here and new enough. Raises GitUnfit."""
    if not _version:
        said = b""
        with suppress(GitFailed):
            said = await run(Path("/"), "version", limit=20)
        numbers = said.decode(errors="replace").removeprefix("git version ").split(".")
        try:
            _version.append((int(numbers[0]), int(numbers[1])))
        except (ValueError, IndexError):
            raise GitUnfit("git does not answer as it should here: install git 2.38 or newer.") from None
    if _version[0] < OLDEST:
        raise GitUnfit(f"git {'.'.join(map(str, _version[0]))} is too old here: install git 2.38 or newer.")


async def run(
    repository: Path,
    *arguments: str | bytes | Path,
    tree: Path | None = None,
    index: Path | None = None,
    given: bytes | None = None,
    into: BinaryIO | None = None,
    fine: Collection[int] = (0,),
    alone: bool = False,
    objects: Path | None = None,
    limit: float = LIMIT,
    most: int = MOST,
) -> bytes:
    """What a git command says on stdout, of `repository`, which is one of our own (see `make`).

    `tree`: the working tree it is about. `index`: the index it uses and may write. `given`: its stdin. `into`: where
    stdout goes instead. `fine`: exit codes that are no failure. `alone`: it writes objects, and sees only those that
    were written so; git marks an object that it would have written where it finds it, and that may be a parent's.
    `objects`: the folder of objects that it reads, if not the repository's. `limit`: seconds. `most`: bytes. Raises
    GitFailed, GitUnfit. Cancelled, or at its end, nothing of it is left running.
    """
    name = str(arguments[0])
    program = shutil.which("git")
    if program is None:
        raise GitUnfit("git is not installed here, and sub-agents need it: install git 2.38 or newer.")
    try:
        with _claimed(repository.parent) as claim:
            process = await trio.lowlevel.open_process(
                [*_BOUNDED, program, *(os.fspath(argument) for argument in arguments)],
                cwd=repository if tree is None else tree,
                env=_environment(repository, tree, index, repository / MADE if alone else objects),
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE if into is None else into,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=(claim,),
            )
    except OSError as error:
        raise GitFailed(name, None, f"it cannot be started ({error.strerror})") from error
    said, words = bytearray(), bytearray()
    try:
        with trio.move_on_after(limit) as timing:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_drain, process, words)
                if given is not None:
                    nursery.start_soon(_feed, process, given)
                if process.stdout is not None:
                    while chunk := await process.stdout.receive_some(_CHUNK):
                        said += chunk
                        if len(said) > most:
                            nursery.cancel_scope.cancel()
                await process.wait()
    finally:
        await _end(process)
    if timing.cancelled_caught:
        raise GitFailed(name, None, f"it was not done within {limit:g} s")
    if len(said) > most:
        raise GitFailed(name, None, "it has more to say than can be taken")
    if process.returncode not in fine:
        raise GitFailed(name, process.returncode, _line(bytes(words)))
    return bytes(said)


async def settle(place: Path) -> None:
    """Wait until no git of ours works in the folder any more: one may have outlived a service that was killed.

    For at most half a minute, which costs nobody a thread: a sub-agent can hold this lock where it can see the folder.
    """
    with trio.move_on_after(_OUTLIVES):
        while not await trio.to_thread.run_sync(_is_free, place):  # noqa: ASYNC110 - there is no event
            await trio.sleep(_LOOK_EVERY)


def _is_free(place: Path) -> bool:
    with suppress(FileNotFoundError, NotADirectoryError):
        descriptor = os.open(place, _CLAIMED)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
    return True


@contextmanager
def _claimed(place: Path) -> Iterator[int]:
    """A lock on the folder which whoever is given it holds as long as it lives."""
    descriptor = os.open(place, _CLAIMED)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


async def together(*calls: Callable[[], Awaitable[object]]) -> None:
    """All of these at once. The first GitFailed, GitUnfit or OSError of one ends the others, and is raised."""
    failed: list[GitFailed | GitUnfit | OSError] = []

    async def one(call: Callable[[], Awaitable[object]]) -> None:
        try:
            await call()
        except (GitFailed, GitUnfit, OSError) as error:
            failed.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for call in calls:
            nursery.start_soon(one, call)
    if failed:
        raise failed[0]


def make(
    repository: Path, *, stores: Sequence[Path] = (), like: str = "", exclude: bytes = b"", sparse: bool = False
) -> None:
    """Make (or make right again) a bare repository of our own. Blocks; raises OSError.

    `stores`: folders with objects that it also reads. `like`: an id, which tells by its length what kind of ids are
    used here. `exclude`: patterns of untracked files that are left alone. `sparse`: working trees need not be whole.
    """
    for name in ("refs/heads", "objects/info", "objects/pack", f"{MADE}/info", f"{MADE}/pack", "info"):
        (repository / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    sha256 = len(like) == 64
    version = "\trepositoryformatversion = 1\n" if sha256 else "\trepositoryformatversion = 0\n"
    narrow = "\tsparseCheckout = true\n" if sparse else ""
    kind = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
    (repository / "config").write_text(f"[core]\n{version}\tbare = true\n{narrow}{kind}")
    (repository / "HEAD").write_text("ref: refs/heads/base\n")
    (repository / "info/attributes").write_text(_BYTE_FOR_BYTE)
    (repository / "info/exclude").write_bytes(exclude + b"\n.pi\n__pycache__\n")
    (repository / "objects/info/alternates").write_bytes(alternates([*stores, repository / MADE]))
    if sparse:
        (repository / "info/sparse").touch()  # remembers it for those who make it right again


def alternates(stores: Sequence[Path]) -> bytes:
    """The lines by which a repository finds objects in these folders, too."""
    return b"".join(_quoted(os.fsencode(store)) + b"\n" for store in stores)


def wanted(path: bytes) -> bool:
    """Whether a path, as git has them, is one that a sub-agent may bring or take: none of it is ours, or odd."""
    parts = path.split(b"/")
    return sound(path) and not NEVER.intersection(parts)


def sound(path: bytes) -> bool:
    """Whether a path leads to something beneath the top of a working tree, and to nothing of its git."""
    parts = path.split(b"/")
    return not any(part in (b"", b".", b"..") or part.lower() == b".git" for part in parts) and b"\0" not in path


def shown(path: bytes) -> str:
    """A path for people: one line of printable text, whatever its bytes are, at most 300 characters."""
    text = path.decode(errors="backslashreplace")
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return plain if len(plain) <= 300 else f"{plain[:299]}…"


def _environment(repository: Path, tree: Path | None, index: Path | None, objects: Path | None) -> dict[str, str]:
    # GIT_DIR is said outright: git then looks for no other repository, and asks nobody whose this one is.
    pairs = {
        f"GIT_CONFIG_{kind}_{number}": text
        for number, pair in enumerate(_SETTINGS.items())
        for kind, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "GIT_DIR": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_AUTHOR_NAME": "dispatchd",
        "GIT_AUTHOR_EMAIL": "dispatchd@agents.invalid",
        "GIT_COMMITTER_NAME": "dispatchd",
        "GIT_COMMITTER_EMAIL": "dispatchd@agents.invalid",
        **pairs,
        **({} if tree is None else {"GIT_WORK_TREE": str(tree)}),
        **({} if objects is None else {"GIT_OBJECT_DIRECTORY": str(objects)}),
        **({} if index is None else {"GIT_INDEX_FILE": str(index)}),
    }


async def _feed(process: trio.Process, given: bytes) -> None:
    assert process.stdin is not None
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # it has ended without hearing it all
        await process.stdin.send_all(given)
    await process.stdin.aclose()


async def _drain(process: trio.Process, words: bytearray) -> None:
    assert process.stderr is not None
    while chunk := await process.stderr.receive_some(_CHUNK):
        words += chunk
        del words[:-_LAST_WORDS]


async def _end(process: trio.Process) -> None:
    """Kill what is left of it, and of what it has begun."""
    with trio.CancelScope(shield=True):
        with suppress(ProcessLookupError, PermissionError):
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                await pipe.aclose()


def _line(words: bytes) -> str:
    lines = [line for line in words.decode(errors="replace").splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
    return "".join(c for c in told if c.isprintable())[:200].removeprefix("fatal: ").removeprefix("error: ")


def _quoted(path: bytes) -> bytes:
    """A path as a line of `alternates` has it: in quotes where it could be mistaken for something else."""
    if path.startswith((b'"', b"#")) or b"\n" in path:
        inner = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        return b'"' + inner + b'"'
    return path
