"""Side by side: how long a person waits for the first character and for the whole answer, with us and without.

The real pi and the same fake model for all three: our service with the room's agent awake, our service with it asleep,
and a bot that starts a process for each message (`telegram_naive`). They are asked in turn, so that a noisy neighbour
disturbs all of them alike.
"""

import json
import os
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import trio

from actors.pi.environment import environment
from actors.pi.installation import Installation, locate
from actors.pi.providers import Provider, agent_files, compatible, pi_environment
from actors.settings import Secret
from tests.bench.telegram_house import end, home_folder, open_service
from tests.bench.telegram_table import Line, percentile
from tests.fakes.llm import KEY, MODEL, Reply, open_llm
from tests.fakes.telegram import FakeTelegram, User

PEOPLE: Final = 6
ROUNDS: Final = 4
"""Messages of each person with each: the first finds the agent asleep, the others find it awake."""
FIRST, LAST = "word0", "the-end"
ANSWER: Final = Reply(deltas=(*(f"word{number} " for number in range(60)), LAST))
PATIENCE: Final = 60.0
REST: Final = 0.3
"""Seconds between two measurements, in which everybody comes to rest."""
GOAL: Final = 10.0


class Wait(NamedTuple):
    """Seconds until the first character is seen, and until the whole answer is there."""

    first: float
    whole: float


async def measure() -> list[Line]:
    """The lines of the table."""
    waits: dict[str, list[Wait]] = defaultdict(list)
    people = [User(1000 + number, f"P{number}", f"p{number}") for number in range(PEOPLE)]
    async with (
        open_llm([ANSWER] * (2 * PEOPLE * ROUNDS)) as llm,
        FakeTelegram.serve() as ours,
        FakeTelegram.serve() as theirs,
    ):
        endpoint = {"LLM_BASE_URL": llm.base_url, "LLM_MODEL": MODEL, "LLM_API_KEY": KEY, "LOG_LEVEL": "WARNING"}
        ids = [person.id for person in people]
        with home_folder() as home:
            bot = await start_naive(theirs, home, compatible("fake", llm.base_url, MODEL, Secret(KEY)))
            try:
                async with open_service(ours.base_url, people=ids, environ=endpoint):
                    for number in range(ROUNDS):
                        for person in people:
                            kind = "awake" if number else "asleep"
                            waits[kind].append(await waited(ours, person, f"message {number}"))
                            waits["process"].append(await waited(theirs, person, f"message {number}"))
            finally:
                await end(bot)
    return lines(waits)


async def waited(fake: FakeTelegram, person: User, words: str) -> Wait:
    """One message, and how long its answer took."""
    await trio.sleep(REST)
    before = len(fake.said(person.id))

    def shown(word: str, *, drafts: bool) -> bool:
        texts = fake.said(person.id)[before:]
        return any(word in text for text in [*texts, (drafts and fake.draft(person.id)) or ""])

    began = perf_counter()
    fake.say(person.id, words, sender=person)
    await fake.wait_for(partial(shown, FIRST, drafts=True), PATIENCE)
    first = perf_counter() - began
    await fake.wait_for(partial(shown, LAST, drafts=False), PATIENCE)
    return Wait(first, perf_counter() - began)


async def start_naive(fake: FakeTelegram, home: Path, provider: Provider) -> trio.Process:
    """The other bot, with a pi folder like ours."""
    for name, text in agent_files(provider, trust_projects=False).items():
        (home / name).write_text(text)
    sessions = home / "sessions"
    sessions.mkdir()
    keys = {name: secret.reveal() for name, secret in provider.secrets.items()}
    extra = pi_environment(home) | {"NODE_COMPILE_CACHE": str(home / "cache")}
    argv = [sys.executable, "-m", "tests.bench.telegram_naive", fake.base_url]
    process = await trio.lowlevel.open_process(
        [*argv, json.dumps(command(locate(), provider)), str(sessions)], env=environment(os.environ, extra=extra) | keys
    )
    await fake.wait_for(lambda: fake.called("getUpdates"), PATIENCE)
    return process


def command(installation: Installation, provider: Provider) -> list[str]:
    """How that bot starts pi for a message."""
    argv = [str(installation.node), str(installation.cli), "--mode", "json", "--print", "--no-themes", "--no-approve"]
    return [*argv, "--provider", provider.id, "--model", provider.model]


def lines(waits: dict[str, list[Wait]]) -> list[Line]:
    """What was waited, as medians."""
    first = {kind: percentile([wait.first for wait in each], 50) for kind, each in waits.items()}
    whole = {kind: percentile([wait.whole for wait in each], 50) for kind, each in waits.items()}
    titles = {"awake": "ours, agent awake", "asleep": "ours, agent asleep", "process": "a process per message"}
    sooner = first["process"] / first["awake"]
    return [
        *(Line(f"{title}: first character", f"{first[kind]:.3f} s") for kind, title in titles.items()),
        *(Line(f"{title}: whole answer", f"{whole[kind]:.3f} s") for kind, title in titles.items()),
        Line("awake is sooner than a process by", f"{sooner:.1f} x", f"{GOAL:.0f} x", sooner >= GOAL),
    ]
