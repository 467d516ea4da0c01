"""What each verb answers, asked over a real socket of a real tree."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from supervisor import ChildSpec, DynamicSupervisor, Node, State, Supervisor, open_system
from supervisor.control.errors import Refused
from supervisor.control.server import ControlServer
from supervisor.control.verbs import nearest, resident_memory
from supervisor.events import ChildStarted
from tests.supervisor.control.house import Crash, Worker, ask, open_house


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ctl.sock"


async def answer(socket: Path, verb: str, **args: object) -> Any:
    return await ask(socket, verb, **args)


async def refusal(socket: Path, verb: str, **args: object) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        await ask(socket, verb, **args)
    return caught.value.kind, caught.value.text


def paths(node: dict[str, Any]) -> list[str]:
    return [node["path"], *(path for child in node["children"] for path in paths(child))]


async def test_tree_shows_all_places_in_their_order(socket: Path) -> None:
    async with open_house(socket):
        tree = await answer(socket, "tree", path="/")

    assert paths(tree) == [
        "/",
        "/control",
        "/store",
        "/service",
        "/service/rooms",
        "/service/rooms/alpha",
        "/service/rooms/beta",
        "/service/busy",
        "/service/once",
    ]
    assert (tree["name"], tree["kind"], tree["state"]) == ("house", "one_for_one", "running")


@pytest.mark.parametrize("path", ["/service/busy", "service/busy", "//service//busy/"])
async def test_tree_shows_a_part(socket: Path, path: str) -> None:
    async with open_house(socket):
        busy = await answer(socket, "tree", path=path)

    assert (busy["path"], busy["doing"], busy["pid"]) == ("/service/busy", "counts its sheep", os.getpid())
    assert busy["rss"] > 1_000_000
    assert busy["mailbox"] == {"size": 0, "capacity": 64}


async def test_status_tells_how_a_place_is_kept_and_what_happened_to_it(socket: Path) -> None:
    async with open_house(socket) as system:
        events = system.telemetry.subscribe()
        await system.ref("/service/busy", Worker).tell(Crash())
        async for event in events:
            if isinstance(event, ChildStarted):
                break
        status = await answer(socket, "status", path="/service/busy")
        another = await answer(socket, "status", path="/store")

    assert "last_error" not in another
    assert status["spec"]["restart"] == "permanent"
    assert status["last_error"]["text"] == "ValueError: the disk is gone"
    assert "in receive" in status["last_error"]["trace"]
    assert [line["text"].split(" within")[0] for line in status["log"]] == [
        "started",
        "dead letter Crash: the actor ended on it: ValueError: the disk is gone",
        "ended (failed): ValueError: the disk is gone",
        "restart 1 of 3",
        "started, incarnation 2",
    ]


async def test_status_of_a_supervisor_tells_of_those_below(socket: Path) -> None:
    async with open_house(socket):
        status = await answer(socket, "status", path="/service/rooms")

    assert [line["path"] for line in status["log"]] == ["/service/rooms", "/service/rooms/alpha", "/service/rooms/beta"]
    assert "last_error" not in status


async def test_restart_makes_a_new_incarnation_and_waits_for_it(socket: Path) -> None:
    async with open_house(socket) as system:
        node = await answer(socket, "restart", path="/store")

        assert system.snapshot("/store").incarnation == 2

    assert (node["path"], node["state"], node["restarts"]) == ("/store", "running", 1)


async def test_restart_of_a_branch_starts_what_is_in_its_spec(socket: Path) -> None:
    async with open_house(socket):
        node = await answer(socket, "restart", path="/service")

    assert paths(node) == ["/service", "/service/rooms", "/service/busy", "/service/once"]


async def test_restart_says_so_when_the_actor_does_not_come_up(socket: Path) -> None:
    async with open_house(socket):
        assert await refusal(socket, "restart", path="/service/once") == (
            "refused",
            "/service/once: could not start: RuntimeError: it had enough",
        )


@pytest.mark.parametrize("path", ["/control", "/control/"])
async def test_restart_does_not_saw_off_the_branch_it_sits_on(socket: Path, path: str) -> None:
    async with open_house(socket):
        assert await refusal(socket, "restart", path=path) == (
            "refused",
            "/control holds the control socket and cannot be restarted through it",
        )


async def test_restart_of_the_root_is_refused(socket: Path) -> None:
    async with open_house(socket):
        kind, text = await refusal(socket, "restart", path="/")

    assert kind == "refused"
    assert "end the program instead" in text


@pytest.mark.parametrize("verb", ["tree", "status", "restart"])
async def test_an_unknown_path_is_answered_with_the_nearest(socket: Path, verb: str) -> None:
    async with open_house(socket):
        assert await refusal(socket, verb, path="/service/rooms/alfa") == (
            "no_such_actor",
            "there is no actor at '/service/rooms/alfa'; the nearest is /service/rooms/alpha",
        )


@pytest.mark.parametrize(
    "args", [{"path": 1}, {"path": None}, {"path": "/", "deep": True}, {"path": "x" * 1001}, {"\ud800": 1}]
)
async def test_wrong_arguments_are_named(socket: Path, args: dict[str, object]) -> None:
    async with open_house(socket):
        kind, text = await refusal(socket, "tree", **args)

    assert kind == "bad_request"
    assert text.startswith("wrong arguments: ")
    assert len(text) < 300


async def test_a_tree_of_many_actors_is_told_whole(socket: Path) -> None:
    rooms = [ChildSpec(f"room{number}", Worker) for number in range(500)]
    tree = Supervisor(
        ChildSpec("control", partial(ControlServer, socket)),
        ChildSpec("rooms", DynamicSupervisor(max_children=500)),
    )
    async with open_system(tree) as system:
        for room in rooms:
            await system.start_child("/rooms", room)
        told = await answer(socket, "tree")

    assert len(paths(told)) == 503


def place(path: str, *children: Node) -> Node:
    return Node(path=path, kind="K", state=State.RUNNING, since=0.0, incarnation=1, restarts=0, children=children)


HOUSE = place("/", place("/store"), place("/service", place("/service/rooms", place("/service/rooms/alpha"))))


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/stroe", "/store"),
        ("/servce/room/alfa", "/service/rooms/alpha"),
        ("/alpha", "/service/rooms/alpha"),
        ("/rooms/alpha", "/service/rooms/alpha"),
        ("/service/rooms/zzz", "/service/rooms"),
        ("/zzz", "/"),
    ],
)
def test_the_nearest_path(path: str, meant: str) -> None:
    assert nearest(path, HOUSE) == meant


def test_the_memory_of_a_process() -> None:
    assert (resident_memory(os.getpid()) or 0) > 1_000_000
    assert resident_memory(2**22 + 1) is None  # above the largest pid that Linux gives
