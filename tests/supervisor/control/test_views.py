"""The JSON that scripts rely on, key by key."""

import json
from functools import partial
from math import inf
from typing import Any

import msgspec
import pytest

from supervisor import ChildSpec, DynamicSupervisor, Fill, Intensity, Node, Restart, Shutdown, State, Supervisor
from supervisor.control.views import below, rfc3339, spec_view, view
from tests.supervisor.control.house import Worker


def plain(struct: object) -> Any:
    return json.loads(msgspec.json.encode(struct))


def node(path: str, **more: Any) -> Node:
    return Node(path=path, kind="Worker", state=State.RUNNING, since=0.0, incarnation=1, restarts=0, **more)


def no_memory(_: int) -> None:
    """There is no such process."""


def test_a_node_with_everything() -> None:
    busy = node("/a", mailbox=Fill(1, 2), pid=7, doing="works", error="ValueError: no", children=(node("/a/b"),))

    assert plain(view(busy, {7: 4096}.get)) == {
        "path": "/a",
        "kind": "Worker",
        "state": "running",
        "since": "1970-01-01T00:00:00.000Z",
        "restarts": 0,
        "mailbox": {"size": 1, "capacity": 2},
        "pid": 7,
        "rss": 4096,
        "doing": "works",
        "error": "ValueError: no",
        "children": [
            {
                "path": "/a/b",
                "kind": "Worker",
                "state": "running",
                "since": "1970-01-01T00:00:00.000Z",
                "restarts": 0,
                "children": [],
            }
        ],
    }


def test_only_the_root_has_the_name_of_the_system() -> None:
    tree = plain(view(node("/", children=(node("/a"),)), no_memory, name="house"))

    assert tree["name"] == "house"
    assert "name" not in tree["children"][0]


def test_a_process_that_is_gone_has_no_memory() -> None:
    shown = plain(view(node("/a", pid=7), no_memory))

    assert shown["pid"] == 7
    assert "rss" not in shown


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        (
            ChildSpec("a", Worker, restart=Restart.TRANSIENT),
            {"restart": "transient", "shutdown": 5.0, "start_timeout": 30.0, "overflow": "wait"},
        ),
        (
            ChildSpec("a", partial(Worker, None), shutdown=Shutdown.BRUTAL, start_timeout=inf),
            {"restart": "permanent", "shutdown": "brutal", "start_timeout": None, "overflow": "wait"},
        ),
        (
            ChildSpec("a", Supervisor(intensity=Intensity(1, within=9.0))),
            {
                "restart": "permanent",
                "shutdown": "infinite",
                "start_timeout": 30.0,
                "strategy": "one_for_one",
                "intensity": {"restarts": 1, "within": 9.0},
            },
        ),
        (
            ChildSpec("a", DynamicSupervisor(max_children=4)),
            {
                "restart": "permanent",
                "shutdown": "infinite",
                "start_timeout": 30.0,
                "strategy": "dynamic",
                "intensity": {"restarts": 3, "within": 5.0},
                "max_children": 4,
            },
        ),
    ],
)
def test_specs(spec: ChildSpec[Any], shown: dict[str, object]) -> None:
    assert plain(spec_view(spec)) == shown


def test_times_are_rfc_3339_in_utc() -> None:
    assert rfc3339(1769860800.5) == "2026-01-31T12:00:00.500Z"


def test_what_is_below_what() -> None:
    assert below("/a/b", "/a")
    assert below("/a", "/a")
    assert below("/a", "/")
    assert not below("/ab", "/a")
    assert not below("/a", "/a/b")
