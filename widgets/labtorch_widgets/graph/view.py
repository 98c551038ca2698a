"""The widget of the computation graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from ..shared.cursor import TimeCursor
from ..shared.numbers import plain
from ..shared.view import View, bundle
from .backward import BackwardPass
from .detail import describe, glance, measures
from .fold import Outline
from .inspection import Inspection
from .layout import lay_out, readable_depth
from .saved import Memory
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
        self._inspection: Inspection | None = None  # of that node
        self._turn: int | None = None  # where the backward pass is gone through, how far it is
        self._memory: tuple[Any, Memory] | None = None  # of the step shown
        self._dotted = False  # are the edges of tensors kept for backward to be seen?
        self._tabled = False
        super().__init__(cursor, lang=lang, timeline=timeline)
        self.commands |= {
            "toggle": self.toggle,
            "depth": self.unfold,
            "open": self.open_node,
            "close": self.close_node,
            "table": self._on_table,
            "backward": self.go_backward,
            "kept": self._on_kept,
            "window": self._inspecting(lambda it, of, **where: it.window(of, **where)),
            "pick": self._inspecting(lambda it, of, index: it.pick(of, index)),
            "show": self._inspecting(lambda it, of, shown: it.show(of, shown)),
            "check": self._inspecting(lambda it: it.ask()),
        }
        self.refresh(now=True)

    # What a learner does, also from Python

    def unfold(self, depth: int) -> None:
        """Open modules down to `depth` levels and close the rest; 0 closes all."""
        with self._lock:
            deepest = self._outline.deepest if self._outline else int(depth)
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
            self._inspect(None)
            self._opened = key
            self._describe()
            self.refresh(now=True)

    def close_node(self) -> None:
        """Put the pane away."""
        with self._lock:
            self._inspect(None)
            self._opened = None
            self.detail = None

    def go_backward(self, at: int | None = 0) -> None:
        """Go through the backward pass: to its stop `at`, counted from the loss; None leaves it."""
        with self._lock:
            found = None if at is None else self.cursor.look()
            self._turn = None
            if found is not None:
                self._turn = -1
                stops = self._pass(found[2]).stops
                if stops and at is not None:
                    self._turn = stops[max(0, min(int(at), len(stops) - 1))].turn
            self.refresh(now=True)

    def close(self) -> None:
        self._inspect(None)
        super().close()

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
        backward, turn = self._backward(snapshot)
        memory = self._remember(step, graph, rows)
        return {
            "backward": backward,
            "memory": memory.at(turn) if memory.total else None,
            "kept": memory.drawn(self._owner, turn) if self._dotted else None,
            "time": span | {"shown": step},
            "measured": snapshot["measured"],
            "duration": plain(snapshot["duration"]),
            "loss": plain(snapshot["loss"]),
            "glances": {
                item["key"]: glance(rows[item["node"]])
                | ({} if backward is None or item["key"] in backward["reached"] else {"grad": None})
                for item in self.scene["items"]
                if item["node"] is not None
            },
            "current": self._current(snapshot),
            "failure": self._failure(snapshot),
            "pane": self._pane(step, graph, snapshot),
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

    def _pane(self, step: int, graph: Any, snapshot: Any) -> dict[str, Any] | None:
        if self._opened is None or self._outline is None or self.detail is None:
            return None
        node = self._outline.node_keys.index(self._opened)
        if self._inspection is None:
            self._inspect(Inspection(self.cursor.recording, step, node))
        assert self._inspection is not None
        row = snapshot["rows"][node]
        return measures(row) | self._inspection.frame(step, graph, snapshot, node)

    def _pass(self, snapshot: Any) -> BackwardPass:
        assert self._outline is not None
        return BackwardPass(self._outline, self._owner, snapshot)

    def _backward(self, snapshot: Any) -> tuple[dict[str, Any] | None, int | None]:
        """The backward pass where it is gone through, and the last turn that is done."""
        if self._turn is None:
            return None, None
        steps = self._pass(snapshot)
        at = steps.place(self._turn)
        return steps.frame(at), steps.turn_after(at)

    def _remember(self, step: int, graph: Any, rows: list[Any]) -> Memory:
        marker = (step, graph["key"])
        if self._memory is None or self._memory[0] != marker:
            self._memory = (marker, Memory(graph, rows))
        return self._memory[1]

    def _on_kept(self, show: bool) -> None:
        with self._lock:
            self._dotted = bool(show)
            self.refresh(now=True)

    def _inspect(self, inspection: Inspection | None) -> None:
        if self._inspection is not None:
            self._inspection.close()
        self._inspection = inspection

    def _inspecting(self, act: Callable[..., None]) -> Callable[..., None]:
        """A command about the opened node; where none is open, it is late and nothing happens."""

        def command(**values: Any) -> None:
            with self._lock:
                if self._inspection is not None:
                    act(self._inspection, **values)
                    self.refresh(now=True)

        return command

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
