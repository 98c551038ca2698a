"""The tensors as a picture that needs no browser."""

from __future__ import annotations

from typing import Any

from ..shared import svg
from ..shared.numbers import shape_text, spoken
from ..shared.words import word

INK, MUTED, LINE, ALARM = "#1f2328", "#59636e", "#c9ced4", "#b3261e"
COLOURS = ["#0877bd", "#b35900", "#7a4fb0", "#23785a", "#a8327a", "#5b6670"]
CELL, LEFT, SHOWN = 34, 130, 16


def draw(frame: dict[str, Any], lang: str) -> str:
    """Each memory as a strip of its first cells, with the tensors that lie in it below."""
    if frame["broadcast"]:
        return _broadcast(frame["broadcast"], lang)
    parts: list[str] = []
    y = 24.0
    for memory in frame["memories"]:
        title = word("tensors.memory", lang, size=memory["size"], dtype=memory["dtype"])
        parts.append(svg.text(title, 14, y, fill=MUTED))
        y += 10
        for i, value in enumerate(memory["cells"][:SHOWN]):
            x = LEFT + i * CELL
            parts.append(
                svg.tag("rect", x=x, y=y, width=CELL, height=22, fill="#ffffff", stroke=LINE)
            )
            parts.append(_middle(spoken(value, 3), x + CELL / 2, y + 15, INK))
        y += 26
        for at, places in zip(memory["members"], memory["places"]):
            tensor, colour = frame["tensors"][at], COLOURS[at % len(COLOURS)]
            label = f"{tensor['name']}  {shape_text(tensor['shape'])}"
            parts.append(svg.text(label, 14, y + 12, fill=colour, font_weight=600))
            for cell, element, _ in places or []:
                column = cell - memory["start"]
                if column < SHOWN:
                    x = LEFT + column * CELL
                    parts.append(
                        svg.tag("rect", x=x + 1, y=y, width=CELL - 2, height=16, fill=colour, rx=2)
                    )
                    parts.append(_middle(str(element), x + CELL / 2, y + 12, "#ffffff"))
            y += 20
        y += 16
    return svg.picture(LEFT + SHOWN * CELL + 16, y, word("tensors.title", lang), *parts)


def _broadcast(found: dict[str, Any], lang: str) -> str:
    parts, y = [], 34.0
    width = 76
    for name, each in zip(found["names"], found["shapes"]):
        parts.append(svg.text(name, 14, y, fill=INK, font_weight=600))
        for axis, size in enumerate(each["sizes"]):
            target = found["result"][axis]
            shown = "–" if size is None else str(size)
            text = f"{shown} → {target}" if each["stretched"][axis] else shown
            colour = ALARM if axis in found["faults"] else INK
            parts.append(_middle(text, 150 + axis * width, y, colour))
        y += 24
    parts.append(svg.text(word("broadcast.result", lang), 14, y + 6, fill=MUTED))
    for axis, size in enumerate(found["result"]):
        colour = ALARM if size is None else INK
        parts.append(_middle("✗" if size is None else str(size), 150 + axis * width, y + 6, colour))
    wide = max(360, 150 + len(found["result"]) * width)
    return svg.picture(wide, y + 26, word("broadcast.title", lang), *parts)


def _middle(content: str, x: float, y: float, colour: str) -> str:
    return svg.text(content, x, y, text_anchor="middle", fill=colour, font_size=11)
