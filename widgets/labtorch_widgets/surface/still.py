"""The landscape as a still picture, from the same map and frame that the browser draws."""

from __future__ import annotations

from typing import Any

from ..shared import svg
from ..shared.numbers import spoken
from ..shared.words import word
from .contour import HEIGHT, WIDTH

LEFT, TOP, RIGHT, BOTTOM = 64, 34, 130, 46
INK, MUTED, BALL = "#1f2328", "#59636e", "#f59322"


def draw(chart: dict[str, Any] | None, frame: dict[str, Any], lang: str) -> str:
    """Map, path, ball and scale as SVG; a sentence while there is no map."""
    if chart is None:
        failed = frame.get("phase") == "failed"
        return svg.notice(frame["error"] if failed else word("surface.nothing", lang))
    u0, u1, v0, v1 = chart["window"]

    def place(point: dict[str, Any]) -> tuple[float, float] | None:
        u, v = point["u"], point["v"]
        if isinstance(u, str) or isinstance(v, str):
            return None
        x, y = (u - u0) / (u1 - u0) * WIDTH, (v1 - v) / (v1 - v0) * HEIGHT
        return x, y

    trail, ball = frame["trail"], frame["ball"]
    walked = [p for p in trail if ball is not None and p["step"] <= ball["step"]]
    line = [at for p in walked if (at := place(p)) is not None]
    d = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in line) if line else ""
    strokes = [("#ffffff", 4.5), (INK, 3), (BALL, 1.8)]
    title = word("surface.title", lang)
    if ball is not None:
        title += ", " + word("time.step", lang, step=f"{ball['step']:,}")
    inside = svg.tag(
        "svg",
        svg.tag("rect", width=WIDTH, height=HEIGHT, fill="#d5dae0"),
        *(
            svg.tag(
                "path", d=band["d"], fill=band["colour"], fill_rule="evenodd", stroke="#1f2328",
                stroke_opacity=0.18, stroke_width=0.6,
            )
            for band in chart["bands"]
        ),
        *(
            svg.tag("path", d=d, fill="none", stroke=tone, stroke_width=wide)
            for tone, wide in strokes
            if d
        ),
        *(
            svg.tag("circle", cx=line[-1][0], cy=line[-1][1], r=6, fill=BALL, stroke=INK)
            for _ in range(bool(line))
        ),
        x=LEFT, y=TOP, width=WIDTH, height=HEIGHT, viewBox=f"0 0 {WIDTH} {HEIGHT}",
    )  # fmt: skip
    return svg.picture(
        LEFT + WIDTH + RIGHT,
        TOP + HEIGHT + BOTTOM,
        title,
        svg.text(title, LEFT, 20, fill=INK, font_weight=600),
        inside,
        *_ends(chart, frame, lang),
        *_scale(chart["bands"], lang),
    )


def _ends(chart: dict[str, Any], frame: dict[str, Any], lang: str) -> list[str]:
    """What the axes are, and from where to where they reach."""
    u0, u1, v0, v1 = chart["window"]
    below, quiet = TOP + HEIGHT + 18, {"fill": MUTED, "font_size": 11}
    names = axes(frame, lang)
    return [
        svg.text(spoken(u0), LEFT, below, **quiet),
        svg.text(spoken(u1), LEFT + WIDTH, below, text_anchor="end", **quiet),
        svg.text(names[0], LEFT + WIDTH / 2, below + 14, text_anchor="middle", fill=INK),
        svg.text(spoken(v0), LEFT - 6, TOP + HEIGHT, text_anchor="end", **quiet),
        svg.text(spoken(v1), LEFT - 6, TOP + 11, text_anchor="end", **quiet),
        svg.text(
            names[1], 0, 0, text_anchor="middle", fill=INK,
            transform=f"translate({LEFT - 44} {TOP + HEIGHT / 2}) rotate(-90)",
        ),
    ]  # fmt: skip


def axes(frame: dict[str, Any], lang: str) -> tuple[str, str]:
    """What the two directions are called."""
    kind = frame["kind"]
    if kind == "parameters":
        return frame["labels"][0], frame["labels"][1]
    first, second = (word(f"surface.axis.{kind}.{at}", lang) for at in ("u", "v"))
    if frame["share"]:
        first, second = (
            f"{name} ({spoken(share * 100)} %)"
            for name, share in zip((first, second), frame["share"])
        )
    return first, second


def _scale(bands: list[dict[str, Any]], lang: str) -> list[str]:
    x, wide = LEFT + WIDTH + 20, 16
    tall = HEIGHT / max(1, len(bands))
    drawn = [svg.text(word("surface.loss", lang), x, TOP - 8, fill=MUTED, font_size=11)]
    for at, band in enumerate(bands):
        y = TOP + HEIGHT - (at + 1) * tall
        drawn.append(svg.tag("rect", x=x, y=y, width=wide, height=tall, fill=band["colour"]))
        if at % 2 == 0:
            drawn.append(
                svg.text(spoken(band["low"]), x + wide + 6, y + tall + 4, fill=MUTED, font_size=11)
            )
    return drawn
