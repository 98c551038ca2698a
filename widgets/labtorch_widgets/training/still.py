"""The loss lines as a still picture."""

from __future__ import annotations

import math

from ..shared import svg
from ..shared.numbers import spoken
from ..shared.words import word
from .run import Run

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 30, 30
INK, MUTED, LINE = "#1f2328", "#59636e", "#d5dae0"
TONES = (INK, "#0072b2", "#b94a00", "#00755a", "#9b4a85", "#7a6200")
DASHES = (None, "8 3", "3 3", "10 3 2 3", "5 2", "12 3 3 3 3 3")

Point = tuple[float, float]


def draw(runs: list[Run], lang: str) -> str:
    """Loss against step as SVG, on a log axis where it spans decades; a sentence before it is.

    Several runs share the axes and differ in colour and dashes; validation has round marks.
    """
    lines = [
        (at, part, points)
        for at, run in enumerate(runs)
        for name, part, history in run.lines()
        if name == "loss"
        and (
            points := [
                (float(step - (run.first if len(runs) > 1 else 0)), loss)
                for step, loss in history.points()
                if math.isfinite(loss)
            ]
        )
    ]
    finite = [point for _, _, points in lines for point in points]
    if not finite:
        return svg.notice(word("loss.none", lang))
    losses = [loss for _, loss in finite]
    log = min(losses) > 0 and max(losses) / min(losses) > 50

    def scaled(loss: float) -> float:
        return math.log10(loss) if log else loss

    low, high = scaled(min(losses)), scaled(max(losses))
    first, last = min(step for step, _ in finite), max(step for step, _ in finite)

    def across(step: float) -> float:
        return LEFT + (step - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)

    def down(level: float) -> float:
        return TOP + (high - level) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM)

    def placed(points: list[Point]) -> list[Point]:
        return [(across(step), down(scaled(loss))) for step, loss in points]

    levels = [low + (high - low) * i / 3 for i in range(4)] if high > low else [low]
    main = lines[0][2]
    return svg.picture(
        WIDTH,
        HEIGHT,
        f"{word('loss.title', lang)}: {spoken(main[0][1])} → {spoken(main[-1][1])}",
        svg.text(word("loss.title", lang), LEFT, 18, fill=INK, font_weight=600),
        *_legend(runs, lang),
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
                word("time.step", lang, step=f"{int(step):,}"),
                across(step),
                HEIGHT - 10,
                text_anchor=anchor,
                fill=MUTED,
                font_size=11,
            )
            for step, anchor in ((first, "start"), (last, "end"))[: 1 + (last > first)]
        ),
        *(_line(placed(points), at, part) for at, part, points in lines),
    )


def _line(points: list[Point], at: int, part: str) -> str:
    tone, dash = TONES[at % len(TONES)], DASHES[at % len(DASHES)]
    validation = part == "validation"
    path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = [
        svg.tag("circle", cx=x, cy=y, r=2.6, fill="#ffffff", stroke=tone, stroke_width=1.4)
        for x, y in points
        if validation
    ]
    return svg.tag(
        "g",
        svg.tag(
            "path",
            d=path,
            fill="none",
            stroke=tone,
            stroke_width=1.6,
            stroke_linejoin="round",
            stroke_dasharray="2 3" if validation else dash,
        ),
        *marks,
    )


def _legend(runs: list[Run], lang: str) -> list[str]:
    """The runs' names, where there are several."""
    names, x, drawn = [run.name for run in runs], LEFT + 60, []
    for at, name in enumerate(names if len(runs) > 1 else []):
        label = name or word("run.numbered", lang, number=at + 1)
        tone, dash = TONES[at % len(TONES)], DASHES[at % len(DASHES)]
        drawn.append(
            svg.tag(
                "line", x1=x, x2=x + 24, y1=14, y2=14, stroke=tone, stroke_width=1.8,
                stroke_dasharray=dash,
            )
        )  # fmt: skip
        drawn.append(svg.text(label, x + 30, 18, fill=tone, font_size=11))
        x += 48 + 7 * len(label)
    return drawn
