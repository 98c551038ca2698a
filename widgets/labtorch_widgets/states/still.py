"""The heat map of hidden states as a still picture, from the bytes that the browser draws."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..shared import svg
from ..shared.colour import PALETTE, signed, symlog
from ..shared.numbers import spoken
from ..shared.words import word
from .image import MISSING

LEFT, TOP, WIDTH, HEIGHT, BARS = 52, 34, 640, 220, 40
INK, MUTED, LINE = "#1f2328", "#59636e", "#d5dae0"
ROWS, COLUMNS, SHADES = 64, 96, 8  # the most that a still shows


def draw(picture: dict[str, Any], frame: dict[str, Any], lang: str) -> str:
    """Units over time as SVG; a sentence while there is nothing to draw."""
    problem = frame.get("problem", "nothing")
    if problem or not picture:
        return svg.notice(word(f"states.{problem or 'nothing'}", lang))
    levels = np.frombuffer(picture["levels"], np.uint8)
    levels = levels.reshape(picture["rows"], picture["columns"])
    levels = levels[:: -(-len(levels) // ROWS), :: -(-levels.shape[1] // COLUMNS)]
    across, down = WIDTH / levels.shape[1], HEIGHT / len(levels)
    title = f"{word('states.title', lang)}: {frame['layer'].split('/')[0]}"
    step = word("time.step", lang, step=f"{frame['step']:,}")
    gradient = next(
        (g["values"] for g in frame["gradient"]["layers"] if g["key"] == frame["layer"]), None
    )
    length, steps = frame["length"], frame["steps"]
    padded = LEFT + WIDTH * length / max(frame["steps"], 1)
    limit = spoken(picture["limit"], 2)
    return svg.picture(
        LEFT + WIDTH + 24,
        TOP + HEIGHT + 34 + (BARS + 18 if gradient else 0),
        f"{title}, {step}",
        svg.text(f"{title} · {frame['name']}", LEFT, 20, fill=INK, font_weight=600),
        svg.text(f"{step} · −{limit} … +{limit}", LEFT + WIDTH, 20, fill=MUTED, text_anchor="end"),
        *_cells(levels, across, down),
        svg.tag("rect", x=padded, y=TOP, width=LEFT + WIDTH - padded, height=HEIGHT,
                fill="#ffffff", fill_opacity=0.75, stroke=LINE) if length < steps else "",
        svg.text(word("states.padding", lang), padded + 6, TOP + 16, fill=MUTED)
        if length < steps else "",
        svg.text(word("states.units", lang), LEFT - 8, TOP + 12, text_anchor="end", fill=MUTED),
        svg.text("t = 0", LEFT, TOP + HEIGHT + 16, fill=MUTED, font_size=11),
        svg.text(f"t = {frame['steps'] - 1}", LEFT + WIDTH, TOP + HEIGHT + 16, fill=MUTED,
                 font_size=11, text_anchor="end"),
        *(_bars(gradient, frame["gradient"]["of"], lang) if gradient else ()),
    )  # fmt: skip


def _cells(levels: np.ndarray, across: float, down: float) -> list[str]:
    """One path for each shade: thousands of cells in few bytes."""
    paths: dict[str, list[str]] = defaultdict(list)
    for row, line in enumerate(levels):
        for column, level in enumerate(line):
            shade = round((int(level) - 127) / 127 * SHADES)
            colour = "#f3b4ad" if level == MISSING else signed(shade, SHADES)
            paths[colour].append(
                f"M{LEFT + column * across:.4g},{TOP + row * down:.4g}h{across:.4g}v{down:.4g}"
                f"h-{across:.4g}z"
            )
    return [svg.tag("path", d="".join(d), fill=colour) for colour, d in paths.items()]


def _bars(values: list[Any], of: str, lang: str) -> list[str]:
    """The gradients' norms, on their symmetric log scale."""
    top, width = TOP + HEIGHT + 30, WIDTH / max(len(values), 1)
    heights = [BARS * symlog(v) if isinstance(v, int | float) else 0.0 for v in values]
    return [
        svg.text(word(f"states.gradient.{of}", lang), LEFT, top + 4, fill=MUTED, font_size=11),
        *(
            svg.tag(
                "rect", x=LEFT + t * width, y=top + 10 + BARS - tall, width=max(width - 1, 0.5),
                height=tall, fill=PALETTE["positive"],
            )
            for t, tall in enumerate(heights)
        ),
    ]  # fmt: skip
