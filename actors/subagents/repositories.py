"""What is read of a parent's git repository: by us, not by git, so that nothing in it can have anything executed.

Few small files: HEAD and what it stands for, where the objects are, and which files are not to be looked at. Used by
`workspace`, in a thread; it blocks. A sub-agent's repository is trusted with nothing: no link in it is followed, and
what it says about other places is not read.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

import msgspec

from actors.subagents.beneath import Beneath, Grown
from actors.subagents.folder import IsolationImpossible

_ID: Final = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SMALL: Final = 1 << 20
_PACKED: Final = 64 << 20
_INDEX: Final = 512 << 20
_LINKS: Final = 5
"""How often a ref may stand for another, and a store for further ones; git allows as many."""
_STORES: Final = 32
_OWN_REFS: Final = (b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/")


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository at the top of a workspace.

    `folder`: of this working tree. `common`: shared by all its working trees. `head`: the commit that is checked out.
    `stores`: folders of objects, its own first. `exclude`, `sparse`, `shallow`: the contents of its files of that name.
    """

    folder: Path
    common: Path
    head: str
    stores: tuple[Path, ...]
    exclude: bytes = b""
    sparse: bytes | None = None
    shallow: bytes | None = None


def find(tree: Path, *, trusted: bool) -> Repository | None:
    """The repository whose working tree has its top at `tree`; None: there is none, or it has no commit yet.

    `trusted`: it is a room's, so it may be elsewhere, and lend objects of others. Raises IsolationImpossible, OSError.
    """
    folder = _folder(tree, trusted=trusted)
    if folder is None:
        return None
    common = _common(folder) if trusted else folder
    with Beneath(folder) as own, Beneath(common) as shared:
        head = _resolve(own, shared, b"HEAD", _LINKS)
        if head is None:
            return None
        objects = common / "objects"
        if trusted:
            objects = Path(os.path.realpath(objects))
        elif (found := shared.look(b"objects")) is None or not stat.S_ISDIR(found.st_mode):
            return None
        return Repository(
            folder=folder,
            common=common,
            head=head,
            stores=_stores(objects) if trusted else (objects,),
            exclude=_read(shared, b"info/exclude") or b"",
            sparse=_read(own, b"info/sparse-checkout"),
            shallow=_ids(_read(shared, b"shallow")),
        )


def copy_index(found: Repository, to: Path) -> bool:
    """Copy the index to this folder, as `index`; returns whether there is one. Raises IsolationImpossible, OSError.

    Its time is kept: by it git knows which files may have been written after it. An index may be split in two.
    """
    with Beneath(found.folder) as own:
        names = [name for name in own.entries(b"") if name == b"index" or name.startswith(b"sharedindex.")]
        for name in names[:8]:
            try:
                with own.reading(name) as source:
                    times = os.fstat(source)
                data = own.read(name, _INDEX)
            except Grown:
                raise IsolationImpossible(
                    "the index of its repository is too large to be copied: use isolation scratch."
                ) from None
            path = to / os.fsdecode(name)
            path.write_bytes(data)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return b"index" in names


def _folder(tree: Path, *, trusted: bool) -> Path | None:
    """Its git folder: `.git`, or where a file of that name says it is."""
    with Beneath(tree) as top:
        found = top.look(b".git")
        if found is not None and stat.S_ISDIR(found.st_mode):
            return tree / ".git"
        if not trusted or found is None or not stat.S_ISREG(found.st_mode):
            return None
        said = _read(top, b".git") or b""
    if not said.startswith(b"gitdir: "):
        return None
    place = Path(os.path.realpath(tree / os.fsdecode(said.removeprefix(b"gitdir: ").rstrip(b"\r\n"))))
    if not place.is_dir():
        raise IsolationImpossible(
            f"its .git names a repository that is not there ({place}): put that back (`git worktree repair`), or use "
            "isolation scratch."
        )
    return place


def _common(folder: Path) -> Path:
    with Beneath(folder) as own:
        said = _read(own, b"commondir")
    return folder if said is None else Path(os.path.realpath(folder / os.fsdecode(said.rstrip(b"\r\n"))))


def _resolve(own: Beneath, shared: Beneath, name: bytes, left: int) -> str | None:
    """The commit that a ref stands for."""
    here = own if name == b"HEAD" or name.startswith(_OWN_REFS) else shared
    said = _read(here, name)
    if said is None:
        return _packed(shared, name)
    said = said.strip()
    if said.startswith(b"ref:") and left:
        other = said.removeprefix(b"ref:").strip()
        if other == b"refs/heads/.invalid":
            raise IsolationImpossible(
                "its repository keeps its refs in a way that is not read here (reftable): use isolation scratch, or "
                "convert it with `git refs migrate --ref-format=files`."
            )
        if not other.startswith(b"refs/") or b".." in other or b"\0" in other:
            return None
        return _resolve(own, shared, other, left - 1)
    return said.decode() if _ID.fullmatch(said) else None


def _packed(shared: Beneath, name: bytes) -> str | None:
    for line in (_read(shared, b"packed-refs", _PACKED) or b"").splitlines():
        id_, _, ref = line.partition(b" ")
        if ref == name and _ID.fullmatch(id_):
            return id_.decode()
    return None


def _stores(objects: Path) -> tuple[Path, ...]:
    """This folder of objects, and all that it says it borrows from."""
    known: list[Path] = []
    todo = [(objects, _LINKS)]
    while todo and len(known) < _STORES:
        store, left = todo.pop(0)
        if store in known or not any((store / name).is_dir() for name in ("pack", "info")):
            continue  # nothing of git's: it is not shown to anybody
        known.append(store)
        said = b""
        if left:
            with Beneath(store) as inside:
                said = _read(inside, b"info/alternates") or b""
        lines = [_unquoted(line) for line in said.splitlines() if line and not line.startswith(b"#")]
        todo += [(Path(os.path.realpath(store / os.fsdecode(line))), left - 1) for line in lines]
    return tuple(known)


def _unquoted(line: bytes) -> bytes:
    if not line.startswith(b'"') or not line.endswith(b'"'):
        return line
    return line[1:-1].decode("unicode_escape").encode("latin-1")


def _ids(lines: bytes | None) -> bytes | None:
    """These lines, as far as they are ids."""
    return None if lines is None else b"".join(line + b"\n" for line in lines.split() if _ID.fullmatch(line))


def _read(place: Beneath, path: bytes, most: int = _SMALL) -> bytes | None:
    """A file that may be missing; what is no file, too large or not readable is missing, too."""
    try:
        return place.read(path, most)
    except OSError:
        return None
