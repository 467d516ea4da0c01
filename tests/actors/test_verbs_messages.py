"""`actorctl quarantine` and `trace`, from the command's own process through the socket to the store and back."""

import json
from pathlib import Path

import pytest
import trio

from actors.messages import (
    Accepted,
    DropQuarantined,
    ListQuarantined,
    Outcome,
    Quarantined,
    RetryQuarantined,
    Sending,
    Sent,
    StoreRequest,
)
from supervisor import Actor, Mailbox, Overflow, Reply
from tests.actors.desk import Desk, open_desk

# --- the quarantine


async def set_aside(desk: Desk, *texts: str, turn: str = "shop.1") -> list[Accepted]:
    said = [
        await desk.say(text, update=100 + number, message_id=500 + number, name="Ada \x1b[31m")
        for number, text in enumerate(texts or ("boom",))
    ]
    await desk.end(turn, *said, outcome=Outcome.QUARANTINED)
    return said


async def test_what_is_set_aside_is_listed_on_a_line_and_shown_whole(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        assert await desk.actorctl("quarantine") == (0, "Nothing is in quarantine.\n", "")
        text = "first\n\x1b[2Jsecond " + "x" * 300
        await set_aside(desk, text, "other")

        _, out, _ = await desk.actorctl("quarantine", "list")

        assert out.splitlines() == [
            "ID  ROOM  FROM       SET ASIDE  TEXT",
            f"1   shop  Ada  [31m  0 s ago    first  [2Jsecond {'x' * 182}…",
            "2   shop  Ada  [31m  0 s ago    other",
        ]
        _, out, _ = await desk.actorctl("quarantine", "show", "1")
        lines = out.splitlines()
        assert lines[:5] == [
            "Message 1 of Ada  [31m in shop, set aside 0 s ago:",
            "",
            "  first",
            f"   [2Jsecond {'x' * 300}",
            "",
        ]
        assert [line.split()[4] for line in lines[6:]] == [
            "written",
            "written",
            "accepted",
            "accepted",
            "begun",
            "ended",
        ]


async def test_a_retry_queues_the_messages_of_its_turn_and_wakes_their_room(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await set_aside(desk, "one", "two")

        said = await desk.actorctl("quarantine", "retry", "2", "1")

        assert said == (0, "Message 1 waits in shop once more.\nMessage 2 waits in shop once more.\n", "")
        assert await desk.queue() == ["one", "two"]
        assert desk.rooms == ["shop"]
        assert await desk.said() == []
        assert await desk.actorctl("quarantine", "retry", "1") == (
            1,
            "",
            "actorctl: message 1 is not in quarantine; see: actorctl quarantine list\n",
        )


class DecidedStore(Actor[StoreRequest]):
    """Lists a message of which somebody else decides at that moment."""

    mailbox = Mailbox(4, Overflow.WAIT)

    async def receive(self, message: StoreRequest) -> Reply:
        match message:
            case ListQuarantined():
                listed = Quarantined(
                    inbound=1, room="shop", name="Ada", text="x", at=0.0, attempts=3, turn="t", set_aside_at=0.0
                )
                return message.reply((listed,))
            case RetryQuarantined() | DropQuarantined():
                return message.reply(None)
            case _:
                raise AssertionError(message)


@pytest.mark.parametrize("command", ["retry", "drop"])
async def test_nobody_is_told_of_a_decision_that_somebody_else_has_just_made(tmp_path: Path, command: str) -> None:
    async with open_desk(tmp_path, DecidedStore) as desk:
        assert await desk.actorctl("quarantine", command, "1") == (
            1,
            "",
            "actorctl: somebody else has just decided that; see: actorctl quarantine list\n",
        )
        assert desk.rooms == []


async def test_what_is_dropped_is_told_to_its_room(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await set_aside(desk)

        assert await desk.actorctl("quarantine", "drop", "1") == (
            0,
            "Message 1 of shop is dropped; its room is told.\n",
            "",
        )

        assert await desk.queue() == []
        assert desk.rooms == ["shop"]
        with trio.fail_after(5):
            await desk.woken.wait()
        assert await desk.said() == [
            "This message was set aside and is dropped now. Send it again if it should be done after all."
        ]


@pytest.mark.parametrize("command", ["retry", "drop"])
async def test_of_several_none_is_decided_if_one_is_not_there(tmp_path: Path, command: str) -> None:
    async with open_desk(tmp_path) as desk:
        await set_aside(desk)

        said = await desk.actorctl("quarantine", command, "1", "7", "8")

        assert said == (1, "", "actorctl: messages 7, 8 are not in quarantine; see: actorctl quarantine list\n")
        assert (await desk.queue(), await desk.said(), desk.rooms) == ([], [], [])
        assert (await desk.actorctl("quarantine", "show", "7"))[2] == (
            "actorctl: message 7 is not in quarantine; see: actorctl quarantine list\n"
        )


async def test_a_decision_stands_also_where_nobody_can_be_woken(tmp_path: Path) -> None:
    async with open_desk(tmp_path, sender=False) as desk:
        await set_aside(desk)
        assert (await desk.actorctl("quarantine", "retry", "1"))[0] == 0
        assert await desk.queue() == ["boom"]


async def test_the_quarantine_for_scripts(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await set_aside(desk, "a\nb")
        [listed] = json.loads((await desk.actorctl("quarantine", "--json"))[1])["quarantined"]
        assert listed.pop("set_aside_at").endswith("Z")
        assert listed == {
            "id": 1,
            "room": "shop",
            "name": "Ada \x1b[31m",
            "text": "a b",
            "at": "1970-01-01T00:16:40.000Z",
            "attempts": 3,
            "turn": "shop.1",
        }
        shown = json.loads((await desk.actorctl("quarantine", "show", "1", "--json"))[1])
        assert (shown["message"]["text"], shown["hops"][0]["what"]) == ("a\nb", "written")
        retried = json.loads((await desk.actorctl("quarantine", "retry", "1", "--json"))[1])["retried"]
        assert [each["id"] for each in retried] == [1]


# --- the way of a message


async def travelled(desk: Desk) -> None:
    """Update 900, message 500: answered as message 600."""
    said = await desk.say("do it", update=900, message_id=500)
    await desk.end("shop.1", said, outcome=Outcome.DONE, answer="done")
    await desk.store.ask(Sending(ids=(1,)), timeout=5)
    await desk.store.ask(Sent(id=1, part=0, message_id=600, last=True), timeout=5)


async def test_a_message_is_traced_from_its_update_to_its_answer(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await travelled(desk)

        code, out, _ = await desk.actorctl("trace", "900")

        lines = out.splitlines()
        assert (code, lines[0].split()) == (0, ["TIME", "AFTER", "WHAT", "WHERE", "ID"])
        assert lines[1].startswith("1970-01-01 00:16:40.000  +0 ms")
        assert [" ".join(line.split()[4:]) for line in lines[1:]] == [
            "written telegram 500",
            "accepted store telegram:1:900",
            "begun (attempt 3) store shop.1",
            "ended (done) store shop.1",
            "queued store 1",
            "sending (part 1, attempt 1) telegram 1",
            "sent (part 1) telegram 600",
        ]
        assert (await desk.actorctl("trace", "600"))[1] == out


async def test_a_trace_for_scripts(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await travelled(desk)
        trace = json.loads((await desk.actorctl("trace", "500", "--json"))[1])
        assert (set(trace), trace["message"]) == ({"message", "hops"}, "500")
        assert trace["hops"][0] == {
            "at": "1970-01-01T00:16:40.000Z",
            "what": "written",
            "where": "telegram",
            "id": "500",
        }
        assert {frozenset(each) for each in trace["hops"]} == {frozenset({"at", "what", "where", "id"})}


async def test_a_trace_of_nothing_says_what_can_be_given(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        assert await desk.actorctl("trace", "900") == (
            1,
            "",
            "actorctl: no message has the id '900': give that of an update, of a message in the chat, of a turn or a "
            "sub-agent, or one of the quarantine's list\n",
        )
