"""The whole tree as data: who stands where, who gives up alone, and that nobody can wait for himself."""

from functools import partial
from pathlib import Path
from typing import Any

import trio

from actors.console.lines import Lines
from actors.messages import Place, Room
from actors.paths import locate
from actors.pi.demo_server import DemoServer
from actors.pi.installation import AgentPlan, Installation
from actors.pi.live import START_DEADLINE
from actors.pi.process import CLAIM_PATIENCE
from actors.pi.providers import compatible
from actors.settings import Secret, Settings, TelegramSettings
from actors.tree import POOL, ConsoleParts, Parts, room_spec, tree
from supervisor import ChildSpec, DynamicSupervisor, Restart, Strategy, Supervisor, System
from supervisor.asking import asked_by, declared, rings

ROOM = Room(
    slug="lab", place=Place("telegram", -100, 7), title="Lab", workspace="/w/lab", session_id="lab-1", leaf=None,
    created_at=0.0, updated_at=0.0,
)  # fmt: skip


def planted(tmp_path: Path) -> tuple[Supervisor, ChildSpec[Any]]:
    """A service with everything on, and one of its rooms."""
    places = {"THREADS_DIR": str(tmp_path), "DISPATCHD_SOCKET": str(tmp_path / "ctl.sock")}
    nowhere = Path("/nowhere")
    plan = AgentPlan(
        installation=Installation(node=nowhere, cli=nowhere, extension=nowhere, version="0"),
        provider=compatible("demo", "http://127.0.0.1:1/v1", "demo"),
        sessions_dir=tmp_path,
        agent_dir=tmp_path,
        cache_dir=tmp_path,
        trust_projects=False,
        environ={},
    )
    parts = Parts(
        settings=Settings(paths=locate(places), telegram=TelegramSettings(bot_token=Secret("1:token"))),
        plan=plan,
        demo=DemoServer("key"),
        console=ConsoleParts(lines=Lines(0), name="ann", banner=""),
        finished=trio.Event(),
        interrupt=[],
    )
    made: list[tuple[Supervisor, ChildSpec[Any]]] = []

    def plant(system: System) -> Supervisor:
        made.append((tree(parts, system), room_spec(parts, system, ROOM)))
        return made[0][0]

    System(plant, "dispatchd")
    return made[0]


def child(supervisor: Supervisor, path: str) -> ChildSpec[Any]:
    """The child spec at a path such as `service/rooms/pool`."""
    first, _, rest = path.partition("/")
    [spec] = [spec for spec in supervisor.children if spec.id == first]
    if not rest:
        return spec
    assert isinstance(spec.factory, Supervisor)
    return child(spec.factory, rest)


def shape(supervisor: Supervisor) -> dict[str, Any]:
    """The ids of a tree, nested, in order."""
    return {
        spec.id: shape(spec.factory) if isinstance(spec.factory, Supervisor) else None for spec in supervisor.children
    }


async def test_it_stands_as_it_is_drawn(tmp_path: Path) -> None:
    whole, room = planted(tmp_path)
    assert shape(whole) == {
        "control": None,
        "store": None,
        "service": {
            "outbox": {"telegram": {"sender": None}, "files": {"fetcher": None}, "console": {"terminal": None}},
            "demo_model": {"server": None},
            "cages": None,
            "rooms": {"pool": None, "router": None},
            "telegram": {"gateway": None},
            "console": {"reader": None},
        },
    }
    order = ["outbox", "demo_model", "cages", "rooms", "telegram", "console"]
    assert list(shape(whole)["service"]) == order  # sinks first
    rooms, pool = child(whole, "service/rooms").factory, child(whole, "service/rooms/pool").factory
    assert isinstance(rooms, Supervisor)
    assert rooms.strategy is Strategy.REST_FOR_ONE
    assert isinstance(pool, DynamicSupervisor)
    assert isinstance(room.factory, Supervisor)
    assert (room.id, room.restart) == ("lab", Restart.TEMPORARY)
    assert [spec.id for spec in room.factory.children] == ["conversation", "agent"]
    assert room.factory.strategy is Strategy.REST_FOR_ONE


async def test_what_is_risky_gives_up_alone(tmp_path: Path) -> None:
    whole, _ = planted(tmp_path)
    for name in ("outbox/telegram", "outbox/files", "outbox/console", "demo_model", "telegram", "console"):
        spec = child(whole, f"service/{name}")
        assert spec.is_supervisor
        assert spec.restart is Restart.TRANSIENT


async def test_a_room_whose_pi_hangs_at_each_start_gives_up_too(tmp_path: Path) -> None:
    _, room = planted(tmp_path)
    assert isinstance(room.factory, Supervisor)
    intensity, backoff = room.factory.intensity, room.factory.backoff
    most = (intensity.restarts + 1) * (CLAIM_PATIENCE + START_DEADLINE)
    assert most + (1 + backoff.jitter) * backoff.least(intensity.restarts) < intensity.within


async def test_nobody_can_wait_for_himself(tmp_path: Path) -> None:
    whole, room = planted(tmp_path)
    graph = declared(whole)
    assert isinstance(room.factory, Supervisor)
    for spec in room.factory.children:
        path = f"{POOL}/{room.id}/{spec.id}"
        graph[path] = asked_by(spec, path)
    assert rings(graph) == []
    asked = {path for paths in graph.values() for path in paths}
    assert asked <= set(graph), "somebody asks an actor that is not there"
    assert graph["/control"] == ()
    assert "/control" not in asked


async def test_questions_go_to_those_who_started_before(tmp_path: Path) -> None:
    whole, room = planted(tmp_path)
    order = [*declared(whole)]
    at = order.index("/service/rooms/router")
    assert isinstance(room.factory, Supervisor)
    order[at:at] = [f"{POOL}/{room.id}/{spec.id}" for spec in room.factory.children]
    graph = declared(whole)
    for spec in room.factory.children:
        path = f"{POOL}/{room.id}/{spec.id}"
        graph[path] = asked_by(spec, path)
    late = [(path, asked) for path, paths in graph.items() for asked in paths if order.index(asked) > order.index(path)]
    assert late == []


async def test_a_room_knows_its_fate_and_whether_it_gave_up(tmp_path: Path) -> None:
    _, room = planted(tmp_path)
    assert isinstance(room.factory, Supervisor)
    made = room.factory.children[0].factory
    assert isinstance(made, partial)
    assert (made.keywords["on_restart"], made.keywords["failed"]) == ("resume", False)
