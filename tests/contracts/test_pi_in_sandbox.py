"""The real pi in a sandbox: it works as outside of one, and neither it nor what its model has it run gets out.

Beside these, `test_pi_in_cages` and `tests/actors/pi/test_sandbox.py` have what ends with it.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGABRT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

import msgspec
import pytest
import trio

from actors.messages import AgentNoted, AgentReady, FileOffered, QuestionAsked, Recall, Recalled, Room
from actors.pi.cages import Cages
from actors.pi.host_tools import OF_THE_DEEPEST
from actors.pi.installation import AgentPlan
from actors.pi.ladder import Rung
from actors.pi.probe import probe
from actors.pi.process import Exited, Proc, launch
from actors.pi.sandbox import Sandbox
from tests.actors.pi.bench import ROOM, Bench, open_bench
from tests.actors.pi.hostile import RUNGS, alive
from tests.actors.pi.little_service import at_most
from tests.actors.pi.sandboxes import found, in_a_sandbox
from tests.contracts.agent_rig import Rig, open_rig, run
from tests.fakes.llm import KEY, Reply, ToolCall

pytestmark = in_a_sandbox


class Closed:
    """A state folder with a sub-agent's place in it, and what it must not see beside."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.home = rig.folder / "subagents/den"
        self.work = self.home / "work"
        self.secrets = [
            rig.folder / name
            for name in ("dispatchd.db", "config.toml", "home/.ssh/id", "sessions/other/s.jsonl", "rooms/other/notes")
        ]
        self.objects = rig.folder / "rooms/parent/.git/objects"
        for folder in (self.work, self.home / "tmp/home", self.objects, *(file.parent for file in self.secrets)):
            folder.mkdir(parents=True, exist_ok=True)
        for file in self.secrets:
            file.write_text("a secret of the service")
        self.bubblewrap = found(rig.folder)

    @property
    def room(self) -> Room:
        return msgspec.structs.replace(ROOM, workspace=str(self.work))

    @property
    def sandbox(self) -> Sandbox:
        visible = (str(self.objects),)
        return Sandbox(temporary=str(self.home / "tmp"), bwrap=self.bubblewrap.program, visible=visible)

    def plan(self, **more: Any) -> AgentPlan:
        return self.rig.plan(bubblewrap=self.bubblewrap, **more)

    @asynccontextmanager
    async def agent(self, *commands: str) -> AsyncIterator[Bench]:
        """An agent whose model runs these commands, one in a turn, and then says that it is done."""
        for command in commands:
            self.rig.llm.replies += [Reply(tool=ToolCall("bash", {"command": command})), Reply(deltas=("done",))]

        async def find() -> Room:
            return self.room

        how: dict[str, Any] = {"tools": OF_THE_DEEPEST, "find": find, "sandbox": lambda _: self.sandbox}
        async with open_bench(self.rig.folder, self.plan(), workspace=str(self.work), **how) as bench:
            await bench.ready()
            yield bench

    async def says(self, command: str) -> str:
        """What a command that the model runs brings forth."""
        async with self.agent(command) as bench:
            assert (await run(bench, "t1", "do it")).text == "done"
        role, text = self.rig.asked()[-1]
        assert role == "tool"
        return text

    def spec(self, **more: Any) -> Any:
        (self.rig.folder / "sessions/den").mkdir(exist_ok=True)
        return self.plan(**more).spec(self.room, "m", OF_THE_DEEPEST, self.sandbox)


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Closed]:
    async with open_rig(tmp_path) as rig:
        yield Closed(rig)


@pytest.fixture(params=RUNGS)
def cages(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cages]:
    if request.param is Rung.MARKS:
        yield Cages(at_most(request.param, msgspec.structs.replace(probe(), subreaper=False)))
        return
    opened = Cages.open(tmp_path, at_most(request.param, probe()))
    yield opened
    opened.close()


async def test_it_answers_and_its_tools_work_in_its_workspace(closed: Closed) -> None:
    said = await closed.says("pwd; echo new > made; echo $HOME $TMPDIR $PATH; touch $HOME/a $TMPDIR/b /tmp/c; id -u")
    work, temporary = str(closed.work), str(closed.home / "tmp")
    assert said.splitlines()[:2] == [work, f"{temporary}/home {temporary} {said.splitlines()[1].split()[2]}"]
    assert said.splitlines()[2] == str(os.geteuid())
    assert (closed.work / "made").read_text() == "new\n"
    assert (closed.work / "made").stat().st_uid == os.geteuid()
    assert (closed.home / "tmp/home/a").exists()
    assert (closed.home / "tmp/b").exists()
    assert not await trio.Path("/tmp/c").exists()  # its own is another
    assert closed.rig.llm.requests[0]["tools"][-1]["function"]["name"] == "report_progress"


async def test_it_reads_nothing_of_the_service_of_other_rooms_or_of_anybody(closed: Closed) -> None:
    own = await trio.Path("~").expanduser()
    outside = [*map(str, closed.secrets), "/etc/shadow", "/proc/1/root/etc/shadow", f"/proc/{os.getpid()}/environ"]
    said = await closed.says(
        f"cat {' '.join(outside)} 2>/dev/null; ls -A {own} /run /etc/ssh {closed.rig.folder}; ls /"
    )
    assert "secret" not in said
    assert "root:" not in said
    listed = said.splitlines()
    assert not {".ssh", ".bashrc", "dispatchd.db", "config.toml", "rooms/other", "home", "root"} & set(listed)
    assert {"etc", "proc", "tmp", "usr"} <= set(listed)


async def test_it_sees_of_its_state_folder_only_its_own(closed: Closed) -> None:
    said = await closed.says(f"find {closed.rig.folder} -mindepth 1 -maxdepth 2 | sort")
    own = {"agent", "agent/models.json", "agent/settings.json", "rooms", "rooms/parent", "sessions", "sessions/den"}
    own |= {"subagents", "subagents/den", "cache", "cache/compiled", "agent/auth.json", "agent/models-store.json"}
    own |= {"agent/extensions"}
    shown = {line.removeprefix(f"{closed.rig.folder}/") for line in said.splitlines()}
    assert shown <= own, shown - own
    assert {"rooms/parent", "sessions/den", "subagents/den", "agent/settings.json"} <= shown


async def test_it_writes_nothing_outside(closed: Closed) -> None:
    agent, cache = closed.rig.folder / "agent", closed.rig.folder / "cache/compiled"
    for name in ("auth.json", "models-store.json"):  # as a pi outside has made them
        (agent / name).write_text("{}")
    cache.mkdir(parents=True)
    before = {file.name: file.read_bytes() for file in agent.glob("*.json")}
    places = ["/usr/x", "/etc/x", "/opt/x", f"{closed.objects}/x", f"{cache}/x", *map(str, agent.glob("[ms]*.json"))]
    tries = "; ".join(f"(echo bad > {place}) 2>/dev/null && echo wrote {place}" for place in places)
    each = "rm -f $f && echo removed $f; mv settings.json.lock $f && echo moved $f"
    spoil = f"cd {agent}; for f in [ms]*.json; do {each}; done"
    kernel = "/proc/sys/kernel/core_pattern"  # of which root needs no capability
    same = f"test -w {kernel} && cat {kernel} > {kernel} && echo wrote {kernel}"
    mounts = "; ".join(f"mount -o remount,rw {place} && echo remounted {place}" for place in ("/", "/usr", "/proc"))
    touched = f"touch {agent}/settings.json.lock"
    said = await closed.says(
        f"({tries}; {touched}; {spoil}; {same}; {mounts}; umount /proc && echo un) 2>&1 | grep '^[wrmu]'"
    )
    assert [
        line for line in said.splitlines() if line.split()[0] in ("wrote", "removed", "moved", "remounted", "un")
    ] == []
    assert {file.name: file.read_bytes() for file in agent.glob("*.json")} == before
    assert not (agent / "settings.json.lock").exists()
    assert [place for place in places if place.endswith("/x") and await trio.Path(place).exists()] == []


async def test_it_cannot_even_put_a_file_beside_its_place(closed: Closed) -> None:
    await closed.says(
        f"echo bad > {closed.home}/x; echo bad > {closed.rig.folder}/x; ln -s / {closed.rig.folder}/rooms/y"
    )
    assert sorted(os.listdir(closed.home)) == ["tmp", "work"]
    assert not (closed.rig.folder / "x").exists()
    assert not (closed.rig.folder / "rooms/y").is_symlink()


async def test_it_signals_nobody_else(closed: Closed, nursery: trio.Nursery) -> None:
    bystander = await nursery.start(trio.run_process, ["sleep", "600"])
    said = await closed.says(
        f"kill -0 {os.getpid()} {bystander.pid} 2>&1; sleep 99 & kill $!; ls -d /proc/[0-9]* | wc -l"
    )
    assert "No such process" in said
    assert int(said.splitlines()[-1]) < 12
    pi = await launch(closed.spec(), nursery)
    await pi.write(b'{"type": "bash", "command": "kill -9 -1"}\n')
    with trio.fail_after(20):
        assert await pi.wait() == Exited(None, SIGKILL)  # which ends itself
    await pi.stop(1.0)
    assert bystander.returncode is None
    nursery.cancel_scope.cancel()


async def test_its_tools_have_no_key_and_no_way_to_the_services_own(closed: Closed) -> None:
    said = await closed.says("env; ps ax -o args 2>/dev/null")
    assert KEY not in said
    names = {line.partition("=")[0] for line in said.splitlines()}
    assert not {"TELEGRAM_BOT_TOKEN", "NOTIFY_SOCKET", "LLM_API_KEY", "SSH_AUTH_SOCK", "DISPATCHD_HOST_MARK"} & names


FORGES = """
import json, os
pi = os.getppid()
environ = dict(each.split("=", 1) for each in open(f"/proc/{pi}/environ").read().split("\\0") if "=" in each)
out = os.open(f"/proc/{pi}/fd/1", os.O_WRONLY)
def say(**record):
    os.write(out, (json.dumps(record) + "\\n").encode())
calls = {"ask_user": {"question": "forged"}, "send_file": {"path": "f"}, "report_progress": {"text": "f"}}
for tool, arguments in calls.items():
    say(type="tool_execution_start", toolCallId=tool, toolName=tool, args={})
    request = json.dumps({"tool": tool, "call": tool, "arguments": arguments})
    say(type="extension_ui_request", id=tool, method="input", title=environ["DISPATCHD_HOST_MARK"], placeholder=request)
print("forged")
"""


async def test_who_forges_a_call_gets_what_its_agent_has_and_nothing_else(closed: Closed) -> None:
    (closed.work / "forges.py").write_text(FORGES)
    async with closed.agent("python3 forges.py") as bench:
        assert (await run(bench, "t1", "do it")).text == "done"
        assert closed.rig.asked()[-1] == ("tool", "forged\n")
        assert [event.text for event in bench.heard if isinstance(event, AgentNoted)] == ["progress: f"]
        assert not any(isinstance(event, QuestionAsked | FileOffered) for event in bench.heard)


async def test_it_inherits_no_file_of_the_services(closed: Closed) -> None:
    said = await closed.says(
        "for p in /proc/[0-9]*; do for f in $p/fd/*; do readlink $f; done; done 2>/dev/null | sort -u"
    )
    own = str(closed.rig.folder / "sessions/den/pi.pid")  # the lock, which its pi holds
    files = {line for line in said.splitlines() if line.startswith("/") and not line.startswith(("/dev/", "/proc/"))}
    assert files <= {own}


async def test_its_session_is_where_the_service_looks_and_goes_on(closed: Closed) -> None:
    closed.rig.llm.replies += [Reply(deltas=("first",))]
    async with closed.agent() as bench:
        assert (await run(bench, "t1", "one")).text == "first"
        (file,) = closed.rig.session_files()
        header = json.loads(file.read_text().splitlines()[0])
        assert header["cwd"] == str(closed.work)
        os.kill(bench.pid, SIGKILL)
        again = (await bench.until(AgentReady)).incarnation
        await bench.agent.tell(Recall(turn="t1", incarnation=again, since=None))
        assert (await bench.until(Recalled)).entries[-1].text == "first"
        closed.rig.llm.replies += [Reply(deltas=("second",))]
        assert (await run(bench, "t2", "two", again)).text == "second"
    assert closed.rig.asked() == [("user", "one"), ("assistant", "first"), ("user", "two")]
    assert closed.rig.session_files() == [file]


async def test_git_works_on_a_clone_that_shares_objects(closed: Closed) -> None:
    parent = closed.rig.folder / "rooms/parent"
    begin(parent)
    await trio.run_process(["git", "clone", "-q", "--shared", parent, closed.work])
    as_somebody = "git -c user.name=a -c user.email=a@b"
    said = await closed.says(
        f"git log --format=%s; echo two >> a; {as_somebody} commit -qam two && git log --format=%s; git status --short;"
        f" {as_somebody} -C {parent} log 2>&1; git fsck 2>&1"
    )
    assert said.splitlines()[:3] == ["one", "two", "one"]
    assert "not a git repository" in said
    shown = await trio.run_process(["git", "-C", closed.work, "show", "HEAD:a"], capture_stdout=True)
    assert shown.stdout == b"one\ntwo\n"


def begin(folder: Path) -> None:
    """A git workspace with one commit."""
    (folder / "a").write_text("one\n")
    for words in (["init", "-q"], ["add", "a"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", folder, *words], check=True)


async def ready(closed: Closed, cages: Cages, nursery: trio.Nursery) -> Proc:
    proc = await launch(closed.spec(), nursery, cages=cages)
    await bash(proc, "true")
    return proc


async def bash(pi: Proc, command: str) -> dict[str, Any]:
    """Have pi run a command; returns what came of it."""
    await pi.write(json.dumps({"id": "1", "type": "bash", "command": command}).encode() + b"\n")
    read = b""
    while True:
        chunk = await pi.read()
        assert chunk is not None, pi.stderr_tail()
        read += chunk
        for line in read.splitlines():
            if line.startswith(b'{"id":"1","type":"response"') and line.endswith(b"}"):
                return dict(json.loads(line)["data"])


LEAVES = (
    "env -i setsid sleep {0} >/dev/null 2>&1 & nohup sleep {0} >/dev/null 2>&1 &"
    " (setsid sh -c 'sleep {0} & exit' >/dev/null 2>&1 &) ; sleep 0.1"
)


@pytest.mark.parametrize(
    "way", ["end of input", "SIGTERM", "SIGKILL", "its pi is killed", "its pi aborts", "it is stopped"]
)
async def test_however_it_ends_it_says_how_and_nothing_is_left(
    closed: Closed, cages: Cages, nursery: trio.Nursery, way: str
) -> None:
    token = f"9{os.getpid():07d}1"
    pi = await ready(closed, cages, nursery)
    argv = await trio.Path(f"/proc/{pi.pid}/cmdline").read_text()
    assert "cli.js" in argv.split("\0", 2)[1] or argv.startswith("pi")
    assert (await bash(pi, LEAVES.format(token)))["exitCode"] == 0
    assert len(alive(f"sleep\0{token}")) == 3
    with trio.fail_after(20):
        match way:
            case "end of input":
                assert await pi.stop(6.0) == Exited(0, None)
            case "SIGTERM":
                pi.signal(SIGTERM)
                assert await pi.wait() == Exited(143, None)  # by itself, as it ends a run in order
            case "SIGKILL":
                pi.signal(SIGKILL)
                assert await pi.wait() == Exited(None, SIGKILL)
            case "its pi is killed":
                os.kill(pi.pid, SIGKILL)
                assert await pi.wait() == Exited(None, SIGKILL)
            case "its pi aborts":
                os.kill(pi.pid, SIGABRT)  # as when it gets no more memory
                assert await pi.wait() == Exited(None, SIGABRT)
            case _:
                os.kill(pi.pid, SIGSTOP)
                assert await pi.stop(0.3) == Exited(None, SIGKILL)
    assert alive(f"sleep\0{token}") == []
    await pi.stop(1.0)


async def test_the_session_is_locked_as_long_as_its_pi_lives(
    closed: Closed, cages: Cages, nursery: trio.Nursery
) -> None:
    pi = await ready(closed, cages, nursery)
    assert int((closed.rig.folder / "sessions/den/pi.pid").read_text()) == pi.pid
    lock = ["flock", "--nonblock", str(closed.rig.folder / "sessions/den/pi.pid"), "true"]
    assert (await trio.run_process(lock, check=False)).returncode == 1
    await pi.stop(3.0)
    assert (await trio.run_process(lock, check=False)).returncode == 0


async def test_it_outlives_the_thread_that_started_it(
    closed: Closed, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The kernel tells bubblewrap of the end of its parent when that thread ends; trio's end after 10 s of nothing.
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.05)
    pi = await launch(closed.spec(), nursery)
    await trio.sleep(0.5)
    assert (await bash(pi, "echo here"))["output"] == "here\n"
    assert await pi.stop(3.0) == Exited(0, None)


async def test_a_login_is_lent_without_what_renews_it(closed: Closed) -> None:
    soon = int((trio.current_time() + 10**9) * 1000)
    own: dict[str, dict[str, Any]] = {
        "fake": {"type": "api_key", "key": KEY},
        "other": {"type": "oauth", "access": "a", "refresh": "r", "expires": soon},
    }
    kept = closed.rig.folder / "agent/auth.json"
    kept.write_text(json.dumps(own))
    closed.rig.provider = msgspec.structs.replace(closed.rig.provider, secrets={})  # so the key is the login's
    said = await closed.says(
        f"cat {kept}; echo; (echo bad > {kept.with_name('auth.lent.json')}) 2>/dev/null || echo kept"
    )
    seen, end = said.splitlines()
    assert json.loads(seen) == own | {"other": own["other"] | {"refresh": ""}}
    assert end == "kept"
    assert json.loads(kept.read_text()) == own
