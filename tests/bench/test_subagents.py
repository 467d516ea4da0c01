"""The table of sub-agents still adds up, at a tiny size. No figure is judged here."""

from tests.bench.subagents import PLACES, Spawn, measure, times


async def test_each_line_has_its_figure() -> None:
    lines = await measure(files=20, rounds=1, crowd=2)
    titles = [line.title for line in lines]
    assert titles[:2] == ["pi alone, until it answers", "git clone --shared of 20 files alone"]
    for title in (*(f"{place}, no sandbox: first word" for place in PLACES), "idle, no sandbox: one holds (RSS)"):
        assert title in titles
    assert all(line.figure.rpartition(" ")[2] in ("ms", "x", "MB") for line in lines)
    assert all(float(line.figure.split()[0].replace(",", "")) >= 0 for line in lines if "grown" not in line.title)


def test_what_a_spawn_went_for() -> None:
    spawn = Spawn(whole=0.9, placed=0.02, workspace=0.4, pi=0.3, prompt=0.04, word=0.01)
    shown = {line.title: (line.figure, line.good) for line in times({("scratch", "none"): [spawn]}, 0.3, 0.2, 20)}
    assert shown["scratch, no sandbox: first word"] == ("900.0 ms", None)
    assert shown["  in times of pi alone"] == ("3.00 x", None)
    assert shown["  beside that"] == ("500.0 ms", False)
