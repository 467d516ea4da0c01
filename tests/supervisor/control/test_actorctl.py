"""`actorctl` as people and scripts run it: a real process, its output and its exit code."""

import json
import os
import pty
import subprocess
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from supervisor import ChildSpec
from supervisor.control import actorctl
from supervisor.control.actorctl import Command, Group
from supervisor.control.verbs import VERBS, Host, verb
from tests.supervisor.control.house import Worker, open_house

COMMAND = (sys.executable, "-c", "import sys; from supervisor.control.actorctl import main; sys.exit(main())")


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "ctl.sock"


async def run(socket: Path, *args: str, **environment: str) -> tuple[int, str, str]:
    done = await trio.run_process(
        [*COMMAND, "--socket", str(socket), *args],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_tree(socket: Path) -> None:
    async with open_house(socket):
        code, out, err = await run(socket, "tree")

    names = [line.split("  ")[0] for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert names == ["house", "├─ control", "├─ store", "└─ service", "", "", "", "", ""]
    assert "   │  ├─ alpha  running" in out
    assert "\x1b" not in out


async def test_tree_of_a_part_at_a_depth_in_ascii(socket: Path) -> None:
    async with open_house(socket):
        code, out, _ = await run(socket, "tree", "/service", "--depth", "1", "--ascii")

    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines()] == ["/service", "|- rooms", "|- busy", "`- once"]


async def test_json_is_what_the_service_said(socket: Path) -> None:
    async with open_house(socket):
        code, out, _ = await run(socket, "tree", "--json")
        _, before_the_verb, _ = await run(socket, "--json", "tree", "--depth", "0")

    assert code == 0
    assert [child["path"] for child in json.loads(out)["children"]] == ["/control", "/store", "/service"]
    assert json.loads(before_the_verb)["children"] == []


async def test_status(socket: Path) -> None:
    async with open_house(socket):
        code, out, _ = await run(socket, "status", "service/busy")
        _, as_json, _ = await run(socket, "status", "service/busy", "--json")

    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "● /service/busy – Worker"
    assert "       Doing: counts its sheep" in lines
    assert lines[-1].endswith("  started")
    assert {"path", "state", "since", "spec", "log", "children"} <= set(json.loads(as_json))


async def test_restart(socket: Path) -> None:
    async with open_house(socket) as system:
        code, out, err = await run(socket, "restart", "/store")

        assert system.snapshot("/store").restarts == 1

    assert (code, out, err) == (0, "/store was restarted and is running\n", "")


async def test_a_refusal_is_exit_code_1(socket: Path) -> None:
    async with open_house(socket):
        code, out, err = await run(socket, "status", "/sotre")

    assert (code, out) == (1, "")
    assert err == "actorctl: there is no actor at '/sotre'; the nearest is /store\n"


@pytest.mark.parametrize("args", [(), ("fly",), ("status",), ("tree", "--depth", "-1"), ("tree", "/a", "/b")])
async def test_wrong_usage_is_exit_code_2(socket: Path, args: tuple[str, ...]) -> None:
    code, out, err = await run(socket, *args)

    assert (code, out) == (2, "")
    assert err.startswith("usage: actorctl")


async def test_no_service_is_exit_code_3(socket: Path) -> None:
    assert await run(socket, "tree") == (3, "", f"actorctl: no service runs on {socket}\n")


def test_the_service_is_found_and_its_start_is_hinted_at(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert actorctl.main(["tree"], default_socket=lambda: str(socket), start_hint="Start it with: it run") == 3
    assert capsys.readouterr().err == f"actorctl: no service runs on {socket}. Start it with: it run\n"


class Sheep(msgspec.Struct):
    """The arguments of a verb that is not the runtime's."""

    count: int = 0


async def counted(_: Host, sheep: Sheep) -> dict[str, int]:
    return {"sheep": sheep.count}


def some(parser: ArgumentParser) -> None:
    parser.add_argument("count", type=int)


FLOCK = Group(
    "about sheep",
    {
        "count": Command("all of them", lambda answer, _: [f"{answer['sheep']} sheep"], lambda _: None, sent=()),
        "shear": Command(
            "some of them",
            lambda answer, _: [f"{answer['sheep']} shorn"],
            some,
            sent=("count",),
        ),
    },
    default="count",
)


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["flock"], "0 sheep\n"),
        (["flock", "count"], "0 sheep\n"),
        (["flock", "shear", "3"], "3 shorn\n"),
        (["flock", "shear", "3", "--json"], '{"sheep": 3}\n'),
        (["flock", "--json"], '{"sheep": 0}\n'),
    ],
)
async def test_a_program_has_commands_of_its_own(
    socket: Path, args: list[str], shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    verbs = {**VERBS, "flock count": verb(Sheep, counted), "flock shear": verb(Sheep, counted)}
    async with open_house(socket, verbs=verbs):
        command = partial(actorctl.main, ["--socket", str(socket), *args], more={"flock": FLOCK})
        assert await trio.to_thread.run_sync(command) == 0
    assert capfd.readouterr().out == shown


def maybe(parser: ArgumentParser) -> None:
    parser.add_argument("count", type=int, nargs="?", default=0)
    parser.add_argument("--black", action="store_true")


HERD = FLOCK._replace(
    commands={
        **FLOCK.commands,
        "count": Command("some of them", lambda answer, _: [f"{answer['sheep']} sheep"], maybe, sent=("count",)),
    },
    open=True,
)


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["herd"], "0 sheep\n"),
        (["herd", "5"], "5 sheep\n"),
        (["--json", "herd", "5"], '{"sheep": 5}\n'),
        (["herd", "--json", "5"], '{"sheep": 5}\n'),
        (["herd", "--black"], "0 sheep\n"),
        (["herd", "--black", "5"], "5 sheep\n"),
        (["herd", "count", "5"], "5 sheep\n"),
        (["herd", "shear", "3"], "3 shorn\n"),
        (["herd", "--json", "shear", "3"], '{"sheep": 3}\n'),
        (["herd", "--soc", "{}", "5"], "5 sheep\n"),
        (["herd", "--socket={}", "shear", "3"], "3 shorn\n"),
        (["herd", "--", "5"], "5 sheep\n"),
        (["--socket", "{}", "herd", "5"], "5 sheep\n"),
    ],
)
async def test_an_open_group_takes_what_is_no_command_for_its_default(
    socket: Path, args: list[str], shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    verbs = {**VERBS, "herd count": verb(Sheep, counted), "herd shear": verb(Sheep, counted)}
    async with open_house(socket, verbs=verbs):
        words = [word.format(socket) for word in args]
        command = partial(actorctl.main, words, default_socket=lambda: str(socket), more={"herd": HERD})
        assert await trio.to_thread.run_sync(command) == 0
    assert capfd.readouterr().out == shown


@pytest.mark.parametrize(
    ("args", "begin", "said"),
    [
        (["herd", "fly"], "usage: actorctl herd count ", "invalid int value"),
        (["herd", "--help"], "usage: actorctl herd [-h]", "Without a command: count, which takes what else is"),
        (["flock", "fly"], "usage: actorctl flock ", "invalid choice"),
        (["fly", "5"], "usage: actorctl ", "invalid choice"),
        (["--json"], "usage: actorctl ", "required"),
    ],
)
def test_help_and_wrong_usage_of_a_group(
    args: list[str], begin: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        actorctl.main(args, more={"flock": FLOCK, "herd": HERD})
    shown = "".join(capsys.readouterr())
    assert shown.startswith(begin)
    assert said in shown


def test_without_a_default_the_socket_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        actorctl.main(["tree"])

    assert caught.value.code == 2
    assert "--socket FILE" in capsys.readouterr().err


async def test_a_pipe_that_closes_early_is_no_error(socket: Path) -> None:
    async with open_house(socket) as system:
        for number in range(90):
            name = f"{number:02}{'x' * 1000}"  # more than a pipe holds
            await system.start_child("/service/rooms", ChildSpec(name, Worker))
        process = await trio.lowlevel.open_process(
            [*COMMAND, "--socket", str(socket), "tree"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        await process.stdout.receive_some(100)
        await process.stdout.aclose()
        async with process.stderr:
            assert b"".join([chunk async for chunk in process.stderr]) == b""
        assert await process.wait() == 0


async def test_a_terminal_without_unicode_gets_ascii(socket: Path) -> None:
    async with open_house(socket):
        code, out, _ = await run(socket, "tree", PYTHONIOENCODING="ascii")

    assert code == 0
    assert out.isascii()
    assert "|- store" in out


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
async def test_colours_only_on_a_terminal_that_wants_them(socket: Path, no_color: str, coloured: bool) -> None:
    async with open_house(socket):
        ours, theirs = pty.openpty()
        done = await trio.run_process(
            [*COMMAND, "--socket", str(socket), "status", "/store"],
            stdout=theirs,
            env={**os.environ, "NO_COLOR": no_color},
        )
        os.close(theirs)
        shown = os.read(ours, 10_000)
        os.close(ours)

    assert done.returncode == 0
    assert (b"\x1b[1m" in shown) is coloured
    assert b"/store" in shown


def test_the_command_imports_nothing_heavy() -> None:
    code = "import sys, supervisor.control.actorctl; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"trio", "msgspec", "rich", "logging", "asyncio"} & set(done.stdout.split())
