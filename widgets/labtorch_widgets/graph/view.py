"""The widget of the computation graph."""

from __future__ import annotations

from typing import Any

import traitlets

from ..shared.cursor import TimeCursor
from ..shared.numbers import plain
from ..shared.view import View, bundle
from .detail import describe, glance, measures
from .fold import Outline
from .layout import lay_out, readable_depth
from .still import draw


class GraphView(View):
    """The live computation graph: see `labtorch_widgets.graph`."""

    _esm = bundle("graph.js")
    _css = bundle("graph.css")

    scene = traitlets.Dict().tag(sync=True)
    detail: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    timeline = traitlets.Bool(True).tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)

    def __init__(
        self,
        cursor: TimeCursor,
        *,
        depth: int | None = None,
        lang: str | None = None,
        timeline: bool = True,
    ) -> None:
        self._depth = depth
        self._toggled: dict[str, bool] = {}
        self._outline: Outline | None = None
        self._opened: str | None = None  # key of the node in the pane
        self._tabled = False
        super().__init__(cursor, lang=lang, timeline=timeline)
        self.commands |= {
            "toggle": self.toggle,
            "depth": self.unfold,
            "open": self.open_node,
            "close": self.close_node,
            "table": self._on_table,
        }
        self.refresh(now=True)

    # What a learner does, also from Python

    def unfold(self, depth: int) -> None:
        """Open modules down to `depth` levels and close the rest; 0 closes all."""
        with self._lock:
            deepest = self._outline.deepest if self._outline else 0
            self._depth, self._toggled = max(0, min(int(depth), deepest)), {}
            self._lay_out()
            self.refresh(now=True)

    def toggle(self, key: str) -> None:
        """Open the closed module `key`, or close it where it is open."""
        with self._lock:
            if self._outline is None or key not in self._outline.index:
                return
            level = self._outline.levels[self._outline.index[key]]
            self._toggled[key] = not self._toggled.get(key, level < self._level())
            self._lay_out()
            self.refresh(now=True)

    def open_node(self, key: str) -> None:
        """Show all that is known of the node `key`."""
        with self._lock:
            self._opened = key
            self._describe()
            self.refresh(now=True)

    def close_node(self) -> None:
        """Put the pane away."""
        with self._lock:
            self._opened = None
            self.detail = None

    # What the base asks for

    def make_frame(self) -> dict[str, Any]:
        span = self.cursor.span()
        found = self.cursor.look()
        if found is None:
            return {"time": span, "glances": {}, "failure": None, "pane": None, "rows": None}
        step, graph, snapshot = found
        if self._outline is None or graph["key"] != self._outline.graph["key"]:
            self._outline = Outline(graph)
            self._lay_out()
            self._describe()
        rows = snapshot["rows"]
        return {
            "time": span | {"shown": step},
            "measured": snapshot["measured"],
            "duration": plain(snapshot["duration"]),
            "loss": plain(snapshot["loss"]),
            "glances": {
                item["key"]: glance(rows[item["node"]])
                for item in self.scene["items"]
                if item["node"] is not None
            },
            "current": self._current(snapshot),
            "failure": self._failure(snapshot),
            "pane": self._pane(rows),
            "rows": self._table(rows) if self._tabled else None,
        }

    def still(self) -> str:
        with self._lock:
            return draw(self.scene, self.frame, self.language)

    def summary(self) -> str:
        return "GraphView()"

    # Inside

    def _level(self) -> int:
        if self._depth is None and self._outline is not None:
            self._depth = readable_depth(self._outline)
        return self._depth or 0

    def _lay_out(self) -> None:
        if self._outline is None:
            return
        folded = self._outline.fold(self._level(), self._toggled)
        self._owner = folded.owner
        scene = lay_out(folded)
        scene["depth"], scene["deepest"] = self._level(), self._outline.deepest
        scene["structure"] = self._outline.graph["key"]
        for item in scene["items"]:
            node = self._outline.nodes[item["node"]] if item["node"] is not None else None
            item["shape"] = list(node["shape"]) if node else []
            item["requiresGrad"] = bool(node and node["requires_grad"])
        self.scene = scene

    def _describe(self) -> None:
        """Fill the pane for the opened node; a graph without that node empties it."""
        if self._outline is None or self._opened is None:
            return
        keys = self._outline.node_keys
        known = self._opened in keys
        self.detail = describe(self._outline, keys.index(self._opened)) if known else None

    def _pane(self, rows: list[Any]) -> dict[str, Any] | None:
        if self._opened is None or self._outline is None or self.detail is None:
            return None
        return measures(rows[self._outline.node_keys.index(self._opened)])

    def _current(self, snapshot: Any) -> str | None:
        """The box that holds the node just done, where the step is shown op by op."""
        node = snapshot.get("current")
        return None if node is None else self._owner[node]

    def _failure(self, snapshot: Any) -> dict[str, Any] | None:
        failure = snapshot["failure"]
        if failure is None or self._outline is None:
            return None
        node = failure["node"]
        return {
            "key": self._owner[node] if node is not None else None,
            "op": culprit(self._outline.graph, failure),
            "kind": failure["kind"],
            "message": failure["message"],
        }

    def _on_table(self, show: bool) -> None:
        with self._lock:
            self._tabled = bool(show)
            self.refresh(now=True)

    def _table(self, rows: list[Any]) -> list[dict[str, Any]]:
        assert self._outline is not None
        return [
            {
                "key": key,
                "name": node["name"] or node["kind"],
                "kind": node["kind"],
                "module": ".".join(scope["name"] for scope in self._outline.path(node["id"])),
                "shape": list(node["shape"]),
                "requiresGrad": node["requires_grad"],
            }
            | glance(rows[node["id"]])
            for key, node in zip(self._outline.node_keys, self._outline.nodes, strict=True)
        ]


def culprit(graph: Any, failure: Any) -> str:
    """What failed, by name: the op, or the tensor that was bad before any op touched it."""
    if failure["op"] or failure["node"] is None:
        return failure["op"]
    node = graph["nodes"][failure["node"]]
    return node["name"] or node["kind"]
