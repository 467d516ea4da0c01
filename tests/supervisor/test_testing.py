"""The helpers for tests, and above all that the leak guard finds what leaks."""

from contextvars import copy_context
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from supervisor import ChildSpec, StartFailed, StartTimeout, Supervisor
from supervisor.events import ChildStarted
from supervisor.registry import Cell
from supervisor.testing import (
    Act,
    Crash,
    Leaked,
    Player,
    Probe,
    Recorder,
    Script,
    WhoAreYou,
    open_test_system,
    scripted,
)


async def test_a_clean_tree_passes_the_guard() -> None:
    async with open_test_system(Supervisor(scripted("a"))):
        pass


async def test_the_guard_finds_what_is_left(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(Leaked) as caught:  # noqa: PT012  # the block is what raises
            async with open_test_system(Supervisor(scripted("a"))) as system:
                registry = system._registry
                registry.timers.after(5.0, lambda: None)
                ghost = Cell("/ghost", scripted("ghost"), registry)
                registry.watch("/ghost", ghost.begin_life(copy_context()))
                nursery.start_soon(trio.sleep, 1)
    assert caught.value.what == ["1 timers or asks", "monitors of ['/ghost']", "places ['/ghost']", "1 tasks"]


async def test_a_script_is_followed_start_by_start(autojump_clock: MockClock) -> None:
    script = Script(Act.OK, Act.FAIL, Act.OK)
    async with open_test_system(Supervisor(scripted("a", script))) as system:
        recorder = Recorder(system)
        ref = system.ref("/a", Player)
        await ref.tell(Crash())
        await recorder.wait_for(ChildStarted, "/a")
        assert await ref.ask(WhoAreYou(), timeout=5) == 3
        assert recorder.story[:4] == ["down /a 1 failed", "restart /a in 0", "down /a 2 failed", recorder.story[3]]


async def test_a_hanging_start_is_left_to_its_timeout(autojump_clock: MockClock) -> None:
    with pytest.raises(StartFailed) as caught:
        async with open_test_system(Supervisor(scripted("a", Script(Act.HANG)))):
            pass
    assert isinstance(caught.value.reason, StartTimeout)


async def test_a_child_can_ignore_its_start() -> None:
    script = Script(Act.IGNORE, Act.OK)
    async with open_test_system(Supervisor(scripted("a", script))) as system:
        assert script.log == ["start a", "stopping a ignored", "stopped a"]
        await system.restart_child("/a")
        assert await system.ref("/a", Player).ask(WhoAreYou(), timeout=5) == 2


async def test_a_probe_keeps_what_it_hears_and_answers() -> None:
    heard: list[Any] = []
    async with open_test_system(Supervisor(ChildSpec("p", partial(Probe, heard, lambda _: 7)))) as system:
        probe = system.ref("/p", Probe)
        await probe.tell(Crash())
        assert await probe.ask(WhoAreYou(), timeout=5) == 7
    assert heard == [Crash(), WhoAreYou()]


async def test_waiting_for_what_never_happens_fails(autojump_clock: MockClock) -> None:
    async with open_test_system(Supervisor(scripted("a"))) as system:
        with pytest.raises(trio.TooSlowError):
            await Recorder(system).wait_for(ChildStarted, "/nobody")


async def test_garbage_is_no_actor_and_its_supervisor_says_so(autojump_clock: MockClock) -> None:
    with pytest.raises(StartFailed, match="made 'garbage', which is no actor"):
        async with open_test_system(Supervisor(scripted("a", Script(Act.GARBAGE)))):
            pass
    script = Script(Act.OK, Act.GARBAGE, Act.OK)
    async with open_test_system(Supervisor(scripted("a", script))) as system:
        recorder = Recorder(system)
        await system.ref("/a", Player).tell(Crash())
        await recorder.wait_for(ChildStarted, "/a")
        assert await system.ref("/a", Player).ask(WhoAreYou(), timeout=1) == 3
