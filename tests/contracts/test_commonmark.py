"""Every example of the CommonMark specification, whole and cut off anywhere, is text that Telegram takes.

The examples are a pinned package, installed by `make test`; the judge is the strict fake's rules.
"""

import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from actors.telegram.render import MESSAGE_UNITS, render, utf16_len
from tests.fakes.telegram_api.rules import checked_text, entity_problem

SPEC = Path(sys.prefix) / "commonmark/node_modules/commonmark-spec/spec.txt"
EXAMPLE = re.compile(
    r"^`{32} example[^\n]*\n(?P<markdown>.*?)^\.\n.*?^`{32}$|^#{1,2} (?P<section>[^\n]+)$", re.M | re.S
)


@cache
def examples() -> dict[str, list[str]]:
    """The Markdown of the examples, by section."""
    assert SPEC.is_file(), f"{SPEC} is missing; run: make test"
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for match in EXAMPLE.finditer(SPEC.read_text(encoding="utf-8")):
        if match["section"] is not None:
            section = match["section"]
        else:
            found[section].append(match["markdown"].replace("→", "\t"))
    return found


def check(markdown: str) -> None:
    for part in render(markdown):
        entities = [entity.to_dict() for entity in part.entities]
        assert 1 <= utf16_len(part.text) <= MESSAGE_UNITS, markdown
        assert entity_problem(part.text, entities) is None, markdown
        assert checked_text(part.text, entities), markdown


def test_these_are_all_examples() -> None:
    assert sum(map(len, examples().values())) == 652
    assert "Links" in examples()


@pytest.mark.parametrize("section", ["Tabs", *sorted(set(examples()) - {"Tabs"})] if SPEC.is_file() else ["Tabs"])
def test_every_example_is_sent(section: str) -> None:
    for markdown in examples()[section]:
        check(markdown)
        for end in range(1, len(markdown)):
            check(markdown[:end])


def test_all_examples_at_once_are_sent() -> None:
    check("\n\n".join(markdown for section in examples().values() for markdown in section))
