"""The client against a good service, none, and programs that only look like one."""

import socket as sockets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from supervisor.control import wire
from supervisor.control.client import call
from supervisor.control.errors import NoAnswer, NoService, Refused
from tests.supervisor.control.house import ask, open_house


@contextmanager
def impostor(path: Path, *answers: bytes, hold: bool = False) -> Iterator[None]:
    """Takes one connection, says `answers`, and leaves; or holds on to it until the block ends."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(wire.MAX_REQUEST)
            for answer in answers:
                connection.sendall(answer)
            if hold:
                over.wait()

    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


async def test_an_answer_and_a_refusal(tmp_path: Path) -> None:
    socket = tmp_path / "ctl.sock"
    async with open_house(socket):
        assert isinstance(await ask(socket, "tree"), dict)
        with pytest.raises(Refused, match="there is no verb"):
            await ask(socket, "fly")


def test_no_service(tmp_path: Path) -> None:
    nothing = tmp_path / "ctl.sock"
    dead = tmp_path / "dead.sock"
    with sockets.socket(sockets.AF_UNIX) as socket:
        socket.bind(str(dead))

    for path in (nothing, dead, nothing / "below" / "ctl.sock"):
        with pytest.raises(NoService, match=f"^no service runs on {path}$"):
            call(str(path), "tree", {})


def test_an_answer_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    with impostor(path, b'{"ok":true,', b'"result":', b"7}\n"):
        assert call(str(path), "tree", {}) == 7


def test_a_large_answer(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    with impostor(path, wire.result_line(b'"' + b"x" * 8_000_000 + b'"')):
        assert call(str(path), "tree", {}) == "x" * 8_000_000


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "went away without an answer"),
        (b'{"ok":true,"resu', "not a line of JSON"),
        (b"220 smtp.example ESMTP\r\n", "not a line of JSON"),
        (b"[]\n", "neither a result nor an error"),
    ],
)
def test_what_is_no_answer_is_said(tmp_path: Path, answer: bytes, why: str) -> None:
    path = tmp_path / "ctl.sock"
    with impostor(path, answer), pytest.raises(NoAnswer, match=why):
        call(str(path), "tree", {})


def test_a_service_that_hangs_is_left_after_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    with impostor(path, b'{"ok":', hold=True), pytest.raises(NoAnswer, match=r"gave no answer within 0.1 s"):
        call(str(path), "tree", {}, timeout=0.1)


def test_dripping_does_not_stretch_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    over = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            while not over.wait(0.02):
                connection.sendall(b" ")

    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(NoAnswer):  # the test's own time limit is what would end it otherwise
                call(str(path), "tree", {}, timeout=0.2)
        finally:
            over.set()
            thread.join()


def test_a_queue_that_is_full_is_said(tmp_path: Path) -> None:
    path = str(tmp_path / "ctl.sock")
    with sockets.socket(sockets.AF_UNIX) as busy, sockets.socket(sockets.AF_UNIX) as waiting:
        busy.bind(path)
        busy.listen(0)
        waiting.connect(path)
        with pytest.raises(NoAnswer, match="more connections than it takes"):
            call(path, "tree", {})


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(NoAnswer, match="cannot be reached"):
        call(str(tmp_path / ("x" * 200)), "tree", {})
