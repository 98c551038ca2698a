"""Which bytes the backward pass keeps alive, over the time of a step.

An op's saved tensors wait, from when they were made, until the backward pass has come through the
last op that saved them. Parameters, buffers and inputs are not counted: they live anyway. A view
has no memory of its own: what saves it keeps the tensor that it shows. (Whether an op made a view
is told by its name: a reshape that had to copy is taken for one.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from labtorch.observe.cost import VIEWS
from labtorch.observe.snapshot import Graph

Times = Mapping[str, Sequence[float | None]]  # columns of rows, as `Recording.timings` gives them


class Kept(TypedDict):
    """One block of memory that waits for the backward pass."""

    node: int  # that made it
    name: str  # of an op's inner state; "" for an output
    nbytes: int
    start: float  # seconds since the step began
    end: float | None  # None: it was not let go within the step


def kept_for_backward(graph: Graph, times: Times) -> list[Kept]:
    """The saved tensors of a step, each once, in the order in which they were made."""
    nodes = graph["nodes"]
    shown = {  # what a view shows
        edge["target"]: edge
        for edge in graph["edges"]
        if edge["argument"] == "input" and nodes[edge["target"]]["name"] in VIEWS
    }
    found: dict[tuple[int, int | str], Kept] = {}
    for node in nodes:
        at = node["id"]
        end = _end(times, "backward", at)
        for saved in node["saved"]:
            origin, nbytes = saved["node"], saved["nbytes"]
            key: tuple[int, int | str] = at, saved["name"]
            if origin is not None:
                output = saved["output"]
                while (edge := shown.get(origin)) is not None:
                    origin, output = edge["source"], edge["output"]
                    nbytes = math.prod(edge["shape"]) * np.dtype(edge["dtype"]).itemsize
                key = origin, output
            made = _end(times, "forward", key[0])
            if nodes[key[0]]["kind"] != "op" or made is None:
                continue
            name = saved["name"] if origin is None else ""
            one = found.setdefault(
                key, {"node": key[0], "name": name, "nbytes": nbytes, "start": made, "end": end}
            )
            if end is None or one["end"] is None:
                one["end"] = None
            else:
                one["end"] = max(one["end"], end)
    return sorted(found.values(), key=lambda each: each["start"])


def _end(times: Times, phase: str, at: int) -> float | None:
    start, seconds = times[f"{phase}_start"][at], times[f"{phase}_seconds"][at]
    return None if start is None or seconds is None else start + seconds


def alive(kept: Sequence[Kept]) -> list[tuple[float, int]]:
    """(seconds, bytes alive from then on), ascending: the staircase that the blocks add up to."""
    changes: dict[float, int] = {}
    for each in kept:
        changes[each["start"]] = changes.get(each["start"], 0) + each["nbytes"]
        if each["end"] is not None:
            changes[each["end"]] = changes.get(each["end"], 0) - each["nbytes"]
    total, steps = 0, []
    for second in sorted(changes):
        total += changes[second]
        steps.append((second, total))
    return steps
