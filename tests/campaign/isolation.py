"""The isolation campaign: twenty healthy rooms beside one bad room of each kind, and beside each part that crashes.

The healthy ones go on all the time, with the real pi; the bad thing comes and goes, so that a noisy machine is noisy
for both. Held against each other: how long people wait with and without it. And for all of it: every answer in the same
words as ever and once, the same agents before and after, and nothing left of the bad room when it has gone.
"""

import argparse
from collections.abc import Sequence
from itertools import chain
from time import perf_counter
from typing import Final

import trio

from tests.campaign import bad_disks, bad_kinds
from tests.campaign.bad_kinds import Kind
from tests.campaign.bad_room import cut
from tests.campaign.isolation_stage import FIRST_BAD, GAP, QUIET, Pace, Stage, open_stage
from tests.campaign.isolation_verdict import Episode, Sample, Span, lines, together
from tests.campaign.table import Line, Table, promise

HEALTHY: Final = 20
WHOLE: Final = Pace(rounds=3, most=4, spare=420.0, seconds=4.8, longest=60.0, around=5.0, full=20.0)
SHORT: Final = Pace(rounds=1, most=1, spare=0.0, seconds=3.0, longest=4.0, around=1.5, full=4.0)
LIMITED: Final = ("fork_storm", "memory")
"""The kinds that a limit of the kernel's would hold back."""
LARGE: Final = 256 << 20
"""Bytes of the disk under the whole state."""

Shown = tuple[list[Episode], list[Sample]]


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--kinds", default="", help=f"some of {', '.join(bad_kinds.NAMES)}, with commas (all)")
    parser.add_argument("--quick", action="store_true", help="each kind for some seconds: its ratios say little")
    parser.add_argument("--rooms", type=int, default=HEALTHY, help=f"how many healthy rooms ({HEALTHY})")


async def run(options: argparse.Namespace) -> list[Table]:
    """The one table. Raises ValueError for a kind that there is not."""
    names = [name for name in options.kinds.replace(" ", "").split(",") if name] or list(bad_kinds.NAMES)
    if unknown := set(names) - set(bad_kinds.NAMES):
        raise ValueError(f"there is no kind {', '.join(sorted(unknown))}; there are {', '.join(bad_kinds.NAMES)}")
    pace = SHORT if options.quick else WHOLE
    began = perf_counter()
    disks = bad_disks.way() is not None
    kinds = [kind for kind in (*bad_kinds.ROOMS, *bad_kinds.CRASHES) if kind.name in names]
    tried = [kind for kind in kinds if disks or kind.slug != bad_kinds.FULL]
    shown: list[Shown] = []
    if tried:
        shown.append(await campaign(tried, pace, options.seed, options.rooms))
    if bad_kinds.STATE in names and disks:
        shown.append(await full_state(pace, options.seed, options.rooms))
    found = list(chain.from_iterable(lines(episodes, samples) for episodes, samples in shown))
    found += together(shown)
    if not disks:
        found.append(Line("not tried, for no small disk can be made here: full_workspace, full_state", ""))
    broken = [f"{each.kind}: {sentence}" for episodes, _ in shown for each in episodes for sentence in each.broken]
    found += [promise("promises broken, of all", broken), Line("lasted", f"{perf_counter() - began:.0f} s")]
    chosen = f"--seed {options.seed} --rooms {options.rooms} --kinds {','.join(names)}"
    again = f"again by: make campaign ARGS='isolation {chosen}{' --quick' * options.quick}'"
    return [Table(f"{options.rooms} rooms beside a bad one", found, [*broken, again] if broken else [])]


async def campaign(kinds: Sequence[Kind], pace: Pace, seed: int, rooms: int) -> Shown:
    """Each of these kinds beside the healthy rooms, one after the other."""
    small = f"workspaces/{bad_kinds.FULL}" if any(kind.slug == bad_kinds.FULL for kind in kinds) else ""
    async with open_stage(seed, rooms, len(kinds), seconds=pace.seconds, small=small) as stage:
        for number, kind in enumerate(kinds):
            await stage.show(kind, stage.room(kind.slug, FIRST_BAD + number), pace)
        for episode in stage.episodes:
            if episode.kind in LIMITED:
                episode.notes.append(limits(stage.house.log()))
    return stage.episodes, stage.samples()


async def full_state(pace: Pace, seed: int, rooms: int) -> Shown:
    """The disk with the whole state is full for a while: nobody can be answered, and then all are."""
    async with open_stage(seed, rooms, 0, seconds=pace.seconds, small=".", size=LARGE) as stage:
        episode, agents = stage.begin(bad_kinds.STATE, timed=False), await stage.agents()
        await stage.calm(pace.seconds, episode)
        await trio.sleep(GAP)
        disk = bad_disks.full(bad_disks.seen(stage.house.process.pid, stage.house.state))
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(disk.__enter__)
            begin = trio.current_time()
            await trio.sleep(pace.full)
            episode.tree = await trio.to_thread.run_sync(_doing, stage)
            waiting = len(stage.people.ledger.waiting())
            await trio.to_thread.run_sync(disk.__exit__, None, None, None)
        freed = trio.current_time()
        episode.bad.append(Span(begin, freed))
        stage.people.hush()
        await stage.people.all_answered(QUIET)
        lasted = trio.current_time() - freed
        episode.notes.append(
            f"{waiting} messages waited when it was free again; all were answered {lasted:.1f} s later"
        )
        episode.chat = stage.notes()
        stage.end(episode, agents, await stage.agents())
    return stage.episodes, stage.samples()


def limits(log: str) -> str:
    """What the service says of the limits that it keeps here."""
    _, begun, rest = log.partition("Limits for each agent: ")
    return cut(f"{begun}{rest.partition('.')[0]}" if begun else "the service says nothing of limits")


def _doing(stage: Stage) -> str:
    names = ("store", "sender", "gateway", "router")
    nodes = [node for node in stage.house.nodes() if node["path"].rpartition("/")[2] in names]
    return cut("; ".join(f"{node['path'].rpartition('/')[2]} {node.get('doing') or node['state']}" for node in nodes))
