"""The widget of the op timeline."""

from __future__ import annotations

import math
from typing import Any

import traitlets

from ..shared.cursor import TimeCursor
from ..shared.numbers import plain
from ..shared.view import View, bundle
from .bars import bars, depth
from .statistics import GROUPS, Usual, module_path, table, unmeasured
from .still import draw

ITEMSIZE = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "float16": 2, "bfloat16": 2}
ITEMSIZE |= {"int64": 8, "float64": 8, "complex64": 8, "complex128": 16}  # and 4 of all others


class TimelineView(View):
    """The ops of a step in time: see `labtorch_widgets.timeline`."""

    _esm = bundle("timeline.js")
    _css = bundle("timeline.css")

    structure = traitlets.Dict().tag(sync=True)

    def __init__(self, cursor: TimeCursor, *, lang: str | None = None) -> None:
        self._usual = Usual()
        self._opened: int | None = None
        self._by: str | None = None  # the table's grouping, while it is open
        super().__init__(cursor, lang=lang)
        self.commands |= {"open": self.open_node, "close": self.close_node, "table": self.tabulate}
        self.refresh(now=True)

    # What a learner does, also from Python

    def open_node(self, node: int) -> None:
        """Show what is known of the times of the op that is `node` in the graph."""
        self._opened = int(node)
        self.refresh(now=True)

    def close_node(self) -> None:
        """Put the pane away."""
        self._opened = None
        self.refresh(now=True)

    def tabulate(self, by: str | None = "op") -> None:
        """Sum the times up by "op", "module", "line" or "call"; None puts the table away.

        Raises ValueError for any other grouping.
        """
        if by is not None and by not in GROUPS:
            raise ValueError(f"times are summed up by {', '.join(GROUPS)}, not {by!r}")
        self._by = by
        self.refresh(now=True)

    # What the base asks for

    def make_frame(self) -> dict[str, Any]:
        span = self.cursor.span()
        found = self._look()
        if found is None:
            return {"time": span | {"shown": None}, "bars": [], "measured": False}
        step, graph, timings = found
        if graph["key"] != self.structure.get("key"):
            self.structure = describe(graph)
        times, duration = timings["rows"], timings["duration"]
        if self._by or self._opened is not None:
            self._usual.update(self.cursor.recording, graph)
        known = self._opened in self._usual.ops
        return {
            "time": span | {"shown": step},
            "measured": timings["measured"],
            "duration": plain(duration),
            "measuring": plain(timings.get("measuring_seconds")),
            "unmeasured": plain(unmeasured(self.cursor.recording), 3),
            "bars": [plain(list(bar), 7) for bar in bars(graph, times, duration)],
            "memory": memory(graph, times),
            "steps": self._usual.count,
            "usual": plain(self._usual.of_node(self._opened)) if known else None,  # type: ignore[arg-type]
            "opened": self._opened if known else None,
            "by": self._by,
            "table": plain(table(graph, times, duration, self._by, self._usual))
            if self._by
            else None,
        }

    def still(self) -> str:
        with self._lock:
            return draw(self.structure, self.frame, self.language)

    def summary(self) -> str:
        return "TimelineView()"

    # Inside

    def _look(self) -> tuple[int, Any, Any] | None:
        """The step shown, with its graph and times; the step under way where it is shown."""
        recording = self.cursor.recording
        if self.cursor.live and (present := recording.present) is not None:
            graph, snapshot = present
            rows = snapshot["rows"]
            names = ("forward_start", "forward_seconds", "backward_start", "backward_seconds")
            columns = {name: [row[name] for row in rows] for name in names}  # type: ignore[literal-required]
            return snapshot["step"], graph, {**snapshot, "rows": columns}
        for _ in range(8):  # the store may let a step go while it is being asked for
            if (step := self.cursor.step) is None:
                return None
            try:
                return step, recording.graph(step), recording.timings(step)
            except LookupError:
                continue
        return None


def describe(graph: Any) -> dict[str, Any]:
    """What stays the same from step to step: each op and each module call by name."""
    nodes, taken = graph["nodes"], [0] * len(graph["nodes"])
    for edge in graph["edges"]:
        taken[edge["target"]] += math.prod(edge["shape"]) * ITEMSIZE.get(edge["dtype"], 4)
    return {
        "key": graph["key"],
        "depth": depth(graph),
        "gpu": any(node["device"].startswith("cuda") for node in nodes),
        "scopes": [
            {"name": s["name"], "type": s["type"], "path": module_path(graph, s["id"])}
            for s in graph["scopes"]
        ],
        "nodes": {
            str(node["id"]): {
                "name": node["name"],
                "module": module_path(graph, node["scope"]),
                "function": node["function"],
                "shape": list(node["shape"]),
                "flops": node["flops"],
                "nbytes": node["nbytes"] + taken[node["id"]],
                "source": dict(node["source"]) if node["source"] else None,
            }
            for node in nodes
            if node["kind"] == "op"
        },
    }


def memory(graph: Any, times: Any) -> dict[str, Any] | None:
    """The bytes that wait for the backward pass, over time; None where nothing was timed."""
    from labtorch.observe.memory import alive, kept_for_backward

    kept = kept_for_backward(graph, times)
    stairs = alive(kept)
    if not stairs:
        return None
    at, peak = max(stairs, key=lambda stair: stair[1])
    held = [k for k in kept if k["start"] <= at and (k["end"] is None or k["end"] > at)]
    return {
        "stairs": [[plain(second, 7), size] for second, size in stairs],
        "peak": {"seconds": plain(at, 7), "bytes": peak, "node": held[-1]["node"]},
        "blocks": [
            {"node": k["node"], "name": k["name"], "bytes": k["nbytes"]}
            for k in sorted(held, key=lambda k: -k["nbytes"])[:8]
        ],
    }
