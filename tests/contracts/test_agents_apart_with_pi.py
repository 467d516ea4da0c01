"""What of the service reaches an agent's tools, what of one room's agent another's, and what a session survives.

With the real pi, because only that says what it hands on, writes down and takes for a session.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import trio

from actors.messages import AgentLost, AgentReady, ModelSet, SetModel
from actors.pi.installation import locate
from actors.pi.providers import KEY_VARIABLE
from actors.settings import Secret
from supervisor import Restart
from tests.actors.pi.bench import Bench, open_bench
from tests.contracts.agent_rig import Rig, open_rig, run
from tests.fakes.llm import KEY, Reply, ToolCall

LOOK = ToolCall("bash", {"command": "env; tr '\\0' '\\n' < /proc/self/environ"})
SERVICE = {"TELEGRAM_BOT_TOKEN": "1:bot-token", "LLM_API_KEY": "the-services", "NOTIFY_SOCKET": "/run/notify"}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in pi's own folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_no_key_and_no_token_is_in_the_environment_of_a_tool(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SERVICE.items():
        monkeypatch.setenv(name, value)
    async with rig.agent(Reply(tool=LOOK), Reply(deltas=("seen",))) as bench:
        await bench.until(AgentReady)
        assert (await run(bench, "t1", "look")).text == "seen"  # the model checks the key: pi has it
        (seen,) = (text for role, text in rig.asked() if role == "tool")
        assert "PATH=" in seen
        for secret in (KEY, KEY_VARIABLE, "DISPATCHD_HOST", *SERVICE, *SERVICE.values()):
            assert secret not in seen, secret
        inherited = await trio.Path(f"/proc/{bench.pid}/environ").read_text()
        assert KEY in inherited, "README says that it can be read there"
        assert "TELEGRAM" not in inherited
        assert "1:bot-token" not in inherited
    assert KEY not in str(files(rig.folder / "agent")) + str(files(rig.folder / "sessions"))


@pytest.mark.parametrize("key", ["!touch hacked", "$HOME-${HOME}-$$-$!", "!$!!", "plain"])
async def test_a_key_is_taken_as_it_is_written(rig: Rig, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr("tests.fakes.llm.KEY", key)
    rig.provider = msgspec.structs.replace(rig.provider, secrets={KEY_VARIABLE: Secret(key)})
    async with rig.agent(Reply(deltas=("heard",))) as bench:
        await bench.until(AgentReady)
        assert (await run(bench, "t1", "hi")).text == "heard"
    assert not (rig.work / "hacked").exists()


async def test_a_login_in_pis_own_folder_is_used_where_no_key_is_given(rig: Rig) -> None:
    rig.provider = msgspec.structs.replace(rig.provider, secrets={})
    login = {"fake": {"type": "api_key", "key": KEY}}
    (rig.folder / "agent/auth.json").write_bytes(msgspec.json.encode(login))
    async with rig.agent(Reply(deltas=("heard",))) as bench:
        await bench.until(AgentReady)
        assert (await run(bench, "t1", "hi")).text == "heard"
        assert KEY not in await trio.Path(f"/proc/{bench.pid}/environ").read_text()
    assert msgspec.json.decode((rig.folder / "agent/auth.json").read_bytes()) == login


async def test_a_pi_without_our_extension_does_not_run_at_all(rig: Rig) -> None:
    broken = rig.folder / "host_tools.mjs"
    broken.write_text("export default function () { throw new Error('broken'); }")
    plan = rig.plan(installation=msgspec.structs.replace(locate(), extension=broken))
    async with open_bench(rig.folder, plan, restart=Restart.TEMPORARY) as bench:
        told = await bench.until(AgentLost)  # or a key would stay where every tool finds it
    assert told.what == "pi ended, exit code 1"
    assert "Failed to load extension" in str(told.stderr)


async def test_what_one_room_chooses_is_no_other_rooms_choice(rig: Rig) -> None:
    rig.provider = msgspec.structs.replace(rig.provider, model="other-1")  # one that can think
    async with rig.agent(slug="barn", session_id="barn-1", workspace=str(rig.folder / "barn")) as bench:
        configured = await bench.until(AgentReady)
    assert configured.model is not None
    assert configured.model.id == "other-1"
    level = "high" if configured.thinking != "high" else "low"
    before = files(rig.folder / "agent")
    async with rig.agent(Reply(deltas=("one",)), Reply(deltas=("two",))) as bench:
        await bench.until(AgentReady)
        await bench.agent.tell(SetModel(incarnation=1, model=None, thinking=level))
        assert (await bench.until(ModelSet)).thinking == level
        await run(bench, "t1", "hi")
        await bench.agent.tell(SetModel(incarnation=1, model="fake-1", thinking=None))
        assert (await bench.until(ModelSet)).error == ""
        await run(bench, "t2", "again")
        assert [asked["model"] for asked in rig.llm.requests] == ["other-1", "fake-1"]
    assert files(rig.folder / "agent") == before, "pi keeps a choice in the session and nowhere else"
    async with rig.agent(slug="shed", session_id="shed-1", workspace=str(rig.folder / "shed")) as bench:
        ready = await bench.until(AgentReady)
    assert (ready.model, ready.thinking) == (configured.model, configured.thinking)


# --- sessions ---------------------------------------------------------------------------------------------------------


async def session(rig: Rig) -> tuple[Path, str]:
    """A session of one turn: its file and its last entry."""
    async with rig.agent(Reply(deltas=("first",))) as bench:
        await bench.until(AgentReady)
        settled = await run(bench, "t1", "hi")
    (file,) = rig.session_files()
    assert settled.leaf is not None
    return file, settled.leaf


async def lost(bench: Bench) -> str:
    told = await bench.until(AgentLost)
    assert not told.session
    return told.what


async def test_a_torn_last_line_is_healed(rig: Rig) -> None:
    file, leaf = await session(rig)
    with file.open("a") as torn:
        torn.write('{"type":"message","id":"zz","parent')
    async with rig.agent(Reply(deltas=("second",)), leaf=leaf) as bench:
        assert (await bench.until(AgentReady)).leaf == leaf
        assert (await run(bench, "t2", "more")).text == "second"
    assert [text for _, text in rig.asked()] == ["hi", "first", "more"]
    assert rig.session_files() == [file]


@pytest.mark.parametrize("harm", ["gone", "header", "cwd", "twice"])
async def test_pi_is_not_started_where_it_would_begin_an_empty_session(rig: Rig, harm: str) -> None:
    file, leaf = await session(rig)
    whole = file.read_bytes()
    match harm:
        case "gone":
            file.rename(rig.folder / "kept")
        case "header":
            file.write_bytes(whole[40:])
        case "cwd":
            file.write_bytes(whole.replace(b'"cwd":"', b'"cwd":"/elsewhere', 1))
        case _:
            (file.parent / "2026_den-1.jsonl").write_bytes(whole)
    there = files(file.parent)
    async with rig.agent(leaf=leaf, restart=Restart.TEMPORARY) as bench:
        assert "/new" in await lost(bench)
        assert bench.told == []
    assert files(file.parent) == there
    for left in rig.session_files():
        left.unlink()
    file.write_bytes(whole)
    async with rig.agent(Reply(deltas=("second",)), leaf=leaf) as bench:
        await bench.until(AgentReady)
        await run(bench, "t2", "more")
    assert [text for _, text in rig.asked()] == ["hi", "first", "more"]


async def unsaved(bench: Bench) -> str:
    """Why the agent was lost after its turn."""
    told = await bench.until(AgentLost)
    assert told.session
    return told.what


async def test_a_session_that_was_deleted_under_a_living_pi_is_missed_when_the_turn_ends(rig: Rig) -> None:
    async with rig.agent(Reply(deltas=("first",)), Reply(deltas=("second",)), restart=Restart.TEMPORARY) as bench:
        await bench.until(AgentReady)
        first = await run(bench, "t1", "hi")
        (file,) = rig.session_files()
        file.unlink()
        second = await run(bench, "t2", "more")
        assert (second.text, second.stop_reason) == ("second", "stop"), "the answer is the person's all the same"
        assert second.leaf == first.leaf
        assert f"pi could not write its session ({file})" in await unsaved(bench)
    assert rig.session_files() == [file], "pi has written it anew, without a beginning"
    async with rig.agent(leaf=second.leaf, restart=Restart.TEMPORARY) as bench:
        assert "its beginning is lost" in await lost(bench)


async def test_a_full_disk_under_the_session_ends_the_turn_and_loses_nothing_before_it(rig: Rig) -> None:
    async with rig.agent(Reply(deltas=("first",)), Reply(deltas=("second",)), restart=Restart.TEMPORARY) as bench:
        await bench.until(AgentReady)
        first = await run(bench, "t1", "hi")
        (file,) = rig.session_files()
        file.rename(rig.folder / "kept")
        file.symlink_to("/dev/full")
        second = await run(bench, "t2", "more")
        assert second.stop_reason == "error"
        assert "ENOSPC" in second.error
        assert second.leaf == first.leaf
        await unsaved(bench)
    file.unlink()
    (rig.folder / "kept").rename(file)
    async with rig.agent(Reply(deltas=("third",)), leaf=second.leaf) as bench:
        await bench.until(AgentReady)
        third = await run(bench, "t3", "again")
    assert [text for _, text in rig.asked()] == ["hi", "first", "again"]
    assert third.leaf not in {None, first.leaf}


async def test_a_first_turn_on_a_full_disk_leaves_a_room_that_can_go_on(rig: Rig) -> None:
    async with rig.agent(Reply(deltas=("first",)), restart=Restart.TEMPORARY) as bench:
        await bench.until(AgentReady)
        sessions = rig.folder / "sessions/den"
        for file in sessions.iterdir():
            file.rename(rig.folder / file.name)
        sessions.rmdir()
        sessions.write_text("no place for a file")
        settled = await run(bench, "t1", "hi")
        assert (settled.stop_reason, settled.leaf) == ("error", None)
        assert settled.error
        await unsaved(bench)
    sessions.unlink()
    rig.llm.replies.clear()
    async with rig.agent(Reply(deltas=("second",))) as bench:
        await bench.until(AgentReady)
        assert (await run(bench, "t2", "again")).text == "second"


async def test_a_folder_that_was_cleared_away_is_made_anew_and_that_is_said(rig: Rig) -> None:
    _, leaf = await session(rig)
    rig.work.rmdir()
    async with rig.agent(Reply(deltas=("second",)), leaf=leaf) as bench:
        await bench.until(AgentReady)
        assert (await run(bench, "t2", "more")).text == "second"
    assert [text for _, text in rig.asked()] == ["hi", "first", "more"]
    assert [note.text for note in bench.told] == [
        f"The folder {rig.work} was gone, with all in it. This room works in a new one."
    ]


async def test_a_projects_folder_that_is_gone_is_said_and_not_made(rig: Rig) -> None:
    async with rig.agent(project="shop", restart=Restart.TEMPORARY) as bench:
        told = await bench.until(AgentLost)
        assert told.session
        assert f"the folder {rig.work} of the project shop is gone" in told.what
    with trio.fail_after(5):
        assert not await trio.Path(rig.work).exists()
