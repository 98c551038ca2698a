"""The loss line as a still picture."""

from __future__ import annotations

import math

from ..shared import svg
from ..shared.numbers import spoken
from ..shared.words import word

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 30, 30
INK, MUTED, LINE = "#1f2328", "#59636e", "#d5dae0"


def draw(points: list[tuple[int, float]], lang: str) -> str:
    """Loss against step as SVG, on a log axis where it spans decades; a sentence before it is."""
    finite = [(step, loss) for step, loss in points if math.isfinite(loss)]
    if not finite:
        return svg.notice(word("loss.none", lang))
    losses = [loss for _, loss in finite]
    log = min(losses) > 0 and max(losses) / min(losses) > 50

    def scaled(loss: float) -> float:
        return math.log10(loss) if log else loss

    low, high = scaled(min(losses)), scaled(max(losses))
    first, last = finite[0][0], finite[-1][0]

    def across(step: float) -> float:
        return LEFT + (step - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)

    def down(level: float) -> float:
        return TOP + (high - level) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM)

    path = "M" + "L".join(f"{across(step):.1f},{down(scaled(loss)):.1f}" for step, loss in finite)
    levels = [low + (high - low) * i / 3 for i in range(4)] if high > low else [low]
    return svg.picture(
        WIDTH,
        HEIGHT,
        f"{word('loss.title', lang)}: {spoken(losses[0])} → {spoken(losses[-1])}",
        svg.text(word("loss.title", lang), LEFT, 18, fill=INK, font_weight=600),
        *(
            svg.tag(
                "g",
                svg.tag(
                    "line", x1=LEFT, x2=WIDTH - RIGHT, y1=down(level), y2=down(level), stroke=LINE
                ),
                svg.text(
                    spoken(10**level if log else level),
                    LEFT - 8,
                    down(level) + 4,
                    text_anchor="end",
                    fill=MUTED,
                    font_size=11,
                ),
            )
            for level in levels
        ),
        *(
            svg.text(
                word("time.step", lang, step=f"{step:,}"),
                across(step),
                HEIGHT - 10,
                text_anchor=anchor,
                fill=MUTED,
                font_size=11,
            )
            for step, anchor in ((first, "start"), (last, "end"))[: 1 + (last > first)]
        ),
        svg.tag("path", d=path, fill="none", stroke=INK, stroke_width=1.6, stroke_linejoin="round"),
    )
