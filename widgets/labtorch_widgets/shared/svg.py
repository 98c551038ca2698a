"""A small writer of SVG, for the still picture that a view leaves where no browser runs it."""

from __future__ import annotations

import re
from html import escape

SHRINKS = "max-width:100%;height:auto"  # on a page that is narrower
SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')


def tag(name: str, *children: str, **attributes: object) -> str:
    """An element; `font_size=12` becomes `font-size="12"`, None drops out, values are escaped.

    Children are markup already: text goes in through `text`.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{pairs}>{''.join(children)}</{name}>" if children else f"<{name}{pairs}/>"


def text(content: str, x: float, y: float, **attributes: object) -> str:
    return tag("text", escape(content), x=x, y=y, **attributes)


def picture(width: float, height: float, title: str, *children: str) -> str:
    """A whole drawing, with the title that screen readers say."""
    return tag(
        "svg",
        tag("title", escape(title)),
        tag("rect", width=width, height=height, fill="#ffffff"),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        width=width,
        height=height,
        style=SHRINKS,
        role="img",
        font_family="system-ui, -apple-system, 'Segoe UI', 'Noto Sans CJK SC', sans-serif",
        font_size=12,
    )


def notice(sentence: str) -> str:
    """A picture that only says why there is none yet."""
    words = text(sentence, 360, 44, text_anchor="middle", fill="#59636e")
    return picture(720, 80, sentence, words)


def stacked(pictures: list[str], gap: float = 12) -> str:
    """Several whole pictures, one below the other, in one."""
    sizes = [tuple(map(float, SIZE.search(each).groups())) for each in pictures]  # type: ignore[union-attr]
    width, placed, y = max(width for width, _ in sizes), [], 0.0
    for each, (_, height) in zip(pictures, sizes, strict=True):
        inner = each.replace(f' style="{SHRINKS}"', "", 1)
        placed.append(inner.replace("<svg ", f'<svg y="{_short(y)}" ', 1))
        y += height + gap
    return tag(
        "svg",
        *placed,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_short(width)} {_short(y - gap)}",
        width=width,
        height=y - gap,
        style=SHRINKS,
    )


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
