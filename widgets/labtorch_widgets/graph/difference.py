"""Two steps whose control flow differed, in one graph: what was added, what was removed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .fold import Folded, Outline

LISTED = 100  # changes that are told one by one
REMEMBERED = 4096  # steps whose form is remembered, of those that were let go


@dataclass
class Union:
    """The later graph with what only the earlier one had put after it."""

    graph: Any
    added: set[int] = field(default_factory=set)  # nodes
    removed: set[int] = field(default_factory=set)
    edges: dict[int, str] = field(default_factory=dict)  # "added" or "removed", by edge

    def mark(self, node: int) -> str | None:
        return "added" if node in self.added else "removed" if node in self.removed else None

    def of_items(self, folded: Folded) -> dict[str, dict[str, int]]:
        """How many nodes were added to and removed from what each item shows, where any were."""
        marks: dict[str, Counter[str]] = {}
        for node, key in enumerate(folded.owner):
            if mark := self.mark(node):
                marks.setdefault(key, Counter())[mark] += 1
        return {
            key: {name: count[name] for name in ("added", "removed")}
            for key, count in marks.items()
        }

    def of_links(self, folded: Folded) -> dict[tuple[str, str], str]:
        """Links all of whose tensors are new, or gone."""
        marks: dict[tuple[str, str], set[str | None]] = {}
        for at, edge in enumerate(self.graph["edges"]):
            ends = folded.owner[edge["source"]], folded.owner[edge["target"]]
            marks.setdefault(ends, set()).add(self.edges.get(at))
        return {ends: each.pop() or "" for ends, each in marks.items() if len(each) == 1}

    def listed(self, outline: Outline) -> list[dict[str, Any]]:
        """The changes in words' raw material, in the order of the graph."""
        changed = [(node, mark) for node in range(len(outline.nodes)) if (mark := self.mark(node))]
        return [
            {
                "change": mark,
                "key": outline.node_keys[node],
                "name": outline.nodes[node]["name"] or outline.nodes[node]["kind"],
                "kind": outline.nodes[node]["kind"],
                "where": ".".join(scope["name"] for scope in outline.path(node)),
                "shape": list(outline.nodes[node]["shape"]),
            }
            for node, mark in changed[:LISTED]
        ]


def union(before: Any, after: Any, diff: Any) -> Union:
    """`diff` says which nodes are the same, as `recording.diff` does."""
    nodes, edges = list(after["nodes"]), list(after["edges"])
    scopes = list(after["scopes"])
    scope_of = _scopes(before["scopes"], scopes)
    new = dict(diff["same"])
    removed = set()
    for old in diff["removed"]:
        node = before["nodes"][old]
        new[old] = len(nodes)
        removed.add(len(nodes))
        scope = None if node["scope"] is None else scope_of[node["scope"]]
        nodes.append({**node, "id": len(nodes), "scope": scope, "saved": []})
    added = set(diff["added"])

    def ends(edge: Any) -> tuple[int, int, str]:
        return edge["source"], edge["target"], edge["argument"]

    was = {(new[e["source"]], new[e["target"]], e["argument"]) for e in before["edges"]}
    now = {ends(edge) for edge in edges}
    marks = {at: "added" for at, edge in enumerate(edges) if ends(edge) not in was}
    for edge in before["edges"]:
        moved = {**edge, "source": new[edge["source"]], "target": new[edge["target"]]}
        if ends(moved) not in now:
            marks[len(edges)] = "removed"
            edges.append(moved)
    key = f"{before['key']}>{after['key']}"
    graph = {**after, "key": key, "nodes": nodes, "edges": edges, "scopes": scopes}
    return Union(graph, added, removed, marks)


def _scopes(before: list[Any], after: list[Any]) -> dict[int, int]:
    """Where each earlier module call is among the later ones, to which missing ones are added."""
    known = {name: scope["id"] for name, scope in zip(_named(after), after, strict=True)}
    found: dict[int, int] = {}
    for name, scope in zip(_named(before), before, strict=True):
        if name not in known:
            known[name] = len(after)
            parent = None if scope["parent"] is None else found[scope["parent"]]
            after.append({**scope, "id": len(after), "parent": parent})
        found[scope["id"]] = known[name]
    return found


def _named(scopes: list[Any]) -> list[tuple]:
    seen: Counter[tuple] = Counter()
    names: list[tuple] = []
    for scope in scopes:
        outer = names[scope["parent"]] if scope["parent"] is not None else ()
        name = (*outer, scope["name"])
        seen[name] += 1
        names.append((*outer, (scope["name"], seen[name])))
    return names


class Changes:
    """The steps at which a recording's graph took another form; shapes alone make no difference.

    Each step is asked for once, and each graph looked at once.
    """

    def __init__(self, recording: Any) -> None:
        self._recording = recording
        self._forms: dict[str, int] = {}
        self._of_step: dict[int, int] = {}

    def steps(self) -> list[int]:
        kept = self._recording.steps
        if len(self._of_step) > REMEMBERED:
            self._of_step = {step: self._of_step[step] for step in kept if step in self._of_step}
        found: list[int] = []
        last: int | None = None
        for step in kept:
            form = self._form(step)
            if form is None:
                continue
            if last is not None and form != last:
                found.append(step)
            last = form
        return found

    def before(self, step: int) -> int | None:
        """The kept step before this one."""
        return max((each for each in self._recording.steps if each < step), default=None)

    def _form(self, step: int) -> int | None:
        known = self._of_step.get(step)
        if known is None:
            try:
                graph = self._recording.graph(step)
            except LookupError:  # let go between two calls
                return None
            known = self._forms.get(graph["key"])
            if known is None:
                known = self._forms[graph["key"]] = hash(_form(graph))
            self._of_step[step] = known
        return known


def _form(graph: Any) -> tuple:
    paths = [scope["path"] for scope in graph["scopes"]]
    return (
        tuple(
            (node["kind"], node["name"], "" if node["scope"] is None else paths[node["scope"]])
            for node in graph["nodes"]
        ),
        tuple((edge["source"], edge["target"], edge["argument"]) for edge in graph["edges"]),
    )
