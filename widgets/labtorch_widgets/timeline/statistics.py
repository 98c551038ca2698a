"""Times over the kept steps that share a structure: medians, quartiles, what adds up to most."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

STEPS = 64  # that medians are taken over, at most
MOST_ROWS = 200  # of the table


class Usual:
    """The times of the last kept steps of one graph, one row a step."""

    def __init__(self) -> None:
        self.key, self.ops = "", np.zeros(0, int)
        self._steps: dict[int, np.ndarray] = {}  # (2, ops): forward and backward seconds

    def update(self, recording: Any, graph: Any) -> None:
        """Read the steps that are new."""
        if graph["key"] != self.key:
            self.key, self._steps = graph["key"], {}
            self.ops = np.array([n["id"] for n in graph["nodes"] if n["kind"] == "op"], int)
        wanted: dict[int, np.ndarray] = {}
        for step in reversed(recording.steps):
            if len(wanted) >= STEPS:
                break
            if (known := self._steps.get(step)) is not None:
                wanted[step] = known
                continue
            try:
                timings = recording.timings(step)
            except LookupError:  # let go since the list was made
                continue
            if timings["graph"] == self.key and timings["measured"]:
                columns = (timings["rows"][f"{p}_seconds"] for p in ("forward", "backward"))
                both = np.array([[math.nan if s is None else s for s in c] for c in columns])
                wanted[step] = both[:, self.ops]
        self._steps = wanted

    @property
    def count(self) -> int:
        return len(self._steps)

    def of_node(self, node: int) -> dict[str, Any]:
        """Median and quartiles of one op's two passes; None where it was never timed."""
        at = int(np.searchsorted(self.ops, node))
        found: dict[str, Any] = {}
        for i, phase in enumerate(("forward", "backward")):
            seconds = [s[i, at] for s in self._steps.values() if not math.isnan(s[i, at])]
            found[phase] = _quartiles(np.array(seconds)) if seconds else None
        return found

    def of_groups(self, groups: np.ndarray, count: int) -> list[list[float]]:
        """Median and quartiles of what the ops of each group take together in a step."""
        totals = [
            np.bincount(groups, np.nansum(both, 0), minlength=count)
            for both in self._steps.values()
        ]
        return [_quartiles(np.array(column)) for column in zip(*totals)] if totals else []


def _quartiles(seconds: np.ndarray) -> list[float]:
    return [float(q) for q in np.quantile(seconds, (0.5, 0.25, 0.75))]


GROUPS: dict[str, Callable[[Any, Any], str]] = {
    "op": lambda node, graph: node["name"],
    "module": lambda node, graph: (
        "" if node["scope"] is None else module_path(graph, node["scope"])
    ),
    "line": lambda node, graph: line_of(node),
    "call": lambda node, graph: f"{node['name']} #{node['id']}",
}


def module_path(graph: Any, scope: int | None) -> str:
    names: list[str] = []
    while scope is not None:
        names.append(graph["scopes"][scope]["name"])
        scope = graph["scopes"][scope]["parent"]
    return ".".join(reversed(names))


def line_of(node: Any) -> str:
    source = node["source"]
    if source is None:
        return ""
    return f"{source['line']}: {source['text'].strip()}"


def table(graph: Any, times: Any, duration: float, by: str, usual: Usual) -> list[dict[str, Any]]:
    """What takes most of a step, by op, module, source line, or each call for itself."""
    name = GROUPS[by]
    labels: list[str] = []
    members: dict[str, list[Any]] = {}
    for node in graph["nodes"]:
        if node["kind"] == "op":
            labels.append(name(node, graph))
            members.setdefault(labels[-1], []).append(node)
    order = list(members)
    groups = np.array([order.index(label) for label in labels], int)
    middle = usual.of_groups(groups, len(order)) if usual.count else []
    rows: list[dict[str, Any]] = []
    for at, label in enumerate(order):
        seconds = {
            phase: sum(times[f"{phase}_seconds"][n["id"]] or 0.0 for n in members[label])
            for phase in ("forward", "backward")
        }
        counts = [n["flops"] for n in members[label]]
        total = seconds["forward"] + seconds["backward"]
        rows.append(
            {
                "label": label,
                "calls": len(members[label]),
                **seconds,
                "total": total,
                "share": total / duration if duration else None,
                "flops": None if None in counts else sum(counts),
                "usual": middle[at] if middle else None,
            }
        )
    return sorted(rows, key=lambda row: -row["total"])[:MOST_ROWS]


def unmeasured(recording: Any) -> float | None:
    """The median seconds of a step that was not measured, all that lies between two steps included;
    None where every step was. Told from the clock at the kept steps around them."""
    found = []
    before = None
    for step in recording.steps[-STEPS:]:
        try:
            now = recording.timings(step)
        except LookupError:
            continue
        if before is not None and step - before["step"] > 1:
            between = now["seconds"] - now["duration"] - before["seconds"]
            found.append(between / (step - before["step"] - 1))
        before = now
    return statistics.median(found) if found else None
