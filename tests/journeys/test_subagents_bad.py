"""What an agent hears that asks for a sub-agent as it cannot be: one clear sentence, and its turn goes on.

With the real service and the real pi; the model is scripted, because the demo would never ask so.
"""

from pathlib import Path
from typing import Any

from tests.fakes.llm import Reply, ToolCall, open_llm
from tests.fakes.telegram import ANN, FakeTelegram
from tests.journeys.house import House, open_house
from tests.journeys.phone import Phone
from tests.journeys.test_subagents import git, nothing_is_left, rows, workspace

SHOWN = 300
"""Characters of an answer that a sentence may have."""

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "no task": ("spawn_subagent", {"task": ""}, "task"),
    "a task of blanks": ("spawn_subagent", {"task": " \n\t "}, "task"),
    "a task of 1 MB": ("spawn_subagent", {"task": "x" * 1_000_000}, "may have 64"),
    "no such isolation": ("spawn_subagent", {"task": "t", "isolation": "moon"}, "isolation"),
    "no time": ("spawn_subagent", {"task": "t", "timeout": 0.01}, "timeout"),
    "a year": ("spawn_subagent", {"task": "t", "timeout": 3e7}, "not 30000000"),
    "nobody to look at": ("check_subagent", {"id": "nobody"}, "nobody"),
    "nobody to end": ("cancel_subagent", {"id": "nobody"}, "nobody"),
    "nobody to merge": ("apply_subagent", {"id": "../../etc"}, "../../etc"),
}
"""What is refused at once: the tool, its arguments, and what the error names."""
ENDED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such model": (
        {"task": "t", "model": "nosuch-9", "isolation": "scratch"},
        "failed",
        "There is no model nosuch-9",
    ),
    "submodules": ({"task": "t"}, "failed", "submodules"),
    "no answer": ({"task": "t", "isolation": "scratch"}, "completed", "It ended without a word."),
}
"""What becomes of one that is begun: the arguments, the outcome, and what its report says."""


def calls() -> list[Reply]:
    """The script: a call a message, then what the sub-agent says that answers nothing, then the room's last word."""
    asked = [(tool, arguments) for tool, arguments, _ in REFUSED.values()]
    asked += [("spawn_subagent", arguments | {"wait": True}) for arguments, _, _ in ENDED.values()]
    made = [Reply(tool=ToolCall(tool, arguments, f"c{n}")) for n, (tool, arguments) in enumerate(asked)]
    return [Reply(deltas=("ready",)), *made, Reply(), Reply(deltas=("all is asked",))]


def answers(requests: list[dict[str, Any]]) -> list[str]:
    """What the tools have answered, in order, as the model was told it last."""
    longest = max((request["messages"] for request in requests), key=len)
    return [_text(each["content"]) for each in longest if each["role"] == "tool"]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def with_submodule(house: House) -> None:
    """The room's workspace is a repository with a submodule."""
    folder = workspace(house)
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", "a.txt")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "first")


async def test_what_cannot_be_is_one_clear_sentence_and_the_turn_goes_on(tmp_path: Path) -> None:
    async with (
        FakeTelegram.serve() as fake,
        open_llm(calls()) as model,
        open_house(tmp_path, fake, people=(ANN.id,), model=model) as house,
    ):
        await house.start()
        phone = Phone(fake, ANN.id)
        fake.say(ANN.id, "hello")
        await phone.is_answered("ready")
        with_submodule(house)
        fake.say(ANN.id, "go on")
        await phone.is_answered("all is asked")
        said = answers(model.requests)
        assert len(said) == len(REFUSED) + len(ENDED)
        for (what, (_, _, names)), answer in zip(REFUSED.items(), said, strict=False):
            assert names in answer, what
            assert len(first_of(answer)) <= SHOWN, what
        reports = said[len(REFUSED) :]
        for (what, (_, outcome, says)), report in zip(ENDED.items(), reports, strict=True):
            assert f"Outcome: {outcome}" in report, what
            assert says in report, what
        assert [row["state"] for row in rows(house)] == [outcome for _, outcome, _ in ENDED.values()]
        await nothing_is_left(house)
        assert await house.stop() == 0
        assert house.failures() == []


def first_of(answer: str) -> str:
    """Its sentence: pi repeats behind its own what it was given."""
    return answer.partition("\n\nReceived arguments")[0]
