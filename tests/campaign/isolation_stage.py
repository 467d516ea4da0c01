"""The healthy rooms of the isolation campaign with all around them, and how one bad thing is shown beside them.

Everything is looked at from outside: Telegram's side of the chats, the model's side of the sessions, the tree through
the control socket, the processes of the machine.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import trio

from actors.pi.installation import locate
from tests.campaign import bad_disks, bad_mind, bad_pi
from tests.campaign.bad_kinds import Kind
from tests.campaign.bad_room import BadRoom, cut, within
from tests.campaign.house import House, open_house
from tests.campaign.isolation_verdict import GOAL, Episode, Sample, Span, ratio
from tests.campaign.ledger import Ledger
from tests.campaign.model import open_model
from tests.campaign.people import Manner, People, places
from tests.fakes.telegram import FakeTelegram

SERVICE: Final = (sys.executable, "-m", "tests.campaign.bad_service", "run")
MANNER: Final = Manner(pause=(0.8, 2.4), kinds=(("late", 1.0),), joins=0.0)
"""Each waits for the answer, which the model begins after 0.4 s: sooner than a real one, so that what we add shows."""
KEEPER: Final = 999
"""Who tells the bad rooms to go: the owner, whose id is the smallest."""
FIRST_BAD: Final = 2000
CONFIG: Final = """
[pi]
turn_timeout = 8
memory_max = "512M"
processes_max = 150
"""
"""A turn may take some seconds only: a room that hangs is to be seen to be ended. The limits are kept where there are
controllers for them; what is tried is more than that."""
GAP: Final = 0.7
"""Seconds before something bad in which what is sent counts for nothing: its answer would come amid that."""
WARM: Final = 60.0
"""Seconds for all agents to be up."""
QUIET: Final = 90.0
"""Seconds at the end for all that was said to be answered."""
REST: Final = 5.0
"""Seconds for a bad room to come to rest."""
LEAVES: Final = 30.0
"""Seconds for it to leave the tree when it is told to: the whole ladder that ends an agent, and more."""
FLOOD: Final = 429
SOON: Final = 1.0
"""Seconds after which that is told."""
_NODES: Final = {"outbox": "sender"}


class Pace(NamedTuple):
    """How long it goes: `rounds` of `seconds` without and `seconds` beside, and up to `most` of a kind that looks bad.

    `longest`: seconds for what takes long and is done once; `around`: seconds without, before that and after.
    `full`: seconds of the full state disk. `spare`: seconds after which there are no more rounds than `rounds`.
    """

    rounds: int
    most: int
    spare: float
    seconds: float
    longest: float
    around: float
    full: float


class Stage:
    """The healthy rooms, going on. `episodes`: what was shown beside them so far."""

    def __init__(self, house: House, fake: FakeTelegram, people: People, mark: int) -> None:
        self.house = house
        self.fake = fake
        self.people = people
        self.episodes: list[Episode] = []
        self._mark = mark
        self._keeper = self.room("keeper", KEEPER)
        self._notes: list[str] = []
        self._began = trio.current_time()

    def room(self, slug: str | None, person: int) -> BadRoom:
        """A room beside the healthy ones."""
        return BadRoom(self.house, self.fake, slug, person, self._mark)

    async def warm(self, rooms: int) -> None:
        """Until so many rooms and the keeper's have answered. Raises an error if they do not."""
        ledger = self.people.ledger
        with trio.fail_after(WARM):
            await self._keeper.answered(self._keeper.say("quick"))
        if not await within(WARM, lambda: len(self._agents()) >= rooms and len(ledger.finals) >= 2 * rooms):
            raise AssertionError(f"not all rooms came up; the log: {self.house.log()[-3000:]}")
        self.notes()

    # --- one kind

    async def show(self, kind: Kind, bad: BadRoom, pace: Pace) -> None:
        """The kind beside the healthy rooms, as often as the pace says; then it goes."""
        episode = self.begin(kind.name)
        before = await self.agents()
        if kind.slug is not None and not kind.slug.startswith(bad_pi.PREFIX):
            await self._wake(bad)
        rounds, most = (1, 1) if kind.seconds else (pace.rounds, pace.most)
        quiet = pace.around if kind.seconds else pace.seconds / 2
        calm: Span | None = None
        spare = trio.current_time() < self._began + pace.spare
        while len(episode.bad) < rounds or (spare and len(episode.bad) < most and self._looks_bad(episode)):
            await self.calm(quiet, episode, calm)
            await trio.sleep(GAP)
            await self._misbehave(kind, bad, min(kind.seconds, pace.longest) or pace.seconds, episode)
            calm = await self.calm(quiet, episode)
        if kind.slug is not None:
            await self._leave(kind.slug, bad, episode)
        self.end(episode, before, await self.agents())

    def begin(self, name: str, *, timed: bool = True) -> Episode:
        """A new episode."""
        episode = Episode(name, timed=timed, begin=trio.current_time())
        self.episodes.append(episode)
        return episode

    def end(self, episode: Episode, before: dict[str, int], after: dict[str, int]) -> None:
        """It is over. The agents of the healthy rooms are to be the same `after` as `before`."""
        episode.end = trio.current_time()
        for slug, pid in before.items():
            if after.get(slug) != pid:
                episode.broken.append(f"the agent of {slug} was {pid} and is {after.get(slug)}")
        chats = {place.chat for place in self.people.places}
        refused = [c for c in self.fake.calls if c.status == FLOOD and c.at >= episode.begin and c.at < episode.end]
        if hit := [call for call in refused if call.params["chat_id"] in chats]:
            episode.notes.append(f"Telegram refused {len(hit)} messages to healthy rooms: too many (429)")

    async def calm(self, seconds: float, episode: Episode, before: Span | None = None) -> Span:
        """Nothing bad for a while; one with the span `before`, if there is one."""
        begin = trio.current_time()
        if before is not None:
            episode.quiet.remove(before)
            begin = before.begin
        await trio.sleep(seconds)
        episode.quiet.append(Span(begin, trio.current_time()))
        return episode.quiet[-1]

    async def _misbehave(self, kind: Kind, bad: BadRoom, seconds: float, episode: Episode) -> None:
        begin = trio.current_time()
        with trio.move_on_after(seconds):
            await kind.misbehave(bad)
        episode.bad.append(Span(begin, trio.current_time()))
        if kind.slug is None:
            episode.tree = await trio.to_thread.run_sync(self._part, kind.name)
            episode.chat = self.notes()
            return
        episode.tree, episode.chat = await trio.to_thread.run_sync(bad.tree), bad.chat()
        bad.say("/stop")
        await within(REST, bad.at_rest)

    async def _wake(self, bad: BadRoom) -> None:
        with trio.move_on_after(REST):
            await bad.answered(bad.say("quick"))

    async def _leave(self, slug: str, bad: BadRoom, episode: Episode) -> None:
        self._keeper.say(f"/kill {slug}")
        began = trio.current_time()
        if not await within(LEAVES, bad.gone):
            tree = await trio.to_thread.run_sync(bad.tree)
            episode.broken.append(f"/kill did not end it within {LEAVES:g} s; tree: {tree}; chat: {bad.chat()}")
        elif (lasted := trio.current_time() - began) > SOON:
            episode.notes.append(f"/kill took {lasted:.1f} s")
        left = await bad.until_nothing_is_left()
        episode.broken += [f"process {pid} of the bad room is left: {what[:80]}" for pid, what in left.items()]

    def _looks_bad(self, episode: Episode) -> bool:
        samples = self.samples()
        without, beside = episode.without(samples), episode.beside(samples)
        return bool(without and beside) and ratio(without, beside) > GOAL

    # --- what is seen

    async def agents(self) -> dict[str, int]:
        """The process of each healthy room's agent."""
        return await trio.to_thread.run_sync(self._agents)

    def _agents(self) -> dict[str, int]:
        healthy = {place.room for place in self.people.places}
        return {slug: pid for slug, pid in self.house.agents().items() if slug in healthy}

    def notes(self) -> str:
        """What healthy rooms have heard beside answers since the last look, in a few words."""
        told = list(self.people.notes.elements())
        new = list(told)
        for note in self._notes:
            new.remove(note)
        self._notes = told
        return cut(f"{len(new)} words beside answers: {'; '.join(dict.fromkeys(new))}" if new else "answers only")

    def samples(self) -> list[Sample]:
        """All messages that were answered."""
        ledger = self.people.ledger
        firsts = {number: copies[0].at for number, copies in ledger.copies().items() if number in ledger.said}
        return [Sample(ledger.said[number].at, at - ledger.said[number].at) for number, at in firsts.items()]

    def _part(self, part: str) -> str:
        name = _NODES.get(part, part)
        node = next((node for node in self.house.nodes() if node["path"].rpartition("/")[2] == name), None)
        if node is None:
            return "it is not there"
        words = [node["state"], f"{node['restarts']} restarts", str(node.get("error", "no error"))]
        return cut(f"{node['path']} {', '.join(words)}")

    # --- the end

    async def close(self) -> None:
        """Nobody says anything new; what was said, and how it was answered, is put down to the episodes."""
        self.people.hush()
        await self.people.all_answered(QUIET)
        ledger, copies, last = self.people.ledger, self.people.ledger.copies(), self.episodes[-1]
        for number, said in ledger.said.items():
            answers = copies.get(number, [])
            wrong = [] if answers else ["was not answered"]
            if len(answers) > 1:
                marked = sum(answer.marked for answer in answers)
                wrong.append(f"was answered {len(answers)} times, {marked} of them marked as a repetition")
            wrong += [f"was answered in other words: {a.text[:60]!r}" for a in answers if not as_ever(a.text, number)]
            episode = next((each for each in self.episodes if said.at <= each.end), last)
            episode.broken += [f"message {number} of {said.room} {what}" for what in wrong]
        last.broken += [f"a stray answer in {stray.room}: {stray.text[:60]!r}" for stray in ledger.strays()]
        if self.house.process.returncode is not None:
            last.broken.append(f"the service has ended with {self.house.process.returncode}")


def as_ever(text: str, number: int) -> bool:
    """Whether this is the answer that the message would always get; of a repetition, behind its mark."""
    return text.startswith(f"done-{number}\n\n") or text.partition("\n\n")[2].startswith(f"done-{number}\n\n")


@asynccontextmanager
async def open_stage(
    seed: int, rooms: int, bad: int, *, seconds: float, small: str = "", size: int = 4 << 20
) -> AsyncIterator[Stage]:
    """The service with so many healthy `rooms` at it, and room for so many `bad` ones, whose tools go on for `seconds`.

    `small`: a folder below the state's, or "." for all of it, that is a disk of `size` bytes.
    """
    mark = 100_000_000 + seed
    async with FakeTelegram.serve() as fake, open_model(bad_mind.thinking(mark, seconds)) as model:
        healthy = places(fake, rooms)
        ids = [KEEPER, *(place.person.id for place in healthy), *range(FIRST_BAD, FIRST_BAD + bad)]
        async with open_house(fake, model, people=ids, config=CONFIG) as house:
            prepare(house, {small: size} if small else {})
            await house.start()
            people = People(fake, healthy, Ledger(), seed, MANNER)
            stage = Stage(house, fake, people, mark)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(people.live)
                await stage.warm(rooms)
                yield stage
                await stage.close()
                nursery.cancel_scope.cancel()


def prepare(house: House, disks: dict[str, int]) -> None:
    """The launcher with the bugs, the program in Node's place, and the disks, by their folders below the state's."""
    node, bugs = house.home / "node", house.home / "bugs"
    node.write_text(bad_pi.node_program(str(locate().node)))
    node.chmod(0o755)
    bugs.mkdir()
    house.environ |= {"LLM_PROVIDER": "fake", "CAMPAIGN_NODE": str(node), "CAMPAIGN_BUGS": str(bugs)}
    folders = {house.state / folder: size for folder, size in disks.items()}
    house.argv = bad_disks.with_disks(SERVICE, folders) if folders else SERVICE
