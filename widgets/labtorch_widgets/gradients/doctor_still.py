"""The doctor's findings as a still picture."""

from __future__ import annotations

import unicodedata
from typing import Any

from ..shared import svg
from ..shared.numbers import spoken
from ..shared.words import word
from . import sentences

WIDTH, LINE = 760, 17
INK, MUTED, RULE = "#1f2328", "#59636e", "#d5dae0"
TONES = {"error": "#b3261e", "warning": "#8a5200", "note": "#59636e", "healthy": "#23785a"}
MOST = 12  # boxes of a path


def draw(findings: list[Any], step: int | None, lang: str) -> str:
    """A block of text for each finding, with its path; a sentence where there is none yet."""
    if not findings:
        return svg.notice(word("doctor.nothing", lang))
    title = word("doctor.title", lang)
    title += "" if step is None else f", {word('time.step', lang, step=f'{step:,}')}"
    parts = [svg.text(title, 16, 24, fill=INK, font_weight=600, font_size=14)]
    y = 40.0
    for finding in findings:
        block, y = _block(finding, y, lang)
        parts += block
    return svg.picture(WIDTH, y + 8, title, *parts)


def _block(finding: Any, top: float, lang: str) -> tuple[list[str], float]:
    tone = TONES[finding["severity"]]
    heading = word(f"doctor.kind.{finding['kind']}", lang)
    parts = [svg.text(heading, 30, top + 20, fill=tone, font_weight=600, font_size=13)]
    y = top + 40
    lines = [(line, INK) for line in wrap(sentences.sentence(finding, lang))]
    if here := sentences.place(finding, lang):
        lines += [(line, MUTED) for line in wrap(here)]
    if finding["advice"]:
        advice = word(f"doctor.advice.{finding['advice']}", lang)
        lines += [(line, MUTED) for line in wrap(f"→ {advice}")]
    for line, colour in lines:
        parts.append(svg.text(line, 30, y, fill=colour))
        y += LINE
    if len(finding["path"]) > 1:
        parts += _path(finding, y, tone)
        y += 46
    parts.append(
        svg.tag("rect", x=16, y=top + 6, width=4, height=y - top - 12, rx=2, fill=tone)
    )  # fmt: skip
    return parts, y + 4


def _path(finding: Any, y: float, tone: str) -> list[str]:
    """The boxes from the loss to the parameter; with many, those around the worst."""
    path, worst = finding["path"], finding["worst"]
    start = max(0, min((worst or 0) - MOST // 2, len(path) - MOST))
    hops = path[start : start + MOST]
    width = (WIDTH - 60) / len(hops)
    parts = []
    for i, hop in enumerate(hops):
        x, bad = 30 + i * width, start + i == worst
        factor = hop["factor"]
        parts += [
            svg.tag(
                "rect",
                x=x,
                y=y - 4,
                width=width - 6,
                height=34,
                rx=4,
                fill="#ffffff",
                stroke=tone if bad else RULE,
                stroke_width=2 if bad else 1,
            ),
            svg.text(_clip(hop["name"], width), x + 5, y + 10, fill=INK, font_size=10),
            svg.text(
                "" if factor is None else f"× {spoken(factor, 2)}",
                x + 5,
                y + 23,
                fill=tone if bad else MUTED,
                font_size=10,
            ),
        ]
    return parts


def _clip(name: str, width: float) -> str:
    most = max(3, int((width - 14) / 5.8))
    return name if len(name) <= most else name[: most - 1] + "…"


def wrap(text: str, columns: int = 104) -> list[str]:
    """Lines of at most `columns`, where Chinese characters count double and may stand anywhere."""
    lines, line, used = [], "", 0
    for word_ in _pieces(text):
        size = sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in word_)
        if used + size > columns and line:
            lines.append(line.rstrip())
            line, used = "", 0
            word_, size = word_.lstrip(), size - (len(word_) - len(word_.lstrip()))
        line, used = line + word_, used + size
    return [*lines, line.rstrip()]


def _pieces(text: str) -> list[str]:
    """Where a line may end: after a space, and on both sides of a wide character."""
    pieces, piece = [], ""
    for character in text:
        wide = unicodedata.east_asian_width(character) in "WF"
        if wide or (piece and piece[-1] == " "):
            pieces.append(piece)
            piece = ""
        piece += character
        if wide:
            pieces.append(piece)
            piece = ""
    return [each for each in [*pieces, piece] if each]
