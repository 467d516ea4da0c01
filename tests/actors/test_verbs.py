"""`actorctl pair`, from the command's own process through the socket to the store and back, and what no verb takes."""

import json
from functools import partial
from pathlib import Path

import pytest
import trio

from actors.errors import Unavailable
from supervisor.control.errors import Refused
from tests.actors.desk import EVE, BrokenStore, open_desk
from tests.supervisor.control.house import ask


async def test_the_first_one_approved_is_the_owner_and_is_told(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        code = await desk.knock()
        assert await desk.pair() == (0, f"CODE      WHO        GOOD\n{code}  Eve (666)  for 59 min\n", "")

        said = await desk.pair("approve", code.lower())

        assert said == (0, "Eve (666) may speak to the service now, and is the owner.\n", "")
        with trio.fail_after(5):
            await desk.woken.wait()
        assert await desk.pair("list") == (0, "Nobody waits to be let in.\n", "")
        assert await desk.pair("people") == (0, "WHO        IS     SINCE\nEve (666)  owner  0 s\n", "")
        second = await desk.knock(667, "Mallory")
        assert await desk.pair("approve", second) == (0, "Mallory (667) may speak to the service now.\n", "")


async def test_a_code_is_taken_back_and_a_person_removed(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        code = await desk.knock(person=7)
        assert await desk.pair("deny", code) == (0, f"The code {code} lets nobody in any more.\n", "")
        assert (await desk.pair("approve", code))[0] == 1
        await desk.pair("approve", await desk.knock())

        assert await desk.pair("remove", str(EVE)) == (
            0,
            "666 may no longer speak to the service, unless the configuration names them.\n",
            "",
        )
        assert await desk.pair("people") == (0, "Nobody was approved.\n", "")


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("approve", "NONE"), "there is no code 'NONE', or its hour is over; see: actorctl pair list"),
        (("deny", "NONE"), "there is no code 'NONE'; see: actorctl pair list"),
        (("remove", "5"), "nobody with the id 5 was approved; see: actorctl pair people"),
    ],
)
async def test_what_cannot_be_done_is_exit_code_1(tmp_path: Path, args: tuple[str, ...], why: str) -> None:
    async with open_desk(tmp_path) as desk:
        assert await desk.pair(*args) == (1, "", f"actorctl: {why}\n")


async def test_json_for_scripts(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        code = await desk.knock()
        [waiting] = json.loads((await desk.pair("--json"))[1])["pairings"]
        assert (waiting.pop("expires_at")[-1], waiting) == ("Z", {"code": code, "person": EVE, "name": "Eve"})
        approved = json.loads((await desk.pair("approve", code, "--json"))[1])["approved"]
        assert json.loads((await desk.pair("people", "--json"))[1])["people"] == [approved]
        assert approved.pop("since").endswith("Z")
        assert approved == {"id": EVE, "name": "Eve", "owner": True}


async def test_without_telegram_nobody_need_be_woken(tmp_path: Path) -> None:
    async with open_desk(tmp_path, sender=False) as desk:
        assert (await desk.pair("approve", await desk.knock()))[0] == 0


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    async with open_desk(tmp_path, partial(BrokenStore, Unavailable("the disk is full: free it"))) as desk:
        assert await desk.pair("list") == (1, "", "actorctl: the disk is full: free it\n")


async def test_a_store_that_says_nothing_is_told_of_within_two_seconds(tmp_path: Path) -> None:
    async with open_desk(tmp_path, partial(BrokenStore, None)) as desk:
        with trio.fail_after(4), pytest.raises(Refused, match="/store: no reply"):
            await ask(desk.socket, "pair people")


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("pair approve", {}),
        ("pair remove", {"id": "5"}),
        ("pair list", {"x": 1}),
        ("quarantine show", {"id": 0}),
        ("quarantine retry", {"ids": []}),
        ("quarantine drop", {"ids": list(range(1, 102))}),
        ("trace", {"message": ""}),
        ("trace", {"message": "x" * 201}),
    ],
)
async def test_wrong_arguments_are_refused(tmp_path: Path, verb: str, args: dict[str, object]) -> None:
    async with open_desk(tmp_path, partial(BrokenStore, None)) as desk:
        with pytest.raises(Refused, match="wrong arguments"):
            await ask(desk.socket, verb, **args)
