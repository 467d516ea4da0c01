"""The cages in the tree: how agents are contained is shown, and a keeper that was killed is replaced."""

import os
import sys
from functools import partial
from pathlib import Path
from signal import SIGKILL

import pytest
import trio

from actors.pi import caretaker
from actors.pi.cages import Cages
from actors.pi.caretaker import Caretaker
from actors.pi.ladder import MIB, Limits, Probed
from supervisor import ChildSpec, Supervisor, open_system


async def test_it_shows_how_agents_are_contained_and_who_keeps_them() -> None:
    cages = Cages()
    async with open_system(Supervisor(ChildSpec("cages", partial(Caretaker, cages)))) as system:
        node = system.snapshot("/cages")
        assert node.doing == cages.summary()
        assert node.pid is None
    async with open_system(Supervisor(ChildSpec("cages", partial(Caretaker, cages, "no sandbox")))) as system:
        assert system.snapshot("/cages").doing == f"{cages.summary()}; no sandbox"


async def test_a_keeper_that_was_killed_is_replaced_and_does_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(caretaker, "LOOK_EVERY", 0.02)
    cages = Cages.open(tmp_path, Probed())
    try:
        async with open_system(Supervisor(ChildSpec("cages", partial(Caretaker, cages)))) as system:
            first = cages.keeper
            assert first is not None
            assert system.snapshot("/cages").pid == first
            os.kill(first, SIGKILL)
            with trio.fail_after(10):
                while cages.keeper in (first, None):  # noqa: ASYNC110 - nobody tells us
                    await trio.sleep(0.01)
            second = cages.keeper
            await trio.sleep(0.2)  # which lives, and is left alone
            assert cages.keeper == second
            assert cages._launched == {second}  # or the dead one would be looked at for ever by who buries orphans
    finally:
        cages.close()
    assert second is not None
    assert not os.path.exists(f"/proc/{second}")  # noqa: ASYNC240 - no disk
    assert caplog.text.count("is started again") == 1


async def test_a_keeper_is_not_started_while_orphans_are_looked_for(tmp_path: Path) -> None:
    cages = Cages.open(tmp_path, Probed())
    try:
        first = cages.keeper
        assert first is not None
        os.kill(first, SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - at once
        async with trio.open_nursery() as nursery, cages._forking:
            nursery.start_soon(cages.look_after_keeper)
            await trio.sleep(0.2)
            assert cages.keeper == first  # a new one would be an unknown child in a session of its own
        assert cages.keeper not in (first, None)
    finally:
        cages.close()


async def test_a_keeper_that_could_not_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        cages = Cages.open(tmp_path, Probed())
        await cages.look_after_keeper()
        assert cages.keeper is None
        assert caplog.text.count("no keeper") == 1
    try:
        await cages.look_after_keeper()
        assert cages.keeper is not None
    finally:
        cages.close()


def test_what_of_the_limits_cannot_be_kept_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Cages().complain(Limits())
    assert caplog.text == ""
    Cages().complain(Limits(memory=MIB))
    assert "memory_max under [pi] cannot be kept here" in caplog.text
