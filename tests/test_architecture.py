"""The rules of the house, read from the source: who imports whom, what is pure, what has a test, who may catch all."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

RUNTIME = [
    "errors",
    "clock",
    "backoff",
    "messages",
    "events",
    "orders",
    "spec",
    "restarts",
    "snapshot",
    "traces",
    "mailbox",
    "calls",
    "telemetry",
    "registry",
    "refs",
    "actor",
    "incarnation",
    "asking",
    "admin",
    "supervisor",
    "system",
    "control",
    "testing",
]
"""The runtime's files: each imports only from those before it."""

PURE_RUNTIME = ["errors", "messages", "spec", "backoff", "restarts", "events", "orders", "snapshot", "traces", "asking"]
IMPURE = {"trio", "time", "random", "os"}

PURE_ACTORS = [
    "messages/records",
    "messages/accepting",
    "messages/delegating",
    "messages/delivering",
    "messages/operating",
    "messages/store",
    "messages/working",
    "messages/rooms",
    "messages/outbox",
    "messages/subagents",
    "commands",
    "phrases",
    "standing",
    "telegram/updates",
    "telegram/access",
    "telegram/addressing",
    "telegram/bursts",
    "telegram/contents",
    "telegram/cutting",
    "telegram/pieces",
    "telegram/tables",
    "telegram/trouble",
    "telegram/render",
    "telegram/pacing",
    "rooms/turns",
    "rooms/course",
    "rooms/fates",
    "rooms/hearing",
    "rooms/trouble",
    "rooms/way",
    "rooms/steps",
    "rooms/line",
    "rooms/joining",
    "rooms/questions",
    "rooms/files",
    "rooms/ends",
    "rooms/commanding",
    "rooms/replies",
    "rooms/prompts",
    "rooms/commits",
    "rooms/words",
    "resume",
    "rooms/poison",
    "rooms/progress",
    "pi/protocol",
    "pi/framing",
    "pi/session",
    "pi/commands",
    "pi/answers",
    "pi/ladder",
    "pi/steering",
    "pi/activity",
    "pi/stalls",
    "pi/losses",
    "pi/arguments",
    "pi/host_tools",
    "pi/outputs",
    "store/records",
    "pi/past",
    "pi/sandbox",
    "rooms/delegating",
    "rooms/reports",
    "subagents/checks",
    "subagents/ends",
    "subagents/journal",
    "subagents/showing",
    "subagents/steps",
    "subagents/slots",
    "subagents/life",
    "subagents/words",
    "dispatch/batching",
    "dispatch/tools",
]
"""Decisions of the service, as far as they are built."""

TOP = {"tree", "service", "verbs", "verbs_agents", "ctl"}
"""Files of `actors` that may import everything, and that nothing but they themselves may import."""

SHARED = {"messages"}
"""Folders that are in truth one shared file, cut into readable pieces."""

MAY_ALSO = {"subagents": {"pi"}, "dispatch": {"pi"}}
"""Folders that may import from another one: both are a pi with extras."""

BROAD = {
    ("supervisor/incarnation.py", "_contain"),
    ("supervisor/incarnation.py", "_lived"),
    ("supervisor/incarnation.py", "make"),
    ("supervisor/supervisor.py", "_run_child"),
    ("supervisor/control/server.py", "_answer"),
}
"""The functions that may catch everything: actor loop, child wrapper, control server."""

TESTED_ELSEWHERE = {
    "supervisor/errors.py": "plain types; raised and looked at in the tests of those who raise them",
    "supervisor/events.py": "plain structs; test_supervisor and test_telemetry see them all",
    "supervisor/snapshot.py": "plain structs; test_registry and test_system see them made",
    "supervisor/control/errors.py": "plain types; test_client and test_server raise them",
    "actors/messages/accepting.py": "plain requests; the store's tests make and repeat them all",
    "actors/messages/delegating.py": "plain requests; the store's tests make and repeat them all",
    "actors/messages/delivering.py": "plain requests; the store's tests make and repeat them all",
    "actors/messages/operating.py": "plain requests; the store's tests make and repeat them all",
    "actors/messages/subagents.py": "plain data; the store's tests and the registrar's make them all",
    "actors/messages/working.py": "plain requests; the store's tests make and repeat them all",
    "actors/errors.py": "plain types; test_configuration and test_settings raise them",
    "actors/service.py": "the entry point; the journeys start it",
}
"""Files without a test file of their own, and why."""


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports when it runs, also late ones; not those for the type checker alone."""
    todo: list[ast.AST] = [tree_of(path)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{named(path)}: a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        todo += ast.iter_child_nodes(node)


def part(module: str, package: str) -> str | None:
    """The file or folder of `package` that a module is in; empty for the package itself; None for another package."""
    head, _, rest = module.partition(".")
    return None if head != package else rest.partition(".")[0]


@pytest.mark.parametrize("path", files("supervisor"), ids=named)
def test_the_runtime_imports_only_downwards_and_nothing_of_the_service(path: Path) -> None:
    own = path.relative_to(ROOT / "supervisor").parts[0].removesuffix(".py")
    allowed = set() if own == "__init__" else set(RUNTIME[: RUNTIME.index(own) + 1])
    for module in imports(path):
        assert part(module, "actors") is None, f"{named(path)} imports {module}"
        used = part(module, "supervisor")
        if used in RUNTIME:
            assert used in allowed - ({own} if own != "control" else set()), f"{named(path)} imports {module}"


def test_every_file_of_the_runtime_has_its_rank() -> None:
    found = {path.relative_to(ROOT / "supervisor").parts[0].removesuffix(".py") for path in files("supervisor")}
    assert found - {"__init__"} == set(RUNTIME)


@pytest.mark.parametrize("name", PURE_RUNTIME)
def test_pure_files_of_the_runtime_know_no_task_no_clock_and_no_chance(name: str) -> None:
    used = {module.partition(".")[0] for module in imports(ROOT / "supervisor" / f"{name}.py")}
    assert not used & IMPURE


@pytest.mark.parametrize("name", [name for name in PURE_ACTORS if (ROOT / "actors" / f"{name}.py").exists()])
def test_pure_files_of_the_service_know_no_task(name: str) -> None:
    used = {module.partition(".")[0] for module in imports(ROOT / "actors" / f"{name}.py")}
    assert "trio" not in used


@pytest.mark.parametrize("path", files("actors"), ids=named)
def test_the_service_uses_the_runtime_through_its_door(path: Path) -> None:
    top = path.parent == ROOT / "actors" and path.stem in TOP
    for node in ast.walk(tree_of(path)):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            inside = part(module, "supervisor")
            assert not inside or (top and inside == "control"), f"{named(path)} imports {module}"


@pytest.mark.parametrize("path", files("actors"), ids=named)
def test_folders_of_the_service_meet_only_in_the_shared_files(path: Path) -> None:
    parts = path.relative_to(ROOT / "actors").parts
    if len(parts) == 1 and path.stem in TOP:
        return
    own = parts[0].removesuffix(".py") if len(parts) > 1 else None
    folders = {child.name for child in (ROOT / "actors").iterdir() if child.is_dir()} - SHARED
    for module in imports(path):
        used = part(module, "actors")
        assert used not in TOP, f"{named(path)} imports {module}"
        if used in folders and used != own:
            assert own is not None, f"{named(path)} is shared, and imports {module}"
            assert used in MAY_ALSO.get(own, set()), f"{named(path)} imports {module}"


@pytest.mark.parametrize("path", files("supervisor") + files("actors"), ids=named)
def test_every_file_has_its_test(path: Path) -> None:
    name = named(path)
    if path.name == "__init__.py":
        return
    inside = path.relative_to(ROOT)
    test = ROOT / "tests" / inside.parent / f"test_{path.name}"
    assert test.exists() != (name in TESTED_ELSEWHERE), f"{named(test)}: missing, or exempt without need"


def test_exemptions_are_of_files_that_exist() -> None:
    assert [name for name in TESTED_ELSEWHERE if not (ROOT / name).exists()] == []


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes any exception and may keep it: one that ends by raising it again only cleans up."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in caught)
    last = handler.body[-1]
    return broad and not (isinstance(last, ast.Raise) and last.exc is None)


@pytest.mark.parametrize("path", files("supervisor") + files("actors"), ids=named)
def test_nobody_else_catches_everything(path: Path) -> None:
    found = {
        (named(path), function.name)
        for function in ast.walk(tree_of(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and catches_all(node)
    }
    assert found <= BROAD
    assert {place for place in BROAD if place[0] == named(path)} <= found


@pytest.mark.parametrize("module", ["supervisor", "supervisor.control.actorctl"])
def test_a_look_at_the_tree_does_not_pay_for_the_runtime(module: str) -> None:
    heavy = ["trio", "msgspec", "rich"]
    code = f"import sys, {module}; print(*(name for name in {heavy!r} if name in sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []


def test_the_door_opens_on_all_that_it_names() -> None:
    import supervisor  # noqa: PLC0415  # its names are looked up here, not used

    assert sorted(supervisor.__all__) == sorted({name for name in supervisor.__all__ if hasattr(supervisor, name)})
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = supervisor.Nothing
