"""Where everything goes: Graphviz's `dot`, run in the kernel, gives positions to the browser."""

from __future__ import annotations

import itertools
import math
import threading
from typing import Any
from xml.sax.saxutils import quoteattr

from ..shared.numbers import shape_text
from .fold import Folded, Group, Item, Link, Outline

HEIGHTS = {"scope": 46, "op": 46, "parameter": 46, "input": 46, "buffer": 46, "constant": 34}
MARGIN = 12  # around the drawing
TITLE = 22  # room for the name of an open module
CLEARANCE = 22  # from a box to the shape written on an edge that leaves it
POINTS = 72  # Graphviz measures boxes in inches

# A drawing beyond this, in items or pixels, would have to shrink until nobody could read it.
READABLE_ITEMS, READABLE_WIDTH, READABLE_HEIGHT = 60, 1700, 980

# Graphviz keeps global state: two threads must not lay out at once.
_graphviz = threading.Lock()


def lay_out(folded: Folded) -> dict[str, Any]:
    """The scene to draw: boxes by centre and size, frames, edges as path data, in pixels.

    Raises ImportError, with the command that helps, where pygraphviz is not installed.
    """
    try:
        import pygraphviz
    except ImportError as error:
        raise ImportError(
            "drawing a graph needs pygraphviz, which brings Graphviz along: "
            "pip install 'labtorch[lab]'"
        ) from error

    boxes = {item.key: (width_of(item), float(HEIGHTS[item.kind])) for item in folded.items}
    names = {key: f"n{i}" for i, key in enumerate(boxes)}
    with _graphviz:
        drawing = pygraphviz.AGraph(directed=True, strict=False)
        drawing.graph_attr.update(
            rankdir="TB", nodesep="0.28", ranksep="0.55", margin="0", splines="true"
        )
        drawing.node_attr.update(shape="box", fixedsize="true", label="")
        drawing.edge_attr.update(arrowhead="none", arrowtail="none")
        for key, (width, height) in boxes.items():
            drawing.add_node(names[key], width=width / POINTS, height=height / POINTS)
        kinds = {item.key: item.kind for item in folded.items}
        for i, link in enumerate(folded.links):
            # What the data flows through stands in line; parameters come in from the side.
            main = kinds[link.source] in ("op", "scope")
            drawing.add_edge(
                names[link.source],
                names[link.target],
                key=f"e{i}",
                weight=8 if main else 1,
            )
        clusters = _add_clusters(drawing, folded, names)
        drawing.layout(prog="dot")
        return _read(drawing, folded, names, boxes, clusters)


def readable_depth(outline: Outline) -> int:
    """The deepest level of open modules at which the drawing is still read at a glance."""
    depth, seen = 0, [item.key for item in outline.fold(0, {}).items]
    while depth < outline.deepest:
        folded = outline.fold(depth + 1, {})
        before, seen = seen, [item.key for item in folded.items]
        # where only repeats are left to open, what is in them stays closed until they are
        if len(seen) > READABLE_ITEMS or seen == before:
            break
        scene = lay_out(folded)
        if scene["width"] > READABLE_WIDTH or scene["height"] > READABLE_HEIGHT:
            break
        depth += 1
    return depth


def _add_clusters(drawing: Any, folded: Folded, names: dict[str, str]) -> dict[str, Any]:
    """One Graphviz cluster per open module, inside its parent's, with room for its name."""
    clusters: dict[str, Any] = {}
    parents = {group.key: group.parent for group in folded.groups}
    members: dict[str, list[str]] = {group.key: [] for group in folded.groups}
    for item in folded.items:  # a node has to be in all the clusters around it
        around = item.parent
        while around is not None:
            members[around].append(names[item.key])
            around = parents[around]
    for i, group in enumerate(folded.groups):  # parents stand before their children
        outer = drawing if group.parent is None else clusters[group.parent]
        clusters[group.key] = outer.add_subgraph(
            members[group.key],
            name=f"cluster_{i}",
            label=_space(called(group), height=TITLE - 6, wide=40),
            labeljust="l",
            margin="12",
        )
    return clusters


def _read(
    drawing: Any,
    folded: Folded,
    names: dict[str, str],
    boxes: dict[str, tuple[float, float]],
    clusters: dict[str, Any],
) -> dict[str, Any]:
    left, bottom, right, top = map(float, drawing.graph_attr["bb"].split(","))

    def across(x: float) -> float:
        return round(x - left + MARGIN, 1)

    def down(y: float) -> float:  # Graphviz counts upwards
        return round(top - y + MARGIN, 1)

    items = []
    for item in folded.items:
        x, y = map(float, drawing.get_node(names[item.key]).attr["pos"].split(","))
        width, height = boxes[item.key]
        items.append(
            {
                "key": item.key,
                "kind": item.kind,
                "title": item.title,
                "type": item.type,
                "parent": item.parent,
                "node": item.node,
                "operations": item.operations,
                "parameters": item.parameters,
                "times": item.times,
                "x": across(x),
                "y": down(y),
                "width": width,
                "height": height,
            }
        )
    groups = []
    for group in folded.groups:
        x0, y0, x1, y1 = map(float, clusters[group.key].graph_attr["bb"].split(","))
        groups.append(
            {
                "key": group.key,
                "title": group.title,
                "type": group.type,
                "parent": group.parent,
                "operations": group.operations,
                "parameters": group.parameters,
                "times": group.times,
                "x": across(x0),
                "y": down(y1),
                "width": round(x1 - x0, 1),
                "height": round(y1 - y0, 1),
            }
        )
    edges: list[dict[str, Any]] = []
    headers = [_header(group, box) for group, box in zip(folded.groups, groups, strict=True)]
    labelled: set[tuple[str, str]] = set()
    leaves = {item.key for item in folded.items if item.kind not in ("op", "scope")}
    for i, link in enumerate(folded.links):
        attributes = drawing.get_edge(names[link.source], names[link.target], key=f"e{i}").attr
        pairs = [pair.split(",") for pair in attributes["pos"].split()]
        points = [(float(px), float(py)) for px, py in pairs]
        text = edge_text(link)
        spot = _label_place([(across(x), down(y)) for x, y in points], text, headers)
        if link.source == link.target:  # a loop: beside it
            right, upper = max(points)
            spot = across(right) + text_width(text, 10.5) / 2 + 4, down(upper)
        # a tensor that goes to many has its shape written once
        said = link.source in leaves and (link.source, text) in labelled
        labelled.add((link.source, text))
        edges.append(
            {
                "key": f"{link.source}>{link.target}",
                "source": link.source,
                "target": link.target,
                "text": "" if said else text,
                "arguments": link.arguments,
                "path": _path([(across(x), down(y)) for x, y in points]),
                "x": round(spot[0], 1),
                "y": round(spot[1], 1),
            }
        )
    return {
        "items": items,
        "groups": groups,
        "edges": edges,
        "width": round(right - left + 2 * MARGIN, 1),
        "height": round(top - bottom + 2 * MARGIN, 1),
    }


def _header(group: Group, box: dict[str, Any]) -> tuple[float, float, float, float]:
    """Where the name of an open module is written: left, top, right, bottom."""
    wide = 40 + text_width(called(group), 11.5)
    return box["x"], box["y"], box["x"] + wide, box["y"] + TITLE


def _label_place(
    points: list[tuple[float, float]], text: str, headers: list[tuple[float, float, float, float]]
) -> tuple[float, float]:
    """Where an edge's shape is written across it: clear of the box it leaves, or halfway, and, if
    the edge is long enough, not across the name of a module."""
    curve = [points[0]]
    for start in range(0, len(points) - 1, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = points[start : start + 4]
        for t in (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0):
            u = 1 - t
            a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
            curve.append((a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy))
    length = sum(math.dist(*ends) for ends in itertools.pairwise(curve))
    first = min(CLEARANCE, length / 2)
    half = text_width(text, 10.5) / 2
    for along in (first, *_between(first, length)):
        x, y = _at(curve, along)
        across_name = any(
            left - half < x < right + half and top - 7 < y < bottom + 7
            for left, top, right, bottom in headers
        )
        if not across_name:
            return x, y
    return _at(curve, first)


def _between(first: float, length: float) -> list[float]:
    return [first + (length - first) * share for share in (0.25, 0.5, 0.75)]


def _at(curve: list[tuple[float, float]], along: float) -> tuple[float, float]:
    """The point so far along the curve."""
    left = along
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        length = math.dist((x0, y0), (x1, y1))
        if left <= length:
            share = left / length if length else 0.0
            return x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        left -= length
    return curve[-1]


def _path(points: list[tuple[float, float]]) -> str:
    """Bézier control points as SVG path data."""
    (x, y), *rest = points
    return f"M{x},{y}C" + " ".join(f"{a},{b}" for a, b in rest)


def edge_text(link: Link) -> str:
    """The shape that flows; several tensors are counted, dtypes named where not float32."""
    if link.dtypes == {"unknown"}:
        return "?"
    if len({tuple(shape) for shape in link.shapes}) > 1:
        return f"{len(link.shapes)} ×"
    times = f"{len(link.shapes)} × " if len(link.shapes) > 1 else ""
    dtype = "" if link.dtypes <= {"float32"} else f" {min(link.dtypes)}"
    shape = shape_text(link.shapes[0])
    return (f"{times}({shape})" if times and link.shapes[0] else times + shape) + dtype


def width_of(item: Item) -> float:
    """Wide enough for the name, and for numbers that come and go without moving the box."""
    title = called(item)
    narrowest = {"scope": 176, "op": 132, "constant": 76}.get(item.kind, 118)
    return round(max(narrowest, text_width(title, 12.5) + 32))


def called(box: Item | Group) -> str:
    """The name of a box or frame in one line: "cell RNNCell × 5"."""
    times = f"× {box.times}" if box.times else ""
    return " ".join(filter(None, (box.title, box.type, times)))


def text_width(text: str, size: float) -> float:
    """About how wide `text` runs at `size` pixels: Chinese fills the square, Latin 0.62 of it."""
    return sum(size * (1.0 if ord(letter) > 0x2E80 else 0.62) for letter in text)


def _space(text: str, height: int, wide: int) -> str:
    """An empty label of the size of `text`: Graphviz keeps the room, the browser writes in it."""
    width = quoteattr(str(round(text_width(text, 11.5) + wide)))
    return (
        '<<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0" FIXEDSIZE="TRUE" '
        f'WIDTH={width} HEIGHT="{height}"><TR><TD></TD></TR></TABLE>>'
    )
