"""One unit at one step: the equations of its cell with the numbers put in."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from ..shared.formula import mathml
from ..shared.numbers import number, spoken
from .course import Course

# A number's place in a template is a number that no equation has: 9001 for the first, and so on.
FIRST = 9001
GATE = r"{g} = {s}(W_{{i{g}}} x_t + b_{{i{g}}} + W_{{h{g}}} h_{{p}} + b_{{h{g}}})"
SQUASH = {"i": r"\sigma", "f": r"\sigma", "o": r"\sigma", "g": r"\tanh", "r": r"\sigma",
          "z": r"\sigma"}  # fmt: skip


def at(course: Course, unit: int, t: int) -> dict[str, Any]:
    """The numbers of the cell's diagram and its equations, for `unit` at step `t`."""
    unit = max(0, min(unit, course.size - 1))
    found = {name: _pick(x, unit, t) for name, x in course.states.items()}
    found |= {f"{name}_before": _pick(x, unit, t) for name, x in course.before.items()}
    found |= _terms(course, unit, t)
    kind = course.recurrence.kind
    make = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}.get(kind)
    equations = make(course, found) if make else []
    # what comes before a step: the step before it, or, from the end to the start, after it
    previous = "t+1" if course.recurrence.backwards else "t-1"
    return {
        "unit": unit,
        "t": t,
        "numbers": {name: number(value, 6) for name, value in found.items() if value is not None},
        "equations": [_filled(text.replace("{p}", f"{{{previous}}}"), values)
                      for text, values in equations],
    }  # fmt: skip


def _pick(array: np.ndarray, unit: int, t: int) -> float | None:
    return float(array[t, unit]) if unit < array.shape[1] else None


def _terms(course: Course, unit: int, t: int) -> dict[str, float]:
    """What each gate's two products with weights come to: "i_x" and "i_h", and so on."""
    names = {"lstm": "ifgo", "gru": "rzn", "rnn": "h"}.get(course.recurrence.kind, "")
    if course.of_x is None or course.of_h is None or not names:
        return {}
    size = course.size
    found = {}
    for place, name in enumerate(names):
        found[f"{name}_x"] = float(course.of_x[t, place * size + unit])
        found[f"{name}_h"] = float(course.of_h[t, place * size + unit])
    return found


Equation = tuple[str, list[float | None]]


def _gate(name: str, found: dict[str, Any]) -> Equation:
    text = GATE.replace("{g}", name).replace("{s}", SQUASH[name])
    text = text.replace("{{", "{").replace("}}", "}").replace("{p}", "{p}")
    if f"{name}_x" not in found:
        return f"{text} = 9001", [found.get(name)]
    x, h = found[f"{name}_x"], found[f"{name}_h"]
    squash = SQUASH[name]
    return (
        f"{text} = {squash}(9001 + 9002) = {squash}(9003) = 9004",
        [x, h, x + h, found.get(name)],
    )


def _lstm(course: Course, found: dict[str, Any]) -> list[Equation]:
    if not all(found.get(name) is not None for name in ("i", "f", "g", "o", "c", "c_before")):
        return []
    c = found["c"]
    hidden = found["o"] * math.tanh(c) if course.projected else found["h"]
    return [
        *(_gate(name, found) for name in "ifgo"),
        (
            r"c_t = f\, c_{p} + i\, g = 9001 \cdot 9002 + 9003 \cdot 9004 = 9005",
            [found["f"], found["c_before"], found["i"], found["g"], c],
        ),
        (
            (r"m_t" if course.projected else "h_t")
            + r" = o \tanh(c_t) = 9001 \cdot \tanh(9002) = 9003 \cdot 9004 = 9005",
            [found["o"], c, found["o"], math.tanh(c), hidden],
        ),
    ]


def _gru(course: Course, found: dict[str, Any]) -> list[Equation]:
    if not all(found.get(name) is not None for name in ("r", "z", "n", "h_before")):
        return []
    text = r"n = \tanh(W_{in} x_t + b_{in} + r (W_{hn} h_{p} + b_{hn}))"
    new: Equation = (f"{text} = 9001", [found["n"]])
    if "n_x" in found:
        x, h, r = found["n_x"], found["n_h"], found["r"]
        new = (
            rf"{text} = \tanh(9001 + 9002 \cdot 9003) = \tanh(9004) = 9005",
            [x, r, h, x + r * h, found["n"]],
        )
    z = found["z"]
    return [
        _gate("r", found),
        _gate("z", found),
        new,
        (
            r"h_t = (1 - z)\, n + z\, h_{p} = 9001 \cdot 9002 + 9003 \cdot 9004 = 9005",
            [1 - z, found["n"], z, found["h_before"], found["h"]],
        ),
    ]


def _rnn(course: Course, found: dict[str, Any]) -> list[Equation]:
    squash, close = (r"\max(0, ", ")") if course.relu else (r"\tanh(", ")")
    text = f"h_t = {squash}W_{{ih}} x_t + b_{{ih}} + W_{{hh}} h_{{p}} + b_{{hh}}{close}"
    if "h_x" not in found:
        return [(f"{text} = 9001", [found["h"]])]
    x, h = found["h_x"], found["h_h"]
    return [
        (
            f"{text} = {squash}9001 + 9002{close} = {squash}9003{close} = 9004",
            [x, h, x + h, found["h"]],
        )
    ]


def _filled(template: str, values: list[float | None]) -> dict[str, str]:
    """The template with its numbers, as MathML and as LaTeX; it is converted only once."""
    markup, latex = mathml(template), template
    for place, value in enumerate(values):
        text = spoken(value, 3) or "–"
        # a negative number after a sign stands in brackets
        bracketed = f"({text})" if text.startswith("−") else text
        key = str(FIRST + place)
        signed = re.search(rf"(\+|\\cdot)\s*{key}", template) is not None
        said = bracketed if signed else text
        markup, latex = markup.replace(key, said), latex.replace(key, said.replace("−", "-"))
    return {"latex": latex, "mathml": markup}
