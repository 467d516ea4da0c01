"""The stage of the sub-agents' campaign: rooms that give work away, and what befalls those who do it.

The model is the demo's, from a server of our own, so that it can also fall silent.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final

import trio

from actors.pi.demo_phrases import RESUME_MARK, Call, Pace, Said, Say, answer
from supervisor.errors import RuntimeFault
from tests.campaign.house import House
from tests.campaign.model import Model, context, open_model
from tests.campaign.people import Place
from tests.campaign.subagents_sight import Sight
from tests.campaign.subagents_verdict import Bounds
from tests.fakes.llm import Reply, ToolCall
from tests.fakes.telegram import FakeTelegram

REPOSITORY: Final = (
    "run: git init -q -b main . && git config user.email a@example.org && git config user.name A"
    " && echo one > list.txt && git add list.txt && git commit -qm first && echo repository-$?"
)
JOBS: Final = (
    "spawn: slow: {n} ;; run: echo {token} > {token}.txt",
    "delegate: slow: {n} ;; run: echo {token} > {token}.txt",
    "spawn: delegate: slow: {n} ;; run: echo {token}",
    "delegate: delegate: slow: {n}",
    "delegate: spawn: slow: {n} ;; delegate: slow: {n}",
    "spawn: spawn: slow: {n}",
    "spawn: delegate: delegate: run: echo {token} > {token}.txt",
    "spawn: slow: {n}\nspawn: run: echo {token}\ndelegate: slow: {n}",
    "spawn: run: echo {token} >> list.txt; sleep 1",
    "/spawn slow: {n} ;; run: echo {token} > {token}.txt",
    "/spawn delegate: slow: {n}",
    "spawn: slow: 900",
    "spawn: hang",
    "delegate: delegate: hang",
)
MOST_OPEN: Final = 10
"""Sub-agents of one room that may be open when it is asked for more."""
RELEASED: Final = 0.1
"""How often somebody who says something first has that run which a stop has held."""
KILLED: Final = {"child killed": 0.28, "parent killed": 0.16, "service killed": 0.2}
TROUBLES: Final = {**KILLED, "actor restarted": 0.13, "child frozen": 0.1, "/kill": 0.08, "/stop": 0.05}
ACTORS: Final = ("/service/subagents/registrar", "/service/rooms/router", "/service/store", "")
"""Who is restarted; the last is the worker of some sub-agent."""
QUIET: Final = 240.0
"""Seconds for all to come to its end after the last trouble."""
SILENT: Final = 600.0
"""Seconds for which a model that hangs says nothing."""


class Demo(Model):
    """The demo model; to a task that says `hang` it never answers."""

    def choose(self, asked: dict[str, Any]) -> Reply:
        """The reply to one request."""
        self.requests.clear()
        said = [Said(role, text) for role, text in context(asked["messages"])]
        last = next((each.text for each in reversed(said) if _is_word(each)), "")
        if last.startswith("hang"):
            return Reply(pause=SILENT)
        steps = answer(said, {tool["function"]["name"] for tool in asked.get("tools", ())})
        says = [step for step in steps if isinstance(step, Say)]
        tool = next((ToolCall(step.tool, step.arguments, step.id) for step in steps if isinstance(step, Call)), None)
        slow = any(step.pace is Pace.SLOW for step in says)
        return Reply(tuple(word for step in says for word in step.words), tool, gap=0.05 if slow else 0.0)


def _is_word(said: Said) -> bool:
    return said.role == "user" and not said.text.lstrip().startswith(RESUME_MARK)


def open_demo() -> AbstractAsyncContextManager[Model]:
    """Serves it; raises AssertionError on leaving if a request broke the rules."""
    return open_model(make=Demo)


class Stage:
    """The rooms, what they are asked for, and what befalls them."""

    def __init__(
        self,
        house: House,
        fake: FakeTelegram,
        where: Sequence[Place],
        chance: random.Random,
        bounds: Bounds,
        most_open: int = MOST_OPEN,
    ) -> None:
        self.house = house
        self.fake = fake
        self.where = where
        self.chance = chance
        self.most_open = most_open
        rooms = {place.room: place.chat for place in where}
        self.sight = Sight(house, fake, rooms, [place.room for place in where[::2]], bounds)
        self.trouble: Counter[str] = Counter()
        self.asked = 0

    @property
    def kills(self) -> int:
        """How many processes were killed, the service's or an agent's."""
        return sum(self.trouble[what] for what in KILLED)

    # --- what happens

    async def begin(self) -> None:
        """The service stands, and every other room works in a repository."""
        await self.house.start()
        await trio.to_thread.run_sync(self.sight.begin)
        for place in self.where[::2]:
            self.fake.say(place.chat, REPOSITORY, sender=place.person)
            await self.fake.wait_for(partial(self._has_repository, place), timeout=60.0)

    def _has_repository(self, place: Place) -> bool:
        return any("repository-0" in text for text in self.fake.said(place.chat))

    async def ask_for_ever(self) -> None:
        """Work for the rooms, as long as they have not too much of it."""
        while True:
            await trio.sleep(self.chance.uniform(0.3, 1.5))
            place = self.chance.choice(self.where)
            if self.chance.random() < RELEASED:
                await self._run_held(place)
            busy = Counter(row.room for row in await trio.to_thread.run_sync(self.sight.rows) if row.ended_at is None)
            if busy[place.room] < self.most_open:
                self.asked += 1
                words = self.chance.choice(JOBS).format(n=self.chance.randint(5, 60), token=f"job-{self.asked}")
                self.fake.say(place.chat, words, sender=place.person)

    async def trouble_one(self, nursery: trio.Nursery) -> None:
        """Something befalls somebody, if he is there. What takes time goes on in the nursery."""
        await trio.sleep(self.chance.uniform(0.1, 2.5))
        if (code := self.house.process.returncode) is not None:
            raise AssertionError(f"the service ended by itself with {code}: {self.house.log()[-2000:]}")
        [what] = self.chance.choices(list(TROUBLES), list(TROUBLES.values()))
        place = self.chance.choice(self.where)
        match what:
            case "service killed":
                await self.house.kill()
                self.trouble[what] += 1
                self.sight.watch.cut()
                await self.house.start()
            case "parent killed" | "child killed" | "child frozen":
                await self._befall(what, nursery)
            case "actor restarted":
                await self._restart(self.chance.choice(ACTORS))
            case "/stop":
                self.trouble[what] += 1
                self.fake.say(place.chat, "/stop", sender=place.person)
            case "/kill":
                known = [
                    row.slug
                    for row in await trio.to_thread.run_sync(self.sight.rows)
                    if row.ended_at is None and row.room == place.room
                ]
                if known:
                    self.trouble[what] += 1
                    self.fake.say(place.chat, f"/kill {self.chance.choice(known)}", sender=place.person)
            case _:
                raise ValueError(f"nobody knows how to do {what!r}")

    async def _befall(self, what: str, nursery: trio.Nursery) -> None:
        """An agent's process; of a sub-agent either pi itself, or what holds it."""
        agents = await trio.to_thread.run_sync(self.house.agents)
        rooms = {place.room for place in self.where}
        found = sorted(slug for slug in agents if (slug in rooms) == (what == "parent killed"))
        if not found:
            return
        slug = self.chance.choice(found)
        everything = (await trio.to_thread.run_sync(self.sight.processes)).get(slug, [])
        if what == "child frozen":
            self.trouble[what] += 1
            nursery.start_soon(_freeze, everything, self.chance.uniform(1.0, 6.0))
            return
        with suppress(ProcessLookupError):
            os.kill(self.chance.choice([agents[slug], *everything]), signal.SIGKILL)
            self.trouble[what] += 1

    async def _restart(self, path: str) -> None:
        if not path:
            known = sorted(
                row.slug
                for row in await trio.to_thread.run_sync(self.sight.rows)
                if row.state in ("preparing", "running")
            )
            if not known:
                return
            path = f"/service/subagents/pool/{self.chance.choice(known)}/subagent"
        with suppress(RuntimeFault):  # who is not there cannot be restarted, nor by a service that is just being killed
            await trio.to_thread.run_sync(self.house.actorctl, "restart", path)
            self.trouble["actor restarted"] += 1

    async def look_for_ever(self) -> None:
        """Look on."""
        while True:
            await trio.to_thread.run_sync(self.sight.look)
            await trio.sleep(0.2)

    async def rest(self) -> None:
        """Until nothing goes on any more; what a stop has held goes on."""
        deadline = trio.current_time() + QUIET
        pressed = 0.0
        while trio.current_time() < deadline:
            if not await trio.to_thread.run_sync(self.sight.goes_on):
                return
            if trio.current_time() - pressed > 5.0:
                pressed = trio.current_time()
                for place in self.where:
                    await self._run_held(place)
            await trio.sleep(0.2)  # another process's doings: nobody tells us of them

    async def _run_held(self, place: Place) -> None:
        if place.room in await trio.to_thread.run_sync(self.sight.held):
            with suppress(ValueError):  # the button is on its way
                self.fake.tap(place.chat, "Run", sender=place.person)


async def _freeze(pids: Sequence[int], seconds: float) -> None:
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        await trio.sleep(seconds)
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
