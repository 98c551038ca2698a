"""What a step keeps for its backward pass: by op, by edge of the drawing, and in bytes over time.

A tensor that several ops keep is one tensor: it counts once, and is let go with the last of them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

MOST_POINTS = 120


class Kept(NamedTuple):
    """A tensor that the op `keeper` keeps."""

    keeper: int
    tensor: tuple[Any, ...]  # what is one and the same tensor has one and the same
    name: str
    nbytes: int
    producer: int | None  # whose output it is; None for an inner state of the op
    lasting: bool  # a parameter or an input, which lives anyway


class Memory:
    """How many bytes are kept, from the first op to the last and back again."""

    def __init__(self, graph: Any, rows: list[Any]) -> None:
        self.kept = [
            Kept(
                node["id"],
                ("inner", node["id"], saved["name"])
                if saved["node"] is None
                else (saved["node"], saved["output"]),
                saved["name"],
                saved["nbytes"],
                saved["node"],
                saved["node"] is not None and graph["nodes"][saved["node"]]["kind"] != "op",
            )
            for node in graph["nodes"]
            for saved in node["saved"]
        ]
        size = {each.tensor: each.nbytes for each in self.kept}
        self.total = sum(size.values())
        self.lasting = sum({e.tensor: e.nbytes for e in self.kept if e.lasting}.values())
        turns = {each.keeper: rows[each.keeper]["turn"] for each in self.kept}
        self.turn = turns  # when each op that keeps something goes backward
        first: dict[tuple, int] = {}
        last: dict[tuple, float] = {}
        for each in self.kept:
            first[each.tensor] = min(first.get(each.tensor, each.keeper), each.keeper)
            turn = turns[each.keeper]
            ended = float("inf") if turn is None else float(turn)
            last[each.tensor] = max(last.get(each.tensor, ended), ended)
        self._size, self._last = size, last
        born: dict[int, int] = defaultdict(int)
        freed: dict[float, int] = defaultdict(int)
        for tensor, nbytes in size.items():
            born[first[tensor]] += nbytes
            freed[last[tensor]] += nbytes
        self.curve = [0]
        for node in sorted(born):
            self.curve.append(self.curve[-1] + born[node])
        self.top = len(self.curve) - 1  # the point where forward ends
        self._frees = sorted(turn for turn in freed if turn != float("inf"))
        for turn in self._frees:
            self.curve.append(self.curve[-1] - freed[turn])

    def at(self, turn: int | None) -> dict[str, Any]:
        """The meter where the backward pass has done `turn`; None before it begins."""
        place = self.top
        if turn is not None:
            place += sum(each <= turn for each in self._frees)
        stride = max(1, -(-len(self.curve) // MOST_POINTS))
        places = sorted({*range(0, len(self.curve), stride), self.top, place, len(self.curve) - 1})
        return {
            "total": self.total,
            "lasting": self.lasting,
            "now": self.curve[place],
            "curve": [self.curve[i] for i in places],
            "top": places.index(self.top),
            "at": places.index(place),
        }

    def drawn(self, owner: list[str], turn: int | None) -> dict[str, Any]:
        """What is still kept, by the edge that brought it or by the item that made it itself."""
        edges: dict[str, int] = defaultdict(int)
        items: dict[str, dict[str, int]] = defaultdict(dict)
        for each in self.kept:
            done = self.turn[each.keeper]
            if turn is not None and done is not None and done <= turn:
                continue
            here = owner[each.keeper]
            if each.producer is None or owner[each.producer] == here:
                items[here][each.name] = items[here].get(each.name, 0) + each.nbytes
            else:
                edges[f"{owner[each.producer]}>{here}"] += each.nbytes
        return {"edges": dict(edges), "items": {key: dict(names) for key, names in items.items()}}
