"""How soon a sub-agent is at work, and what it takes: from its parent's call to its own first request and word.

With the real service, the real pi and a fake model that notes when it is asked; in a git workspace of many files, in
an empty one and in none, with a sandbox and without. Linux only. A part of `python -m tests.bench.telegram`.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

import trio

from actors.pi import bwrap
from actors.pi.environment import environment
from actors.pi.installation import locate
from actors.pi.providers import Provider, agent_files, compatible, pi_environment
from actors.settings import Secret
from actors.subagents import workspace
from supervisor.control import client
from tests.bench import subagents_service, workspaces
from tests.bench.telegram_house import Service, end, home_folder, open_service, own_share, parents, resident
from tests.bench.telegram_side import command
from tests.bench.telegram_table import Line, milliseconds
from tests.fakes.llm import KEY, MODEL, FakeLLM, Reply, ToolCall
from tests.fakes.telegram import FakeTelegram, User

FILES: Final = 10_000
ROUNDS: Final = 3
CROWD: Final = 8
REST: Final = 0.5
"""Seconds in which everybody comes to rest before anything is measured."""
PATIENCE: Final = 60.0
GOAL_WORKSPACE: Final = 1.0
GOAL_BESIDE: Final = 0.4
"""Seconds from the parent's call to the first word, but for those of the workspace."""
POOL: Final = "/service/subagents/pool"
ARGV: Final = ("-m", subagents_service.__name__)
CONFIG: Final = "[subagents]\nmax = {crowd}\nmax_per_room = {crowd}\nsandbox = {sandbox}"

BIG, EMPTY, SCRATCH = "many files", "an empty folder", "scratch"
PLACES: Final = (BIG, EMPTY, SCRATCH)
OWNERS: Final = {BIG: User(1001, "Big", "big"), EMPTY: User(1002, "Small", "small")}
_ORDER: Final = re.compile(r"order: (copy|scratch) (\w+)")
_TASK: Final = re.compile(r"task (\w+)")
_HELD: Final = "held"


class Spawn(NamedTuple):
    """Seconds of one sub-agent: all from its parent's call to its first word, and what they went for.

    `placed`: until it has its row and its place in the tree. `workspace`: until that is there. `pi`: from the start of
    its process until it answers. `prompt`: until the model is asked. `word`: until the service hears the first word.
    """

    whole: float
    placed: float
    workspace: float
    pi: float
    prompt: float
    word: float


class Model(FakeLLM):
    """Begins what it is ordered to, and has one word to say of each task; notes both instants, by the task's name."""

    def __init__(self, port: int) -> None:
        super().__init__([], port)
        self.called: dict[str, float] = {}
        self.asked: dict[str, float] = {}

    def choose(self, asked: dict[str, Any]) -> Reply:
        """The reply to one request."""
        self.requests.clear()
        texts = [(each["role"], json.dumps(each.get("content"))) for each in asked["messages"]]
        first = next(text for role, text in texts if role == "user")
        role, last = texts[-1]
        if (task := _TASK.search(first)) is not None:
            self.asked[task[1]] = perf_counter()
            return Reply(deltas=("word",), hold=task[1].startswith(_HELD))
        if role == "user" and (order := _ORDER.search(last)) is not None:
            arguments: dict[str, object] = {"task": f"task {order[2]}", "isolation": order[1]}
            self.called[order[2]] = perf_counter()
            return Reply(tool=ToolCall("spawn_subagent", arguments, f"call_{order[2]}"))
        return Reply(deltas=("well",))


class House:
    """One service whose people order sub-agents, with the notes of both."""

    def __init__(self, service: Service, fake: FakeTelegram, model: Model) -> None:
        self.service = service
        self._fake = fake
        self._model = model

    async def settle(self, files: int) -> None:
        """Have the rooms made, and what is to be in the workspace of one."""
        for owner in OWNERS.values():
            self._fake.say(owner.id, "hello", sender=owner)
            await self._fake.wait_for(partial(self._fake.said, owner.id), PATIENCE)
        shop = self.service.home / "state/workspaces/big"
        await trio.to_thread.run_sync(partial(workspaces.fill, shop, files))

    def order(self, name: str, place: str) -> None:
        """Have the parent's model call for one."""
        owner = OWNERS.get(place, OWNERS[EMPTY])
        isolation = "scratch" if place is SCRATCH else "copy"
        self._fake.say(owner.id, f"order: {isolation} {name}", sender=owner)

    async def spawn(self, name: str, place: str) -> Spawn:
        """One of them, from the call to its end and until nothing of it is left."""
        await trio.sleep(REST)
        self.order(name, place)
        await until(lambda: self._spawn(name) is not None and not self._busy())
        found = self._spawn(name)
        assert found is not None
        return found

    def _spawn(self, name: str) -> Spawn | None:
        at: dict[str, float] = {}
        for word, slug, instant in self._notes():
            if slug == f"task-{name}":
                at.setdefault(word, instant)
        if subagents_service.TOKEN not in at:
            return None
        called, asked = self._model.called[name], self._model.asked[name]
        placed, made = at[subagents_service.PLACED], at[subagents_service.MADE]
        ready = at[subagents_service.READY]
        launched = at[subagents_service.LAUNCHED]
        heard = at[subagents_service.TOKEN]
        return Spawn(heard - called, placed - called, made - placed, ready - launched, asked - ready, heard - asked)

    def _notes(self) -> Iterator[tuple[str, str, float]]:
        notes = self.service.home / "notes"
        for line in notes.read_text().splitlines() if notes.exists() else ():
            word, slug, instant = line.split()
            yield word, slug, float(instant)

    def _busy(self) -> bool:
        return bool(self.agents()) or any((self.service.home / "state/subagents").glob("*"))

    def agents(self) -> dict[str, int]:
        """The processes of sub-agents, by slug."""
        tree = client.call(str(self.service.home / "ctl.sock"), "tree", {"path": POOL}, timeout=PATIENCE)
        assert isinstance(tree, dict)
        nodes = [node for each in tree.get("children", ()) for node in (each, *each.get("children", ()))]
        return {node["path"].split("/")[4]: node.get("pid") or 0 for node in nodes if node["path"].endswith("/agent")}

    async def hold(self, names: Iterable[str]) -> list[int]:
        """Have more begin, whose model says a word and no more; the processes of all that are there."""
        for name in names:
            self.order(f"{_HELD}{name}", SCRATCH)
            await until(partial(self._spawn, f"{_HELD}{name}"))
            await trio.sleep(REST)
        return list(self.agents().values())


async def until(condition: Callable[[], object]) -> None:
    """Until that holds; it may block for a moment, so it runs in a thread."""
    with trio.fail_after(PATIENCE):
        while True:
            if await trio.to_thread.run_sync(condition):
                return
            await trio.sleep(0.05)  # another process's doings: nobody tells us of them


async def measure(files: int = FILES, rounds: int = ROUNDS, crowd: int = CROWD) -> list[Line]:
    """The lines of the table."""
    with trio.fail_after(PATIENCE * (4 + rounds)):
        return await _measure(files, rounds, crowd)


async def _measure(files: int, rounds: int, crowd: int) -> list[Line]:
    spawns: dict[tuple[str, str], list[Spawn]] = defaultdict(list)
    alone: list[float] = []
    clone: list[float] = []
    lines: list[Line] = []
    kinds = ["none"]
    with home_folder() as home:
        found = await trio.to_thread.run_sync(partial(bwrap.look, environment(os.environ, extra={}), home, locate()))
        kinds += ["bwrap"] if found.program is not None else []
        async with AsyncExitStack() as stack:
            houses = {kind: await stack.enter_async_context(open_house(kind, crowd)) for kind in kinds}
            for house in houses.values():
                await house.settle(files)
            provider = compatible("fake", "http://127.0.0.1:9/v1", MODEL, Secret(KEY))
            for number in range(-1, rounds):  # the first is no measurement: caches are filled
                took = await _pi_alone(home, provider)
                cloned = await _clone_alone(houses["none"].service.home / "state/workspaces/big", home / "clone")
                if number >= 0:
                    alone.append(took)
                    clone.append(cloned)
                for place in PLACES:
                    for kind, house in houses.items():
                        spawn = await house.spawn(f"{place.split()[-1]}{number + 1}", place)
                        if number >= 0:
                            spawns[place, kind].append(spawn)
            lines += times(spawns, median(alone), median(clone), files)
            for kind, house in houses.items():
                lines += await _memory(house, kind, crowd)
    return lines


def times(spawns: dict[tuple[str, str], list[Spawn]], alone: float, clone: float, files: int) -> Iterator[Line]:
    """How soon, from all that was measured: `alone`, `clone`: seconds of pi and of git with nobody around them."""
    yield Line("pi alone, until it answers", milliseconds(alone))
    yield Line(f"git clone --shared of {files:,} files alone", milliseconds(clone))
    for (place, kind), each in spawns.items():
        title = f"{place}, {_closed(kind)}"
        whole, made = (median(getattr(one, name) for one in each) for name in ("whole", "workspace"))
        beside = median(one.whole - one.workspace for one in each)
        yield Line(f"{title}: first word", milliseconds(whole))
        yield Line("  in times of pi alone", f"{whole / alone:.2f} x")
        if place is BIG:
            good = made <= GOAL_WORKSPACE
            yield Line("  its workspace", milliseconds(made), f"{GOAL_WORKSPACE:g} s", good)
            yield Line("  in times of git clone --shared", f"{made / clone:.2f} x")
        else:
            yield Line("  its workspace", milliseconds(made))
        yield Line("  beside that", milliseconds(beside), f"{GOAL_BESIDE:g} s", beside <= GOAL_BESIDE)
        for name, said in (("placed", "row and place"), ("pi", "pi's start"), ("prompt", "prompt"), ("word", "word")):
            yield Line(f"    {said}", milliseconds(median(getattr(one, name) for one in each)))


async def _memory(house: House, kind: str, crowd: int) -> list[Line]:
    """What idle ones hold: one, and so many at once, with all that stands around them."""
    service = house.service.process.pid
    before = own_share(service)
    one = _held(await house.hold(["0"]), service)
    many = _held(await house.hold(map(str, range(1, crowd))), service)
    grown = own_share(service) - before
    closed = _closed(kind)
    return [
        Line(f"idle, {closed}: one holds (RSS)", _megabytes(one[0])),
        Line("  its own share (PSS)", _megabytes(one[1])),
        Line(f"  each of {crowd} holds (RSS)", _megabytes(many[0] / crowd)),
        Line("  its own share (PSS)", _megabytes(many[1] / crowd)),
        Line("  in times of one", f"{many[1] / one[1]:.2f} x"),
        Line("  the service has grown by, for each", _megabytes(grown / crowd)),
    ]


def _held(pids: Iterable[int], service: int) -> tuple[int, int]:
    """Bytes that the trees of these processes hold below the service, and their own share of that."""
    above = dict(parents())
    tops = set()
    for pid in pids:
        tops |= {each for each in _line_of(pid, above) if above.get(each) == service}
    inside = {pid for pid in above if any(each in tops for each in _line_of(pid, above))}
    return sum(map(resident, inside)), sum(map(own_share, inside))


def _line_of(pid: int, above: dict[int, int]) -> Iterator[int]:
    while pid:
        yield pid
        pid = above.get(pid, 0)


async def _pi_alone(home: Path, provider: Provider) -> float:
    """Seconds that pi needs to answer, with nobody around it."""
    for name, text in agent_files(provider, trust_projects=False).items():
        (home / name).write_text(text)
    keys = {name: secret.reveal() for name, secret in provider.secrets.items()}
    extra = pi_environment(home) | {"NODE_COMPILE_CACHE": str(home / "cache")}
    argv = [{"json": "rpc"}.get(word, word) for word in command(locate(), provider) if word != "--print"]
    began = perf_counter()
    process = await trio.lowlevel.open_process(
        [*argv, "--no-session"],
        env=environment(os.environ, extra=extra) | keys,
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send_all(b'{"type":"get_state","id":"1"}\n')
        said = b""
        while b'"get_state"' not in said:
            more = await process.stdout.receive_some()
            assert more, "pi ended at its start"
            said += more
        return perf_counter() - began
    finally:
        await end(process)


async def _clone_alone(shop: Path, to: Path) -> float:
    began = perf_counter()
    await trio.to_thread.run_sync(partial(workspaces.git, shop.parent, "clone", "-q", "--shared", str(shop), str(to)))
    took = perf_counter() - began
    await workspace.remove(to)
    return took


@asynccontextmanager
async def open_house(sandbox: str, crowd: int) -> AsyncIterator[House]:
    """A service with such a sandbox, its people and its model."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    model = Model(listener.socket.getsockname()[1])
    environ = {"LLM_BASE_URL": model.base_url, "LLM_MODEL": MODEL, "LLM_API_KEY": KEY, "LOG_LEVEL": "WARNING"}
    async with FakeTelegram.serve() as fake, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, model.serve, [listener])
        ids = [owner.id for owner in OWNERS.values()]
        config = CONFIG.format(crowd=crowd, sandbox=json.dumps(sandbox))
        argv = (sys.executable, *ARGV)
        async with open_service(fake.base_url, people=ids, environ=environ, argv=argv, config=config) as service:
            yield House(service, fake, model)
        nursery.cancel_scope.cancel()
    assert not model.violations, model.violations


def _closed(kind: str) -> str:
    return "no sandbox" if kind == "none" else "sandbox"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"
