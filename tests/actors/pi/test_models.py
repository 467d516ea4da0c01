"""Models by the names that people use, chosen at the start and later; what cannot be had is said."""

from pathlib import Path

import pytest

from actors.messages import AgentNoted, AgentReady, ModelInfo, ModelSet, Prompt, RoomSettings, SetModel, TurnSettled
from actors.pi.answers import Model
from actors.pi.models import find
from tests.actors.pi.bench import open_bench, scripted

ONE = ModelInfo(id="fake-1", images=True)
OTHER = ModelInfo(id="other-1", images=False)

AVAILABLE = [
    Model(id="m", provider="zai"),
    Model(id="m", provider="mine"),
    Model(id="lab/n", provider="router"),
    Model(id="n", provider="lab"),
    Model(id="o", provider="lab"),
    Model(id="p", provider="lab"),
    Model(id="p", provider="router"),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("m", ("mine", "m")),
        ("zai/m", ("zai", "m")),
        ("o", ("lab", "o")),
        ("lab/o", ("lab", "o")),
        ("router/lab/n", ("router", "lab/n")),
        ("p", None),
        ("M", None),
        ("", None),
    ],
)
def test_names(name: str, found: tuple[str, str] | None) -> None:
    model = find(name, AVAILABLE, "mine")
    assert (None if model is None else (model.provider, model.id)) == found


async def test_what_there_is_is_told_at_the_start(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path)) as bench:
        ready = await bench.until(AgentReady)
    assert (ready.model, ready.thinking, ready.models) == (ONE, "off", (ONE, OTHER))


async def test_a_model_and_a_level_can_be_changed(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path)) as bench:
        await bench.ready()
        for model, thinking, now in (
            ("other-1", "low", ModelSet(incarnation=1, model=OTHER, thinking="low", error="")),
            (None, "high", ModelSet(incarnation=1, model=OTHER, thinking="high", error="")),
            ("fake/fake-1", None, ModelSet(incarnation=1, model=ONE, thinking="off", error="")),
            (None, None, ModelSet(incarnation=1, model=ONE, thinking="off", error="")),
        ):
            await bench.agent.tell(SetModel(incarnation=1, model=model, thinking=thinking))
            assert await bench.until(ModelSet) == now


async def test_what_cannot_be_had_is_said_with_what_is_near(tmp_path: Path) -> None:
    async with open_bench(tmp_path, scripted(tmp_path)) as bench:
        await bench.ready()
        await bench.agent.tell(SetModel(incarnation=1, model="othr-1", thinking="high"))
        answer = await bench.until(ModelSet)
        assert (answer.model, answer.thinking) == (ONE, "off")
        assert answer.error == (
            "there is no model othr-1; near it: other-1; there is no thinking level high for this model; there are: off"
        )
        await bench.agent.tell(SetModel(incarnation=1, model="xyz", thinking=None))
        assert (await bench.until(ModelSet)).error == "there is no model xyz; there are: fake-1, other-1"


async def test_a_room_starts_with_its_own(tmp_path: Path) -> None:
    settings = RoomSettings(model="other-1", thinking="medium")
    async with open_bench(tmp_path, scripted(tmp_path), settings=settings) as bench:
        ready = await bench.until(AgentReady)
    assert (ready.model, ready.thinking) == (OTHER, "medium")


async def test_a_room_whose_model_is_gone_starts_with_the_configured_one_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = RoomSettings(model="gone-1", thinking="ultra")
    async with open_bench(tmp_path, scripted(tmp_path), settings=settings) as bench:
        ready = await bench.until(AgentReady)
        assert (ready.model, ready.thinking) == (ONE, "off")
        for turn in ("t1", "t2"):
            await bench.agent.tell(Prompt(turn=turn, incarnation=1, text="hi"))
            await bench.until(TurnSettled)
    (note,) = [event for event in bench.heard if isinstance(event, AgentNoted)]
    assert note.turn == "t1"
    assert note.text.startswith("there is no model gone-1; ")
    assert "This room uses fake-1 until" in note.text
    assert note.text in caplog.text
