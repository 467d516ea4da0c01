"""The table of workspaces still adds up, at a tiny size. No figure is judged here."""

from tests.bench.workspaces import measure


async def test_each_line_has_its_figure() -> None:
    lines = await measure(files=20, plain=5, rounds=1)
    assert [line.title for line in lines] == [
        "workspace of 20 files in git",
        "git clone --shared alone",
        "what it changed, kept",
        "merged into the parent's",
        "its folder removed",
        "copy of 5 files without git",
    ]
    assert all(line.figure.endswith(" ms") for line in lines)
