"""A call's arguments in a line: the most telling one, short, and without secrets."""

import msgspec
import pytest

from actors.pi import arguments
from actors.pi.arguments import SUMMARY, summary


def of(**args: object) -> str:
    return summary(msgspec.Raw(msgspec.json.encode(args)))


def test_the_most_telling_argument_is_one_line() -> None:
    assert of(path="src", command="make  all\n\tthen this") == "make all then this"
    assert of(file_path="a.py", content="x" * 1000) == "a.py"
    assert of(path="a.py", pattern="def .*") == "def .*"
    assert of(command="e" * 500) == "e" * (SUMMARY - 1) + "…"


@pytest.mark.parametrize("args", [b"", b"null", b"[]", b'{"command":', b"{}", b'{"command":5}', b"[" * 100_000])
def test_what_says_nothing_is_nothing(args: bytes) -> None:
    assert summary(msgspec.Raw(args)) == ""


def test_a_secret_at_the_place_of_the_cut_is_not_shown_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "redact", lambda text: text.replace("hunter22", "***"))
    for length in range(SUMMARY - 12, SUMMARY + 4):
        assert "hun" not in of(command="e" * length + "hunter22")


def test_a_tool_of_ours_is_known_by_its_task_its_id_or_its_words() -> None:
    assert of(isolation="copy", task="look at a.py\nand report", wait=True) == "look at a.py and report"
    assert of(id="look-1", wait=True) == "look-1"
    assert of(done=3, text="tests are green") == "tests are green"
    assert of(query="deploy") == "deploy"
