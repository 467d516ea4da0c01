"""The terminal in a live tree, on pipes: every delivery once and in order, whoever fails and whoever does not read."""

import os

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.console.screen import REPEATED
from actors.console.terminal import PLACE, Notice, Offered, QuestionShown, Terminal
from actors.messages import DeliveryKind, EndProgress, Mark, React, ShowProgress, Unfinished, Wake
from supervisor import Actor, ChildSpec, Mailbox, Overflow
from tests.actors.console.fakes import Asked, FakeStore, Rows, open_house

BIG = "x" * (1 << 20)


def progress(text: str, *tools: str) -> ShowProgress:
    return ShowProgress(place=PLACE, turn="t1", text=text, tools=tools, since=0.0)


class Listener(Actor[Wake | QuestionShown | Offered]):
    """Stands in the console's place and counts how often it is woken, and asked."""

    mailbox = Mailbox(16, Overflow.WAIT)
    woken = 0
    asked = 0

    async def receive(self, message: Wake | QuestionShown | Offered) -> None:
        if isinstance(message, QuestionShown):
            Listener.asked += 1
        else:
            Listener.woken += 1


async def test_what_waits_at_the_start_is_brought_in_the_order_of_the_commit_points(
    mock_clock: trio.testing.MockClock,  # it stands still: nothing here waits for a second attempt
) -> None:
    rows = Rows()
    rows.deliver("one")
    rows.deliver("two")
    async with open_house(rows, with_console=False) as house:
        assert await house.stdout.read("two\n") == "one\ntwo\n"
        await rows.until(lambda: rows.heard.count("Due") == 3)
    assert rows.heard == ["Doubt", "Due", "Sending", "Sent", "Due", "Sending", "Sent", "Due"]


async def test_a_streamed_answer_is_seen_once_and_tools_go_to_stderr() -> None:
    rows = Rows()
    async with open_house(rows, with_console=False) as house:
        await house.terminal.tell(progress("Look:"))
        await house.terminal.tell(progress("Look:", "bash: ls"))
        await house.stderr.read("ls\n")
        await house.terminal.tell(progress("It is", "bash: ls"))
        assert await house.stdout.read("It is") == "Look:\nIt is"
        rows.deliver("It is fine.", turn="t1")
        await house.terminal.tell(EndProgress(place=PLACE, turn="t1"))
        await house.terminal.tell(Wake())
        assert await house.stdout.read("fine.\n") == "Look:\nIt is fine.\n"
    assert house.stderr.text == "⚙ bash: ls\n"


async def test_the_console_is_woken_after_each_delivery() -> None:
    rows = Rows()
    Listener.woken = 0
    async with open_house(rows, with_console=False) as house:
        rows.deliver("nobody is there to be woken")
        await house.terminal.tell(Wake())
        await rows.until(lambda: rows.heard[-2:] == ["Sent", "Due"])
        await house.system.start_child("/", ChildSpec("console", Listener))
        rows.deliver("one")
        rows.deliver("two")
        await house.terminal.tell(Wake())
        await rows.until(lambda: rows.heard.count("Sent") == 3)
        await wait_all_tasks_blocked()
    assert Listener.woken == 2


async def test_the_console_is_told_of_a_question() -> None:
    rows = Rows()
    Listener.asked = 0
    async with open_house(rows, with_console=False) as house:
        await house.system.start_child("/", ChildSpec("console", Listener))
        rows.deliver("Which?", kind=DeliveryKind.QUESTION)
        await house.terminal.tell(Wake())
        await rows.until(lambda: rows.heard[-2:] == ["Sent", "Due"])
        await wait_all_tasks_blocked()
    assert Listener.asked == 1


async def test_a_topic_can_never_arrive_and_what_comes_after_it_does() -> None:
    rows = Rows()
    topic = rows.deliver("web", kind=DeliveryKind.TOPIC)
    rows.deliver("the rest")
    async with open_house(rows, with_console=False) as house:
        assert await house.stdout.read("rest\n") == "the rest\n"
        await rows.until(lambda: rows.states == {topic.id: "undeliverable", 2: "sent"})


async def test_a_receipt_is_nothing_to_see() -> None:
    async with open_house(Rows(), with_console=False) as house:
        await house.terminal.tell(React(place=PLACE, message_id=1, mark=Mark.SEEN))
        await wait_all_tasks_blocked()
        assert (house.stdout.rest(), house.stderr.rest()) == ("", "")


async def test_what_was_cut_off_says_that_it_may_be_a_repetition() -> None:
    rows = Rows()
    cut = rows.deliver("one")
    rows.states[cut.id] = "sending"
    async with open_house(rows, with_console=False) as house:
        assert await house.stdout.read("one\n") == f"{REPEATED}\none\n"


@pytest.mark.parametrize("too_late", [False, True])
@pytest.mark.parametrize("number", range(5))
async def test_a_store_that_fails_once_costs_neither_an_answer_nor_a_repetition(
    number: int, too_late: bool, autojump_clock: trio.testing.MockClock
) -> None:
    def once(request: Asked, count: int) -> bool:
        return count == number

    rows = Rows(fail=once, too_late=too_late)
    rows.deliver("one")
    rows.deliver("two")
    async with open_house(rows, with_console=False) as house:
        await rows.until(lambda: set(rows.states.values()) == {"sent"})
        assert house.stdout.rest() == "one\ntwo\n"


async def test_a_reader_that_stalls_holds_up_nobody_else() -> None:
    rows = Rows()
    rows.deliver(BIG)
    async with open_house(rows, with_console=False) as house:
        store = house.system.ref("/store", FakeStore)
        await rows.until(lambda: "Sending" in rows.heard)
        assert await store.ask(Unfinished(place=PLACE), timeout=5.0) == 1
        assert await house.stdout.read("x\n") == BIG + "\n"


async def test_a_stop_does_not_wait_for_a_reader_that_stalls() -> None:
    rows = Rows()
    rows.deliver(BIG)
    async with open_house(rows, with_console=False):
        await rows.until(lambda: "Sending" in rows.heard)
    assert rows.states == {1: "sending"}


async def test_a_reader_that_is_gone_ends_the_service_quietly() -> None:
    rows = Rows()
    async with open_house(rows, with_console=False) as house:
        house.stdout.close()
        rows.deliver("one")
        rows.deliver("two")
        await house.terminal.tell(Wake())
        await house.finished.wait()
        await house.terminal.tell(progress("more"))
        await wait_all_tasks_blocked()
        assert house.system.snapshot("/terminal").doing == "stdout is closed"
        assert house.stderr.rest() == ""
    assert rows.heard[-1] == "Sending"
    assert rows.states == {1: "sending", 2: "waiting"}


async def test_a_full_disk_under_stdout_ends_it_with_a_word() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    rows = Rows()
    rows.deliver("one")
    async with open_house(rows, with_console=False) as house:
        os.dup2(full, house_stdout(house.system.get_spec("/terminal")))
        rows.deliver("two")
        await house.terminal.tell(Wake())
        await house.finished.wait()
        assert "stdout cannot be written (No space left on device)" in await house.stderr.read("\n")
    os.close(full)


def house_stdout(spec: ChildSpec[object]) -> int:
    fd = spec.factory.keywords["stdout"]  # type: ignore[union-attr]  # the house makes it by a partial
    assert isinstance(fd, int)
    return fd


async def test_nobody_at_stderr_is_no_reason_to_be_silent() -> None:
    rows = Rows()
    async with open_house(rows, with_console=False) as house:
        house.stderr.close()
        await house.terminal.tell(Notice(text="unheard"))
        await house.terminal.tell(progress("said"))
        assert await house.stdout.read("said") == "said"
    assert not house.finished.is_set()


async def test_a_line_that_is_begun_is_ended_at_the_stop() -> None:
    async with open_house(Rows(), with_console=False) as house:
        await house.terminal.tell(progress("unfinished"))
        await house.stdout.read("unfinished")
        await house.system.terminate_child("/terminal")
        assert await house.stdout.read("\n") == "unfinished\n"


@pytest.mark.parametrize(("no_color", "expected"), [("", "\x1b[2mpsst\x1b[0m\r\n"), ("1", "psst\r\n")])
async def test_only_a_terminal_is_told_to_dim_and_not_against_its_owners_wish(
    no_color: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    async with open_house(Rows(), with_console=False, tty=True) as house:
        await house.terminal.tell(Notice(text="psst"))
        assert await house.stderr.read("\n") == expected


async def test_a_descriptor_that_somebody_made_non_blocking_is_written_all_the_same() -> None:
    rows = Rows()
    async with open_house(rows, with_console=False) as house:
        os.set_blocking(house_stdout(house.system.get_spec("/terminal")), False)
        rows.deliver(BIG)
        await house.terminal.tell(Wake())
        assert await house.stdout.read("x\n") == BIG + "\n"


async def test_it_takes_the_place_that_the_tree_gives_it() -> None:
    async with open_house(Rows(), with_console=False) as house:
        assert house.system.ref("/terminal", Terminal) == house.terminal
        assert house.system.snapshot("/terminal").doing is None
