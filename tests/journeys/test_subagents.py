"""Sub-agents as people live with them: begun by an agent or a person, isolated, bounded, heard from exactly once.

With the real service, the real pi and the demo model.
"""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.actors.pi.sandboxes import in_a_sandbox
from tests.fakes.telegram import ANN, FakeTelegram
from tests.journeys.house import House, open_house
from tests.journeys.phone import Phone
from tests.journeys.test_trouble import killed_and_started

BEFORE = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n"
DECIDED = ("in the workspace", "conflicts with", "Nothing was changed")
MANY = "\n[subagents]\nmax = 8\nmax_per_room = 8\n"
BEGIN = (
    "run: git init -q -b main . && git config user.email ann@example.org && git config user.name Ann"
    " && printf '%s\\n' one two three four five six seven eight nine > list.txt"
    " && git add list.txt && git commit -qm first && echo repository-$?"
)


def workspace(house: House) -> Path:
    return house.state / "workspaces/ann"


async def with_repository(fake: FakeTelegram, phone: Phone) -> None:
    """Ann's room works in a git repository with one commit."""
    fake.say(ANN.id, BEGIN)
    await phone.is_answered("repository-0")


def rows(house: House) -> list[dict[str, Any]]:
    """All sub-agents, oldest first."""
    if not (house.state / "state.db").exists():
        return []
    with closing(sqlite3.connect(f"file:{house.state / 'state.db'}?mode=ro", uri=True, timeout=5.0)) as db:
        db.row_factory = sqlite3.Row
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'subagents'").fetchone():
            return []  # the service has just begun
        return [dict(row) for row in db.execute("SELECT * FROM subagents ORDER BY rowid")]


async def all_ended(house: House, count: int) -> list[dict[str, Any]]:
    """Until so many sub-agents have ended; they, oldest first."""
    found: list[dict[str, Any]] = await house.until(
        lambda: now if len(now := rows(house)) == count and all(ended(now)) else []
    )
    return found


def ended(found: Sequence[dict[str, Any]]) -> list[bool]:
    return [row["ended_at"] is not None for row in found]


def heard(house: House, slug: str) -> int:
    """How often the room's agent has read the report of this one, as its session has it."""
    entries = [line for file in house.session_files("ann") for line in file.read_text().splitlines()]
    return sum(f"[Report of sub-agent {slug}." in line and '"role":"assistant"' not in line for line in entries)


def decisions(phone: Phone, count: int) -> list[str]:
    """What `/apply` was answered, once there are so many."""
    found = [each.text for each in phone.bubbles() if any(word in each.text for word in DECIDED)]
    return found if len(found) >= count else []


async def nothing_is_left(house: House) -> None:
    """No folder, session or process of any sub-agent; what they made stays where it is open."""
    await house.until(lambda: not list((house.state / "subagents").glob("*")))
    slugs = {row["slug"] for row in rows(house)}
    await house.until(lambda: not slugs & {folder.name for folder in (house.state / "sessions").iterdir()})
    await house.until(lambda: not slugs & set(house.agents()))
    kept = {row["slug"] for row in rows(house) if row["kept"] == "open"}
    results = house.state / "results"
    await house.until(lambda: {folder.name for folder in results.glob("*")} == kept)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below, with its mode, its time of change and its content."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


async def test_an_agent_splits_a_job_over_three_and_merges_their_work(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        await with_repository(fake, phone)
        before = git(workspace(house), "rev-parse", "HEAD")
        fake.say(
            ANN.id,
            "spawn: write: alpha.txt one\n"
            "spawn: run: sed -i s/two/zwei/ list.txt\n"
            "delegate: run: sed -i s/eight/acht/ list.txt",
        )
        made = await all_ended(house, 3)
        assert [row["state"] for row in made] == ["completed"] * 3
        await phone.sees("completed", count=3)
        slugs = [row["slug"] for row in made]
        await house.until(lambda: all(heard(house, slug) == 1 for slug in slugs))
        assert not (workspace(house) / "alpha.txt").exists()
        fake.say(ANN.id, "\n".join(f"merge: {slug}" for slug in slugs))
        await house.until(lambda: {row["kept"] for row in rows(house)} == {"applied"})
        assert (workspace(house) / "alpha.txt").read_text().strip() == "one"
        assert (workspace(house) / "list.txt").read_text() == BEFORE.replace("two", "zwei").replace("eight", "acht")
        assert git(workspace(house), "rev-parse", "HEAD") == before
        assert git(workspace(house), "branch", "--list").split() == ["*", "main"]
        await phone.has_nothing_left()
        await nothing_is_left(house)
        assert await house.stop() == 0
        assert [heard(house, slug) for slug in slugs] == [1, 1, 1]
        assert house.failures() == []


async def test_eight_change_the_same_file_at_once(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=MANY) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        await with_repository(fake, phone)
        tasks = [f"run: sed -i s/{word}/{word.upper()}/ list.txt" for word in ("one", "five")]
        tasks += [f"run: echo more-{number} >> list.txt" for number in range(6)]
        fake.say(ANN.id, "\n".join(f"spawn: {task}" for task in tasks))
        made = await all_ended(house, 8)
        assert {row["state"] for row in made} == {"completed"}
        assert (workspace(house) / "list.txt").read_text() == BEFORE  # each had one of its own
        for count, row in enumerate(made, start=1):
            fake.say(ANN.id, f"/apply {row['slug']}")
            await phone.until(partial(decisions, phone, count), "a decision")
        kept = [row["kept"] for row in rows(house)]
        lines = (workspace(house) / "list.txt").read_text().split()
        assert kept.count("applied") == 3
        assert len([line for line in lines if line.startswith("more-")]) == 1  # of those at one place the first only
        assert lines[0] == "ONE"
        assert "<<<<" not in "".join(lines)
        assert await house.stop() == 0
        assert house.failures() == []


async def test_two_slots_are_enough_for_waiting_parents_three_deep(tmp_path: Path) -> None:
    config = "\n[subagents]\nmax = 2\nmax_per_room = 2\nmax_depth = 3\n"
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=config) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "\n".join(["delegate: delegate: delegate: run: echo the-bottom-is-reached"] * 3))
        made = await all_ended(house, 9)
        assert {row["state"] for row in made} == {"completed"}
        assert sorted(row["depth"] for row in made) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
        await phone.is_answered("the-bottom-is-reached")
        await nothing_is_left(house)
        assert await house.stop() == 0


async def test_too_deep_is_a_tools_error(tmp_path: Path) -> None:
    config = "\n[subagents]\nmax_depth = 1\n"
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=config) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "delegate: delegate: run: true")
        await phone.is_answered("Sub-agents are not available here.")
        assert len(await all_ended(house, 1)) == 1
        assert await house.stop() == 0


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("killed", ["child", "parent", "service"])
async def test_whoever_is_killed_the_report_comes_once(tmp_path: Path, killed: str, waits: bool) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        verb = "delegate" if waits else "spawn"
        fake.say(ANN.id, f"{verb}: slow: 60 ;; run: echo made > it.txt")
        [slug] = await house.until(lambda: [row["slug"] for row in rows(house) if row["state"] == "running"])
        await house.until(lambda: slug in house.agents())
        if killed == "service":
            await killed_and_started(house)
        else:
            os.kill(house.agents()[slug if killed == "child" else "ann"], signal.SIGKILL)
        [row] = await all_ended(house, 1)
        assert row["state"] == "completed"
        await house.until(lambda: heard(house, slug) == 1)
        await phone.sees("completed")
        await nothing_is_left(house)
        assert await house.stop() == 0
        assert heard(house, slug) == 1
        assert len(phone.bubbles(f"Sub-agent {slug}:")) == 1


async def test_killing_the_room_ends_its_sub_agents_deepest_first(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "spawn: delegate: slow: 2000")
        await house.until(lambda: len(rows(house)) == 2 and all(row["state"] == "running" for row in rows(house)))
        fake.say(ANN.id, "/kill ann")
        made = await all_ended(house, 2)
        assert [row["state"] for row in made] == ["cancelled", "cancelled"]
        assert made[1]["ended_at"] <= made[0]["ended_at"]
        await phone.sees("cancelled")
        await nothing_is_left(house)
        assert await house.stop() == 0


async def test_a_person_begins_looks_applies_and_ends(tmp_path: Path) -> None:
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        await with_repository(fake, phone)
        fake.say(ANN.id, "/spawn write: poem.txt roses")
        [row] = await all_ended(house, 1)
        slug = row["slug"]
        line = await phone.sees(f"Sub-agent {slug}: completed", buttons=True)
        assert [label for buttons in line.buttons for label in buttons] == ["Apply", "Diff", "Discard"]
        fake.tap(ANN.id, "Diff")
        await phone.sees("+roses")
        fake.tap(ANN.id, "Apply")
        await phone.sees("is in the workspace now")
        assert (workspace(house) / "poem.txt").read_text().strip() == "roses"
        assert heard(house, slug) == 0  # it was not the agent that wanted it
        fake.say(ANN.id, f"/apply {slug}")
        await phone.sees("is in the workspace already")
        fake.say(ANN.id, "/spawn slow: 2000")
        second = await house.until(lambda: [r["slug"] for r in rows(house) if r["state"] == "running"])
        fake.say(ANN.id, "/agents")
        await phone.sees(second[0])
        fake.say(ANN.id, f"/kill {second[0]}")
        await phone.sees(f"Sub-agent {second[0]}: cancelled")
        fake.say(ANN.id, "/spawn")
        fake.say(ANN.id, "/kill nobody")
        await phone.sees("nobody")
        assert "completed" in await house.run_actorctl("agents", "--all")
        assert "write" in await house.run_actorctl("logs", slug)
        await phone.has_nothing_left()
        await nothing_is_left(house)
        assert await house.stop() == 0
        assert house.failures() == []


@in_a_sandbox
async def test_a_hostile_child_leaves_its_parent_bit_for_bit(tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,)) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        await with_repository(fake, phone)
        parent = workspace(house)
        before = snapshot(parent)
        tricks = [
            f"run: echo bad >> {parent}/list.txt; rm -rf {parent}/.git/refs; touch {parent}/new; echo tried",
            f"run: git config core.fsmonitor 'touch {owned}'; git config core.hooksPath hooks; mkdir -p hooks; "
            f"printf '#!/bin/sh\\ntouch {owned}\\n' | tee hooks/pre-commit hooks/post-checkout > /dev/null; "
            f"chmod +x hooks/*; echo '* filter=x' > .gitattributes; git config filter.x.clean 'touch {owned}; cat'; "
            "git remote add up ..; git push up HEAD:main; echo tried",
            f"run: echo {parent}/.git/objects > .git/objects/info/alternates; "
            f"ln -s {parent}/list.txt link; echo bad > link; ln -s /etc/passwd secret; mkfifo pipe; echo tried",
        ]
        fake.say(ANN.id, f"delegate: {' ;; '.join(tricks)}")
        [row] = await all_ended(house, 1)
        await phone.is_answered("tried")
        assert snapshot(parent) == before
        assert not owned.exists()
        fake.say(ANN.id, f"/apply {row['slug']}")
        await phone.until(partial(decisions, phone, 1), "a decision")
        assert not owned.exists()
        assert (parent / ".git/config").read_bytes() == before[".git/config"][2]
        await nothing_is_left(house)
        assert await house.stop() == 0


async def test_a_fan_out_keeps_its_bounds(tmp_path: Path) -> None:
    config = "\n[subagents]\nmax = 3\nmax_per_room = 3\n"
    async with FakeTelegram.serve() as fake, open_house(tmp_path, fake, people=(ANN.id,), config=config) as house:
        await house.start()
        phone = Phone(fake, ANN.id)
        most = 0

        def look() -> bool:
            nonlocal most
            found = rows(house)
            most = max(most, sum(row["state"] in ("preparing", "running") for row in found))
            return len(found) == 12 and all(ended(found))

        fake.say(ANN.id, "\n".join(f"spawn: run: echo hello-{number}" for number in range(12)))
        await house.until(look)
        assert most == 3
        slugs = [row["slug"] for row in rows(house)]
        await house.until(lambda: all(heard(house, slug) == 1 for slug in slugs))
        await phone.sees("completed", count=12)
        await nothing_is_left(house)
        assert await house.stop() == 0
