"""Tables as a phone can show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.telegram import tables

LONG = "w" * 41
MOST = 50_000


def without_tables(markdown: str) -> str:
    changed = tables.without_tables(markdown, MOST)
    assert changed is not None
    return changed


@pytest.mark.parametrize(
    "markdown",
    [
        "",
        "a | b\nc | d",
        "`|`\n---",
        "```\n| a | b |\n|---|---|\n```",
        "    | a |\n    |---|",
        "a\n---\n| b",
        "| a\n\n|---|",
    ],
)
def test_what_is_no_table_stays_as_it_is(markdown: str) -> None:
    assert without_tables(markdown) == markdown


@pytest.mark.parametrize(
    ("table", "block"),
    [
        ("| a | b |\n|---|---|\n| cc | d |", "a  | b\n---+--\ncc | d"),
        ("a|b|c\n:-:|-:|:-\ncde|fgh|i", " a  |   b | c\n----+-----+--\ncde | fgh | i"),
        ("| **a** | `b` |\n|---|---|\n| *c* ~~d~~ | `e \\| f` |", "a   | b\n----+------\nc d | e | f"),
        ("| a |\n|---|", "a"),
        ("| a | b |\n|---|---|\n| | |\n| c |\n| | d |", "a | b\n--+--\n  |\nc |\n  | d"),
        ("| 名前 | n |\n|---|---|\n| x | y |", "名前 | n\n-----+--\nx    | y"),
        ("| e\u0301 | n |\n|---|---|\n| xy | y |", "e\u0301  | n\n---+--\nxy | y"),
        ("| a |\n|---|\n| b | c |", "a\n-----\nb | c"),
    ],
    ids=["plain", "sides", "looks", "head alone", "empty cells", "wide letters", "accents", "too many cells"],
)
def test_a_narrow_table_is_an_aligned_block(table: str, block: str) -> None:
    expected = "\n".join(line.rstrip() for line in block.splitlines())
    assert without_tables(table) == f"```\n{expected}\n```\n"


def test_forty_columns_are_narrow() -> None:
    assert without_tables(f"| a | b |\n|---|---|\n| {'x' * 20} | {'y' * 17} |").startswith("```\n")
    assert without_tables(f"| a | b |\n|---|---|\n| {'x' * 20} | {'y' * 18} |").startswith("\n**a**: ")


def test_a_block_is_fenced_by_more_than_is_in_it() -> None:
    assert without_tables("| a |\n|---|\n| ````` ``` ````` |\n").startswith("````\na\n")


@pytest.mark.parametrize(
    ("table", "records"),
    [
        (f"| a | b |\n|---|---|\n| c | {LONG} |", f"**a**: c\n**b**: {LONG}"),
        ("| a | b |\n|---|---|\n| c | [d](https://x.y) |", "**a**: c\n**b**: [d](https://x.y)"),
        (f"| a | b |\n|---|---|\n| c | |\n| | |\n| | {LONG} |", f"**a**: c\n\n**b**: {LONG}"),
        (f"| | b: |\n|---|---|\n| # c | {LONG} |", f"– \\# c\n**b**: {LONG}"),
        (f"| a |\n|---|\n| *c* **d** {LONG} |", f"**a**: *c* **d** {LONG}"),
        (f"| a |\n|---|\n| *c {LONG} |\n| d* |", f"**a**: \\*c {LONG}\n\n**a**: d\\*"),
        (f"| a |\n|---|\n| `c \\| d` {LONG} |", f"**a**: c \\| d {LONG}"),
        ("| a |\n|---|\n| [b](https://x.y) \\| c |", "**a**: b \\| c https://x.y"),
        (f"| a |\n|---|\n| c:\\ |\n| {LONG} |", f"**a**: c:\\\\\n\n**a**: {LONG}"),
        (f"| a | {LONG} |\n|---|---|", f"**a** · **{LONG}**"),
        (f"| **a*b** |\n|---|\n| {LONG} |", f"**a\\*b**: {LONG}"),
    ],
    ids=[
        "wide",
        "link",
        "empty",
        "no name",
        "looks",
        "loose mark",
        "bar",
        "bar and link",
        "backslash",
        "head alone",
        "name",
    ],
)
def test_a_wide_table_or_one_with_links_is_a_paragraph_for_each_row(table: str, records: str) -> None:
    assert without_tables(table) == f"\n{records}\n\n"


@pytest.mark.parametrize(
    ("markdown", "changed"),
    [
        ("x\n\n| a |\n|---|\n\ny", "x\n\n```\na\n```\n\ny"),
        ("x\n| a | b |\n|---|---|\n# y", "x\n```\na | b\n```\n# y"),
        ("> | a |\n> |---|\n> | b |\n> x", "> ```\n> a\n> -\n> b\n> ```\n> x"),
        ("1. x\n   | a | b |\n   |---|---|\n2. y", "1. x\n   ```\n   a | b\n   ```\n2. y"),
        ("- | a | b |\n  |---|---|\n- y", "- ```\n  a | b\n  ```\n- y"),
        (f"x\n- | a |\n  |---|\n  | {LONG} |\n", f"x\n- **a**: {LONG}\n\n"),
        (f"x\n> | a |\n> |---|\n> | {LONG} |\n", f"x\n>\n> **a**: {LONG}\n>\n"),
    ],
    ids=["between", "close", "quote", "item", "item's first", "rows in an item", "rows in a quote"],
)
def test_what_is_around_a_table_stays(markdown: str, changed: str) -> None:
    if changed.startswith("> ```"):  # a line without a bar is a row as well
        changed = changed.replace("> ```\n> x", "> x\n> ```\n")
    assert without_tables(markdown).replace("> \n", ">\n") == changed


CELLS = st.sampled_from(
    ["a", "b c", "`d`", "**e**", "", "*", "`", "[l](http://x.y)", "\\", "\\|", "# h", LONG, "名", "<f>"]
)


@pytest.mark.parametrize("rows", [("| a |", "|---|", *["| b |"] * 10_001), ("| a |", "|---|", "| " + "b" * 100 + " |")])
def test_what_would_be_too_long_is_said_to_be(rows: tuple[str, ...]) -> None:
    assert tables.without_tables("\n".join(rows), 100) is None


@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=5),
    st.sampled_from(["", "> ", "  ", "x\n\n"]),
)
def test_no_table_is_left_and_no_letter_is_lost(rows: list[list[str]], lead: str) -> None:
    lines = ["|" + "|".join(row) + "|" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]]
    changed = without_tables("\n".join(lead + line for line in lines))
    assert without_tables(changed) == changed
    for letter in "abcdelhw名":
        assert changed.count(letter) >= sum(cell.count(letter) for row in rows[1:] or rows for cell in row), changed
