"""An agent that is not a room's: what it is started with comes from whoever knows its home, and is believed."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.messages import AgentLost, AgentReady, LookAtChildren, Prompt, Room, ToolEnded, TurnSettled
from actors.pi.host_tools import OF_SUBAGENTS, OF_THE_DEEPEST, HostTool, definitions
from actors.pi.process import LaunchSpec
from actors.pi.sandbox import Sandbox
from supervisor import Restart
from tests.actors.pi.bench import ROOM, FakePlan, open_bench, plan


class Noting(FakePlan, frozen=True, kw_only=True):
    """A plan that keeps what it was asked for."""

    asked: list[tuple[Room, dict[str, Any]]]

    def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
        spec = super().spec(room, mark, *given, **more)
        self.asked.append((room, more | {"tmp": spec.env["TMPDIR"], "tools": spec.env["DISPATCHD_HOST_TOOLS"]}))
        return spec


def noting(folder: Path, *scripts: dict[str, Any]) -> Noting:
    return Noting(**plan(folder, scripts=list(scripts) or [{}], asked=[]))


def home(folder: Path, **more: Any) -> Callable[[], Awaitable[Room]]:
    """Says after a moment that the agent lives in this folder."""

    async def find() -> Room:
        await trio.sleep(0.01)
        given = {"slug": "look-1", "workspace": str(folder), "session_id": "look-1-s"} | more
        return msgspec.structs.replace(ROOM, **given)

    return find


async def test_a_sub_agent_works_where_its_home_is_with_its_own_tools(tmp_path: Path) -> None:
    work, temporary = tmp_path / "sub/work", tmp_path / "sub/tmp"
    work.mkdir(parents=True)
    sandbox = Sandbox(temporary=str(temporary))
    where = {"tool": {"name": "bash", "arguments": {"command": 'pwd; echo "$TMPDIR"; ls -d "$TMPDIR"'}}}
    made = noting(tmp_path, {"replies": [where, {"deltas": ["done"]}], "requests": str(tmp_path / "asked")})
    async with open_bench(
        tmp_path, made, find=home(work), tools=OF_SUBAGENTS, sandbox=lambda _: sandbox, workspace="/nowhere"
    ) as bench:
        ready = await bench.until(AgentReady)
        assert ready.session_id == "look-1-s"
        await bench.agent.tell(Prompt(turn="look-1/1", incarnation=1, text="look"))
        assert not (await bench.until(ToolEnded)).failed
        assert (await bench.until(TurnSettled)).turn == "look-1/1"
    ((room, asked),) = made.asked
    assert (room.slug, room.workspace) == ("look-1", str(work))
    assert (asked["tools"], asked["sandbox"]) == (definitions(OF_SUBAGENTS), sandbox)
    assert f"{work}\\n{temporary}\\n{temporary}\\n" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("bwrap", [None, "/usr/bin/bwrap"])
async def test_who_is_closed_in_has_a_home_and_nobody_else(tmp_path: Path, bwrap: str | None) -> None:
    temporary = tmp_path / "sub/tmp"
    seen: list[bool] = []

    class Open(FakePlan, frozen=True, kw_only=True):
        def spec(self, room: Room, mark: str, *given: Any, **more: Any) -> LaunchSpec:
            seen.extend((temporary.is_dir(), (temporary / "home").is_dir()))
            return super().spec(room, mark, *given, **(more | {"sandbox": None}))

    made = Open(**plan(tmp_path, scripts=[{}]))
    sandbox = Sandbox(temporary=str(temporary), bwrap=bwrap)
    async with open_bench(tmp_path, made, find=home(tmp_path), sandbox=lambda _: sandbox) as bench:
        await bench.ready()
    assert seen == [True, bwrap is not None]


async def test_each_process_is_started_with_what_is_found_then(tmp_path: Path) -> None:
    finds: list[Room] = []

    async def find() -> Room:
        finds.append(await home(tmp_path, session_id=f"s-{len(finds) + 1}")())
        return finds[-1]

    made = noting(tmp_path, {"replies": [{"crash": -3}]}, {})
    async with open_bench(tmp_path, made, find=find, tools=OF_THE_DEEPEST) as bench:
        await bench.ready()
        await bench.agent.tell(Prompt(turn="look-1/1", incarnation=1, text="look"))
        assert (await bench.until(AgentReady)).session_id == "s-2"
    assert [room.session_id for room, _ in made.asked] == ["s-1", "s-2"]


async def test_to_be_told_of_children_before_there_is_a_pi_is_no_harm(tmp_path: Path) -> None:
    asked, go = trio.Event(), trio.Event()

    async def find() -> Room:
        asked.set()
        await go.wait()
        return await home(tmp_path)()

    async with open_bench(tmp_path, noting(tmp_path), find=find) as bench:
        await asked.wait()
        await bench.agent.tell(LookAtChildren())
        await wait_all_tasks_blocked()
        go.set()
        assert await bench.ready() == 1


async def test_a_home_that_is_gone_is_named_and_not_made_anew(tmp_path: Path) -> None:
    gone = tmp_path / "sub/work"
    made = noting(tmp_path)
    async with open_bench(tmp_path, made, find=home(gone, leaf="e1"), restart=Restart.TEMPORARY) as bench:
        lost = await bench.until(AgentLost)
    assert lost.what.startswith(f"the folder {gone} cannot be used (No such file or directory)")
    assert not gone.parent.exists()
    assert bench.told == []


async def test_a_home_that_nobody_knows_ends_the_agent(tmp_path: Path) -> None:
    async def find() -> Room:
        raise LookupError("there is no such sub-agent")

    async with open_bench(tmp_path, noting(tmp_path), find=find, restart=Restart.TEMPORARY) as bench:
        assert "there is no such sub-agent" in (await bench.until(AgentLost)).what


@pytest.mark.parametrize("tools", [OF_SUBAGENTS, OF_THE_DEEPEST])
async def test_a_list_of_tools_is_what_pi_is_given(tmp_path: Path, tools: tuple[type[HostTool], ...]) -> None:
    made = noting(tmp_path)
    async with open_bench(tmp_path, made, tools=tools) as bench:
        await bench.ready()
    ((room, asked),) = made.asked
    assert (room.slug, asked["sandbox"], asked["tools"]) == ("den", None, definitions(tools))
    assert asked["tmp"] == str(made.tmp_dir)
