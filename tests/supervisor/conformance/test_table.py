"""The table of cases holds: nothing missing, nothing named that is not there, and no test that stands in no row."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.supervisor.conformance.table import ELIXIR, OTP, Case

HERE = Path(__file__).parent
CASES = OTP | ELIXIR
NUMBERS = re.compile(r"test((?:_\d\d)+)_")


@cache
def found_in(file: str) -> dict[str, ast.AST]:
    tree = ast.parse((HERE / f"{file}.py").read_text(encoding="utf-8"))
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_case_of_otp_has_its_row() -> None:
    assert [int(key.partition(" ")[0]) for key in OTP] == list(range(1, 94))
    assert len({key.partition(" ")[2] for key in OTP}) == 93


def test_every_case_of_elixir_has_its_row() -> None:
    parts = [key.partition(":")[0] for key in ELIXIR]
    counts = {part: parts.count(part) for part in parts}
    assert counts == {
        "start": 10, "start_child": 22, "terminate": 8, "terminate_child": 3,
        "PartitionSupervisor": 1, "Task.Supervisor": 1, "Registry": 1,
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_row_names_its_tests_or_says_why_there_is_none(case: Case) -> None:
    assert bool(case.tests) != bool(case.left_out)
    assert not (case.left_out and case.differs)
    for test in case.tests:
        file, _, name = test.partition("::")
        assert name in found_in(file), f"{test} is not there"


@pytest.mark.parametrize("path", sorted(HERE.glob("test_*.py")), ids=lambda path: path.stem)
def test_a_test_with_numbers_stands_in_their_rows(path: Path) -> None:
    rows = {int(key.partition(" ")[0]): case.tests for key, case in OTP.items()}
    for name in found_in(path.stem):
        found = NUMBERS.match(name)
        if found is None:
            continue
        numbers = [int(number) for number in found[1].split("_")[1:]]
        if "_to_" in name:
            numbers = [number for number, tests in rows.items() if f"{path.stem}::{name}" in tests]
            assert numbers
        for number in numbers:
            assert f"{path.stem}::{name}" in rows[number], f"{name} is not in the row of {number}"
