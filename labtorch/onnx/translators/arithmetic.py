"""Arithmetic, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates

SAME = "abs neg sqrt reciprocal exp log sign sin cos tan asin acos atan sinh cosh asinh acosh atanh"
UNARY = {name: name.title() for name in f"{SAME} erf floor ceil".split()} | {"sgn": "Sign"}
COPIES = ("clone", "contiguous", "alias", "positive", "to")


def _unary(name: str, kind: str) -> None:
    @translates(name)
    def _(g: Graph, input: Value) -> Value:
        if name in ("floor", "ceil") and input.dtype.kind in "ui":
            return input
        return g(kind, g.floating(input))  # type: ignore[no-any-return]


for _name, _kind in UNARY.items():
    _unary(_name, _kind)


@translates(*COPIES)
def _(g, input, device=None):
    return input


@translates("add", "sub")
def _(g, input, other, alpha=1):
    a, b = g.floating(input), g.floating(other)
    if alpha != 1:
        b = g("Mul", b, alpha)
    if g.dtype.kind == "b":
        return g("Or", a, b)
    return g("Sub" if g.op_name == "sub" else "Add", a, b)


@translates("mul")
def _(g, input, other):
    return g("And" if g.dtype.kind == "b" else "Mul", g.floating(input), g.floating(other))


@translates("div")
def _(g, input, other, rounding_mode=None):
    if rounding_mode == "floor":
        return g.call("floor_divide", input, other)
    if g.dtype.kind in "iu":
        return g("Div", g.floating(input), g.floating(other))  # integers round towards 0
    y = g("Div", g.floating(input), g.floating(other))
    return _towards_zero(g, y) if rounding_mode == "trunc" else y


@translates("floor_divide")
def _(g, input, other):
    a, b = g.common(input, other)
    if a.dtype.kind == "f":
        return g("Floor", g("Div", a, b))
    rest = g.call("remainder", a, b)
    return g("Div", g("Sub", a, rest), b)


@translates("remainder")
def _(g, input, other):
    a, b = g.common(input, other)
    if a.dtype.kind != "f":
        return g("Mod", a, b)  # with the sign of b
    return g("Sub", a, g("Mul", b, g("Floor", g("Div", a, b))))


@translates("fmod")
def _(g, input, other):
    a, b = g.common(input, other)
    return g("Mod", a, b, fmod=1)


@translates("trunc")
def _(g, input):
    return input if input.dtype.kind in "ui" else _towards_zero(g, input)


@translates("frac")
def _(g, input):
    return g("Sub", input, _towards_zero(g, input))


def _towards_zero(g: Graph, x: Value) -> Any:
    return g("Mul", g("Sign", x), g("Floor", g("Abs", x)))


@translates("pow")
def _(g, input, exponent):
    if not isinstance(exponent, Value) and exponent == 2:
        return g("Mul", input, input)
    if not isinstance(exponent, Value) and exponent == 0.5:
        return g("Sqrt", g.floating(input))
    return g("Pow", g.floating(input), g.floating(exponent))


@translates("square")
def _(g, input):
    x = g.floating(input)
    return g("Mul", x, x)


@translates("log1p")
def _(g, input):
    """ln(1 + x), exact for small x: with u = 1 + x it is ln(u) x / (u - 1), or x where u = 1."""
    x = g.floating(input)
    u = g("Add", x, 1.0)
    exact = g("Equal", u, 1.0, dtype=bool)
    apart = g("Where", exact, g.value(1.0, x.dtype), g("Sub", u, 1.0), dtype=x.dtype)
    ratio = g("Div", x, apart)
    inexact = g("Mul", g("Log", u), ratio)
    huge = g("IsInf", x, dtype=bool)  # inf / inf would be NaN
    inexact = g("Where", huge, g("Log", u), inexact, dtype=x.dtype)
    return g("Where", exact, x, inexact, dtype=x.dtype)


@translates("expm1")
def _(g, input):
    """e^x - 1, exact for small x: 2 e^(x/2) sinh(x/2)."""
    half = g("Mul", g.floating(input), 0.5)
    return g("Mul", g("Mul", g("Exp", half), g("Sinh", half)), 2.0)


@translates("log2", "log10", "exp2")
def _(g, input):
    x = g.floating(input)
    if g.op_name == "exp2":
        return g("Exp", g("Mul", x, math.log(2)))
    return g("Mul", g("Log", x), 1 / math.log(2 if g.op_name == "log2" else 10))


@translates("rsqrt")
def _(g, input):
    return g("Reciprocal", g("Sqrt", g.floating(input)))


@translates("round")
def _(g, input, decimals=0):
    if input.dtype.kind in "ui":
        return input
    if not decimals:
        return g("Round", input)
    return g("Div", g("Round", g("Mul", input, 10.0**decimals)), 10.0**decimals)


@translates("clamp")
def _(g, input, min=None, max=None):
    x = g.floating(input)
    for kind, bound in (("Max", min), ("Min", max)):
        if bound is not None:
            x = g(kind, x, g.floating(bound))
    return x


@translates("maximum", "minimum", "fmax", "fmin")
def _(g, input, other):
    a, b = g.floating(input), g.floating(other)
    y = g("Max" if g.op_name in ("maximum", "fmax") else "Min", a, b)
    if g.op_name in ("maximum", "minimum") or g.dtype.kind != "f":
        return y
    y = g("Where", g("IsNaN", b, dtype=bool), a, y, dtype=g.dtype)
    return g("Where", g("IsNaN", a, dtype=bool), b, y, dtype=g.dtype)


@translates("where")
def _(g, condition, input, other):
    return g.choice(condition, g.floating(input), g.floating(other))


@translates("lerp")
def _(g, input, end, weight):
    return g("Add", input, g("Mul", g.floating(weight), g("Sub", end, input)))


@translates("addcmul", "addcdiv")
def _(g, input, tensor1, tensor2, value=1):
    a, b = g.floating(tensor1), g.floating(tensor2)
    part = g("Mul" if g.op_name == "addcmul" else "Div", a, b)
    return g("Add", g.floating(input), part if value == 1 else g("Mul", part, value))


@translates("nan_to_num")
def _(g, input, nan=0.0, posinf=None, neginf=None):
    limits = np.finfo(g.dtype)
    y = g(
        "Where", g("IsNaN", input, dtype=bool), g.value(nan or 0.0, g.dtype), input, dtype=g.dtype
    )
    for sign, given, usual in ((1, posinf, limits.max), (-1, neginf, limits.min)):
        to = g.value(float(usual) if given is None else given, g.dtype)
        here = g(
            "IsInf", y, detect_positive=int(sign > 0), detect_negative=int(sign < 0), dtype=bool
        )
        y = g("Where", here, to, y, dtype=g.dtype)
    return y


@translates("erfc")
def _(g, input):
    return g("Sub", g.value(1.0, g.dtype), g("Erf", g.floating(input)))


@translates("deg2rad", "rad2deg")
def _(g, input):
    scale = math.pi / 180 if g.op_name == "deg2rad" else 180 / math.pi
    return g("Mul", g.floating(input), scale)


@translates("atan2")
def _(g, input, other):
    """From the arctangent of the quotient, by quadrant."""
    y, x = g.floating(input), g.floating(other)
    zero = g.value(0.0, g.dtype)
    safe = g("Where", g("Equal", x, zero, dtype=bool), g.value(1.0, g.dtype), x, dtype=g.dtype)
    base = g("Atan", g("Div", y, safe))
    half = g("Mul", g("Sign", y), math.pi / 2)
    below = g("Less", y, zero, dtype=bool)
    turn = g("Where", below, g.value(-math.pi, g.dtype), g.value(math.pi, g.dtype), dtype=g.dtype)
    left = g("Where", g("Less", x, zero, dtype=bool), g("Add", base, turn), base, dtype=g.dtype)
    return g("Where", g("Equal", x, zero, dtype=bool), half, left, dtype=g.dtype)


@translates("hypot")
def _(g, input, other):
    a, b = g.floating(input), g.floating(other)
    return g("Sqrt", g("Add", g("Mul", a, a), g("Mul", b, b)))


@translates("logaddexp")
def _(g, input, other):
    a, b = g.floating(input), g.floating(other)
    soft = g("Softplus", g("Neg", g("Abs", g("Sub", a, b))))
    return g("Add", g("Max", a, b), soft)


@translates("xlogy")
def _(g, input, other):
    a, b = g.floating(input), g.floating(other)
    zero = g("Equal", a, g.value(0.0, g.dtype), dtype=bool)
    safe = g("Where", zero, g.value(1.0, g.dtype), b, dtype=g.dtype)
    return g("Mul", a, g("Log", safe))


@translates("heaviside")
def _(g, input, values):
    x = g.floating(input)
    step = g.cast(g("Greater", x, g.value(0, g.dtype), dtype=bool), g.dtype)
    at = g("Equal", x, g.value(0, g.dtype), dtype=bool)
    return g("Where", at, g.floating(values), step, dtype=g.dtype)


@translates("logit")
def _(g, input, eps=None):
    x = g.floating(input)
    if eps is not None:
        x = g("Min", g("Max", x, float(eps)), 1 - float(eps))
    return g("Log", g("Div", x, g("Sub", g.value(1.0, g.dtype), x)))


@translates("special_entr")
def _(g, input):
    x = g.floating(input)
    zero = g("Equal", x, g.value(0.0, g.dtype), dtype=bool)
    safe = g("Where", zero, g.value(1.0, g.dtype), x, dtype=g.dtype)
    return g("Neg", g("Mul", x, g("Log", safe)))


@translates("fill")
def _(g, input, value):
    return g("Expand", g.value(value, g.dtype), g("Shape", input, dtype=np.int64), dtype=g.dtype)
