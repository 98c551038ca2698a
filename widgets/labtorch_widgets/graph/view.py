"""The widget of the computation graph."""

from __future__ import annotations

import bisect
import math
import os
from collections.abc import Callable
from typing import Any

import traitlets

from ..shared.cursor import TimeCursor
from ..shared.numbers import plain
from ..shared.view import View, bundle
from ..shared.words import word
from . import export as files
from .backward import BackwardPass
from .detail import describe, glance, measures
from .difference import Changes, Union, union
from .fold import Folded, Outline
from .inspection import Inspection
from .layout import lay_out, readable_depth
from .overlay import MEASURES, overlay
from .saved import Memory
from .search import Index
from .still import draw, subtitle

MOST = 400  # boxes drawn at once: more than that nobody reads, and browsers stumble
REMEMBERED = 8  # graphs whose outlines are kept, for control flow that comes and goes
NOTHING: dict[str, Any] = dict.fromkeys(
    ("value", "grad", "update", "forward_seconds", "backward_seconds", "turn")
)  # the row of a node that this step does not have


class GraphView(View):
    """The live computation graph: see `labtorch_widgets.graph`."""

    _esm = bundle("graph.js")
    _css = bundle("graph.css")

    scene = traitlets.Dict().tag(sync=True)
    detail: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    found = traitlets.Dict().tag(sync=True)  # what the search found
    comparison: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    notice = traitlets.Dict().tag(sync=True)  # a word's key, and what is put into it
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
        self._outlines: dict[str, tuple[Outline, Union | None]] = {}
        self._union: Union | None = None  # with the step that is compared with
        self._compared: int | None = None
        self._changes = Changes(cursor.recording)
        self._measure: str | None = None  # what colours the boxes
        super().__init__(cursor, lang=lang, timeline=timeline)
        self.commands |= {
            "toggle": self.toggle,
            "depth": self.unfold,
            "open": self.open_node,
            "close": self.close_node,
            "table": self._on_table,
            "backward": self.go_backward,
            "kept": self._on_kept,
            "alike": self.toggle_alike,
            "repeats": self.unroll,
            "overlay": self.colour_by,
            "search": self.search,
            "reveal": self.reveal,
            "compare": self.compare,
            "change": self.go_to_change,
            "export": self._on_export,
            "window": self._inspecting(lambda it, of, **where: it.window(of, **where)),
            "pick": self._inspecting(lambda it, of, index: it.pick(of, index)),
            "show": self._inspecting(lambda it, of, shown: it.show(of, shown)),
            "check": self._inspecting(lambda it: it.ask()),
        }
        self.refresh(now=True)

    # What a learner does, also from Python

    def unfold(self, depth: int) -> None:
        """Open modules down to `depth` levels and close the rest; 0 closes all.

        At most MOST boxes are drawn: where that is too deep, it opens as far as that allows.
        """
        with self._lock:
            if (outline := self._outline) is None:
                self._depth = max(0, int(depth))
                return
            asked = wanted = max(0, min(int(depth), outline.deepest))
            while wanted and len(outline.fold(wanted, {}).items) > MOST:
                wanted -= 1
            if wanted < asked:
                self._tell("graph.tooMany", most=MOST)
            self._depth, self._toggled = wanted, {}
            self._lay_out()
            self.refresh(now=True)

    def toggle(self, key: str) -> None:
        """Open the closed module or repeat `key`, or close it where it is open."""
        with self._lock:
            if self._outline is None or key not in self._outline.index:
                return
            self._set([key], not self._is_open(self._outline.index[key]))

    def toggle_alike(self, key: str) -> None:
        """Open or close all modules of the class that `key` has, or a repeat's like."""
        with self._lock:
            if (outline := self._outline) is None or key not in outline.index:
                return
            asked = outline.regions[outline.index[key]]
            alike = [
                region.key
                for region in outline.regions
                if (region.kind, region.type) == (asked.kind, asked.type)
                and (region.type or region.title == asked.title)
            ]
            self._set(alike, not self._is_open(outline.index[key]))

    def expand(self, predicate: Callable[[Any], bool]) -> None:
        """Open the modules of which `predicate(scope)` is true, and those around them.

        A scope has "name" ("conv1"), "path" (as in state_dict) and "type" ("Conv2d"):
        `view.expand(lambda scope: scope["type"] == "Conv2d")`. Repeats stay rolled up.
        """
        self._choose(predicate, True)

    def collapse(self, predicate: Callable[[Any], bool]) -> None:
        """Close the modules of which `predicate(scope)` is true; see `expand`."""
        self._choose(predicate, False)

    def unroll(self, unrolled: bool = True) -> None:
        """Show each time of all repeats (a cell's call for each time step) in line, or roll all."""
        with self._lock:
            if (outline := self._outline) is not None:
                repeats = [region.key for region in outline.regions if region.kind == "repeat"]
                self._set(repeats, bool(unrolled))

    def colour_by(self, measure: str | None = None) -> None:
        """Colour the boxes by "time", "memory", "flops", "norm", "std" or "gradient"; None: not."""
        if measure is not None and measure not in MEASURES:
            raise ValueError(f"measure is one of {', '.join(MEASURES)}, or None, not {measure!r}")
        with self._lock:
            self._measure = measure
            self.refresh(now=True)

    def search(self, text: str) -> dict[str, Any]:
        """Find nodes and modules by name, path, class, op or shape; all words have to match."""
        with self._lock:
            if self._outline is None:
                return {"text": str(text), "total": 0, "matches": []}
            if self._searched is None or self._searched[0] is not self._outline:
                self._searched = self._outline, Index(self._outline)
            self.found = self._searched[1].find(str(text)[:200])
            return self.found

    _searched: tuple[Outline, Index] | None = None

    def reveal(self, key: str) -> None:
        """Open whatever the node or module `key` is hidden in."""
        with self._lock:
            if (outline := self._outline) is None:
                return
            if key in outline.index:
                around = outline.tree.chain(outline.index[key])[:-1]
            elif key in outline.position:
                around = outline.around(outline.position[key])
            else:
                return
            wanted = [outline.regions[each].key for each in around]
            if all(self._is_open(each) for each in around):
                return
            toggled = dict.fromkeys(wanted, True)
            if len(outline.fold(self._level(), self._toggled | toggled).items) > MOST:
                self._depth, self._toggled = 0, {}  # make room
            self._set(wanted, True)

    def compare(self, step: int | None = None) -> None:
        """Mark what was added and removed since `step`; None: compare no more.

        Raises ValueError for a step that is not kept.
        """
        with self._lock:
            if step is not None:
                step = int(step)
                if step not in self.cursor.recording.steps:
                    raise ValueError(f"step {step} is not kept")
            self._compared = step
            self.refresh(now=True)

    def go_to_change(self, direction: int = 1) -> None:
        """Go to the next (-1: the last) step at which the graph changed, and show how."""
        steps, here = self._changes.steps(), self.cursor.step
        if here is None:
            return
        ahead = [step for step in steps if (step > here if direction > 0 else step < here)]
        if ahead:
            step = ahead[0] if direction > 0 else ahead[-1]
            with self._lock:
                self._compared = self._changes.before(step)
            self.cursor.move(step)

    def digraph(self) -> Any:
        """What is seen as a `graphviz.Digraph`; see `labtorch_widgets.draw_graph`."""
        with self._lock:
            if self._folded is None:
                raise LookupError("nothing is recorded yet: there is no graph to draw")
            glances = self.frame.get("glances", {})
            subtitles = {
                item["key"]: subtitle(item, glances.get(item["key"]), self.language)
                for item in self.scene["items"]
            }
            return files.digraph(self._folded, subtitles)

    def export(self, path: str | os.PathLike) -> None:
        """Write what is seen to a file: .svg, .png, .dot, or .html, a page that stands alone.

        Raises ValueError for another suffix, LookupError where nothing is recorded yet.
        """
        files.write(path, self._exported(files.format_of(path)))

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
            return {
                "time": span,
                "glances": {},
                "failure": None,
                "nonfinite": None,
                "overlay": None,
                "changes": [],
                "pane": None,
                "rows": None,
            }
        step, graph, snapshot = found
        self._look_at(step, graph)
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
                if item["node"] is not None and item["node"] < len(rows)
            },
            "current": self._current(snapshot),
            "failure": self._failure(snapshot),
            "nonfinite": self._nonfinite(snapshot),
            "overlay": self._overlay(rows),
            "changes": self._changes.steps()[-MOST:],
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

    _folded: Folded | None = None

    def _look_at(self, step: int, graph: Any) -> None:
        """Have the outline and the scene of the step's graph, or of it and the compared one."""
        key, compared = graph["key"], None
        if self._compared is not None and self._compared != step:
            try:
                compared = self.cursor.recording.graph(self._compared)
                key = f"{compared['key']}>{key}"
            except LookupError:
                self._compared = None
        if self._outline is None or self._outline.graph["key"] != key:
            self._outline, self._union = self._outline_of(key, step, graph, compared)
            self._lay_out()
            self._describe()
        self._say_what_differs(step)

    def _outline_of(
        self, key: str, step: int, graph: Any, compared: Any
    ) -> tuple[Outline, Union | None]:
        known = self._outlines.pop(key, None)
        if known is None:
            together: Union | None = None
            if compared is not None:
                recording: Any = self.cursor.recording
                diff = recording.diff(self._compared, step, shapes=False)
                together = union(compared, graph, diff)
                together.graph["key"] = key
            known = Outline(together.graph if together else graph), together
        self._outlines[key] = known  # the newest stands last
        if len(self._outlines) > REMEMBERED:
            self._outlines.pop(next(iter(self._outlines)))
        return known

    def _say_what_differs(self, step: int) -> None:
        said = None
        if self._union is not None and self._outline is not None:
            said = {
                "with": self._compared,
                "step": step,
                "added": len(self._union.added),
                "removed": len(self._union.removed),
                "changes": self._union.listed(self._outline),
            }
        if said != self.comparison:
            self.comparison = said

    def _is_open(self, region: int) -> bool:
        assert self._outline is not None
        return self._outline.is_open(region, self._level(), self._toggled)

    def _set(self, keys: list[str], opened: bool) -> None:
        """Open or close regions, as many as can be drawn; what comes out of a repeat is closed."""
        outline = self._outline
        assert outline is not None

        def toggled(count: int, closed_inside: bool = False) -> dict[str, bool]:
            """With `count` keys set, and, if so wished, all inside of the last of them closed."""
            found = dict(self._toggled)
            for number, key in enumerate(keys[:count], start=1):
                found[key] = opened
                region = outline.regions[outline.index[key]]
                inside = [outline.regions[at].key for kind, at in region.units if kind != "op"]
                if opened and closed_inside and number == count:
                    found.update(dict.fromkeys(inside, False))
                elif opened and region.kind != "module":
                    for each in inside:
                        found.setdefault(each, False)
            return found

        def fits(wanted: dict[str, bool]) -> bool:
            return not opened or len(outline.fold(self._level(), wanted).items) <= MOST

        count, chosen = len(keys), toggled(len(keys))
        if not fits(chosen):  # the more is opened, the more there is to draw
            count = bisect.bisect_left(
                range(len(keys)), True, key=lambda n: not fits(toggled(n + 1))
            )
            chosen = toggled(count + 1, closed_inside=True)
            count += 1
            if not fits(chosen):
                count -= 1
                chosen = toggled(count)
        if count < len(keys):
            self._tell("graph.stayClosed", most=MOST, count=len(keys) - count)
        self._toggled = chosen
        self._lay_out()
        self.refresh(now=True)

    def _choose(self, predicate: Callable[[Any], bool], opened: bool) -> None:
        with self._lock:
            if (outline := self._outline) is None:
                return
            chosen = [scope["id"] for scope in outline.scopes if predicate(scope)]
            if opened:
                around = {
                    each
                    for scope in chosen
                    for each in outline.tree.chain(scope)
                    if outline.regions[each].kind == "module"
                }
                chosen = sorted(around, key=lambda each: (len(outline.tree.chain(each)), each))
            self._set([outline.regions[each].key for each in chosen], opened)

    def _tell(self, key: str, **values: Any) -> None:
        self.notice = {"key": key, "values": values, "serial": self.notice.get("serial", 0) + 1}

    def _lay_out(self) -> None:
        if self._outline is None:
            return
        level = self._level()
        folded = self._outline.fold(level, self._toggled)
        while level and len(folded.items) > MOST:  # opened in another graph, which was smaller
            level -= 1
            self._toggled = {}
            folded = self._outline.fold(level, {})
        self._folded, self._owner = folded, folded.owner
        scene = lay_out(folded)
        scene["depth"], scene["deepest"] = level, self._outline.deepest
        scene["structure"] = self._outline.graph["key"]
        repeats = [i for i, each in enumerate(self._outline.regions) if each.kind == "repeat"]
        scene["repeats"] = len(repeats)
        scene["unrolled"] = bool(repeats) and all(self._is_open(each) for each in repeats)
        for item in scene["items"]:
            node = self._outline.nodes[item["node"]] if item["node"] is not None else None
            item["shape"] = list(node["shape"]) if node else []
            item["requiresGrad"] = bool(node and node["requires_grad"])
        if self._union is not None:
            marks, links = self._union.of_items(folded), self._union.of_links(folded)
            for item in scene["items"]:
                item["change"] = marks.get(item["key"])
            for edge in scene["edges"]:
                edge["change"] = links.get((edge["source"], edge["target"]))
        self.scene = scene

    def _overlay(self, rows: Any) -> dict[str, Any] | None:
        if self._measure is None or self._outline is None or self._folded is None:
            return None
        return overlay(
            self._measure, self._outline, self._folded, lambda node: self._row(rows, node)
        )

    def _row(self, rows: Any, node: int) -> Any:
        return rows[node] if node < len(rows) else NOTHING

    def _nonfinite(self, snapshot: Any) -> dict[str, Any] | None:
        """Where NaN or infinity is, and where it was first; a mask's infinities are meant.

        All nodes are looked at only where something is known to be wrong.
        """
        loss = snapshot["loss"]
        if snapshot["failure"] is None and (loss is None or math.isfinite(loss)):
            return None
        assert self._outline is not None
        rows, first, found = snapshot["rows"], None, set()
        for node in self._outline.nodes[: len(rows)]:
            value = rows[node["id"]]["value"]
            if value is None or not (value["nan"] or value["inf"]) or node["kind"] == "constant":
                continue
            key = self._owner[node["id"]]
            first = first or key
            found.add(key)
        return {"first": first, "keys": sorted(found)} if first else None

    def _exported(self, format: str) -> bytes:
        with self._lock:
            if not self.scene:
                raise LookupError("nothing is recorded yet: there is no graph to write")
            if format in ("dot", "png"):
                source = self.digraph().source
                return files.drawn(source, format) if format == "png" else source.encode()
            svg = self.still()
            if format == "svg":
                return svg.encode()
            look = self.cursor.look()
            rows = look[2]["rows"] if look else []
            heads, body = files.table(
                self._outline, lambda node: self._row(rows, node), self.language
            )
            title = word("graph.title", self.language)
            return files.page(svg, title, heads, body, self.language).encode()

    def _on_export(self, format: str) -> None:
        content = self._exported(files.format_of(f"graph.{format}"))
        self.send({"file": f"graph.{format}"}, buffers=[content])

    def _describe(self) -> None:
        """Fill the pane for the opened node; a graph without that node empties it."""
        if self._outline is None or self._opened is None:
            return
        node = self._outline.position.get(self._opened)
        self.detail = None if node is None else describe(self._outline, node)

    def _pane(self, step: int, graph: Any, snapshot: Any) -> dict[str, Any] | None:
        if self._opened is None or self._outline is None or self.detail is None:
            return None
        node = self._outline.position[self._opened]
        if node >= len(snapshot["rows"]):  # only the step that is compared with has it
            return None
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

    def _table(self, rows: Any) -> list[dict[str, Any]]:
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
            | glance(self._row(rows, node["id"]))
            for key, node in zip(self._outline.node_keys, self._outline.nodes, strict=True)
        ]


def culprit(graph: Any, failure: Any) -> str:
    """What failed, by name: the op, or the tensor that was bad before any op touched it."""
    if failure["op"] or failure["node"] is None:
        return failure["op"]
    node = graph["nodes"][failure["node"]]
    return node["name"] or node["kind"]
