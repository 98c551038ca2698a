"""One step with its graph, asked the way a doctor asks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property

from labtorch.observe.doctor.finding import Hop
from labtorch.observe.snapshot import Edge, Graph, Row, Snapshot, Source, Summary

_RESHAPING = frozenset(
    "view reshape flatten unflatten squeeze unsqueeze transpose permute t contiguous cast "
    "clone select expand movedim".split()
)


class Case:
    """A step with its graph, asked the way a doctor asks."""

    def __init__(self, graph: Graph, snapshot: Snapshot) -> None:
        self.graph, self.snapshot = graph, snapshot
        self.nodes, self.rows = graph["nodes"], snapshot["rows"]
        self.into: list[list[int]] = [[] for _ in self.nodes]  # edges by their target
        self.out: list[list[int]] = [[] for _ in self.nodes]  # edges by their source
        for at, edge in enumerate(graph["edges"]):
            self.into[edge["target"]].append(at)
            self.out[edge["source"]].append(at)
        self.contributions = {c["edge"]: c["grad"] for c in snapshot["contributions"]}

    def edge(self, at: int) -> Edge:
        return self.graph["edges"][at]

    def place(self, node: int) -> str:
        """The path of the module that a node belongs to; "" for none and for a root."""
        scope = self.nodes[node]["scope"]
        return "" if scope is None else self.graph["scopes"][scope]["path"]

    def label(self, node: int) -> str:
        """A node as a sentence names it: "sigmoid (encoder.3)"."""
        name = self.nodes[node]["name"] or self.nodes[node]["kind"]
        place = self.place(node) if self.nodes[node]["kind"] == "op" else ""
        return f"{name} ({place})" if place else name

    @cached_property
    def root(self) -> int | None:
        """The node that the backward pass began with."""
        turns = [(row["turn"], at) for at, row in enumerate(self.rows) if row["turn"] is not None]
        return min(turns)[1] if turns else self._root_by_gradients()

    def _root_by_gradients(self) -> int | None:
        return max((at for at in range(len(self.rows)) if self.rows[at]["grad"]), default=None)

    @cached_property
    def parameters(self) -> list[int]:
        """The leaves that ask for a gradient."""
        return [
            node["id"]
            for node in self.nodes
            if node["kind"] != "op" and node["requires_grad"]
        ]  # fmt: skip

    def sent(self, at: int) -> Summary | None:
        """The gradient that an edge carried back."""
        if (found := self.contributions.get(at)) is not None:
            return found
        source = self.edge(at)["source"]
        receiving = [e for e in self.out[source] if self.rows[self.edge(e)["target"]]["grad"]]
        return self.rows[source]["grad"] if receiving == [at] else None

    def norm(self, node: int) -> float | None:
        """|ȳ| of a node's output."""
        return norm_of(self.rows[node]["grad"])

    @cached_property
    def onward(self) -> list[int | None]:
        """For each node the edge by which most of its gradient came, towards the loss."""
        chosen: list[int | None] = []
        for node in range(len(self.nodes)):
            candidates = [e for e in self.out[node] if self.rows[self.edge(e)["target"]]["grad"]]
            chosen.append(max(candidates, key=self._weight, default=None))
        return chosen

    def _weight(self, at: int) -> float:
        summary = self.sent(at)
        if summary is None:
            return -1.0
        return math.inf if summary["nan"] or summary["inf"] else summary["norm"] or 0.0

    @cached_property
    def has_weights(self) -> list[bool]:
        """Does a node combine its input with a parameter of two or more dimensions?"""
        return [any(True for _ in self.weights(at)) for at in range(len(self.nodes))]

    def weights(self, node: int) -> Iterable[int]:
        for at in self.into[node]:
            source = self.nodes[self.edge(at)["source"]]
            if source["kind"] == "parameter" and len(source["shape"]) > 1:
                yield source["id"]

    def weight(self, node: int) -> int | None:
        """The largest parameter that an op multiplies with."""
        return max(
            self.weights(node), key=lambda at: math.prod(self.nodes[at]["shape"]), default=None
        )

    @cached_property
    def head(self) -> list[int | None]:
        """For each node the op with weights that is nearest to the loss on its way there."""
        heads: list[int | None] = [None] * len(self.nodes)
        for node in range(len(self.nodes) - 1, -1, -1):
            at = self.onward[node]
            further = None if at is None else heads[self.edge(at)["target"]]
            if further is None and self.has_weights[node] and self.rows[node]["grad"]:
                further = node
            heads[node] = further
        return heads

    def path(self, node: int, first: int | None = None) -> list[Hop]:
        """From the loss to `node`, whose first edge towards the loss is `first` if given."""
        hops: list[Hop] = [self.hop(node, None)]
        at = self.onward[node] if first is None else first
        while at is not None:
            target = self.edge(at)["target"]
            hops.append(self.hop(target, self.factor(at)))
            at = self.onward[target]
        return hops[::-1]

    def hop(self, node: int, factor: float | None) -> Hop:
        name = self.nodes[node]["name"] or self.nodes[node]["kind"]
        return {
            "node": node,
            "name": name,
            "place": self.place(node),
            "norm": reach(self.rows[node]["grad"] if self.rows else None),
            "factor": factor,
        }

    def factor(self, at: int) -> float | None:
        """|x̄| / |ȳ| of an edge from x to y."""
        arrived, passed = self.norm(self.edge(at)["target"]), reach(self.sent(at))
        return None if not arrived or passed is None else passed / arrived

    def source(self, node: int) -> Source | None:
        """The user's line behind a node; of a leaf, that of its first use."""
        if self.nodes[node]["source"] is not None or not self.out[node]:
            return self.nodes[node]["source"]
        return self.nodes[self.edge(self.out[node][0])["target"]]["source"]

    def names(self, nodes: Iterable[int]) -> list[str]:
        return list(dict.fromkeys(self.nodes[at]["name"] for at in nodes))

    def origin(self, node: int) -> int:
        """What a node's first input was made by, ops that only rearrange left out."""
        at = self.into[node][0] if self.into[node] else None
        while at is not None:
            node = self.edge(at)["source"]
            again = self.nodes[node]["name"] in _RESHAPING and self.into[node]
            at = self.into[node][0] if again else None
        return node


def norm_of(summary: Summary | None) -> float | None:
    """None also where some elements are not finite: their norm says nothing."""
    return None if summary is None or odd(summary) else summary["norm"]


def reach(summary: Summary | None) -> float | None:
    """The norm, infinite or NaN where an element is."""
    if summary is None or not odd(summary):
        return norm_of(summary)
    return math.nan if summary["nan"] else math.inf


def odd(summary: Summary | None) -> bool:
    return summary is not None and bool(summary["nan"] or summary["inf"])


def _turn(row: Row) -> int:
    return row["turn"] if row["turn"] is not None else 1 << 30


def position(path: list[Hop], node: int) -> int | None:
    return next((at for at, hop in enumerate(path) if hop["node"] == node), None)


def size_of(summary: Summary | None) -> float:
    """Root mean square."""
    if summary is None or summary["norm"] is None:
        return 0.0
    return summary["norm"] / math.sqrt(max(1, math.prod(summary["shape"])))


def relative(case: Case, parameter: int) -> float | None:
    """|gradient| / |weights|."""
    gradient, value = case.norm(parameter), norm_of(case.rows[parameter]["value"])
    return gradient / value if gradient is not None and value else None


def update_ratio(case: Case) -> float | None:
    """|update| / |weights| over all weight matrices together."""
    updates = values = 0.0
    for at in case.parameters:
        update, value = norm_of(case.rows[at]["update"]), norm_of(case.rows[at]["value"])
        if update is not None and value is not None and len(case.nodes[at]["shape"]) > 1:
            updates, values = updates + update**2, values + value**2
    return math.sqrt(updates / values) if values and updates else None


def parameters_behind(case: Case, node: int) -> list[int]:
    """The parameters that get their gradient through a node, the nearest first."""
    found, seen, line = [], {node}, [node]
    for each in line:  # grows while it is gone through: breadth first
        for at in case.into[each]:
            source = case.edge(at)["source"]
            if source in seen or case.rows[source]["grad"] is None:
                continue
            seen.add(source)
            if case.nodes[source]["kind"] == "parameter":
                found.append(source)
            else:
                line.append(source)
    return found
