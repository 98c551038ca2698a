"""Numbers over many steps, read straight from the store: no thumbnails, no histograms unless asked.

What a view draws over time is a few moments of many nodes in hundreds of steps; `snapshot` would
unpack a thousand times as much.
"""

from __future__ import annotations

from typing import Any

from labtorch.observe.recording import PROBED, Recording
from labtorch.observe.snapshot import Histogram, Summary
from labtorch.observe.summary import Probe

MOMENTS = ("mean", "std", "min", "max", "norm", "zeros", "nan", "inf")
NORM = 4  # its place among them

Moments = tuple[
    float | None, float | None, float | None, float | None, float | None, float, int, int
]


def moments(recording: Any, step: int) -> dict[str, list[Moments | None]]:
    """The MOMENTS of "value", "grad" and "update" of every node in `step`, in the graph's order.

    `recording` is a Recording or whatever else has `snapshot`. Raises LookupError where the step
    is not kept.
    """
    return {what: [_moments(each) for each in column] for what, column in _read(recording, step)}


def histogram(recording: Any, step: int, node: int, of: str = "grad") -> Histogram | None:
    """How the elements of a node's "value", "grad" or "update" were distributed in `step`."""
    found = dict(_read(recording, step))[of][node]
    if isinstance(found, Probe):
        return found.histogram()
    return None if found is None else found["histogram"]


def _read(recording: Any, step: int) -> list[tuple[str, list[Any]]]:
    if isinstance(recording, Recording):
        columns = recording._step(step).columns
        return [(what, columns[what]) for what in PROBED]
    rows = recording.snapshot(step)["rows"]
    return [(what, [row[what] for row in rows]) for what in PROBED]


def _moments(found: Probe | Summary | None) -> Moments | None:
    if found is None:
        return None
    if isinstance(found, Probe):
        return found.moments  # type: ignore[return-value]
    return tuple(found[name] for name in MOMENTS)  # type: ignore[literal-required, return-value]
