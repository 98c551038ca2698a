"""The timeline as a still picture, from the same structure and frame that the browser draws."""

from __future__ import annotations

from typing import Any

from ..shared import svg
from ..shared.colour import PALETTE, mix
from ..shared.numbers import spoken
from ..shared.words import word

WIDTH, LEFT, RIGHT, TOP, ROW, MEMORY = 960, 12, 12, 34, 22, 60
INK, MUTED, LINE = "#1f2328", "#59636e", "#d5dae0"
TONES = {
    "forward": PALETTE["kinds"]["input"]["light"],
    "backward": PALETTE["kinds"]["parameter"]["light"],
    "rest": PALETTE["kinds"]["op"]["light"],
}


def draw(structure: dict[str, Any], frame: dict[str, Any], lang: str) -> str:
    """Bars, memory and axis as SVG; a sentence while there are none."""
    if not frame.get("bars"):
        unmeasured = frame.get("time", {}).get("shown") is not None
        return svg.notice(word("timeline.notTimed" if unmeasured else "timeline.nothing", lang))
    duration = frame["duration"]
    rows = structure["depth"] + 2

    def across(second: float) -> float:
        return LEFT + second / duration * (WIDTH - LEFT - RIGHT)

    title = (
        f"{word('timeline.title', lang)}, "
        f"{word('time.step', lang, step=format(frame['time']['shown'], ','))}: "
        f"{seconds_text(duration)}"
    )
    base = TOP + rows * ROW
    memory = frame["memory"]
    return svg.picture(
        WIDTH,
        base + 26 + (MEMORY + 22 if memory else 0),
        title,
        svg.text(title, LEFT, 20, fill=INK, font_weight=600),
        *(_bar(bar, structure, across, lang) for bar in frame["bars"] if bar[0] != "gap"),
        *(
            svg.text(
                seconds_text(duration * k / 4), across(duration * k / 4), base + 16, fill=MUTED,
                font_size=11, text_anchor=("start", "middle", "middle", "middle", "end")[k],
            )
            for k in range(5)
        ),
        _memory(memory, across, base + 30, duration, lang) if memory else "",
    )  # fmt: skip


def _bar(bar: list[Any], structure: dict[str, Any], across: Any, lang: str) -> str:
    kind, of, row, phase, start, seconds = bar
    x, wide = across(start), max(0.4, across(start + seconds) - across(start))
    y = TOP + row * ROW
    name = label(bar, structure, lang)
    fits = int((wide - 6) / 6.6)
    strength = {"phase": 0.5, "scope": 0.2, "op": 0.34}[kind]
    return svg.tag(
        "g",
        svg.tag(
            "rect", x=x, y=y, width=wide, height=ROW - 2, rx=min(2, wide / 3),
            fill=mix("#ffffff", TONES[phase], strength),
        ),
        svg.text(name if len(name) <= fits else name[: max(0, fits - 1)] + "…", x + 4, y + 14,
                 fill=INK, font_size=11)
        if fits >= 3
        else "",
    )  # fmt: skip


def label(bar: list[Any], structure: dict[str, Any], lang: str) -> str:
    kind, of, _, phase, *_ = bar
    if kind == "op":
        return structure["nodes"][str(of)]["name"]
    if kind == "scope":
        return structure["scopes"][of]["name"]
    return word(f"timeline.{phase}", lang)


def _memory(memory: dict[str, Any], across: Any, top: float, duration: float, lang: str) -> str:
    peak = memory["peak"]["bytes"] or 1

    def down(size: float) -> float:
        return top + MEMORY * (1 - size / peak)

    path, level = f"M{across(0):.1f},{down(0):.1f}", 0
    for second, size in memory["stairs"]:
        path += f"L{across(second):.1f},{down(level):.1f}V{down(size):.1f}"
        level = size
    path += f"L{across(duration):.1f},{down(level):.1f}V{down(0):.1f}Z"
    words = word("timeline.peak", lang, bytes=bytes_text(peak))
    return svg.tag(
        "g",
        svg.tag("path", d=path, fill=mix("#ffffff", TONES["rest"], 0.3), stroke=TONES["rest"]),
        svg.text(f"{word('timeline.memory', lang)} · {words}", LEFT, top + MEMORY + 14, fill=MUTED,
                 font_size=11),
    )  # fmt: skip


def seconds_text(seconds: float) -> str:
    for unit, size in (("µs", 1e6), ("ms", 1e3)):
        if seconds * size < 1000:
            return f"{spoken(seconds * size)} {unit}"
    return f"{spoken(seconds)} s"


def bytes_text(size: float) -> str:
    for unit, unit_size in (("B", 1), ("KiB", 1024), ("MiB", 1024**2)):
        if size < 1024 * unit_size:
            return f"{spoken(size / unit_size)} {unit}"
    return f"{spoken(size / 1024**3)} GiB"
