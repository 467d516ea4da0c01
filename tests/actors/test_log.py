"""A log line: one per record, with the actor's path, without secrets, whatever is thrown at it."""

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from actors import log, redaction
from supervisor import current_path

TOKEN = "123456:AAE-x"


@pytest.fixture
def restored() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    redaction.forget_all()
    yield
    redaction.forget_all()
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook = hook


@pytest.fixture
def lines(restored: None) -> Callable[[], list[str]]:
    stream = io.StringIO()
    log.setup("DEBUG", stream)
    redaction.remember(TOKEN)
    return lambda: stream.getvalue().splitlines()


def without_time(line: str) -> str:
    text, times = re.subn(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", "", line)
    assert times == 1
    return text


Lines = Callable[[], list[str]]


def test_a_line_has_time_level_actor_and_text(lines: Lines) -> None:
    token = current_path.set("/service/store")
    logging.getLogger("actors.store").info("opened %s", "state.db")
    current_path.reset(token)
    assert [without_time(line) for line in lines()] == ["INFO     /service/store opened state.db"]


async def test_each_task_has_its_own_path(lines: Lines) -> None:
    async def actor(path: str) -> None:
        current_path.set(path)
        await trio.lowlevel.checkpoint()
        logging.getLogger("x").warning("here")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor, "/a")
        nursery.start_soon(actor, "/b")
    logging.getLogger("x").warning("there")
    assert sorted(map(without_time, lines())) == ["WARNING  /a here", "WARNING  /b here", "WARNING  x there"]


def test_a_record_is_one_line_and_moves_no_cursor(lines: Lines) -> None:
    logging.getLogger("x").info("a\nb\r\x1b[2Jc\u2028d\te\x9bf")
    assert [without_time(line) for line in lines()] == ["INFO     x a\\nb\\r\\x1b[2Jc\\u2028d e\\x9bf"]


def test_secrets_are_masked_in_text_arguments_and_exceptions(lines: Lines) -> None:
    try:
        raise ValueError(f"rejected {TOKEN}")
    except ValueError:
        logging.getLogger("x").exception("with %s and %s", TOKEN, {"token": TOKEN})
    [line] = lines()
    assert TOKEN not in line
    assert "with *** and {'token': '***'} | ValueError: rejected *** [test_log.py:" in line


def test_a_long_line_is_cut_after_its_secrets_are_gone(lines: Lines) -> None:
    logging.getLogger("x").info("%s", "x" * (log.MAX_LINE - 7) + TOKEN)
    logging.getLogger("x").info("%s", "y" * 1_000_000)
    assert "123" not in without_time(lines()[0])
    assert [len(without_time(line)) <= log.MAX_LINE + 10 for line in lines()] == [True, True]


def test_a_record_that_cannot_be_formatted_shows_no_arguments(
    restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    log.setup("INFO", stream)  # here and not in a fixture: pytest's own handler, which raises, has to go
    logging.getLogger("x").info("%d", TOKEN)
    logging.getLogger("x").info("next")
    assert len(stream.getvalue().splitlines()) == 1
    assert re.fullmatch(r"log: a record from \S+test_log\.py:\d+ cannot be formatted\n", capsys.readouterr().err)


def test_a_closed_stderr_is_survived(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", buffering=1) as stream:
        log.setup("INFO", stream)
        logging.getLogger("x").info("nobody hears this")
        with pytest.raises(BrokenPipeError):
            stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("lines")
def test_the_http_client_does_not_log_its_urls() -> None:
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore.connection").isEnabledFor(logging.DEBUG)
    assert logging.getLogger("actors").isEnabledFor(logging.DEBUG)


def test_setting_up_again_takes_the_place_of_before(lines: Lines) -> None:
    again = io.StringIO()
    log.setup("ERROR", again)
    logging.getLogger("x").error("a")
    logging.getLogger("x").warning("b")
    assert lines() == []
    assert len(again.getvalue().splitlines()) == 1


def test_an_exception_tells_its_frames_causes_and_parts() -> None:
    def inner() -> None:
        raise KeyError("k")

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ExceptionGroup("both", [ValueError("v"), OSError("o")]) from error

    with pytest.raises(ExceptionGroup) as caught:
        outer()
    text = log.one_line(caught.value)
    frame = r"test_log\.py:\d+"
    assert re.fullmatch(
        rf"ExceptionGroup: both \(2 sub-exceptions\) \[{frame} outer < {frame} test_\w+\]"
        rf" \{{ValueError: v; OSError: o\}} after KeyError: 'k' \[{frame} inner < {frame} outer\]",
        text,
    )


def test_a_deep_exception_ends() -> None:
    def dive(depth: int) -> None:
        if depth == 0:
            raise ValueError("bottom")
        dive(depth - 1)

    with pytest.raises(ValueError, match="bottom") as caught:
        dive(500)
    assert log.one_line(caught.value).count(" < ") == 7
    looped = ValueError("a")
    looped.__context__ = OSError("b")
    looped.__context__.__context__ = looped
    assert log.one_line(looped).count("OSError") == 3


PROGRAM = """
import logging, os, sys
from actors import log, redaction
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}" if sys.argv[1] == "journal" else "1:2"
redaction.remember("sesame-street")
log.setup("DEBUG")
for level in (10, 20, 30, 40, 50):
    logging.getLogger("x").log(level, "a")
raise ValueError("sesame-street")
"""


def run(where: str) -> list[str]:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", PROGRAM, where], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_the_journal_gets_priorities_instead_of_times() -> None:
    assert run("journal")[:5] == ["<7>x a", "<6>x a", "<4>x a", "<3>x a", "<2>x a"]


def test_elsewhere_levels_have_names_and_what_nobody_catches_is_redacted_too() -> None:
    shown = run("terminal")
    assert [line.split()[1] for line in shown[:5]] == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    assert shown[5] == "Traceback (most recent call last):"
    assert shown[-1] == "ValueError: ***"


def test_what_is_no_file_is_no_journal() -> None:
    assert not log.is_journal(io.StringIO(), "")
