"""The whole tree as data: who stands where, who gives up alone, and that nobody can wait for himself."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import trio

from actors.console.lines import Lines
from actors.messages import Place, Room, Subagent
from actors.paths import locate
from actors.pi.demo_server import DemoServer
from actors.pi.host_tools import OF_SUBAGENTS, OF_THE_DEEPEST
from actors.pi.installation import AgentPlan, Installation
from actors.pi.live import START_DEADLINE
from actors.pi.process import CLAIM_PATIENCE
from actors.pi.providers import compatible
from actors.settings import Secret, Settings, TelegramSettings
from actors.tree import ConsoleParts, Parts, room_spec, subagent_spec, tree
from supervisor import ChildSpec, DynamicSupervisor, Restart, Strategy, Supervisor, System
from supervisor.asking import asked_by, declared, rings

ROOM = Room(
    slug="lab", place=Place("telegram", -100, 7), title="Lab", workspace="/w/lab", session_id="lab-1", leaf=None,
    created_at=0.0, updated_at=0.0,
)  # fmt: skip


SUB = Subagent(
    slug="tidy-up", room="lab", parent=None, turn="t1", by=None, depth=1, task="tidy up", isolation="copy", model=None,
    timeout=60.0, session_id="tidy-up-1", created_at=0.0,
)  # fmt: skip


class Planted(NamedTuple):
    """A service with everything on, one of its rooms, one of its sub-agents, and the deepest that there can be."""

    whole: Supervisor
    room: ChildSpec[Any]
    sub: ChildSpec[Any]
    deepest: ChildSpec[Any]

    @property
    def pooled(self) -> dict[str, ChildSpec[Any]]:
        """What may be in the pools, by the path of who looks after them."""
        return {"/service/rooms/router": self.room, "/service/subagents/registrar": self.sub}


def planted(tmp_path: Path) -> Planted:
    """It, as specs."""
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
    made: list[Planted] = []

    def plant(system: System) -> Supervisor:
        deepest = msgspec.structs.replace(SUB, slug="deep", parent="tidy-up", depth=2)
        subs = (subagent_spec(parts, system, SUB), subagent_spec(parts, system, deepest))
        made.append(Planted(tree(parts, system), room_spec(parts, system, ROOM), *subs))
        return made[0].whole

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
    whole, room, sub, _ = planted(tmp_path)
    assert shape(whole) == {
        "control": None,
        "store": None,
        "service": {
            "outbox": {"telegram": {"sender": None}, "files": {"fetcher": None}, "console": {"terminal": None}},
            "demo_model": {"server": None},
            "cages": None,
            "rooms": {"pool": None, "router": None},
            "subagents": {"pool": None, "registrar": None},
            "telegram": {"gateway": None},
            "console": {"reader": None},
        },
    }
    order = ["outbox", "demo_model", "cages", "rooms", "subagents", "telegram", "console"]
    assert list(shape(whole)["service"]) == order  # sinks first
    rooms, pool = child(whole, "service/rooms").factory, child(whole, "service/rooms/pool").factory
    assert isinstance(rooms, Supervisor)
    assert rooms.strategy is Strategy.REST_FOR_ONE
    assert isinstance(pool, DynamicSupervisor)
    assert isinstance(room.factory, Supervisor)
    assert (room.id, room.restart) == ("lab", Restart.TEMPORARY)
    assert [spec.id for spec in room.factory.children] == ["conversation", "agent"]
    assert room.factory.strategy is Strategy.REST_FOR_ONE
    assert isinstance(sub.factory, Supervisor)
    assert (sub.id, sub.restart, sub.factory.strategy) == ("tidy-up", Restart.TEMPORARY, Strategy.REST_FOR_ONE)
    assert [spec.id for spec in sub.factory.children] == ["subagent", "agent"]


async def test_the_deepest_sub_agents_cannot_begin_others(tmp_path: Path) -> None:
    _, _, sub, deepest = planted(tmp_path)
    for spec, tools in ((sub, OF_SUBAGENTS), (deepest, OF_THE_DEEPEST)):
        assert isinstance(spec.factory, Supervisor)
        agent = spec.factory.children[1].factory
        assert isinstance(agent, partial)
        assert agent.keywords["tools"] == tools


async def test_what_is_risky_gives_up_alone(tmp_path: Path) -> None:
    whole, *_ = planted(tmp_path)
    for name in ("outbox/telegram", "outbox/files", "outbox/console", "demo_model", "telegram", "console"):
        spec = child(whole, f"service/{name}")
        assert spec.is_supervisor
        assert spec.restart is Restart.TRANSIENT


async def test_a_room_whose_pi_hangs_at_each_start_gives_up_too(tmp_path: Path) -> None:
    _, room, *_ = planted(tmp_path)
    assert isinstance(room.factory, Supervisor)
    intensity, backoff = room.factory.intensity, room.factory.backoff
    most = (intensity.restarts + 1) * (CLAIM_PATIENCE + START_DEADLINE)
    assert most + (1 + backoff.jitter) * backoff.least(intensity.restarts) < intensity.within


def grown(there: Planted) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Who asks whom, with what may be in the pools; and the order in which all of them start."""
    graph = declared(there.whole)
    order = [*graph]
    for after, spec in there.pooled.items():
        assert isinstance(spec.factory, Supervisor)
        pool = after.rpartition("/")[0] + "/pool"
        asked = {f"{pool}/{spec.id}/{each.id}": each for each in spec.factory.children}
        graph |= {path: asked_by(each, path) for path, each in asked.items()}
        at = order.index(after)
        order[at:at] = asked
    return graph, order


async def test_nobody_can_wait_for_himself(tmp_path: Path) -> None:
    graph, _ = grown(planted(tmp_path))
    assert rings(graph) == []
    asked = {path for paths in graph.values() for path in paths}
    assert asked <= set(graph), "somebody asks an actor that is not there"
    assert graph["/control"] == ()
    assert "/control" not in asked


async def test_questions_go_to_those_who_started_before(tmp_path: Path) -> None:
    graph, order = grown(planted(tmp_path))
    late = [(path, asked) for path, paths in graph.items() for asked in paths if order.index(asked) > order.index(path)]
    assert late == []


async def test_a_room_knows_its_fate_and_whether_it_gave_up(tmp_path: Path) -> None:
    _, room, *_ = planted(tmp_path)
    assert isinstance(room.factory, Supervisor)
    made = room.factory.children[0].factory
    assert isinstance(made, partial)
    assert (made.keywords["on_restart"], made.keywords["failed"]) == ("resume", False)
