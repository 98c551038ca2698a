"""Comparisons and logic."""

from __future__ import annotations

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates

COMPARISONS = {"eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater"}
COMPARISONS |= {"ge": "GreaterOrEqual", "ne": "Equal"}
LOGIC = {"and": "And", "or": "Or", "xor": "Xor"}


@translates(*COMPARISONS)
def _(g, input, other):
    a, b = g.common(input, other)
    if a.dtype.kind == "b" and g.op_name not in ("eq", "ne"):
        a, b = g.cast(a, "int32"), g.cast(b, "int32")
    y = g(COMPARISONS[g.op_name], a, b, dtype=bool)
    return g("Not", y) if g.op_name == "ne" else y


@translates(*(f"logical_{name}" for name in LOGIC))
def _(g, input, other):
    kind = LOGIC[g.op_name.removeprefix("logical_")]
    return g(kind, truth(g, input), truth(g, other), dtype=bool)


@translates("logical_not")
def _(g, input):
    return g("Not", truth(g, input))


def truth(g: Graph, x: Value) -> Value:
    """Is each element other than 0?"""
    return g.cast(x, bool)


@translates(*(f"bitwise_{name}" for name in LOGIC))
def _(g, input, other):
    kind = LOGIC[g.op_name.removeprefix("bitwise_")]
    return g(
        kind if g.dtype.kind == "b" else f"Bitwise{kind}", g.floating(input), g.floating(other)
    )


@translates("bitwise_not")
def _(g, input):
    return g("Not" if input.dtype.kind == "b" else "BitwiseNot", input)


@translates("isnan")
def _(g, input):
    return g("IsNaN", input, dtype=bool)


@translates("isinf", "isposinf", "isneginf")
def _(g, input):
    positive, negative = int(g.op_name != "isneginf"), int(g.op_name != "isposinf")
    return g("IsInf", input, detect_positive=positive, detect_negative=negative, dtype=bool)


@translates("isfinite")
def _(g, input):
    bad = g("Or", g("IsNaN", input, dtype=bool), g("IsInf", input, dtype=bool))
    return g("Not", bad)


@translates("isclose")
def _(g, input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    a, b = g.common(input, other)
    room = g("Add", g("Mul", g("Abs", b), float(rtol)), float(atol))
    near = g("LessOrEqual", g("Abs", g("Sub", a, b)), room, dtype=bool)
    near = g("Or", near, g("Equal", a, b, dtype=bool))
    if equal_nan:
        near = g("Or", near, g("And", g("IsNaN", a, dtype=bool), g("IsNaN", b, dtype=bool)))
    return near
