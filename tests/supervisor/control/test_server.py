"""The control server against what the world does to a socket: strangers, garbage, silence, leftovers, floods."""

# ruff: noqa: ASYNC240 - a test may wait for its own temporary folder
import json
import os
import socket as sockets
import stat
from pathlib import Path

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor import NoSuchActor, StartFailed
from supervisor.control import server, wire
from supervisor.control.errors import NoService, Refused
from supervisor.control.verbs import VERBS, Host, verb
from tests.supervisor.control.house import Worker, ask, open_house, speak

TREE = b'{"verb":"tree","args":{}}\n'


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ctl.sock"


def refused(answer: bytes) -> tuple[str, str]:
    """The refusal that an answer consists of."""
    assert answer.count(b"\n") == 1
    with pytest.raises(Refused) as caught:
        wire.parse_response(answer)
    return caught.value.kind, caught.value.text


# --- the socket itself


async def test_only_the_user_can_reach_the_socket(socket: Path) -> None:
    async with open_house(socket):
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


async def test_a_folder_that_is_there_keeps_its_mode(socket: Path) -> None:
    socket.parent.mkdir()
    socket.parent.chmod(0o755)
    async with open_house(socket):
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o755


async def test_the_socket_goes_with_the_service(socket: Path) -> None:
    async with open_house(socket):
        assert socket.is_socket()

    assert not socket.exists()
    with pytest.raises(NoService):
        await ask(socket, "tree")


async def test_what_a_dead_service_left_is_replaced(socket: Path) -> None:
    socket.parent.mkdir()
    with sockets.socket(sockets.AF_UNIX) as dead:
        dead.bind(str(socket))

    async with open_house(socket):
        await ask(socket, "tree")


async def test_a_second_service_does_not_start_and_leaves_the_first_alone(socket: Path) -> None:
    async with open_house(socket):
        with pytest.raises(StartFailed, match="another service runs on this socket"):
            async with open_house(socket):
                pass

        await ask(socket, "tree")


async def test_a_service_too_busy_to_answer_is_one_that_lives(socket: Path) -> None:
    socket.parent.mkdir()
    with sockets.socket(sockets.AF_UNIX) as busy, sockets.socket(sockets.AF_UNIX) as waiting:
        busy.bind(str(socket))
        busy.listen(0)
        waiting.connect(str(socket))
        with pytest.raises(StartFailed, match="another service runs on this socket"):
            async with open_house(socket):
                pass

        assert socket.is_socket()


async def test_a_file_that_is_no_socket_is_not_touched(socket: Path) -> None:
    socket.parent.mkdir()
    socket.write_text("precious")
    with pytest.raises(StartFailed, match="is another file; move it away"):
        async with open_house(socket):
            pass

    assert socket.read_text() == "precious"


async def test_a_path_that_is_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="choose another path"):
        async with open_house(tmp_path / ("x" * 120)):
            pass


async def test_the_socket_of_a_successor_is_not_removed(socket: Path) -> None:
    async with open_house(socket):
        socket.unlink()
        socket.write_text("another's")

    assert socket.read_text() == "another's"


async def test_the_server_itself_is_restarted_like_any_actor(socket: Path) -> None:
    async with open_house(socket) as system:
        await system.restart_child("/control")
        await ask(socket, "tree")

        assert system.snapshot("/control").state == "running"
        assert len(system.telemetry._subscriptions) == 1  # the first incarnation has let go of its own


# --- who may ask


@pytest.mark.parametrize(
    ("peer", "own", "admitted"), [(1000, 1000, True), (0, 1000, True), (1001, 1000, False), (1, 0, False)]
)
def test_the_user_and_root_may_ask(peer: int, own: int, admitted: bool) -> None:
    assert server.admits(peer, own) is admitted


async def test_a_stranger_is_refused(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def another_user(connection: trio.socket.SocketType) -> int:
        seen.append(server_peer_uid(connection))
        return 12345

    server_peer_uid = server.peer_uid
    monkeypatch.setattr(server, "peer_uid", another_user)
    async with open_house(socket):
        assert refused(await speak(socket, TREE)) == ("not_allowed", "the user with id 12345 may not use this socket")

    assert seen == [os.geteuid()]


# --- what is said


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"garbage\n", "bad_request"),
        (b"\n", "bad_request"),
        (b"\x00\xff" * 100 + b"\n", "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad_request"),
        (b'{"verb":"tree",', "bad_request"),
        (b"x" * 1_000_000, "too_large"),
        (b'{"verb":"fly","args":{}}\n', "unknown_verb"),
        (b'{"verb":"' + b"f" * 60_000 + b'","args":{}}\n', "unknown_verb"),
        (b'{"verb":"tree","args":{"path":7}}\n', "bad_request"),
        (b'{"verb":"tree","args":{"path":"/no/such"}}\n', "no_such_actor"),
    ],
)
async def test_bad_input_gets_one_sentence_and_hurts_nobody(socket: Path, data: bytes, kind: str) -> None:
    async with open_house(socket) as system:
        said, text = refused(await speak(socket, data))
        await ask(socket, "tree")

        assert system.snapshot("/control").incarnation == 1

    assert said == kind
    assert 10 < len(text) < 300


async def test_the_longest_request_is_heard(socket: Path) -> None:
    request = TREE[:-1].ljust(wire.MAX_REQUEST - 1) + b"\n"
    async with open_house(socket):
        assert json.loads(await speak(socket, request))["ok"]
        assert refused(await speak(socket, b" " + request))[0] == "too_large"


async def test_an_unknown_verb_is_answered_with_those_that_are_known(socket: Path) -> None:
    async with open_house(socket):
        with pytest.raises(Refused, match=r"^there is no verb 'fly'; there are: tree, status, restart$"):
            await ask(socket, "fly")


async def test_whoever_says_nothing_is_told_nothing(socket: Path) -> None:
    async with open_house(socket):
        assert await speak(socket, b"") == b""


async def test_half_a_request_is_not_waited_for(socket: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(socket):
        said = refused(await speak(socket, b'{"verb":', to_the_end=False))

        assert said == ("too_late", "no whole request came within 5 s")
        assert trio.current_time() == pytest.approx(server.REQUEST_TIMEOUT, abs=0.1)


async def test_silent_connections_hold_their_seats_only_for_a_while(
    socket: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_house(socket), trio.open_nursery() as nursery:
        for _ in range(server.MAX_CONNECTIONS):
            nursery.start_soon(quietly, socket)
        await trio.testing.wait_all_tasks_blocked()

        assert refused(await speak(socket, b"late\n"))[0] == "bad_request"
        assert trio.current_time() == pytest.approx(server.REQUEST_TIMEOUT, abs=0.1)


async def quietly(socket: Path) -> None:
    refused(await speak(socket, b"", to_the_end=False))


async def test_one_that_leaves_before_the_answer_is_not_missed(socket: Path) -> None:
    async with open_house(socket) as system:
        for _ in range(50):
            stream = await trio.open_unix_socket(str(socket))
            await stream.send_all(TREE)
            await trio.aclose_forcefully(stream)
        await ask(socket, "tree")

        assert system.snapshot("/control").incarnation == 1


async def test_many_ask_at_once(socket: Path) -> None:
    async def one() -> None:
        told.append(json.loads(await speak(socket, TREE))["ok"])

    told: list[bool] = []
    async with open_house(socket), trio.open_nursery() as nursery:
        for _ in range(3 * server.MAX_CONNECTIONS):
            nursery.start_soon(one)

    assert told == [True] * (3 * server.MAX_CONNECTIONS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda data: data + b"\n"),
        st.builds(
            lambda verb, args: json.dumps({"verb": verb, "args": args}).encode() + b"\n",
            st.sampled_from(["tree", "status", "restart"]) | st.text(),
            st.dictionaries(st.sampled_from(["path"]) | st.text(), st.text() | st.integers() | st.none()),
        ),
    )
)
async def test_no_bytes_end_the_server(tmp_path: Path, data: bytes) -> None:
    socket = tmp_path / "ctl.sock"
    async with open_house(socket) as system:
        answer = await speak(socket, data)
        if answer:
            assert set(json.loads(answer)) in ({"ok", "result"}, {"ok", "error"})
        else:
            assert data == b""
        assert json.loads(await speak(socket, TREE))["ok"]
        assert system.snapshot("/control").incarnation == 1


# --- verbs of others


class Anything(msgspec.Struct):
    """No arguments are looked at."""


async def hangs(_: Host, __: Anything) -> None:
    await trio.sleep_forever()


async def has_a_bug(_: Host, __: Anything) -> None:
    raise ZeroDivisionError("a secret in an error text")


async def asks_the_dead(host: Host, _: Anything) -> None:
    raise NoSuchActor("/service/gone")


async def says_what_json_has_not(_: Host, __: Anything) -> object:
    return Worker()


MORE = {
    **VERBS,
    "hangs": verb(Anything, hangs, patience=2.0),
    "buggy": verb(Anything, has_a_bug),
    "dead": verb(Anything, asks_the_dead),
    "strange": verb(Anything, says_what_json_has_not),
}


async def test_a_verb_that_hangs_is_answered_for(socket: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(socket, verbs=MORE):
        said = refused(await speak(socket, b'{"verb":"hangs","args":{}}\n'))

        assert said == ("too_late", "hangs had no answer within 2 s; what it began goes on")
        assert trio.current_time() == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("name", "error"), [("buggy", "ZeroDivisionError"), ("strange", "TypeError")])
async def test_a_verb_with_a_bug_fails_alone(
    socket: Path, caplog: pytest.LogCaptureFixture, name: str, error: str
) -> None:
    async with open_house(socket, verbs=MORE) as system:
        with pytest.raises(Refused, match=rf"^{name} failed in the service: {error}$"):
            await ask(socket, name)

        assert system.snapshot("/control").incarnation == 1

    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_an_actor_that_is_not_there_is_a_plain_refusal(socket: Path) -> None:
    async with open_house(socket, verbs=MORE):
        with pytest.raises(Refused, match=r"^/service/gone: no such actor$"):
            await ask(socket, "dead")
