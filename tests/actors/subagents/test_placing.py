"""The few files of a merge: looked at, replaced one by one, put back if one cannot be."""

import os
from pathlib import Path

import pytest

from actors.subagents.placing import LINK, Blob, Placing, Raced, look
from tests.actors.subagents.workshop import content, snapshot, write

FILE, PROGRAM = Blob("100644", ""), Blob("100755", "")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("now", "new"):
        (tmp_path / "scratch" / name).mkdir(parents=True)
    write(tmp_path / "place", {"a": "1", "d/b": "2"})
    (tmp_path / "place/l").symlink_to("a")
    return tmp_path / "place"


def placing(place: Path, *writes: tuple[bytes, Blob | None]) -> Placing:
    """Of contents that are the numbers of the writes."""
    scratch = place.parent / "scratch"
    seen = look(place, {path: blob is not None for path, blob in writes}, scratch / "now")
    assert seen.in_the_way == []
    write(scratch / "new", {str(n): str(n) for n, (_, blob) in enumerate(writes) if blob is not None})
    return Placing(place, scratch, seen.present, list(writes))


def test_what_is_there(place: Path) -> None:
    (place / "a").chmod(0o755)
    seen = look(place, {b"a": True, b"l": True, b"none": True}, place.parent / "scratch/now")
    kinds = {path: found and found.kind for path, found in seen.present.items()}
    assert kinds == {b"a": "100755", b"l": LINK, b"none": None}
    assert content(place.parent / "scratch/now") == {"0": "1", "1": "a"}


@pytest.mark.parametrize(
    ("paths", "blocked"),
    [
        ({b"l/x": True}, [b"l/x"]),
        ({b"l/x": True, b"l": False}, []),
        ({b"l/x": False}, []),
        ({b"a/x": True}, [b"a/x"]),
        ({b"d": True}, [b"d"]),
        ({b"d": True, b"d/b": False}, []),
        ({b"d": False}, []),
    ],
)
def test_what_is_in_the_way(place: Path, paths: dict[bytes, bool], blocked: list[bytes]) -> None:
    assert look(place, paths, place.parent / "scratch/now").in_the_way == blocked


def test_all_of_it_is_written(place: Path) -> None:
    (place / "a").chmod(0o640)
    placing(place, (b"a", PROGRAM), (b"d/b", None), (b"l", FILE), (b"n/new", FILE), (b"m", Blob(LINK, ""))).write()
    assert content(place) == {"a": "0", "l": "2", "n/new": "3", "m": "4"}
    assert (place / "a").stat().st_mode & 0o777 == 0o750
    assert not (place / "l").is_symlink()
    assert (place / "m").is_symlink()
    assert not (place / "d").exists()


@pytest.mark.parametrize("name", ["a", "d/b", "n"])
def test_a_change_before_it_begins(place: Path, name: str) -> None:
    work = placing(place, (b"n", FILE), (b"a", FILE), (b"d/b", None))
    write(place, {name: "raced"})
    before = snapshot(place)
    with pytest.raises(Raced):
        work.write()
    assert snapshot(place) == before


def test_a_change_in_the_middle(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = placing(place, (b"a", FILE), (b"l", None), (b"n/new", FILE), (b"d/b", FILE))
    check, seen = Placing._check, [0]

    def late(self: Placing, tree: object, path: bytes) -> None:
        seen[0] += path == b"d/b"
        if path == b"d/b" and seen[0] == 2:
            write(place, {"d/b": "raced"})
        check(self, tree, path)  # type: ignore[arg-type]

    monkeypatch.setattr(Placing, "_check", late)
    with pytest.raises(Raced):
        work.write()
    assert content(place) == {"a": "1", "l": "a", "d/b": "raced"}
    assert sorted(os.listdir(place)) == ["a", "d", "l"]
