"""What lies where a session should be: all that pi would pass over in silence is said."""

import json
import os
import tracemalloc
from pathlib import Path

import pytest

from actors.pi import session_file
from actors.pi.errors import SessionUnfit
from actors.pi.framing import MAX_LINE
from actors.pi.session_file import LONGEST_HEAD, Chain, examine

ID = "den-1"
NAME = "2026-11-20T10-00-00-000Z_den-1.jsonl"
ENTRY = '{"type":"message","id":"a1","parentId":null,"message":{"role":"user","content":"hi"}}\n'


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    return sessions


def header(cwd: Path, session: str = ID) -> str:
    return json.dumps({"type": "session", "version": 3, "id": session, "cwd": str(cwd)}) + "\n"


def write(folder: Path, text: str, name: str = NAME) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def why(folder: Path, work: Path, *, expected: bool = True) -> str:
    """Why the session is unfit; empty if it is not."""
    try:
        examine(folder, ID, str(work), expected=expected)
    except SessionUnfit as error:
        said = str(error)
    else:
        return ""
    assert "/new" in said, "it names the mend"
    assert "\n" not in said
    return said


def test_a_session_in_its_place_is_fit(folder: Path, work: Path) -> None:
    write(folder, header(work) + ENTRY)
    write(folder, header(work, "den-0") + ENTRY, "2026-11-19T10-00-00-000Z_den-0.jsonl")
    assert why(folder, work) == why(folder, work, expected=False) == ""


@pytest.mark.parametrize("end", ['{"type":"mess', "\x00\x00\x00", "\n\n", ENTRY[:-1]])
def test_a_torn_last_line_is_fit(folder: Path, work: Path, end: str) -> None:
    write(folder, header(work) + ENTRY + end)
    assert why(folder, work) == ""


def test_a_file_that_is_gone_is_only_missed_where_there_was_one(folder: Path, work: Path) -> None:
    write(folder, header(work, "den-0") + ENTRY, "2026-11-19T10-00-00-000Z_den-0.jsonl")
    assert f"{folder}/…_den-1.jsonl, is gone" in why(folder, work)
    assert why(folder, work, expected=False) == ""
    assert "is gone" in why(folder / "nowhere", work)
    assert why(folder / "nowhere", work, expected=False) == ""


@pytest.mark.parametrize(
    "beginning", ["", '{"type":"sess', ENTRY, "\x00" * 4096 + "\n" + ENTRY, "x" * LONGEST_HEAD + "\n"]
)
def test_a_beginning_that_is_lost(folder: Path, work: Path, beginning: str) -> None:
    file = write(folder, beginning)
    assert f"{file} is damaged, its beginning is lost" in why(folder, work)
    assert why(folder, work, expected=False) == "", "what led to it is sent again"


def test_a_line_before_the_header_that_is_no_json_is_passed_over_as_pi_does(folder: Path, work: Path) -> None:
    write(folder, "half a line\n\n" + header(work) + ENTRY)
    assert why(folder, work) == ""


def test_a_header_that_stands_alone(folder: Path, work: Path) -> None:
    file = write(folder, header(work))
    assert f"{file} has lost all but its first line" in why(folder, work)
    assert why(folder, work, expected=False) == ""


def test_the_file_of_another_session_under_this_name(folder: Path, work: Path) -> None:
    file = write(folder, header(work, "other") + ENTRY)
    assert f"{file} begins as that of another session, other" in why(folder, work)


def test_another_folder(folder: Path, work: Path, tmp_path: Path) -> None:
    file = write(folder, header(tmp_path / "before") + ENTRY)
    said = why(folder, work)
    assert (str(file) in said, str(tmp_path / "before") in said, str(work) in said) == (True, True, True)
    assert why(folder, work, expected=False) == said, "the conversation may be in it"


def test_pi_writes_down_where_a_link_leads(folder: Path, work: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(work)
    write(folder, header(work) + ENTRY)
    assert why(folder, link) == ""
    link.unlink()
    (tmp_path / "elsewhere").mkdir()
    link.symlink_to(tmp_path / "elsewhere")
    assert f"begun in the folder {work}" in why(folder, link)


def test_two_files_of_one_session(folder: Path, work: Path) -> None:
    first, second = (write(folder, header(work) + ENTRY, name) for name in ("a_den-1.jsonl", "b_den-1.jsonl"))
    assert f"{first} and {second}" in why(folder, work)


def test_beside_a_whole_file_a_broken_one_does_not_matter(folder: Path, work: Path) -> None:
    write(folder, header(work) + ENTRY)
    write(folder, ENTRY, "2026-11-20T11-00-00-000Z_den-1.jsonl")
    assert why(folder, work) == ""


def test_a_pipe_and_a_folder_under_its_name_keep_nobody_waiting(folder: Path, work: Path) -> None:
    os.mkfifo(folder / "a_den-1.jsonl")
    assert "a_den-1.jsonl cannot be read (it is no file)" in why(folder, work)
    (folder / "a_den-1.jsonl").unlink()
    (folder / NAME).mkdir()
    assert "cannot be read" in why(folder, work)
    (folder / NAME).rmdir()
    (folder / NAME).symlink_to(folder / "nowhere")
    assert "cannot be read (it is no file)" in why(folder, work)


def test_a_folder_that_is_a_file(folder: Path, work: Path) -> None:
    assert "cannot be read (Not a directory)" in why(write(folder, ""), work)


# --- the chain of entries


def entry(name: str, before: str | None) -> str:
    return json.dumps({"type": "message", "id": name, "parentId": before, "message": {}}) + "\n"


def test_a_line_that_is_missing_in_the_middle(folder: Path, work: Path) -> None:
    file = write(folder, header(work) + entry("a", None) + entry("b", "a") + entry("d", "c"))
    assert f"{file} has lost a line in its middle" in why(folder, work)
    # A branch that was left may end wherever it likes: pi does not go there.
    write(folder, header(work) + entry("a", None) + entry("x", "c") + entry("b", "a"))
    assert why(folder, work) == ""


def test_an_entry_is_held_with_all_that_led_to_it(folder: Path, work: Path) -> None:
    file = write(folder, header(work) + entry("a", None))
    chain = Chain(file)
    assert (chain.holds("a"), chain.holds("b")) == (True, False)
    with file.open("a") as growing:
        growing.write(entry("b", "a") + entry("c", "b")[:10])
        growing.flush()
        assert (chain.holds("b"), chain.holds("c")) == (True, False)
        growing.write(entry("c", "b")[10:])
        growing.flush()
        assert chain.holds("c")
        growing.write(entry("e", "d"))
        growing.flush()
        assert not chain.holds("e")


def test_a_file_that_is_gone_or_was_begun_anew_holds_nothing(folder: Path, work: Path) -> None:
    file = write(folder, header(work) + entry("a", None) + entry("b", "a"))
    chain = Chain(file)
    assert chain.holds("b")
    file.unlink()
    assert not chain.holds("b")
    write(folder, entry("c", "b"))  # as pi does, which does not notice
    assert not chain.holds("c")
    write(folder, header(work) + entry("c", None))
    assert chain.holds("c")


def test_no_file_holds_nothing_and_a_disk_that_does_not_say_is_believed(
    folder: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / NAME).symlink_to("/dev/full")
    assert not Chain(folder / NAME).holds("a")
    (folder / NAME).unlink()
    chain = Chain(write(folder, header(work) + entry("a", None)))
    assert chain.holds("a")

    def failing(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", failing)
    assert chain.holds("b")


def test_entries_that_name_each_other_in_a_ring_keep_nobody_for_ever(folder: Path, work: Path) -> None:
    file = write(folder, header(work) + entry("a", None) + entry("b", "c") + entry("c", "b"))
    assert f"{file} has lost a line in its middle" in why(folder, work)
    assert not Chain(file).holds("c")


def test_what_is_said_again_with_another_parent_is_looked_at_again(folder: Path, work: Path) -> None:
    file = write(folder, header(work) + entry("a", None) + entry("b", "a"))
    chain = Chain(file)
    assert chain.holds("b")
    with file.open("a") as growing:
        growing.write(entry("a", "gone") + entry("c", "b"))
    assert not chain.holds("c")


def test_an_entry_that_is_too_long_to_be_kept_is_known_by_its_beginning(folder: Path, work: Path) -> None:
    picture = (
        '{"type":"message","id":"b","parentId":"a","message":{"role":"user","content":"' + "x" * MAX_LINE + '"}}\n'
    )
    file = write(folder, header(work) + entry("a", None) + picture + entry("c", "b"))
    chain = Chain(file)
    assert chain.holds("c")
    with file.open("a") as growing:
        growing.write(picture.replace('"id":"b"', '"id":"d"').replace('"a"', '"c"') + entry("e", "d"))
    assert chain.holds("e")
    with file.open("a") as growing:
        growing.write("x" * MAX_LINE * 2 + "\n" + entry("f", "nowhere"))
    assert not chain.holds("f")


@pytest.mark.parametrize("harm", ["size", "line", "entries", "name"])
def test_a_file_that_was_blown_up_costs_little(
    folder: Path, work: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setattr(session_file, "MOST_ENTRIES", 100)
    file = write(folder, header(work) + entry("a", None))
    chain = Chain(file)
    assert chain.holds("a")
    with file.open("ab") as growing:
        match harm:
            case "size":
                growing.truncate(1 << 40)
            case "line":
                growing.truncate(session_file.LARGEST // 8)
            case "entries":
                growing.write("".join(entry(str(number), "a") for number in range(200)).encode())
            case _:
                growing.write(entry("x" * (1 << 20), "a").encode())
    tracemalloc.start()
    try:
        held = chain.holds("z")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held == (harm in ("size", "entries")), "nobody can say, or the entry is not there"
    assert peak < 5 * MAX_LINE
    assert why(folder, work) == ""


def test_while_a_look_is_on_that_nobody_waits_for_the_next_one_says_nothing(folder: Path, work: Path) -> None:
    chain = Chain(write(folder, header(work) + entry("a", None)))
    with chain._alone():
        assert chain.holds("z")
        assert not chain.broken()
    assert not chain.holds("z")


def test_a_link_in_the_place_of_a_session_is_not_followed(folder: Path, work: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_text(header(work) + entry("a", None))
    (folder / NAME).symlink_to(elsewhere)
    assert "cannot be read (it is no file)" in why(folder, work)
    assert not Chain(folder / NAME).holds("a")
