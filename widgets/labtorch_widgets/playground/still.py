"""The playground as a still picture: the boundary, the points, and the program beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..shared import svg
from ..shared.colour import signed
from ..shared.numbers import spoken
from ..shared.words import word
from .choices import HALF, Choices
from .run import Picture

SIDE, MARGIN, CODE = 300, 16, 330  # of the plane; around it; where the program begins
CELLS = 25
INK, MUTED, LINE, MONO = "#1f2328", "#59636e", "#d5dae0", "ui-monospace, Menlo, monospace"
ROW = 15.0  # height of a line of code


def draw(
    picture: Picture,
    points: Sequence[Sequence[float]],
    choices: Choices,
    code: str,
    lang: str,
) -> str:
    """What the network says of the plane, its losses, and the program, as SVG."""
    lines = code.rstrip().split("\n")
    losses = " · ".join(
        f"{word(f'play.{name}.loss', lang)} {spoken(loss)}"
        for name, loss in zip(("train", "test"), picture.losses)
        if loss is not None
    )
    title = f"{word('play.title', lang)}: {word(f'play.data.{choices.data}', lang)}"
    told = f"{word('play.count', lang, count=f'{picture.step:,}')} · {losses}"
    return svg.picture(
        860,
        max(SIDE + 72, 44 + ROW * len(lines)),
        f"{title}, {told}",
        svg.text(title, MARGIN, 24, fill=INK, font_weight=600),
        _plane(picture, choices),
        *(_point(*point) for point in points),
        svg.text(told, MARGIN, SIDE + 60, fill=MUTED, font_size=11),
        *(
            svg.text(
                line.replace(" ", "\u00a0"),
                CODE,
                24 + ROW * at,
                fill=MUTED if line.lstrip().startswith("#") else INK,
                font_size=11,
                font_family=MONO,
            )
            for at, line in enumerate(lines)
            if line
        ),
    )


def _plane(picture: Picture, choices: Choices) -> str:
    """The output in cells, coarse enough for a picture that a notebook keeps."""
    step = len(picture.output) // CELLS
    output = picture.output[step // 2 :: step, step // 2 :: step]
    shares = output if choices.regression else np.tanh(output / 2)
    size = SIDE / CELLS
    cells = (
        svg.tag(
            "rect",
            x=MARGIN + j * size,
            y=40 + i * size,
            width=size + 0.3,
            height=size + 0.3,
            fill=signed(float(value), 1.0) if np.isfinite(value) else LINE,
        )
        for i, row in enumerate(shares)
        for j, value in enumerate(row)
    )
    return svg.tag("g", *cells, opacity=0.85)


def _point(x1: float, x2: float, label: float, tested: float) -> str:
    share = 2 * label - 1 if label in (0, 1) else label
    return svg.tag(
        "circle",
        cx=MARGIN + (min(max(x1, -HALF), HALF) + HALF) / (2 * HALF) * SIDE,
        cy=40 + (HALF - min(max(x2, -HALF), HALF)) / (2 * HALF) * SIDE,
        r=2.6,
        fill=signed(share, 1.0),
        stroke=INK if tested else "#ffffff",
        stroke_width=0.8,
    )
