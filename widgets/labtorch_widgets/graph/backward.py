"""The backward pass of a recorded step, one stop at a time.

A stop is a box of the drawing: an op, a tensor that gets its gradient accumulated, or a closed
module with all that is in it. Everything comes from the step as it was recorded: when the pass
came to each node, what arrived there, and what each consumer of a shared tensor sent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..shared.arrays import slab
from ..shared.formula import mathml
from ..shared.numbers import number
from .evidence import small
from .fold import Outline

MOST_PARTS = 8  # contributions to one tensor that are drawn


@dataclass
class Stop:
    item: str
    turn: int  # when the pass came to it
    nodes: list[int] = field(default_factory=list)


class BackwardPass:
    """The stops of one step, as the drawing is folded now."""

    def __init__(self, outline: Outline, owner: list[str], snapshot: Any) -> None:
        self.outline, self.owner = outline, owner
        self.rows = snapshot["rows"]
        self.sent = {each["edge"]: each["grad"] for each in snapshot["contributions"]}
        self.shared: dict[int, list[int]] = defaultdict(list)  # tensor -> edges to its consumers
        for edge in self.sent:
            self.shared[outline.edges[edge]["source"]].append(edge)
        found: dict[str, Stop] = {}
        turns = ((row["turn"], node) for node, row in enumerate(self.rows))
        for turn, node in sorted((turn, node) for turn, node in turns if turn is not None):
            found.setdefault(owner[node], Stop(owner[node], turn)).nodes.append(node)
        self.stops = list(found.values())

    def place(self, turn: int) -> int:
        """Which stop the pass is at when it has come to `turn`."""
        return max(0, sum(stop.turn <= turn for stop in self.stops) - 1)

    def frame(self, at: int) -> dict[str, Any]:
        """The pass at its stop `at`: what is done, what flows now, what adds up."""
        count = len(self.stops)
        if not count:
            return {"at": 0, "count": 0, "reached": []}
        at = max(0, min(at, count - 1))
        stop, done = self.stops[at], {each.item for each in self.stops[: at + 1]}
        node = stop.nodes[0]
        kind = "op" if len(stop.nodes) == 1 else "scope"
        if self.outline.node_keys[node] == stop.item:
            kind = "op" if self.outline.nodes[node]["kind"] == "op" else "leaf"
        return {
            "at": at,
            "count": count,
            "item": stop.item,
            "kind": kind,
            "name": self._name(stop),
            "norm": self._norm(self.rows[node]["grad"]),
            "operations": sum(self.outline.nodes[n]["kind"] == "op" for n in stop.nodes),
            "leaves": sum(self.outline.nodes[n]["kind"] != "op" for n in stop.nodes),
            "reached": [each.item for each in self.stops[: at + 1]],
            "edges": self._edges(done, stop.item),
            "sent": self._sent(node) if kind == "op" else [],
            "fans": self._fans(stop, done),
        }

    def turn_after(self, at: int) -> int:
        """The last turn that belongs to the stops up to `at`."""
        stops = self.stops[: at + 1]
        return max((self.rows[n]["turn"] for stop in stops for n in stop.nodes), default=-1)

    # What flows

    def _gradient(self, edge: int) -> Any:
        """The summary of what went back along an edge of the graph, where it is known."""
        if edge in self.sent:
            return self.sent[edge]
        tensor = self.outline.edges[edge]
        if tensor["source"] in self.shared or tensor["output"]:
            return None
        return self.rows[tensor["source"]]["grad"]

    def _edges(self, done: set[str], now: str) -> list[dict[str, Any]]:
        """The edges of the drawing that a gradient has flowed along."""
        squares: dict[tuple[str, str], list[float | None]] = defaultdict(list)
        for at, edge in enumerate(self.outline.edges):
            ends = self.owner[edge["source"]], self.owner[edge["target"]]
            if ends[0] == ends[1] or ends[1] not in done:
                continue
            back = self.rows[edge["source"]]["grad"]
            if back is not None:
                summary = self._gradient(at)
                squares[ends].append(None if summary is None else summary["norm"])
        return [
            {
                "key": f"{source}>{target}",
                "norm": None
                if any(n is None for n in norms)
                else number(math.sqrt(sum(n * n for n in norms if n is not None)), 3),
                "now": target == now,
            }
            for (source, target), norms in squares.items()
        ]

    def _sent(self, node: int) -> list[dict[str, Any]]:
        """What the op sends to each of its inputs, with the rule."""
        rules = {vjp["input"]: vjp["formula"] for vjp in self.outline.nodes[node]["vjps"]}
        found = []
        for at, edge in enumerate(self.outline.edges):
            if edge["target"] != node or self.rows[edge["source"]]["grad"] is None:
                continue
            rule = rules.get(edge["argument"], rules.get("", ""))
            source = self.outline.nodes[edge["source"]]
            found.append(
                {
                    "argument": edge["argument"],
                    "to": source["name"] or source["kind"],
                    "mathml": mathml(rule) if rule else "",
                    "latex": rule,
                    "norm": self._norm(self._gradient(at)),
                }
            )
        return found

    # What adds up

    def _fans(self, stop: Stop, done: set[str]) -> list[dict[str, Any]]:
        """The tensors with several consumers that the stop sends to, or is."""
        nodes = set(stop.nodes)
        touched = [
            tensor
            for tensor, edges in self.shared.items()
            if tensor in nodes or any(self.outline.edges[e]["target"] in nodes for e in edges)
        ]
        return [self._fan(tensor, nodes, done) for tensor in touched[:3]]

    def _fan(self, tensor: int, now: set[int], done: set[str]) -> dict[str, Any]:
        edges = self.outline.edges

        def turn(edge: int) -> float:
            found = self.rows[edges[edge]["target"]]["turn"]
            return float("inf") if found is None else found

        order = sorted(self.shared[tensor], key=turn)
        arrived = [edge for edge in order if self.owner[edges[edge]["target"]] in done]
        whole = len(arrived) == len(order)
        parts: list[dict[str, Any]] = [
            {
                "from": self.outline.nodes[edges[edge]["target"]]["name"],
                "argument": edges[edge]["argument"],
                "arrived": edge in arrived,
                "now": edges[edge]["target"] in now,
                "norm": self._norm(self.sent[edge]),
                "slab": _picture(self.sent[edge]),
            }
            for edge in order[:MOST_PARTS]
        ]
        total, norm = self._sum([self.sent[edge] for edge in arrived])
        pictures = [p for p in (total, *(part["slab"] for part in parts)) if p is not None]
        limit = max((picture["limit"] for picture in pictures), default=0.0)
        for picture in pictures:  # one scale: the eye adds what it sees
            picture["limit"] = limit
        if whole and self.rows[tensor]["grad"] is not None:
            norm = self.rows[tensor]["grad"]["norm"]
        return {
            "name": self.outline.nodes[tensor]["name"] or self.outline.nodes[tensor]["kind"],
            "key": self.owner[tensor],
            "parts": parts,
            "arrived": len(arrived),
            "count": len(order),
            "sum": total,
            "norm": number(norm, 3),
        }

    def _sum(self, summaries: list[Any]) -> tuple[dict[str, Any] | None, float | None]:
        """The picture of a sum is the sum of the pictures; its norm only of whole ones."""
        grids = [_grid(summary) for summary in summaries]
        known = [grid for grid in grids if grid is not None]
        if not known or len(known) < len(grids):
            return None, None
        total = np.sum(known, axis=0)
        exact = all(small(summary) is not None for summary in summaries)
        return slab(total), float(np.linalg.norm(total)) if exact else None

    def _norm(self, summary: Any) -> Any:
        return None if summary is None else number(summary["norm"], 3)

    def _name(self, stop: Stop) -> str:
        key = stop.item
        if key in self.outline.index:
            return self.outline.scopes[self.outline.index[key]]["name"]
        node = self.outline.nodes[stop.nodes[0]]
        return node["name"] or node["kind"]


def _grid(summary: Any) -> np.ndarray | None:
    """The thumbnail as numbers."""
    thumbnail = summary["thumbnail"]
    if not thumbnail or not thumbnail["values"]:
        return None
    values = [[np.nan if v is None else v for v in row] for row in thumbnail["values"]]
    grid = np.array(values, np.float32)
    for row, column, glyph in thumbnail["glyphs"]:
        grid[row, column] = float(glyph)
    return grid


def _picture(summary: Any) -> dict[str, Any] | None:
    grid = _grid(summary)
    return None if grid is None else slab(grid)
