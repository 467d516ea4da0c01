"""The ask graph that specs declare, and the rings in it."""

from collections.abc import Mapping
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor import ChildSpec, DynamicSupervisor, InvalidSpec, Supervisor
from supervisor.asking import asked_by, declared, rings
from supervisor.testing import Script, scripted

SCRIPT = Script()


def asking(id: str, *asks: str) -> ChildSpec[object]:
    return scripted(id, SCRIPT, asks=asks)  # type: ignore[return-value]  # which messages it takes is all one


def test_a_nested_tree_says_who_asks_whom() -> None:
    room = Supervisor(asking("talk", "/store", "agent", "../../router"), asking("agent", "/store"))
    rooms = Supervisor(ChildSpec("room", room), ChildSpec("pool", DynamicSupervisor(max_children=3)))
    tree = Supervisor(asking("store"), asking("router", "store"), ChildSpec("rooms", rooms))
    assert declared(tree) == {
        "/store": (),
        "/router": ("/store",),
        "/rooms/room/talk": ("/store", "/rooms/room/agent", "/router"),
        "/rooms/room/agent": ("/store",),
    }
    assert rings(declared(tree)) == []


def test_a_subtree_has_its_place() -> None:
    assert declared(Supervisor(asking("a", "b", "../c")), "/x/y") == {"/x/y/a": ("/x/y/b", "/x/c")}


@pytest.mark.parametrize(
    ("asked", "path"),
    [("b", "/x/b"), ("b/c", "/x/b/c"), ("../b", "/b"), ("/b", "/b"), ("/x/../b", "/b"), ("./b", "/x/b"), ("a", "/x/a")],
)
def test_paths_begin_at_the_supervisor(asked: str, path: str) -> None:
    assert asked_by(asking("a", asked), "/x/a") == (path,)


@pytest.mark.parametrize("asked", ["../../b", "../../../x/b", "/../b", "../.."])
def test_a_path_above_the_root_is_refused(asked: str) -> None:
    with pytest.raises(InvalidSpec, match="/x/a"):
        asked_by(asking("a", asked), "/x/a")


def test_children_that_come_later_can_be_looked_at_with_the_others() -> None:
    tree = Supervisor(asking("router", "/pool/guest"), ChildSpec("pool", DynamicSupervisor(max_children=3)))
    guest = asking("guest", "../router")
    graph = declared(tree) | {"/pool/guest": asked_by(guest, "/pool/guest")}
    assert rings(graph) == [("/pool/guest", "/router")]


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({}, []),
        ({"/a": ("/b",), "/b": ("/c",), "/c": ()}, []),
        ({"/a": ("/nobody",)}, []),
        ({"/a": ("/a",)}, [("/a",)]),
        ({"/b": ("/a",), "/a": ("/b",)}, [("/a", "/b")]),
        ({"/a": ("/b", "/b"), "/b": ("/a",)}, [("/a", "/b")]),
        ({"/c": ("/a",), "/a": ("/b",), "/b": ("/c",), "/d": ("/a",)}, [("/a", "/b", "/c")]),
        ({"/a": ("/b", "/c"), "/b": ("/a", "/c"), "/c": ("/a",)}, [("/a", "/b"), ("/a", "/b", "/c"), ("/a", "/c")]),
        ({"/a": ("/b",), "/b": ("/c",), "/c": ("/b", "/d"), "/d": ("/d",)}, [("/b", "/c"), ("/d",)]),
    ],
    ids=["nobody", "a row", "a stranger", "himself", "two", "two, said twice", "three", "three rings", "apart"],
)
def test_rings(graph: Mapping[str, tuple[str, ...]], found: list[tuple[str, ...]]) -> None:
    assert rings(graph) == found


NODES = "abcde"


@settings(max_examples=200, deadline=None)
@given(st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES))))
def test_rings_are_those_that_trying_all_finds(edges: set[tuple[str, str]]) -> None:
    graph = {node: tuple(sorted(to for at, to in edges if at == node)) for node in NODES}
    tried = [
        ring
        for size in range(1, len(NODES) + 1)
        for ring in permutations(NODES, size)
        if ring[0] == min(ring) and all(pair in edges for pair in zip(ring, (*ring[1:], ring[0]), strict=True))
    ]
    assert rings(graph) == sorted(tried)


def test_a_wide_graph_without_rings_is_looked_through_quickly() -> None:
    layers = 30
    graph = {f"/{n:02}{side}": (f"/{n + 1:02}a", f"/{n + 1:02}b") for n in range(layers) for side in "ab"}
    assert rings(graph) == []
    assert rings(graph | {f"/{layers:02}b": (f"/{layers - 1:02}a",)}) == [(f"/{layers - 1:02}a", f"/{layers:02}b")]
