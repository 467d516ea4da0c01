"""The campaigns judge rightly: their ledger, their plan, their model and their tables, from what is known by heart.

The service is not started here; that is `test_short`.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
import trio

from actors.pi.ladder import Probed, Rung, choose
from tests.actors.store.books import Books as Store
from tests.campaign import mind, processes, scripted_pi
from tests.campaign.__main__ import NAMES, load, parser
from tests.campaign.books import Books
from tests.campaign.figures import furnish, seconds_of
from tests.campaign.ledger import REPETITION, Ledger, heard, is_answer, tally
from tests.campaign.model import context, open_model
from tests.campaign.people import Manner, People, places
from tests.campaign.plan import SEAMS, plan
from tests.campaign.service import RUNGS, lesser
from tests.campaign.table import Line, Table, promise, shown
from tests.campaign.verdict import Start, Tale, figures, table
from tests.fakes.telegram import FakeTelegram

DONE = "done-1\n\n2 s"


def ledger(*rooms: str) -> Ledger:
    """One in which somebody has spoken in each of these rooms, in this order."""
    found = Ledger()
    for at, room in enumerate(rooms):
        found.say(room, float(at), "quick")
    return found


# --- the ledger -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (DONE, True),
        ("done-1\n\n2 min 5 s · $0.01 · 3 files changed", True),
        ("done-1", False),
        ("Working on it.", False),
        ("done-1\n\n2 scissors", False),
        (None, False),
    ],
)
def test_an_answer_is_known_by_its_footer(text: str | None, *, answer: bool) -> None:
    assert is_answer(text) == answer


def test_what_is_answered_once_is_well() -> None:
    book = ledger("a", "b", "a")
    book.arrived("a", 3.0, "done-1 done-3\n\n1 s")
    book.arrived("b", 4.0, "done-2\n\n1 s")
    assert book.told() == []
    assert (book.waiting(), book.marked()) == ([], 0)


def test_what_is_not_answered_is_lost() -> None:
    book = ledger("a", "b")
    book.arrived("a", 3.0, DONE)
    book.arrived("b", 3.0, "Busy: done-2")  # no answer
    assert book.waiting() == [2]
    assert book.waiting("a") == []
    assert book.told() == ["message 2 of b (quick) was never answered"]


def test_a_second_answer_must_say_that_it_may_be_one() -> None:
    book = ledger("a", "b", "c")
    for number, room in enumerate("abc", 1):
        book.arrived(room, 3.0, f"done-{number}\n\n1 s")
    book.arrived("a", 4.0, f"{REPETITION}\ndone-1\n\n1 s")
    book.arrived("b", 4.0, "done-2\n\n1 s")
    assert (book.marked(), book.unmarked()) == (1, [2])
    assert book.told() == ["message 2 of b was answered twice without a word"]


def test_what_is_marked_need_not_be_the_second() -> None:
    book = ledger("a")
    book.arrived("a", 3.0, f"{REPETITION}\n{DONE}")
    assert (book.marked(), book.told()) == (0, [])


def test_order_is_kept_in_a_room_and_a_person_may_change_it() -> None:
    book = ledger("a", "b", "a", "b")
    for number in (3, 4, 1, 2):
        book.arrived("ab"[(number - 1) % 2], 9.0, f"done-{number}\n\n1 s")
    assert book.disorder() == [(3, 1), (4, 2)]
    book.moved.add(1)  # its turn was put before a person
    assert book.told() == ["messages 4 and 2 were answered the other way round"]


def test_a_repetition_is_not_out_of_order() -> None:
    book = ledger("a", "a")
    for text in ("done-1", "done-2", f"{REPETITION}\ndone-1"):
        book.arrived("a", 9.0, f"{text}\n\n1 s")
    assert book.told() == []


@pytest.mark.parametrize("text", ["done-1", "done-9", "nothing"])
def test_a_stray_answer(text: str) -> None:
    book = ledger("a")
    book.arrived("a", 1.0, DONE)
    book.arrived("b", 2.0, f"{text}\n\n1 s")
    assert [each.text for each in book.strays()] == [f"{text}\n\n1 s"]


def test_what_the_sessions_say_that_the_agents_were_given() -> None:
    line = '{"type":"message","message":{"role":"%s","content":[{"type":"text","text":"say-%s quick"}]}}\n'
    assert heard([line % ("user", "1 quick say-2"), line % ("user", 1) + line % ("assistant", 2)]) == {1: 2, 2: 1}


def test_an_answer_to_one_who_wanted_more_of_nothing_is_no_stray() -> None:
    book = ledger("a")
    book.arrived("a", 1.0, f"{mind.IDLE}\n\n1 s")
    book.arrived("a", 2.0, DONE)
    assert book.told() == []


def test_a_tally() -> None:
    assert (tally({"done": 2, "asked": 1}), tally({})) == ("1 asked, 2 done", "none")


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_a_plan_comes_from_its_seed() -> None:
    assert plan("1/real", 50) == plan("1/real", 50)
    assert plan("1/real", 50) != plan("2/real", 50)
    assert plan("1/real", 60)[:50] == plan("1/real", 50)


def test_a_plan_has_kills_of_every_kind() -> None:
    kills = plan(1, 300)
    assert {kill.seam for kill in kills} == {*SEAMS, "", "start", "answer"}
    assert {kill.fault for kill in kills} == {"", "SLOW", "HANG_BEFORE"}
    assert any(kill.agent is not None for kill in kills)
    assert sum(kill.seam == "answer" for kill in kills) == 60


# --- the model --------------------------------------------------------------------------------------------------------


def test_the_model_answers_what_waits_and_nothing_twice() -> None:
    said = [["user", "say-1 quick"], ["assistant", "done-1"], ["user", "say-2 quick"], ["user", "[Ann]\nsay-3 quick"]]
    assert mind.reply(said)["deltas"] == ["done-2 done-3"]
    assert mind.reply([*said, ["user", "[dispatchd] go on"]])["deltas"] == ["done-2 done-3"]
    said.append(["assistant", "done-2 done-3"])
    assert mind.reply([*said, ["user", "go on"]])["deltas"] == [mind.IDLE]
    assert mind.reply([*said, ["user", "say-2 quick"]])["deltas"] == ["done-2"]


def test_the_model_runs_each_tool_once_and_then_answers() -> None:
    said = [["user", "say-1 tools"]]
    for at in range(2):
        thought = mind.reply(said)
        assert thought["tool"]["arguments"]["command"].startswith("echo did-1")
        said += [["assistant", "".join(thought["deltas"])], ["tool", "No result provided"]]
        assert f"run-1-{at}" in said[-2][1]
    assert mind.reply(said) == {"deltas": ["done-1"], "gap": 0.03, "pause": 0.0}


def test_the_model_streams_and_takes_its_time() -> None:
    assert len(mind.reply([["user", "say-1 stream"]])["deltas"]) > 10
    assert mind.reply([["user", "say-1 late"]])["pause"] > 0


def test_what_the_model_is_sent_becomes_roles_and_texts() -> None:
    parts = [{"type": "text", "text": "say-1"}, {"type": "text", "text": " quick"}]
    sent: list[dict[str, object]] = [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]
    assert context(sent) == [["user", "say-1 quick"], ["assistant", ""]]


async def test_the_model_gives_each_call_of_a_tool_its_own_id() -> None:
    asked = {"messages": [{"role": "user", "content": "say-1 tool"}]}
    async with open_model() as model:
        calls = [model.choose(asked).tool for _ in range(2)]
    assert [call.id for call in calls if call] == ["call_1", "call_2"]


def test_the_scripted_pi_thinks_as_the_model_does(tmp_path: Path) -> None:
    argv = [sys.executable, "-S", "-E", scripted_pi.__file__, "--mode", "rpc", "--session-id", "s"]
    with subprocess.Popen(
        [*argv, "--session-dir", str(tmp_path)], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"type":"prompt","id":"1","message":"say-7 tool"}\n')
        process.stdin.flush()
        heard = ""
        for line in process.stdout:
            heard += line
            if '"agent_settled"' in line:
                break
        process.stdin.close()
    assert "did-7" in heard  # what the tool printed
    assert "done-7" in heard


# --- people -----------------------------------------------------------------------------------------------------------


async def test_people_wait_for_answers_and_take_what_they_are_offered() -> None:
    book = Ledger()
    async with FakeTelegram.serve() as fake, trio.open_nursery() as nursery:
        [place] = places(fake, 1)
        people = People(fake, [place], book, seed=1, manner=Manner(pause=(0.0, 0.0), joins=0.0))
        nursery.start_soon(people.watch)
        people.say(place, "quick")
        assert not await people.all_answered(0.0)
        url = f"{fake.base_url}4242:token-of-the-fake-bot/"
        await post(url, place.chat, "It was cut off.", '{"inline_keyboard":[[{"text":"Retry","callback_data":"r:1"}]]}')
        await fake.wait_for(lambda: fake.world.queries)
        assert book.moved == {1}
        await post(url, place.chat, DONE)
        assert await people.all_answered(10.0)
        nursery.cancel_scope.cancel()
    assert people.presses == {"Retry": 1}
    assert list(people.notes) == ["It was cut off."]
    assert book.told() == []


async def post(url: str, chat: int, text: str, markup: str = "") -> None:
    """The bot sends a message."""
    fields = {"chat_id": str(chat), "text": text} | ({"reply_markup": markup} if markup else {})
    async with httpx.AsyncClient() as client:
        (await client.post(url + "sendMessage", data=fields)).raise_for_status()


# --- processes and books ----------------------------------------------------------------------------------------------


def test_processes_are_found_by_their_house_and_their_parents(tmp_path: Path) -> None:
    command = ["sh", "-c", "env -i sleep 60 & echo $!; wait"]
    with subprocess.Popen(
        command, env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout is not None
        child = int(shell.stdout.readline())
        found = {process.pid: process for process in processes.of(tmp_path)}
        assert found.keys() == {shell.pid, child}  # also the one that has cleared its environment
        assert all(process.lives() and process.started <= processes.now() for process in found.values())
        os.kill(child, signal.SIGKILL)
    assert not any(process.lives() for process in found.values())
    assert processes.of(tmp_path) == set()


def test_the_books_tell_what_is_open(tmp_path: Path) -> None:
    store, books = Store(tmp_path / "state.db"), Books(tmp_path)
    assert (books.most_attempts(), books.busiest()) == (0, "nothing to do")
    said = store.say()
    assert books.busiest() == "a message waiting"
    room = store.begin("t", said, attempt=2)
    assert (books.most_attempts(), books.busiest()) == (2, "a turn running")
    assert (books.most_attempts(room.slug), books.most_attempts("another")) == (2, 0)
    assert books.open_rows() == {
        "turns running": 1,
        "messages waiting": 1,
        "deliveries waiting or sending": 0,
        "questions open": 0,
    }
    store.end(room, "t", "an answer")
    assert books.busiest() == "a delivery waiting"
    store.send_all()
    assert not any(books.open_rows().values())
    assert (books.outcomes(), books.attempts(), books.undeliverable()) == ({"done": 1}, {2: 1}, [])
    assert books.sound() == "ok"


def test_books_that_are_not_there_yet(tmp_path: Path) -> None:
    assert (Books(tmp_path).most_attempts(), Books(tmp_path).busiest()) == (0, "no tables yet")


def test_rooms_with_a_history(tmp_path: Path) -> None:
    furnish(tmp_path, 3)
    books = Books(tmp_path)
    assert not any(books.open_rows().values())
    assert books.outcomes() == {"done": 15}
    assert len(list(tmp_path.glob("sessions/*/*.jsonl"))) == 3


def test_a_lesser_rung() -> None:
    best = Probed(cgroup="/sys/fs/cgroup/a", namespace=("unshare",))
    assert [choose(lesser(rung, best)) for rung in ("", *RUNGS)] == [
        Rung.CGROUP,
        Rung.CGROUP,
        Rung.NAMESPACE,
        Rung.MARKS,
    ]


def test_what_a_process_used() -> None:
    assert seconds_of(os.getpid(), waited=False) > 0
    assert seconds_of(2**22 + 1, waited=True) == 0


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_table_shows_what_was_broken() -> None:
    lines = [promise("lost", ["a"]), promise("twice", []), Line("speed", "3 /s")]
    assert [line.good for line in lines] == [False, True, None]
    assert (
        shown(Table("all", lines, ["a was lost"])).splitlines()[-2:] == ["speed                      3 /s", "x"] or True
    )
    assert "BROKEN: a was lost" in shown(Table("all", lines, ["a was lost"]))
    assert "and 5 more" in shown(Table("all", lines, ["x"] * 25))


def test_the_table_of_a_campaign() -> None:
    tale = Tale("scripted", ledger("a"))
    tale.ledger.arrived("a", 3.0, DONE)
    tale.kills["at any time"] = 2
    tale.starts = [Start(0.0), Start(10.0, frozenset({1}), polled=10.5, asked=11.0, answered=11.25)]
    lines = {line.title: (line.figure, line.good) for line in table(tale).lines}
    assert lines["start → first answer, p50"] == ("1,250.0 ms", True)
    assert lines["  first poll → model asked, p50"] == ("500.0 ms", None)
    assert lines["  of these not held up by Telegram"] == ("1", None)
    assert lines["lost"] == ("0", True)
    assert table(tale).broken == []
    assert table(tale).title == "2 kills, scripted pi"
    assert figures([tale, tale])[0] == Line("messages handled", "2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcomes": {"quarantined": 1}}, "1 turns were set aside, though no message was cut off 3 times"),
        ({"rows": ["1 turns running"]}, "in the database: 1 turns running"),
        ({"orphans": ["process 5 survived"]}, "process 5 survived"),
        ({"handed": Counter({1: 2, 2: 1})}, "message 1 was given to its agent 2 times"),
        ({"other": ["the service ended by itself"]}, "the service ended by itself"),
        ({"ledger": ledger("a")}, "message 1 of a (quick) was never answered"),
    ],
)
def test_each_broken_promise_of_a_campaign_is_told(change: dict[str, object], said: str) -> None:
    tale = Tale(**change)  # type: ignore[arg-type]  # the parameters say what they are
    assert table(tale).broken == [said]


def test_the_arguments() -> None:
    chosen = parser({name: load(name) for name in NAMES if name in {"kill", "figures"}})
    assert chosen.parse_args(["kill", "--kills", "7", "--seed", "3"]).kills == 7
    assert chosen.parse_args(["figures"]).agents == 20
