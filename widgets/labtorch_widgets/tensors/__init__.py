"""Real tensors: what they are, how they lie in memory, who shares it, how shapes are broadcast."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from labtorch.observe import look

from .view import TensorsView

__all__ = ["TensorsView", "broadcast", "tensors"]


def tensors(*things: Any, lang: str | None = None, **named: Any) -> TensorsView:
    """Show tensors as they are: shape, strides, dtype and all else, and their place in memory.

    `things` are tensors, or lists, dicts and dataclasses that hold some (at most 64 in all); they
    go by the names of your variables, or by those they are given as keywords. Those that share
    memory stand on one strip of it. The view follows changes made in later cells. `lang` is "en"
    or "zh".

    Raises TypeError where there is no tensor in a thing, ValueError for an unknown language.
    """
    frame = sys._getframe(1)
    found: list[tuple[str, Any]] = []
    given = [(_name(thing, frame), thing) for thing in things] + list(named.items())
    for number, (name, thing) in enumerate(given, 1):
        inside = look.tensors(thing, name or f"tensor {number}")
        if not inside:
            raise TypeError(
                f"there is no tensor in {type(thing).__name__}: give tensors, or lists, dicts or "
                "dataclasses of tensors"
            )
        found += inside
    if not found:
        raise TypeError("give at least one tensor")
    return TensorsView(found[: look.MOST], lang=lang)


def broadcast(*operands: Any, lang: str | None = None) -> TensorsView:
    """Show how shapes are broadcast: aligned from the right, axes of size 1 or none repeated.

    `operands` are tensors, arrays, or shapes as tuples or lists of sizes. Where they do not fit,
    the axis that is to blame is marked, with what would fit. `lang` is "en" or "zh".

    Raises TypeError for what has no shape, ValueError for a negative size or an unknown language.
    """
    frame = sys._getframe(1)
    shapes = []
    for number, operand in enumerate(operands):
        shape = getattr(operand, "shape", operand)
        if not isinstance(shape, list | tuple) or not all(isinstance(n, int) for n in shape):
            raise TypeError(f"{type(operand).__name__} has no shape: give tensors or tuples")
        if any(n < 0 for n in shape):
            raise ValueError(f"a shape has no negative sizes, but {tuple(shape)} has")
        shapes.append((_name(operand, frame) or "abcdefgh"[number % 8], list(shape)))
    if len(shapes) < 2:
        raise TypeError("give at least two tensors or shapes")
    return TensorsView(shapes=shapes, lang=lang)


def _name(thing: Any, frame: FrameType) -> str:
    """What the caller calls it, or ''."""
    for names in (frame.f_locals, frame.f_globals):
        for name, value in list(names.items()):
            if value is thing and not name.startswith("_"):
                return name
    return ""
