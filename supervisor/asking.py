"""Who waits for whom: the ask graph that the child specs of a tree declare, and the rings in it.

Pure. An ask, and a tell that waits, holds the asker up; a ring of such can stop for ever. The runtime raises `AskCycle`
when a ring really closes; this finds it before anything runs.
"""

from collections.abc import Iterator, Mapping

from supervisor.errors import InvalidSpec
from supervisor.spec import ChildSpec, DynamicSupervisor, Supervisor


def declared(tree: Supervisor, at: str = "") -> dict[str, tuple[str, ...]]:
    """Each actor of the tree, by path, with the paths that it says it asks.

    A path may be relative (`../agent`), from the actor's supervisor on. Children of dynamic supervisors are not in the
    tree; give `rings` what they declare under a path of their own. Raises `InvalidSpec` for one above the root.
    """
    graph: dict[str, tuple[str, ...]] = {}
    for child in tree.children:
        path = f"{at}/{child.id}"
        if isinstance(child.factory, Supervisor):
            graph |= declared(child.factory, path)
        elif not isinstance(child.factory, DynamicSupervisor):
            graph[path] = asked_by(child, path)
    return graph


def asked_by(child: ChildSpec[object], path: str) -> tuple[str, ...]:
    """The absolute paths of those that the child at `path` asks. Raises `InvalidSpec`."""
    return tuple(_resolved(path, asked) for asked in child.asks)


def rings(graph: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rings of actors that may wait for each other, each once, beginning with its least path; none is well."""
    found: set[tuple[str, ...]] = set()
    for start in sorted(graph):
        found.update(_rings_from(graph, start))
    return sorted(found)


def _rings_from(graph: Mapping[str, tuple[str, ...]], start: str) -> Iterator[tuple[str, ...]]:
    """The rings through `start` whose other members come after it; depth first, without recursion."""
    leading = _leading_to(graph, start)
    paths: list[tuple[str, ...]] = [(start,)]
    while paths:
        path = paths.pop()
        for asked in graph.get(path[-1], ()):
            if asked == start:
                yield path
            elif asked in leading and asked not in path:
                paths.append((*path, asked))


def _leading_to(graph: Mapping[str, tuple[str, ...]], start: str) -> set[str]:
    """Those after `start` that ask it, or ask one that does: without them the search would try every way there is."""
    found = {start}
    while more := {at for at, asked in graph.items() if at > start and at not in found and not found.isdisjoint(asked)}:
        found |= more
    return found


def _resolved(path: str, asked: str) -> str:
    parts = [] if asked.startswith("/") else path.split("/")[1:-1]
    for part in asked.split("/"):
        if part not in ("", ".", ".."):
            parts.append(part)
        elif part == "..":
            if not parts:
                raise InvalidSpec(f"{path} says that it asks {asked!r}, which is above the root")
            parts.pop()
    return "/" + "/".join(parts)
