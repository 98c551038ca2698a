"""The arrays of one node in one step, as far as anybody kept them.

A lens keeps whole arrays. Where none was on the node, the thumbnails of small tensors are the
tensors themselves, so that a small model can be read element by element all the same.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Evidence:
    """What a node took, made and got back; by argument name where there are several."""

    output: np.ndarray | None = None
    cotangent: np.ndarray | None = None  # the gradient of the output
    arguments: dict[str, np.ndarray] = field(default_factory=dict)
    gradients: dict[str, np.ndarray] = field(default_factory=dict)  # that its rules sent back
    options: dict[str, Any] = field(default_factory=dict)  # arguments that are no tensors
    shapes: dict[str, list[int]] = field(default_factory=dict)  # of the whole arguments
    captured: Any = None  # as the lens kept it


def gather(recording: Any, step: int, graph: Any, snapshot: Any, node: int) -> Evidence:
    """All that is known of the arrays of `node` in `step`."""
    found = Evidence()
    takes = [(at, edge) for at, edge in enumerate(graph["edges"]) if edge["target"] == node]
    found.shapes = {edge["argument"]: edge["shape"] for _, edge in takes}
    found.options = {
        name: _read(value) for name, value in graph["nodes"][node]["arguments"].items()
    }
    rows = snapshot["rows"]
    found.output, found.cotangent = small(rows[node]["value"]), small(rows[node]["grad"])
    sent = {each["edge"]: each["grad"] for each in snapshot["contributions"]}
    several = {graph["edges"][at]["source"] for at in sent}
    for at, edge in takes:
        if edge["output"] == 0:
            _put(found.arguments, edge["argument"], small(rows[edge["source"]]["value"]))
        if at in sent:
            _put(found.gradients, edge["argument"], small(sent[at]))
        elif edge["source"] not in several and edge["output"] == 0:
            _put(found.gradients, edge["argument"], small(rows[edge["source"]]["grad"]))
    try:
        captured = recording.arrays(node, step)
    except LookupError:  # the step was let go meanwhile, or is under way
        captured = None
    if captured is not None:
        _add(found, captured, graph["nodes"][node]["shape"])
    return found


def _add(found: Evidence, captured: Any, shape: list[int]) -> None:
    """What a lens kept: all of it, or a part where nothing better is there."""
    found.captured = captured
    if captured.outputs:
        found.output = _better(captured.outputs[0], found.output, shape)
        found.cotangent = _better(captured.cotangents[0], found.cotangent, shape)
    for mine, theirs in (
        (found.arguments, captured.arguments),
        (found.gradients, captured.gradients),
    ):
        for name, array in theirs.items():
            _put(mine, name, _better(array, mine.get(name), found.shapes.get(name)))


def _better(
    array: np.ndarray | None, known: np.ndarray | None, shape: list[int] | None
) -> np.ndarray | None:
    whole = array is not None and (shape is None or list(array.shape) == list(shape))
    return array if whole or known is None else known


def _put(into: dict[str, np.ndarray], name: str, array: np.ndarray | None) -> None:
    if array is not None:
        into[name] = array


def small(summary: Any) -> np.ndarray | None:
    """The tensor itself, where its thumbnail holds every element."""
    thumbnail = summary and summary["thumbnail"]
    if not thumbnail or not thumbnail["exact"]:
        return None
    values = np.array(
        [[np.nan if value is None else value for value in row] for row in thumbnail["values"]],
        np.float64 if summary["dtype"] == "float64" else np.float32,
    )
    for row, column, glyph in thumbnail["glyphs"]:
        values[row, column] = float(glyph)
    shape = summary["shape"]
    if summary["dtype"].startswith("complex") or values.size != np.prod(shape, dtype=int):
        return None
    kind = summary["dtype"]
    return values.reshape(shape).astype(kind if kind.startswith(("int", "uint", "bool")) else "f8")


def _read(value: Any) -> Any:
    """An argument as it was; tuples and lists have travelled as text."""
    if isinstance(value, str) and value[:1] in ("(", "["):
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
    return value
