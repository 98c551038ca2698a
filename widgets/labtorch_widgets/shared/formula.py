"""LaTeX to MathML in the kernel, so that no typesetter has to travel to the browser."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import lru_cache
from html import escape

NAMESPACE = "http://www.w3.org/1998/Math/MathML"


@lru_cache(maxsize=1024)
def mathml(latex: str) -> str:
    """`latex` as a MathML element; as plain text in one where the converter does not know it."""
    from latex2mathml.converter import convert

    try:
        root = ET.fromstring(convert(latex, display="block"))
    except Exception:  # an unknown command must not take the whole pane with it
        return f'<math xmlns="{NAMESPACE}"><mtext>{escape(latex)}</mtext></math>'
    _tidy(root)
    ET.register_namespace("", NAMESPACE)
    return ET.tostring(root, encoding="unicode")


def _tidy(element: ET.Element) -> None:
    """Set right what browsers draw badly in the converter's output."""
    for child in list(element):
        _tidy(child)
    tag = _tag(element)
    if tag == "mover" and len(element) == 2 and element[1].text == "\u00af":
        # A stretched macron sits too far up and is as wide as the box; this one hugs the letter.
        element.set("accent", "true")
        element[1].set("stretchy", "false")
        element[1].text = "\u203e"
    if tag == "mo" and element.text == "\u22a4":
        # As an operator it gets room around it, and few fonts draw it at a superscript's size.
        element.tag, element.text = f"{{{NAMESPACE}}}mi", "T"
        element.set("mathvariant", "normal")
    if tag == "mrow" and len(element) > 1 and all(_upright(child) for child in element):
        # "r e l u" set letter by letter: an identifier of several letters is upright by itself.
        name = "".join(child.text or "" for child in element)
        for child in list(element):
            element.remove(child)
        element.tag, element.text = f"{{{NAMESPACE}}}mi", name
    if tag == "mtable":
        element.set("columnspacing", "1em")


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _upright(element: ET.Element) -> bool:
    return _tag(element) == "mi" and element.get("mathvariant") == "normal" and len(element) == 0


def pieces(latex: str) -> list[str]:
    """`latex` cut before its relations and its outer plus and minus: where a line may be broken."""
    found, depth = [""], 0
    for word in latex.split(" "):
        breaks = depth == 0 and word in ("=", r"\approx", "+", "-") and found[-1].strip()
        if breaks:
            found.append("")
        found[-1] += f"{word} "
        depth += sum(word.count(each) for each in "({") - sum(word.count(each) for each in ")}")
    return [piece.strip() for piece in found]
