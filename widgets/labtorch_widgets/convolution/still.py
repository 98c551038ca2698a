"""The picture, and what the kernel or the pooling made of it, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..features.raster import column_png, largest
from ..shared import svg
from ..shared.numbers import shape_text
from ..shared.words import word

ROOM, INK, MUTED = 240, "#1f2328", "#59636e"


def draw(image: Any, output: Any, mode: str, frame: dict[str, Any], lang: str) -> str:
    title = word("convolution.title", lang)
    pictures = [_picture(image, 20, word("convolution.image", lang))]
    if output is None:
        pictures.append(svg.text(problem(frame["problem"], lang), 300, 160, fill=INK))
    else:
        pictures.append(_picture(output, 380, word("convolution.output", lang)))
        arrow = (
            "max"
            if mode == "max"
            else "mean"
            if mode == "average"
            else "∗"
            if frame["flip"]
            else "⋆"
        )
        pictures.append(svg.text(f"{arrow} →", 300, 165, fill=INK, font_size=20))
    return svg.picture(640 if output is not None else 820, 312, title, *pictures)


def problem(told: dict[str, Any], lang: str) -> str:
    """Why nothing fits, as a sentence."""
    values = {name: value for name, value in told.items() if name != "key"}
    return word(f"convolution.{told['key']}", lang, **values)


def _picture(array: np.ndarray, x: float, name: str) -> str:
    rows, columns = array.shape
    scale = ROOM / max(rows, columns)
    return svg.tag(
        "g",
        svg.text(f"{name} {shape_text([rows, columns])}", x, 24, fill=INK, font_weight=600),
        svg.tag(
            "image",
            href=column_png(array[None], [largest(array)]),
            x=x,
            y=40,
            width=columns * scale,
            height=rows * scale,
            preserveAspectRatio="none",
            style="image-rendering: pixelated",
        ),
        svg.text(f"±{largest(array):.3g}", x, 300, fill=MUTED, font_size=10.5),
    )
