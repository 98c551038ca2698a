"""The overview of the feature maps as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..shared import svg
from ..shared.numbers import shape_text
from ..shared.words import word
from .raster import column_png

INK, MUTED = "#1f2328", "#59636e"
CELL, GAP, COLUMN, HEAD = 40, 4, 84, 64
MOST = 10  # layers


def draw(scene: dict[str, Any], frame: dict[str, Any], lang: str) -> str:
    """The first layers' maps as SVG; a sentence where there are none."""
    if frame.get("note") or not frame.get("layers"):
        return svg.notice(word(f"features.{frame.get('note') or 'nothing'}", lang))
    columns = [told for told in frame["layers"] if told["maps"]][:MOST]
    width = 24 + COLUMN * len(columns)
    height = HEAD + frame["rows"] * (CELL + GAP) + 8
    step = word("time.step", lang, step=f"{frame['shown']:,}")
    title = f"{word('features.title', lang)}, {step}"
    return svg.picture(
        width,
        height,
        title,
        *(
            _column(scene["layers"][told["at"]], told, 16 + COLUMN * i, lang)
            for i, told in enumerate(columns)
        ),
    )


def _column(layer: dict[str, Any], told: dict[str, Any], x: float, lang: str) -> str:
    name = word("features.picture", lang) if layer["kind"] == "image" else layer["name"]
    count, rows, columns = told["size"]
    maps = (np.frombuffer(told["maps"], np.uint8).astype(float) - 128).reshape(told["size"])
    odd = maps == -128
    maps[odd] = np.nan
    tall = CELL if rows > 1 else 14
    image = ""
    if count:
        image = svg.tag(
            "image",
            href=column_png(maps, [127.0] * count, gap=1),
            x=x,
            y=HEAD,
            width=CELL,
            height=count * tall + (count - 1) * tall / rows,
            preserveAspectRatio="none",
            style="image-rendering: pixelated",
        )
    return svg.tag(
        "g",
        svg.text(name[:12], x, 22, fill=INK, font_weight=600),
        svg.text((layer["type"] or layer["op"])[:13], x, 38, fill=MUTED, font_size=10.5),
        svg.text(shape_text(layer["shape"]), x, 54, fill=MUTED, font_size=10.5),
        image,
    )
