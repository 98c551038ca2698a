"""Where a graph carries a state along a sequence: in fused ops, in cells, in modules called again.

A recurrence is one layer in one direction. `nn.LSTM`, `nn.GRU` and `nn.RNN` are one op each, which
keeps its states by itself. Their cells, and layers with `unroll = True`, are found by the product
with `weight_hh` that every step begins with. Any other module is recurrent where what one of its
calls computes is taken by the next.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

FUSED = ("lstm", "gru", "rnn")
GATES = {"lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n"), "rnn": (), "": ()}
MOST = 64  # recurrences of one graph that can be chosen


@dataclass(frozen=True)
class Recurrence:
    """One layer in one direction. `steps` are the nodes of a loop, by what they hold, in time."""

    key: str
    name: str  # the module's path; the model's name where it is the model
    kind: str  # "lstm", "gru", "rnn", "" (another module)
    layer: int = 0
    layers: int = 1
    backwards: bool = False
    directions: int = 1
    call: int | None = None  # the fused op
    steps: tuple[dict[str, int], ...] = field(default=(), hash=False)

    @property
    def index(self) -> int:
        """Its place among the layers and directions of the call."""
        return self.layer * self.directions + self.backwards


class _Links:
    """A graph's edges, by the node that takes and by the node that gives."""

    def __init__(self, graph: Any) -> None:
        self.nodes = graph["nodes"]
        self.into: dict[int, list[tuple[str, int]]] = defaultdict(list)
        self.out: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for edge in graph["edges"]:
            self.into[edge["target"]].append((edge["argument"], edge["source"]))
            self.out[edge["source"]].append((edge["argument"], edge["target"]))

    def taken(self, node: int, argument: str) -> int | None:
        return next((source for name, source in self.into[node] if name == argument), None)

    def users(self, node: int, *names: str) -> list[int]:
        """The ops of these names that take what `node` gives, in the order of their calls."""
        return sorted({t for _, t in self.out[node] if self.nodes[t]["name"] in names})

    def user(self, node: int | None, *names: str) -> int:
        """The first such op. Raises LookupError where there is none."""
        if node is None or not (found := self.users(node, *names)):
            raise LookupError(f"no {names} takes node {node}")
        return found[0]


def recurrences(graph: Any) -> list[Recurrence]:
    """All of a graph, in the order of their first steps."""
    links = _Links(graph)
    found = [*_fused(graph), *_cells(graph, links)]
    found += _modules(graph, links, {node for each in found for node in nodes_of(each)})
    return found[:MOST]


def nodes_of(recurrence: Recurrence) -> list[int]:
    """The nodes of a loop whose arrays are needed; a fused op keeps its own."""
    return [node for step in recurrence.steps for node in step.values()]


def loop_nodes(graph: Any) -> list[int]:
    """The nodes that a lens has to be on for what happens in loops."""
    return sorted({node for each in recurrences(graph) for node in nodes_of(each)})


# ---------------------------------------------------------------- fused ops
def _fused(graph: Any) -> list[Recurrence]:
    found: list[Recurrence] = []
    calls: dict[str, int] = {}
    for node in graph["nodes"]:
        if node["kind"] != "op" or node["name"] not in FUSED:
            continue
        name = _module(graph, node["scope"]) or node["name"]
        calls[name] = calls.get(name, 0) + 1
        if calls[name] > 1:
            name = f"{name} ({calls[name]})"
        layers = int(node["arguments"]["layers"])
        directions = 2 if node["arguments"]["bidirectional"] else 1
        found += [
            Recurrence(
                f"{name}/{layer}/{back:d}", name, node["name"], layer, layers, back, directions,
                call=node["id"],
            )
            for layer in range(layers)
            for back in (False, True)[:directions]
        ]  # fmt: skip
    return found


def _module(graph: Any, scope: int | None) -> str:
    if scope is None:
        return ""
    own = graph["scopes"][scope]
    return str(own["path"] or own["name"])


# ---------------------------------------------------------------- cells, and layers unrolled
def _cells(graph: Any, links: _Links) -> list[Recurrence]:
    found = []
    for parameter in graph["nodes"]:
        named = re.fullmatch(
            r"(?:(.*)\.)?weight_hh(?:_l(\d+)(_reverse)?)?", parameter["name"] or ""
        )
        if named is None or parameter["kind"] != "parameter":
            continue
        steps, kind = [], ""
        for product in links.users(parameter["id"], "linear"):
            try:
                kind, step = _step(links, product)
            except LookupError:
                break
            steps.append(step)
        if not steps:
            continue
        backwards = bool(named[3])
        layer = int(named[2] or 0)
        name = named[1] or _module(graph, parameter["scope"]) or kind
        found.append((name, kind, layer, backwards, steps[::-1] if backwards else steps))
    layers = {name: 1 + max(f[2] for f in found if f[0] == name) for name, *_ in found}
    two = {name for name, _, _, backwards, _ in found if backwards}
    return [
        Recurrence(
            f"{name}/{layer}/{back:d}", name, kind, layer, layers[name], back,
            1 + (name in two), steps=tuple(steps),
        )
        for name, kind, layer, back, steps in found
    ]  # fmt: skip


def _step(links: _Links, product: int) -> tuple[str, dict[str, int]]:
    """The nodes of one step of a cell, from its product with weight_hh."""
    before = links.taken(product, "input")
    if before is None:
        raise LookupError("the product takes no state")
    step = {"h_before": before, "of_h": product}
    parts = links.users(product, "narrow")
    if len(parts) == 3:
        return "gru", step | _gru(links, product, parts)
    total = links.user(product, "add")
    step["of_x"] = next(s for _, s in links.into[total] if s != product)
    gates = links.users(total, "narrow")
    if len(gates) == 4:
        return "lstm", step | _lstm(links, gates)
    step["h"] = links.user(total, "tanh", "relu")
    return "rnn", step


def _lstm(links: _Links, gates: list[int]) -> dict[str, int]:
    i, f, g, o = (links.user(gate, "sigmoid", "tanh") for gate in gates)
    kept = links.user(f, "mul")
    h = links.user(o, "mul")
    projected = [
        at
        for at in links.users(h, "linear")
        if "weight_hr" in links.nodes[links.taken(at, "weight") or 0]["name"]
    ]
    return {
        "i": i, "f": f, "g": g, "o": o, "c": links.user(kept, "add"),
        "c_before": next(s for _, s in links.into[kept] if s != f),
        "h": projected[0] if projected else h,
    }  # fmt: skip


def _gru(links: _Links, product: int, parts: list[int]) -> dict[str, int]:
    r, z = (links.user(links.user(part, "add"), "sigmoid") for part in parts[:2])
    joined = links.user(links.user(parts[2], "mul"), "add")
    n = links.user(joined, "tanh")
    of_x = next(s for _, s in links.into[joined] if links.nodes[s]["name"] == "narrow")
    return {
        "r": r, "z": z, "n": n, "h": links.user(links.user(z, "mul"), "add"),
        "of_x": links.into[of_x][0][1],
    }  # fmt: skip


# ---------------------------------------------------------------- any module called again
def _modules(graph: Any, links: _Links, known: set[int]) -> list[Recurrence]:
    """Innermost first: what is found in a cell is not found again in the module around it."""
    scopes = graph["scopes"]
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)
    for scope in scopes:
        root = scope["id"]
        while scopes[root]["parent"] is not None:
            root = scopes[root]["parent"]
        groups[root, scope["path"]].append(scope["id"])
    members: dict[int, list[int]] = defaultdict(list)  # ops of a scope and of those within it
    for node in graph["nodes"]:
        scope_id = node["scope"] if node["kind"] == "op" else None
        while scope_id is not None:
            members[scope_id].append(node["id"])
            scope_id = scopes[scope_id]["parent"]
    found = []
    for (_, path), calls in sorted(groups.items(), key=lambda group: -group[0][1].count(".")):
        calls = [call for call in calls if members[call]]
        if len(calls) < 2 or not path or known.intersection(members[calls[0]]):
            continue
        places = _handed_on(links, members[calls[0]], members[calls[1]])
        if not places or any(len(members[c]) != len(members[calls[0]]) for c in calls):
            continue
        names = ["h", *(f"h{at}" for at in range(2, len(places) + 1))]
        steps = tuple(
            {name: members[call][place] for name, place in zip(names, places, strict=True)}
            for call in calls
        )
        known |= {node for call in calls for node in members[call]}
        found.append(Recurrence(f"{path}/0/0", path, "", steps=steps))
    return found


def _handed_on(links: _Links, one: list[int], following: list[int]) -> list[int]:
    """The places, among the ops of a call, of those whose results the next call takes."""
    later = set(following)
    return [
        place
        for place, node in enumerate(one)
        if len(links.nodes[node]["shape"]) <= 2 and any(t in later for _, t in links.out[node])
    ]
