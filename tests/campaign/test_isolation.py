"""A short isolation campaign: some healthy rooms beside a few of the bad ones, and what is said of it.

Only what must never be is judged here, not how fast anything was.
"""

from argparse import ArgumentParser, Namespace

import pytest

from tests.campaign import isolation
from tests.campaign.bad_kinds import CRASHES, NAMES, ROOMS
from tests.campaign.bad_pi import PREFIX, SCRIPTS
from tests.campaign.isolation_stage import as_ever
from tests.campaign.table import shown

SOME = ("crash_loop", "daemons", "outbox")


def options(*arguments: str) -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--seed", type=int, default=6)
    isolation.options(parser)
    return parser.parse_args(arguments)


async def test_some_rooms_beside_some_bad_ones_keep_every_promise() -> None:
    [table] = await isolation.run(options("--quick", "--rooms", "3", "--kinds", ",".join(SOME)))
    assert table.broken == [], shown(table)
    titles = [line.title for line in table.lines]
    for kind in SOME:
        assert kind in titles
    assert "a bug in Outbox.receive" in shown(table)


async def test_a_kind_that_there_is_not_is_said() -> None:
    with pytest.raises(ValueError, match=r"there is no kind nonsense; there are crash_loop, "):
        await isolation.run(options("--kinds", "crash_loop,nonsense"))


def test_every_bad_room_that_is_scripted_has_its_script_and_names_are_unique() -> None:
    scripted = {kind.slug.removeprefix(PREFIX) for kind in ROOMS if kind.slug and kind.slug.startswith(PREFIX)}
    assert scripted == set(SCRIPTS)
    assert len(set(NAMES)) == len(NAMES) == len(ROOMS) + len(CRASHES) + 1


def test_an_answer_is_as_ever_also_behind_the_mark_of_a_repetition() -> None:
    assert as_ever("done-7\n\n1 s", 7)
    assert as_ever("♻️ You may have this already:\n\ndone-7\n\n1 s", 7)
    assert not as_ever("done-71\n\n1 s", 7)
    assert not as_ever("I could not: done-7\n\n1 s", 7)


def test_what_the_service_says_of_its_limits_is_told() -> None:
    log = "INFO Each agent runs in a cgroup. Limits for each agent: none can be set here. And more.\nmore"
    assert isolation.limits(log) == "Limits for each agent: none can be set here"
    assert isolation.limits("nothing") == "the service says nothing of limits"
