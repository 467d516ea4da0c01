"""`actorctl pair …`, from the command's own process through the socket to the store and back."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.errors import Unavailable
from actors.messages import Knock, OutboxMessage, StoreRequest, Wake
from actors.store.store import Store
from actors.verbs import service_verbs
from supervisor import Actor, ChildSpec, Mailbox, Overflow, Promise, Ref, Supervisor, System, open_system
from supervisor.control.errors import Refused
from supervisor.control.server import ControlServer
from supervisor.control.verbs import VERBS
from tests.supervisor.control.house import ask

EVE = 666


class Sender(Actor[OutboxMessage]):
    """Notes when it is woken."""

    mailbox = Mailbox(4, Overflow.REJECT)

    def __init__(self, woken: trio.Event) -> None:
        self._woken = woken

    async def receive(self, message: OutboxMessage) -> None:
        assert message == Wake()
        self._woken.set()


class BrokenStore(Actor[StoreRequest]):
    """Says no, or nothing."""

    mailbox = Mailbox(4, Overflow.WAIT)

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def receive(self, message: StoreRequest) -> Promise[Any]:
        promise: Promise[Any] = self.later(message)
        if self._error is not None:
            promise.fail(self._error)
        return promise


class Desk:
    """A service in which people can be let in."""

    def __init__(self, socket: Path, store: Ref[StoreRequest], woken: trio.Event) -> None:
        self.socket = socket
        self.store = store
        self.woken = woken

    async def knock(self, person: int = EVE, name: str = "Eve") -> str:
        code = await self.store.ask(Knock(front="telegram", person=person, name=name, owner=None), timeout=5)
        assert code is not None
        return code

    async def actorctl(self, *args: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of `actorctl pair …`."""
        code = "import sys; from actors.ctl import main; sys.exit(main())"
        done = await trio.run_process(
            [sys.executable, "-c", code, "pair", *args],
            env={**os.environ, "DISPATCHD_SOCKET": str(self.socket)},
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()


@asynccontextmanager
async def open_desk(folder: Path, store: object = None, *, sender: bool = True) -> AsyncIterator[Desk]:
    socket, woken = folder / "ctl.sock", trio.Event()

    def tree(system: System) -> Supervisor:
        verbs = service_verbs(system.ref("/store", Store), system.ref("/sender", Sender))
        kept = partial(Store, folder / "state.db", folder) if store is None else store
        return Supervisor(
            ChildSpec("control", partial(ControlServer, socket, {**VERBS, **verbs})),
            ChildSpec("store", kept),  # type: ignore[arg-type]  # any store
            *([ChildSpec("sender", partial(Sender, woken))] if sender else []),
        )

    async with open_system(tree) as system:
        yield Desk(socket, system.ref("/store", Store), woken)


async def test_the_first_one_approved_is_the_owner_and_is_told(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        code = await desk.knock()
        assert await desk.actorctl() == (0, f"CODE      WHO        GOOD\n{code}  Eve (666)  for 59 min\n", "")

        said = await desk.actorctl("approve", code.lower())

        assert said == (0, "Eve (666) may speak to the service now, and is the owner.\n", "")
        await desk.woken.wait()
        assert await desk.actorctl("list") == (0, "Nobody waits to be let in.\n", "")
        assert await desk.actorctl("people") == (0, "WHO        IS     SINCE\nEve (666)  owner  0 s\n", "")
        second = await desk.knock(667, "Mallory")
        assert await desk.actorctl("approve", second) == (0, "Mallory (667) may speak to the service now.\n", "")


async def test_a_code_is_taken_back_and_a_person_removed(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        code = await desk.knock(person=7)
        assert await desk.actorctl("deny", code) == (0, f"The code {code} lets nobody in any more.\n", "")
        assert (await desk.actorctl("approve", code))[0] == 1
        await desk.actorctl("approve", await desk.knock())

        assert await desk.actorctl("remove", str(EVE)) == (
            0,
            "666 may no longer speak to the service, unless the configuration names them.\n",
            "",
        )
        assert await desk.actorctl("people") == (0, "Nobody was approved.\n", "")


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
        assert await desk.actorctl(*args) == (1, "", f"actorctl: {why}\n")


async def test_json_for_scripts(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        code = await desk.knock()
        [waiting] = json.loads((await desk.actorctl("--json"))[1])["pairings"]
        assert (waiting.pop("expires_at")[-1], waiting) == ("Z", {"code": code, "person": EVE, "name": "Eve"})
        approved = json.loads((await desk.actorctl("approve", code, "--json"))[1])["approved"]
        assert json.loads((await desk.actorctl("people", "--json"))[1])["people"] == [approved]
        assert approved.pop("since").endswith("Z")
        assert approved == {"id": EVE, "name": "Eve", "owner": True}


async def test_without_telegram_nobody_need_be_woken(tmp_path: Path) -> None:
    async with open_desk(tmp_path, sender=False) as desk:
        assert (await desk.actorctl("approve", await desk.knock()))[0] == 0


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    async with open_desk(tmp_path, partial(BrokenStore, Unavailable("the disk is full: free it"))) as desk:
        assert await desk.actorctl("list") == (1, "", "actorctl: the disk is full: free it\n")


async def test_a_store_that_says_nothing_is_told_of_within_two_seconds(tmp_path: Path) -> None:
    async with open_desk(tmp_path, partial(BrokenStore, None)) as desk:
        with trio.fail_after(4), pytest.raises(Refused, match="/store: no reply"):
            await ask(desk.socket, "pair people")


@pytest.mark.parametrize(
    ("verb", "args"), [("pair approve", {}), ("pair remove", {"id": "5"}), ("pair list", {"x": 1})]
)
async def test_wrong_arguments_are_refused(tmp_path: Path, verb: str, args: dict[str, object]) -> None:
    async with open_desk(tmp_path, partial(BrokenStore, None)) as desk:
        with pytest.raises(Refused, match="wrong arguments"):
            await ask(desk.socket, verb, **args)
