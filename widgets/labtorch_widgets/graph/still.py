"""The graph as a still picture, from the same scene and frame that the browser draws."""

from __future__ import annotations

from typing import Any

from ..shared import svg
from ..shared.colour import PALETTE, symlog
from ..shared.numbers import spoken
from ..shared.words import word

INK, MUTED, LINE = "#1f2328", "#59636e", "#b6bec7"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, monospace"
BAR = 5  # height of the gradient bar


def draw(scene: dict[str, Any], frame: dict[str, Any], lang: str) -> str:
    """The scene as SVG, with the numbers of the frame's step; a sentence while there is none."""
    if not scene:
        return svg.notice(word("graph.nothing", lang))
    step = frame.get("time", {}).get("shown")
    title = word("graph.title", lang) + ("" if step is None else f", {_step(step, lang)}")
    failed = (frame.get("failure") or {}).get("key")
    return svg.picture(
        scene["width"],
        scene["height"],
        title,
        *(_frame_of(group) for group in scene["groups"]),
        *(_edge(edge) for edge in scene["edges"]),
        *(
            _box(item, frame["glances"].get(item["key"]), lang, item["key"] == failed)
            for item in scene["items"]
        ),
    )


def _called(box: dict[str, Any]) -> str:
    times = f"× {box['times']}" if box["times"] else ""
    return " ".join(filter(None, (box["title"], box["type"], times)))


def _step(step: int, lang: str) -> str:
    return word("time.step", lang, step=f"{step:,}")


def _frame_of(group: dict[str, Any]) -> str:
    x, y = group["x"], group["y"]
    return svg.tag(
        "g",
        svg.tag(
            "rect",
            x=x,
            y=y,
            width=group["width"],
            height=group["height"],
            rx=10,
            fill="#5b6670",
            fill_opacity=0.06,
            stroke=LINE,
        ),
        svg.text(_called(group), x + 12, y + 17, fill=MUTED, font_size=11.5),
    )


def _edge(edge: dict[str, Any]) -> str:
    return svg.tag(
        "g",
        svg.tag("path", d=edge["path"], fill="none", stroke=LINE, stroke_width=1.4),
        svg.text(
            edge["text"],
            edge["x"],
            edge["y"] + 3.5,
            fill=MUTED,
            font_size=10.5,
            text_anchor="middle",
            paint_order="stroke",
            stroke="#ffffff",
            stroke_width=5,
        ),
    )


def _box(item: dict[str, Any], glance: Any, lang: str, failed: bool) -> str:
    width, height = item["width"], item["height"]
    x, y = item["x"] - width / 2, item["y"] - height / 2
    colour = "#c62828" if failed else PALETTE["kinds"][item["kind"]]["light"]
    rounding = {"op": 6, "scope": 8, "input": 3, "constant": 4}.get(item["kind"], height / 2)
    outline = {
        "width": width,
        "height": height,
        "rx": rounding,
        "fill": "#ffffff",
        "stroke": colour,
        "stroke_width": 2 if failed else 1.3,
    }
    behind = svg.tag("rect", x=x + 4, y=y + 4, **outline) if item["kind"] == "scope" else ""
    grad = glance["grad"] if glance else None
    return svg.tag(
        "g",
        behind,
        svg.tag("rect", x=x, y=y, **outline),
        svg.text(
            _called(item),
            item["x"],
            y + (15 if item["kind"] == "constant" else 17),
            text_anchor="middle",
            fill=INK if item["kind"] in ("op", "scope") else colour,
            font_size=12.5,
            font_weight=600,
            font_family=MONO,
        ),
        svg.text(
            subtitle(item, glance, lang),
            item["x"],
            y + (28 if item["kind"] == "constant" else 32),
            text_anchor="middle",
            fill=MUTED,
            font_size=11,
        ),
        _gradient_bar(grad, item["x"], y + height - BAR - 4, width - 24) if grad else "",
    )


def subtitle(item: dict[str, Any], glance: Any, lang: str) -> str:
    """The second line of a box: what a module holds, or a tensor's value."""
    if item["kind"] == "scope":
        one = item["operations"] == 1
        ops = word("graph.oneOp" if one else "graph.ops", lang, count=f"{item['operations']:,}")
        held = "graph.parameters" if item["parameters"] else "graph.noParameters"
        return f"{ops} · " + word(held, lang, count=f"{item['parameters']:,}")
    return value_text(glance["value"] if glance else None)


def value_text(value: dict[str, Any] | None) -> str:
    """A single number as itself, many as mean ± standard deviation."""
    if value is None:
        return "–"
    if value["nan"] or value["inf"]:
        counts = (("NaN", value["nan"]), ("∞", value["inf"]))
        return ", ".join(f"{count} {name}" for name, count in counts if count)
    if value["single"]:
        return spoken(value["mean"], 4)
    return f"{spoken(value['mean'])} ± {spoken(value['std'])}"


def _gradient_bar(grad: dict[str, Any], centre: float, y: float, width: float) -> str:
    """The gradient's range on its symmetric log scale, zero in the middle."""
    if grad["min"] is None:
        return ""
    low, high = symlog(min(grad["min"], 0)), symlog(max(grad["max"], 0))
    half = width / 2
    return svg.tag(
        "g",
        svg.tag("rect", x=centre - half, y=y, width=width, height=BAR, rx=2.5, fill="#eef0f2"),
        svg.tag(
            "rect",
            x=centre + low * half,
            y=y,
            width=-low * half,
            height=BAR,
            fill=PALETTE["negative"],
        ),
        svg.tag("rect", x=centre, y=y, width=high * half, height=BAR, fill=PALETTE["positive"]),
    )
