"""`actorctl agents` and `logs`, from the command's own process through the socket to the store and the tree."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from actors.messages import Accept, Accepted, Changes, Inbound, Place, Spawn, Spawned, SubagentState
from actors.processes import own_processes
from actors.redaction import forget_all, remember
from actors.store.store import Store
from supervisor.control.errors import Refused
from tests.actors.agents_desk import BOUNDS, FullStore, Part, open_house
from tests.actors.test_processes import family
from tests.supervisor.control.house import ask

# --- the list


async def test_nobody_is_there(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        said = "There is no sub-agent, and none ended in the last day.\n"
        assert await house.actorctl("agents") == (0, said, "")


async def test_each_is_a_line_with_what_it_does(tmp_path: Path) -> None:
    made = Changes(files=2, names=("A a", "M b"), added=3, removed=1, patch="/p", repository="/r")
    async with open_house(tmp_path, sandbox="Sandbox: bwrap") as house:
        house.has("wait")
        house.has("lay", state=SubagentState.PREPARING)
        house.has("ask", state=SubagentState.RUNNING, waiting=True)
        house.has("deep", state=SubagentState.RUNNING, parent="ask", depth=2)
        house.has("halt", state=SubagentState.RUNNING, stop=SubagentState.CANCELLED, room="shop")
        house.has("done", state=SubagentState.COMPLETED, changes=made, kept="applied", ago=7300)
        house.has("fail", state=SubagentState.FAILED, error="the model\nis gone", ago=100)
        house.has("idle", state=SubagentState.TIMED_OUT, ago=30)
        await house.runs("lay", worker=partial(Part, "depth 1: copies: 5 of 9"), agent=partial(Part, "starting"))
        await house.runs("ask", worker=partial(Part, "waits for deep"), agent=partial(Part, "idle", pid=2**30))
        await house.runs("deep", worker=partial(Part, "run 1"), agent=partial(Part, "running bash: ls", pid=2**30))
        await house.runs("halt", worker=partial(Part, "ends its agent"), agent=partial(Part, ""))

        code, out, err = await house.actorctl("agents")

        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "ID    STATE      AGE        DEPTH  PARENT  PID         MEMORY  DOING",
            "wait  queued     5 s        1      lab                         waits for a place (1 before it)",
            "lay   preparing  5 s        1      lab                         copies: 5 of 9",
            "ask   waiting    5 s        1      lab     1073741824          waits for its own sub-agents",
            "deep  running    5 s        2      ask     1073741824          running bash: ls",
            "halt  stopping   5 s        1      shop                        is being ended",
            "done  completed  2 h ago    1      lab                         2 files, +3 −1 · applied",
            "fail  failed     1 min ago  1      lab                         the model is gone",
            "idle  timed_out  30 s ago   1      lab                         changed nothing",
            "",
            "Sandbox: bwrap",
        ]


async def test_the_memory_is_that_of_all_its_processes(tmp_path: Path) -> None:
    with family() as pid:
        alone = own_processes()[pid].memory
        async with open_house(tmp_path) as house:
            house.has("one", state=SubagentState.RUNNING)
            await house.runs("one", worker=partial(Part, "run 1"), agent=partial(Part, "idle", pid=pid))

            [one] = (await house.json("agents"))["agents"]

        assert one["pid"] == pid
        assert one["memory"] > alone


async def test_those_of_a_room_or_below_a_sub_agent(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one")
        house.has("two", parent="one", depth=2)
        house.has("three", parent="two", depth=3, state=SubagentState.LOST, ago=100_000)
        house.has("cancel", room="shop")

        assert [line[0] for line in await house.agents("lab")] == ["ID", "one", "two"]
        assert [line[0] for line in await house.agents("shop")] == ["ID", "cancel"]
        assert [line[0] for line in await house.agents("two")] == ["ID", "two", "three"]
        assert [line[0] for line in await house.agents("list", "cancel")] == ["ID", "cancel"]
        assert await house.actorctl("agents", "lob") == (
            1,
            "",
            "actorctl: there is no room and no sub-agent called 'lob'; see: actorctl agents --all\n",
        )


async def test_a_room_without_sub_agents(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one")
        assert (await house.actorctl("agents", "shop"))[1] == (
            "There is no sub-agent, and none ended in the last day.\n"
        )


async def test_who_ended_long_ago_is_shown_on_demand(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("long", state=SubagentState.COMPLETED, ago=90_000)
        for number in range(60):
            house.has(f"late-{number}", state=SubagentState.COMPLETED, ago=1000 - number)

        assert [line[0] for line in await house.agents()][1:] == [f"late-{number}" for number in range(10, 60)]
        assert len(await house.agents("--all")) == 62
        assert len(await house.agents("lab", "--all")) == 62
        assert len(await house.agents("--all", "lab")) == 62


@pytest.fixture
def secret() -> Iterator[str]:
    """A secret that the service knows."""
    remember("a secret of the service")
    yield "a secret of the service"
    forget_all()


async def test_the_list_for_scripts(tmp_path: Path, secret: str) -> None:
    async with open_house(tmp_path) as house:
        house.has("one", parent="two", depth=2, task=f"use\n{secret}", state=SubagentState.RUNNING, run=2, attempt=1)
        house.has("end", state=SubagentState.CANCELLED, started_at=1000.0, ended_at=time.time(), cost=0.25)

        answer = await house.json("agents")

        assert set(answer) == {"agents"}
        one, end = answer["agents"]
        assert one.pop("doing") == "running 0 s"
        assert one.pop("created_at").endswith("Z")
        assert secret not in one.pop("task")
        assert one == {"id": "one", "room": "lab", "parent": "two", "depth": 2, "state": "running"} | {
            "run": 2,
            "attempt": 1,
            "cost": 0.0,
        }
        assert end["started_at"] == "1970-01-01T00:16:40.000Z"
        assert end["ended_at"].endswith("Z")
        assert (end["cost"], end["doing"], end["task"]) == (0.25, "changed nothing", "do end")


async def test_people_cannot_steer_the_terminal_through_a_task(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one", state=SubagentState.FAILED, error="\x1b[2Jgone", task="\x1b[31mred", log=("\x1b[1mx",))
        for args in (("agents",), ("logs", "one")):
            _, out, _ = await house.actorctl(*args)
            assert "\x1b" not in out


# --- what one did


async def test_what_an_open_one_did_is_asked_of_itself(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one", state=SubagentState.RUNNING, task="count\nthe files")
        await house.runs(
            "one",
            worker=partial(Part, "run 1", log=("10:00 prompted", "10:01 ran ls")),
            agent=partial(Part, "answering"),
        )

        assert await house.actorctl("logs", "one") == (
            0,
            "Sub-agent one of lab, running: answering\n  count the files\n\n10:00 prompted\n10:01 ran ls\n",
            "",
        )
        answer = await house.json("logs", "one")
        assert (answer["live"], answer["lines"]) == (True, ["10:00 prompted", "10:01 ran ls"])


@pytest.mark.parametrize("there", [True, False])
async def test_one_that_does_not_answer_keeps_nobody(tmp_path: Path, there: bool) -> None:
    async with open_house(tmp_path) as house:
        house.has("one", log=("kept",))
        if there:
            await house.runs("one", worker=partial(Part, "run 1", log=None), agent=partial(Part, ""))

        with trio.fail_after(5):
            answer = await house.json("logs", "one")

        assert (answer["live"], answer["lines"], answer.get("report")) == (False, ["kept"], None)


async def test_one_that_says_nothing_yet(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one")
        house.has("two", state=SubagentState.LOST)

        one, two = [(await house.actorctl("logs", slug))[1].splitlines()[-1] for slug in ("one", "two")]

        assert one == "It has not said yet what it does."
        assert two == "Nothing is known of it."


async def test_what_one_did_that_has_ended_stands_in_its_row(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one", state=SubagentState.COMPLETED, log=("ran ls",), report="It is done.\n\nAll of it.")

        assert await house.actorctl("logs", "one") == (
            0,
            "Sub-agent one of lab, completed: changed nothing\n  do one\n\nran ls\n\n  It is done.\n\n  All of it.\n",
            "",
        )
        assert (await house.json("logs", "one"))["report"] == "It is done.\n\nAll of it."


# --- an end


async def test_one_is_ended_with_all_below_it_and_the_registrar_is_woken(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one", state=SubagentState.RUNNING)
        house.has("two", parent="one", depth=2)

        said = await house.actorctl("agents", "cancel", "one")

        assert said == (0, "two is being ended.\none is being ended.\n", "")
        with trio.fail_after(5):
            await house.woken.wait()
        assert {row.stop for row in house.rows.values()} == {SubagentState.CANCELLED}
        assert (await house.json("agents", "cancel", "two")) == {"ending": ["two"]}


async def test_an_end_is_noted_also_where_nobody_can_be_woken(tmp_path: Path) -> None:
    async with open_house(tmp_path, registrar=False) as house:
        house.has("one")
        assert (await house.actorctl("agents", "cancel", "one"))[0] == 0
        assert house.rows["one"].stop is SubagentState.CANCELLED


async def test_what_has_ended_is_not_ended_again(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.has("one", state=SubagentState.COMPLETED)

        said = await house.actorctl("agents", "cancel", "one")

        assert said == (1, "", "actorctl: one has ended already (completed); see: actorctl logs one\n")
        assert not house.woken.is_set()


@pytest.mark.parametrize("args", [("logs", "nobody"), ("agents", "cancel", "nobody")])
async def test_who_is_unknown_is_said_with_the_mend(tmp_path: Path, args: tuple[str, ...]) -> None:
    async with open_house(tmp_path) as house:
        said = "actorctl: there is no sub-agent 'nobody'; see: actorctl agents --all\n"
        assert await house.actorctl(*args) == (1, "", said)


# --- with the real store


async def test_all_of_it_with_the_store_itself(tmp_path: Path) -> None:
    async with open_house(tmp_path, partial(Store, tmp_path / "state.db", tmp_path)) as house:
        store = house.system.ref("/store", Store)
        inbound = Inbound(
            key="console:0:1",
            place=Place("console", 0),
            person=5,
            name="Ada",
            text="hello",
            at=1000.0,
            message_id=1,
            title="Lab",
        )
        accepted = await store.ask(Accept(inbound=inbound, capacity=8), timeout=5)
        assert isinstance(accepted, Accepted)
        room = accepted.room.slug

        async def spawn(key: str, task: str, parent: str | None = None) -> str:
            wanted = Spawn(
                key=key,
                room=room,
                parent=parent,
                turn=None,
                by=None,
                task=task,
                isolation="scratch",
                model=None,
                timeout=60.0,
                wait=False,
                queue=True,
                bounds=BOUNDS,
            )
            done = await store.ask(wanted, timeout=5)
            assert isinstance(done, Spawned)
            return done.subagent.slug

        one = await spawn("1", "count the files")
        two = await spawn("2", "read the words")
        three = await spawn("3", "paint the wall")
        below = await spawn("4", "paint a stone", two)

        lines = (await house.actorctl("agents"))[1].splitlines()[1:]
        assert [line.split()[0] for line in lines] == [one, two, three, below]
        place = "waits for a place"
        doing = [line[line.index(place) :] for line in lines]
        assert doing == [place, place, f"{place} (1 before it)", f"{place} (2 before it)"]
        assert [line[0] for line in await house.agents(room)] == ["ID", one, two, three, below]
        assert [line[0] for line in await house.agents(two)] == ["ID", two, below]
        assert (await house.json("agents", "cancel", two))["ending"] == [below, two]
        states = [each["state"] for each in (await house.json("agents"))["agents"]]
        assert states == ["queued", "stopping", "queued", "stopping"]
        assert (await house.json("logs", one))["lines"] == []
        assert (await house.actorctl("agents", "nobody")) == (
            1,
            "",
            "actorctl: there is no room and no sub-agent called 'nobody'; see: actorctl agents --all\n",
        )


# --- what no verb takes


@pytest.mark.parametrize("args", [("agents",), ("agents", "cancel", "one"), ("logs", "one")])
async def test_a_full_disk_is_told(tmp_path: Path, args: tuple[str, ...]) -> None:
    async with open_house(tmp_path, FullStore) as house:
        assert await house.actorctl(*args) == (1, "", "actorctl: the disk is full: free it\n")


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("agents list", {"of": ""}),
        ("agents list", {"all": 1}),
        ("agents list", {"x": 1}),
        ("agents cancel", {}),
        ("logs", {"id": "x" * 201}),
    ],
)
async def test_wrong_arguments_are_refused(tmp_path: Path, verb: str, args: dict[str, object]) -> None:
    async with open_house(tmp_path) as house:
        with pytest.raises(Refused, match="wrong arguments"):
            await ask(house.socket, verb, **args)
