"""Gradients by layer as a still picture: a row a layer, and its norm over time beside it."""

from __future__ import annotations

import math
from typing import Any

from ..shared import svg
from ..shared.colour import PALETTE, symlog
from ..shared.numbers import spoken
from ..shared.words import word

WIDTH, ROW, TOP = 760, 24, 58
BAR, BAR_WIDTH = 190, 180
CHART, CHART_WIDTH = 500, 244
INK, MUTED, LINE = "#1f2328", "#59636e", "#d5dae0"
MOST = 40  # rows


def draw(frame: dict[str, Any], series: dict[str, Any], lang: str) -> str:
    """The rows of the frame's step with their history as sparklines; a sentence without any."""
    rows = frame.get("rows", [])[:MOST]
    if not rows:
        return svg.notice(word("gradients.nothing", lang))
    step = frame["time"].get("shown")
    title = word("gradients.title", lang)
    if step is not None:
        title += f", {word('time.step', lang, step=f'{step:,}')}"
    heads = [
        (word("gradients.layer", lang), 16, "start"),
        (word("gradients.range", lang), BAR, "start"),
        (word("gradients.norm", lang), 430, "end"),
        (word(f"gradients.stat.{STATISTICS[frame['statistic']]}", lang), CHART, "start"),
    ]
    lines = dict(zip(series["keys"], series["matrix"].tolist(), strict=True))
    known = [v for line in lines.values() for v in line if v > 0 and math.isfinite(v)]
    span = (math.log10(min(known)), math.log10(max(known))) if known else (0.0, 1.0)
    parts = [svg.text(title, 16, 24, fill=INK, font_weight=600, font_size=14)]
    parts += [
        svg.text(text, x, 46, fill=MUTED, font_size=11, text_anchor=anchor)
        for text, x, anchor in heads
    ]
    for i, row in enumerate(rows):
        parts += _row(row, TOP + i * ROW, lines.get(row["key"], []), span, lang)
    height = TOP + len(rows) * ROW + 12
    return svg.picture(WIDTH, height, title, *parts)


STATISTICS = {
    "grad": "grad",
    "relative": "relative",
    "update": "update",
    "gradient": "grad",
    "zeros": "zeros",
    "std": "std",
}


def _row(
    row: dict[str, Any], y: float, line: list[float], span: tuple[float, float], lang: str
) -> list[str]:
    middle = BAR + BAR_WIDTH / 2
    name = row["name"] if len(row["name"]) <= 26 else "…" + row["name"][-25:]
    parts = [
        svg.text(name, 16, y + 15, fill=INK),
        svg.tag("rect", x=BAR, y=y + 6, width=BAR_WIDTH, height=12, rx=3, fill="#eef0f2"),
    ]
    if isinstance(row["min"], float | int):
        low, high = symlog(min(row["min"], 0)), symlog(max(row["max"], 0))
        half = BAR_WIDTH / 2
        for x, width, tone in ((middle + low * half, -low * half, "negative"),
                               (middle, high * half, "positive")):  # fmt: skip
            parts.append(svg.tag("rect", x=x, y=y + 6, width=width, height=12, fill=PALETTE[tone]))
    norm = spoken(row["norm"]) if row["norm"] is not None else word("gradients.none", lang)
    parts.append(svg.text(norm, 430, y + 15, fill=INK, text_anchor="end"))
    return [*parts, _spark(line, y, span)]


def _spark(line: list[float], y: float, span: tuple[float, float]) -> str:
    """The line over time on a log axis that all rows share; a zero lies on its floor."""
    low, high = span
    points = []
    for i, value in enumerate(line):
        if value < 0 or not math.isfinite(value):
            continue
        share = (math.log10(value) - low) / ((high - low) or 1) if value > 0 else 0.0
        x = CHART + i / max(1, len(line) - 1) * CHART_WIDTH
        points.append(f"{x:.1f},{y + 20 - share * 16:.1f}")
    path = "M" + "L".join(points) if points else ""
    return svg.tag("path", d=path, fill="none", stroke=INK, stroke_width=1.3)
