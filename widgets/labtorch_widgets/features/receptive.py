"""From one output pixel back through all layers: what of the picture it can depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .geometry import bins, placing_of
from .layers import CONVOLUTIONS, MAXIMA, MEANS, NORMS, POINTWISE, Layer


class Box(NamedTuple):
    """Rows and columns, the ends included."""

    top: int
    bottom: int
    left: int
    right: int

    def around(self, other: Box) -> Box:
        """The smallest box with both in it."""
        return Box(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def within(self, rows: int, columns: int) -> Box:
        return Box(
            max(self.top, 0),
            min(self.bottom, rows - 1),
            max(self.left, 0),
            min(self.right, columns - 1),
        )


def receptive_field(
    graph: Any, layer: Layer, row: int, column: int, picture: int, arrays: Callable[[int], Any]
) -> Box | None:
    """The part of node `picture` that a pixel of the layer is computed from, seen as a box.

    None where an op on the way mixes pixels in a manner not known here, or no way leads there. The
    statistics that a normalization takes over the whole batch are left aside, as is usual.
    """
    incoming: dict[int, list[tuple[str, int]]] = {}
    for edge in graph["edges"]:
        if len(edge["shape"]) >= 3 and edge["argument"] != "weight":
            incoming.setdefault(edge["target"], []).append((edge["argument"], edge["source"]))
    boxes = {layer.node: Box(row, row, column, column)}
    for at in range(layer.node, -1, -1):
        if at not in boxes or at == picture:
            continue
        box, op = boxes[at], graph["nodes"][at]["name"]
        for _, source in incoming.get(at, []):
            reached = _back(op, box, at, source, graph, arrays, layer.line)
            if reached is None:
                return None
            boxes[source] = reached.around(boxes[source]) if source in boxes else reached
    found = boxes.get(picture)
    size = _size(graph["nodes"][picture]["shape"], layer.line)
    return None if found is None else found.within(*size)


def _back(
    op: str,
    box: Box,
    at: int,
    source: int,
    graph: Any,
    arrays: Callable[[int], Any],
    line: bool,
) -> Box | None:
    if op in POINTWISE or op in NORMS:
        return box
    if op not in CONVOLUTIONS | MAXIMA | MEANS:
        return None
    rows, columns = _size(graph["nodes"][source]["shape"], line)
    if op.startswith("adaptive"):
        out = _size(graph["nodes"][at]["shape"], line)
        tall = [bins(rows, out[0], i) for i in (box.top, box.bottom)]
        wide = [bins(columns, out[1], i) for i in (box.left, box.right)]
        return Box(tall[0].start, tall[1].stop - 1, wide[0].start, wide[1].stop - 1)
    captured = arrays(at)
    if captured is None or (op in CONVOLUTIONS and captured.arguments.get("weight") is None):
        return None
    placing = placing_of(op, dict(zip(captured.op.parameters, captured.args, strict=False)))
    met_rows, met_columns = [], []
    for row in range(box.top, box.bottom + 1):
        met_rows += [each for each in placing.window(row, 0)[0] if each is not None]
    for column in range(box.left, box.right + 1):
        met_columns += [each for each in placing.window(0, column)[1] if each is not None]
    if not met_rows or not met_columns:
        return None
    met = Box(min(met_rows), max(met_rows), min(met_columns), max(met_columns))
    return met.within(rows, columns)


def _size(shape: list[int], line: bool) -> tuple[int, int]:
    """Rows and columns of a node's maps."""
    return (1, shape[-1]) if line else (shape[-2], shape[-1])
