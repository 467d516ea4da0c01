"""Talking with a process: answers find their callers, the rest keeps its order, and its end is said once."""

import sys
from pathlib import Path

import pytest
import trio

from actors.pi import link
from actors.pi.commands import Abort, Command, DialogCancelled, DialogValue, GetState
from actors.pi.errors import AgentEnded, AgentHung
from actors.pi.link import Link
from actors.pi.outputs import DialogRequested, Output, RunStarted, Settled
from actors.pi.process import LaunchSpec, Proc, launch

ANSWER = '{"id":"%s","type":"response","command":"abort","success":true}'


async def start(nursery: trio.Nursery, code: str) -> Proc:
    argv = (sys.executable, "-S", "-c", f"import os, sys, time\n{code}")
    return await launch(LaunchSpec(argv=argv, cwd="/", env={}), nursery, grace=1.0)


async def outcome(talk: Link, *sent: Command) -> tuple[list[Output], BaseException]:
    """What was heard, and the one error in which it all ended."""
    heard: list[Output] = []

    async def hear(output: Output) -> None:
        heard.append(output)
        await trio.sleep(0.1)  # so that the callers find out first

    with trio.fail_after(20):
        try:
            async with trio.open_nursery() as nursery:
                for command in sent:
                    nursery.start_soon(talk.call, command)
                await talk.listen(hear)
        except BaseExceptionGroup as group:
            (error,) = group.exceptions
            return heard, error
    raise AssertionError("it has no end")


async def test_an_answer_reaches_its_caller_behind_what_came_before_it(nursery: trio.Nursery) -> None:
    records = ['{"type":"agent_start"}', ANSWER % "c1", '{"type":"agent_settled"}']
    proc = await start(nursery, f"sys.stdin.readline(); print('\\n'.join({records!r}), flush=True); sys.stdin.read()")
    talk = Link(proc)
    order: list[object] = []

    async def hear(output: Output) -> None:
        order.append(type(output))

    async def call() -> None:
        order.append((await talk.call(Abort())).ok)
        nursery.cancel_scope.cancel()

    nursery.start_soon(call)
    with pytest.raises(trio.Cancelled):
        await talk.listen(hear)
    assert order.index(RunStarted) < order.index(True)
    assert Settled in order
    assert talk.session.pending == 0


async def test_an_end_is_said_once_however_many_wait(nursery: trio.Nursery) -> None:
    proc = await start(
        nursery, """print('{"type":"agent_start"}', flush=True); print('why', file=sys.stderr); os._exit(3)"""
    )
    await proc.wait()
    heard, error = await outcome(Link(proc), GetState(), Abort(), GetState())
    assert isinstance(error, AgentEnded)
    assert (str(error), error.how, heard) == ("pi ended, exit code 3: why", "exit code 3", [RunStarted()])
    await proc.stop(1.0)


@pytest.mark.parametrize(("descriptor", "said"), [(0, "closed its input"), (1, "closed its output")])
async def test_one_that_closes_a_side_and_lives_on_is_hung(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, descriptor: int, said: str
) -> None:
    monkeypatch.setattr(link, "END_DEADLINE", 0.2)
    proc = await start(nursery, f"os.close({descriptor}); print('x', file=sys.stderr, flush=True); time.sleep(60)")
    with trio.fail_after(10):
        while not proc.stderr_tail():  # noqa: ASYNC110 - nobody tells us
            await trio.sleep(0.01)
    _, error = await outcome(Link(proc), GetState())
    assert isinstance(error, AgentHung)
    assert str(error) == f"pi {said} and did not end within 0.2 s"
    await proc.stop(0.3)


async def test_a_flood_of_rubbish_is_counted_and_does_not_fill_the_log(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Link(await start(nursery, "print('rubbish\\n' * 1000)"))
    _, error = await outcome(talk)
    assert isinstance(error, AgentEnded)
    assert talk.session.counts.garbage == 1000
    assert len(caplog.records) == link.MOST_LOGGED + 1


async def test_a_call_that_is_given_up_is_forgotten(nursery: trio.Nursery) -> None:
    proc = await start(nursery, "sys.stdin.read()")
    talk = Link(proc)
    with trio.move_on_after(0.05):
        await talk.call(GetState())
    assert talk.session.pending == 0
    await proc.stop(1.0)


async def test_a_dialog_that_nobody_asked_is_not_answered(nursery: trio.Nursery, tmp_path: Path) -> None:
    got = tmp_path / "got"
    proc = await start(nursery, f"open({str(got)!r}, 'w').write(sys.stdin.read())")
    await Link(proc).answer(DialogCancelled(id="d1"))
    await proc.stop(3.0)
    assert got.read_text() == ""


async def test_one_that_asks_on_and_takes_no_answer_is_hung(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "MOST_UNREAD", 300)
    ask = """
n = 0
while True:
    n += 1
    print('{"type":"extension_ui_request","id":"d%d","method":"input","title":"%s"}' % (n, "x" * 1000), flush=True)
"""
    proc = await start(nursery, ask)
    talk = Link(proc)
    seen = 0

    async def hear(output: Output) -> None:
        nonlocal seen
        assert isinstance(output, DialogRequested)
        seen += 1
        answering.start_soon(talk.answer, DialogValue(id=output.id, value="y" * 1000))

    with trio.fail_after(20), pytest.RaisesGroup(AgentHung):
        async with trio.open_nursery() as answering:
            await talk.listen(hear)
    assert 300 < seen < 2000
    await proc.stop(0.3)
