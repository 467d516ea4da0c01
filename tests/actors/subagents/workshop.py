"""What tests of workspaces and results work with: real repositories, snapshots of folders, a sub-agent's folder."""

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from actors.messages import Changes, Isolation
from actors.subagents import results, workspace
from actors.subagents.folder import Folder, Prepared

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder: Path, *arguments: str | bytes, fails: bool = False) -> str:
    """What git says there, run as a person runs it."""
    ran = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode != 0) == fails, ran.stderr.decode(errors="replace")
    return ran.stdout.decode(errors="surrogateescape")


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write these files, and their folders."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def repository(folder: Path, files: Mapping[str, str | bytes], *options: str) -> Path:
    """A repository with one commit of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", *options)
    write(folder, files)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "begin")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is in the folder: kind and mode of each, contents and time of files."""
    found: dict[str, tuple[object, ...]] = {}
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in folders + files:
            path = os.path.join(place, name)
            about = os.lstat(path)
            content: bytes | None = None
            if stat.S_ISLNK(about.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(about.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            key = os.fsdecode(os.path.relpath(path, os.fsencode(folder)))
            time = None if stat.S_ISDIR(about.st_mode) else about.st_mtime_ns
            found[key] = about.st_mode, about.st_size if content is not None else None, time, content
    return found


def content(folder: Path) -> dict[str, str]:
    """The files and links of a workspace without its git, as texts."""
    return {
        key: entry[3].decode(errors="surrogateescape")
        for key, entry in snapshot(folder).items()
        if isinstance(entry[3], bytes) and not key.startswith(".git/")
    }


class House:
    """A service's state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.told: list[str] = []

    def folder(self, slug: str) -> Folder:
        return Folder.of(self.state, slug)

    async def prepare(self, parent: Path, slug: str = "kid", isolation: Isolation = "copy") -> Prepared:
        return await workspace.prepare(
            str(parent), self.folder(slug), slug=slug, isolation=isolation, told=self.told.append
        )

    async def refused(self, parent: Path, slug: str = "kid") -> str:
        """The reason; nothing is left."""
        with pytest.raises(workspace.IsolationImpossible) as caught:
            await self.prepare(parent, slug)
        assert not self.folder(slug).root.exists()
        assert caught.value.reason.endswith(".")
        return caught.value.reason

    async def collect(self, slug: str = "kid") -> Changes | None:
        return await results.collect(self.folder(slug), self.state / "results", slug=slug)

    async def made(self, slug: str = "kid") -> Changes:
        """What it changed, which is something."""
        changes = await self.collect(slug)
        assert changes is not None
        return changes


def dig(folder: Path, depth: int) -> None:
    """A file so many folders deep that no path can name it."""
    code = f"import os\nfor n in range({depth}): os.mkdir('deep'); os.chdir('deep')\nopen('x', 'w')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)


def texts(path: Path | str) -> str:
    """What is in the file."""
    return Path(path).read_text(errors="replace")


if __name__ == "__main__":  # a service that prepares one workspace after the other, until it is killed
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    house = House(Path(sys.argv[1]))
    while True:
        trio.run(house.prepare, Path(sys.argv[2]))
        trio.run(workspace.remove, house.folder("kid").root)
