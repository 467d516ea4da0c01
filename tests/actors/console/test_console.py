"""The console in a live tree, on pipes and pseudo-terminals: what is typed is taken once, and the end is the end."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.console.console import Interrupted
from actors.console.lines import LIMIT
from actors.messages import DeliveryKind, Key, Wake
from tests.actors.console.fakes import Asked, House, Rows, answer_all, open_house


async def answer(house: House) -> None:
    """The room gets round to what waits."""
    answer_all(house.rows)
    await house.terminal.tell(Wake())


async def accepted(house: House, count: int) -> list[str]:
    """Wait until so many lines were taken, and give their texts."""
    await house.rows.until(lambda: len(house.rows.inbounds) >= count)
    return [inbound.text for inbound in house.rows.inbounds]


async def test_nothing_said_ends_at_the_end_of_input() -> None:
    async with open_house(Rows()) as house:
        house.stdin.close()
        await house.finished.wait()
        assert await house.stderr.read("BANNER\n") == "BANNER\n"
        assert house.stdout.rest() == ""
    assert house.rows.inbounds == []


async def test_piped_lines_wait_for_each_others_answers() -> None:
    rows = Rows()
    async with open_house(rows) as house:
        house.stdin.write("hello\n\n/quit\nlast, without an end")
        house.stdin.close()
        await house.finished.wait()
        assert await house.stdout.read("end") == "echo hello\nstopped by ann\necho last, without an end\n"
    assert [(inbound.text, inbound.command, inbound.name) for inbound in rows.inbounds] == [
        ("hello", None, "ann"),
        ("/quit", "?quit", "ann"),
        ("last, without an end", None, "ann"),
    ]
    courses = [word for word in rows.heard if word in {"Accept", "WakeRoom", "Sent"}]
    assert courses == ["Accept", "WakeRoom", "Sent"] * 3


async def test_the_end_of_input_waits_for_the_turn() -> None:
    async with open_house(Rows(), at_work=False) as house:
        house.stdin.write("hello\nagain\n")
        house.stdin.close()
        assert await accepted(house, 1) == ["hello"]
        await wait_all_tasks_blocked()
        assert len(house.rows.inbounds) == 1
        assert not house.finished.is_set()
        await answer(house)
        assert await accepted(house, 2) == ["hello", "again"]
        await answer(house)
        await house.finished.wait()
        assert await house.stdout.read("again\n") == "echo hello\necho again\n"


async def ask(house: House) -> None:
    """The room's agent asks."""
    house.rows.deliver("Which?", kind=DeliveryKind.QUESTION, keys=((Key("red", "b:1:0"), Key("blue", "b:1:1")),))
    await house.terminal.tell(Wake())


async def test_a_piped_line_answers_a_question_and_the_one_behind_it_waits() -> None:
    async with open_house(Rows(), at_work=False) as house:
        house.stdin.write("choose\nblue\nand then\n")
        assert await accepted(house, 1) == ["choose"]
        await ask(house)
        assert "  2. blue" in await house.stdout.read("them)\n")
        assert await accepted(house, 2) == ["choose", "blue"]
        await wait_all_tasks_blocked()
        assert len(house.rows.inbounds) == 2
        await answer(house)
        assert await accepted(house, 3) == ["choose", "blue", "and then"]


async def test_a_number_presses_the_button_that_has_it() -> None:
    async with open_house(Rows(), at_work=False) as house:
        await house.stderr.read("BANNER\n")
        house.rows.deliver("Stopped.", kind=DeliveryKind.NOTE, keys=((Key("Run", "b:1:0"), Key("Drop", "b:1:1")),))
        await house.terminal.tell(Wake())
        assert "/1 Run · /2 Drop\n" in await house.stderr.read("Drop\n")
        await house.rows.until(lambda: "Sent" in house.rows.heard)
        await wait_all_tasks_blocked()
        house.stdin.write("/2\n")
        assert "pressed b:1:1\n" in await house.stderr.read("b:1:1\n")
        assert list(house.rows.presses.values()) == ["b:1:1"]
        house.stdin.write("/3\n")
        assert await accepted(house, 1) == ["/3"]  # which nothing on the screen has
        assert house.rows.inbounds[0].command == "?3"


async def test_an_input_that_ends_before_the_answer_says_so_and_waits() -> None:
    async with open_house(Rows(), at_work=False) as house:
        house.stdin.write("choose\n")
        await accepted(house, 1)
        await ask(house)
        house.stdin.close()
        assert "waits for an answer" in await house.stderr.read("answer")
        await wait_all_tasks_blocked()
        assert not house.finished.is_set()
        await answer(house)
        await house.finished.wait()


async def test_what_an_earlier_run_left_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    rows = Rows()
    rows.deliver("from before")
    async with open_house(rows) as house:
        house.stdin.close()
        await house.finished.wait()
        assert await house.stdout.read("before\n") == "from before\n"


async def test_a_lost_wake_is_made_up_for(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Rows(), at_work=False) as house:
        house.stdin.write("hello\n")
        house.stdin.close()
        await accepted(house, 1)
        await wait_all_tasks_blocked()
        house.rows.waiting.clear()  # done, and nobody said so
        await house.finished.wait()


async def test_typed_lines_are_taken_at_once_and_told_what_is_before_them() -> None:
    async with open_house(Rows(), at_work=False, tty=True) as house:
        house.stdin.write("one\n")
        await accepted(house, 1)
        house.stdin.write("two\nthree\n/status\n")
        assert await accepted(house, 4) == ["one", "two", "three", "/status"]
        assert "queued, 1 before it" in await house.stderr.read("queued, 2 before it")
        await wait_all_tasks_blocked()
        assert house.stderr.rest().count("queued") == 2
        count = house.rows.count
        house.stdin.write("\x04")
        await house.rows.until(lambda: house.rows.count > count)  # only now is it asked what is unfinished
        assert not house.finished.is_set()
        await answer(house)
        await house.finished.wait()


@pytest.mark.parametrize("word", ["/quit", "/exit "])
async def test_a_person_can_leave_by_word(word: str) -> None:
    async with open_house(Rows(), at_work=False, tty=True) as house:
        house.stdin.write(f"one\n{word}\n")
        await house.finished.wait()
        assert await accepted(house, 1) == ["one"]


async def test_a_line_that_is_too_long_is_refused_and_the_next_is_taken() -> None:
    async with open_house(Rows()) as house:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, house.stdin.write, "x" * (LIMIT + 1) + "\nhello\n")
            assert await accepted(house, 1) == ["hello"]
        house.stdin.close()
        await house.finished.wait()
        assert f"A line of more than {LIMIT} bytes was not taken" in await house.stderr.read("taken")


async def test_a_refused_line_is_answered_by_its_refusal() -> None:
    async with open_house(Rows(), at_work=False, tty=True, capacity=1) as house:
        house.stdin.write("one\ntwo\n")
        assert await house.stdout.read("refused\n") == "refused\n"
        assert await accepted(house, 1) == ["one"]


async def test_ctrl_c_ends_the_service_when_nothing_runs() -> None:
    async with open_house(Rows()) as house:
        await house.console.tell(Interrupted())
        await house.finished.wait()
    assert house.rows.inbounds == []


@pytest.mark.parametrize("tty", [True, False])
async def test_ctrl_c_stops_the_turn_and_twice_ends_the_service(tty: bool) -> None:
    async with open_house(Rows(), at_work=False, tty=tty) as house:
        house.stdin.write("slow\n")
        await accepted(house, 1)
        await house.console.tell(Interrupted())
        await accepted(house, 2)
        await house.rows.until(lambda: house.rows.heard.count("WakeRoom") == 2)
        assert house.rows.inbounds[1].command == "stop"
        assert "Ctrl-C again" in await house.stderr.read("Ctrl-C again")
        assert not house.finished.is_set()
        await house.console.tell(Interrupted())
        await house.finished.wait()
    assert len(house.rows.inbounds) == 2


async def test_ctrl_c_much_later_stops_the_next_turn(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Rows(), at_work=False, tty=True) as house:
        house.stdin.write("slow\n")
        await accepted(house, 1)
        for count in (2, 3):
            await house.console.tell(Interrupted())
            await accepted(house, count)
            await trio.sleep(3.1)
        assert not house.finished.is_set()
    assert [inbound.command for inbound in house.rows.inbounds] == [None, "stop", "stop"]


async def test_ctrl_c_twice_ends_the_service_when_the_store_hangs() -> None:
    async with open_house(Rows()) as house:
        house.rows.hung = True
        await house.console.tell(Interrupted())
        await wait_all_tasks_blocked()
        assert not house.finished.is_set()
        await house.console.tell(Interrupted())
        await house.finished.wait()


async def test_a_store_that_fails_for_a_while_is_asked_again(autojump_clock: trio.testing.MockClock) -> None:
    failures = iter([True, True, True])

    def thrice(request: Asked, _number: int) -> bool:
        return type(request).__name__ == "Accept" and next(failures, False)

    async with open_house(Rows(fail=thrice)) as house:
        house.stdin.write("hello\n")
        house.stdin.close()
        await house.finished.wait()
        assert await house.stdout.read("hello\n") == "echo hello\n"
        assert (await house.stderr.read("again")).count("trying again") == 1
    assert len(house.rows.inbounds) == 1


async def test_a_line_that_cannot_be_taken_is_given_back_with_a_word(autojump_clock: trio.testing.MockClock) -> None:
    def always(request: Asked, _number: int) -> bool:
        return type(request).__name__ == "Accept"

    async with open_house(Rows(fail=always)) as house:
        house.stdin.write("hello\n")
        house.stdin.close()
        await house.finished.wait()
        assert "please send it again later" in await house.stderr.read("later")
    assert house.rows.inbounds == []


async def test_a_line_is_taken_once_when_only_the_wake_fails(mock_clock: trio.testing.MockClock) -> None:
    async with open_house(Rows()) as house:
        await house.system.terminate_child("/router")
        house.stdin.write("hello\n")
        await house.stderr.read("trying again")
        await house.system.restart_child("/router")
        await wait_all_tasks_blocked()
        mock_clock.jump(0.1)
        house.stdin.close()
        await house.finished.wait()
        assert await house.stdout.read("hello\n") == "echo hello\n"
    assert len(house.rows.inbounds) == 1
    assert house.rows.heard.count("Accept") == 1


async def test_a_line_that_was_taken_is_not_given_back_when_nobody_can_be_woken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Rows()) as house:
        await house.system.terminate_child("/router")
        house.stdin.write("hello\n")
        said = await house.stderr.read("is taken")
        assert "send it again" not in said
        await house.system.restart_child("/router")
    assert len(house.rows.inbounds) == 1


async def test_a_console_that_is_started_again_loses_no_line_and_says_its_banner_once() -> None:
    async with open_house(Rows(), at_work=False) as house:
        house.stdin.write("one\ntwo\nthree\n")
        await accepted(house, 1)
        await house.system.restart_child("/console")
        house.stdin.close()
        for count in (1, 2, 3):
            await accepted(house, count)
            await answer(house)
        await house.finished.wait()
        assert await house.stdout.read("three\n") == "echo one\necho two\necho three\n"
        assert house.stderr.rest() == "BANNER\n"


async def test_it_says_what_it_does() -> None:
    async with open_house(Rows(), at_work=False) as house:
        await wait_all_tasks_blocked()
        assert house.system.snapshot("/console").doing == "reading"
        house.stdin.write("one\n")
        await accepted(house, 1)
        await wait_all_tasks_blocked()
        assert house.system.snapshot("/console").doing == "waiting for an answer"
