"""Inverse circular functions, hyperbolic functions and their inverses, angles."""

from __future__ import annotations

import math

from labtorch.backend.arrays import namespace, require_tensors
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, public
from labtorch.ops.arithmetic import _floating, conj, imag, real, rsqrt, sign, sqrt, where


@public(ELEMENTWISE, aliases="arcsin")
@op(r"y = \arcsin x")
def asin(input):
    return namespace(input).arcsin(_floating(input))


@asin.vjp("input", r"\bar x = \bar y / \sqrt{1 - x^2}")
def _(g, input):
    return g * conj(rsqrt(1 - input * input))


@public(ELEMENTWISE, aliases="arccos")
@op(r"y = \arccos x")
def acos(input):
    return namespace(input).arccos(_floating(input))


@acos.vjp("input", r"\bar x = -\,\bar y / \sqrt{1 - x^2}")
def _(g, input):
    return -g * conj(rsqrt(1 - input * input))


@public(ELEMENTWISE, aliases="arctan")
@op(r"y = \arctan x")
def atan(input):
    return namespace(input).arctan(_floating(input))


@atan.vjp("input", r"\bar x = \bar y / (1 + x^2)")
def _(g, input):
    return g / conj(input * input + 1)


@public(ELEMENTWISE)
@op(r"y = \sinh x")
def sinh(input):
    return namespace(input).sinh(_floating(input))


@sinh.vjp("input", r"\bar x = \bar y \odot \cosh x")
def _(g, input):
    return g * conj(cosh(input))


@public(ELEMENTWISE)
@op(r"y = \cosh x")
def cosh(input):
    return namespace(input).cosh(_floating(input))


@cosh.vjp("input", r"\bar x = \bar y \odot \sinh x")
def _(g, input):
    return g * conj(sinh(input))


@public(ELEMENTWISE, aliases="arcsinh")
@op(r"y = \operatorname{arsinh} x")
def asinh(input):
    return namespace(input).arcsinh(_floating(input))


@asinh.vjp("input", r"\bar x = \bar y / \sqrt{x^2 + 1}")
def _(g, input):
    return g * conj(rsqrt(input * input + 1))


@public(ELEMENTWISE, aliases="arccosh")
@op(r"y = \operatorname{arcosh} x")
def acosh(input):
    return namespace(input).arccosh(_floating(input))


@acosh.vjp("input", r"\bar x = \bar y / \sqrt{(x - 1)(x + 1)}")
def _(g, input):
    return g * conj(1 / (sqrt(input - 1) * sqrt(input + 1)))


@public(ELEMENTWISE, aliases="arctanh")
@op(r"y = \operatorname{artanh} x")
def atanh(input):
    return namespace(input).arctanh(_floating(input))


@atanh.vjp("input", r"\bar x = \bar y / (1 - x^2)")
def _(g, input):
    return g / conj(1 - input * input)


@public(ELEMENTWISE, aliases="arctan2")
@op(r"y = \operatorname{atan2}(a, b)", promotes=True)
def atan2(input, other):
    require_tensors("atan2", input=input, other=other)
    return namespace(input).arctan2(_floating(input), _floating(other))


@atan2.vjp("input", r"\bar a = \bar y \odot b / (a^2 + b^2)")
def _(g, input, other):
    return g * (other / (input * input + other * other))


@atan2.vjp("other", r"\bar b = -\,\bar y \odot a / (a^2 + b^2)")
def _(g, input, other):
    return -g * (input / (input * input + other * other))


@public(ELEMENTWISE)
@op(r"y = \sqrt{a^2 + b^2}", promotes=True)
def hypot(input, other):
    require_tensors("hypot", input=input, other=other)
    return namespace(input).hypot(input, other)


@hypot.vjp("input", r"\bar a = \bar y \odot a / y")
def _(g, input, output):
    return g * (input / output)


@hypot.vjp("other", r"\bar b = \bar y \odot b / y")
def _(g, other, output):
    return g * (other / output)


@public()
@op(r"y = \arg x")
def angle(input):
    """The angle of a complex number; of a real one 0 or pi (NaN stays NaN)."""
    lib, x = namespace(input), _floating(input)
    if x.dtype.kind == "c":
        return lib.angle(x)
    straight = lib.where(x < 0, x.dtype.type(math.pi), x.dtype.type(0))
    return lib.where(lib.isnan(x), x, straight)


@angle.vjp("input", r"\bar x = i\,\bar y \odot x / |x|^2")
def _(g, input):
    if getattr(input, "_array", input).dtype.kind != "c":
        return g * 0
    size = real(input) * real(input) + imag(input) * imag(input)
    return g * 1j * (input / where(size == 0, 1.0, size))


@public(ELEMENTWISE)
@op(r"y = \pi x / 180")
def deg2rad(input):
    x = _floating(input)
    return x * x.dtype.type(math.pi / 180)


@deg2rad.vjp("input", r"\bar x = \pi\,\bar y / 180")
def _(g):
    return g * (math.pi / 180)


@public(ELEMENTWISE)
@op(r"y = 180\, x / \pi")
def rad2deg(input):
    x = _floating(input)
    return x * x.dtype.type(180 / math.pi)


@rad2deg.vjp("input", r"\bar x = 180\,\bar y / \pi")
def _(g):
    return g * (180 / math.pi)


@public(ELEMENTWISE)
@op(r"y = x / |x|")
def sgn(input):
    """The sign; of a complex number, the number of size 1 in its direction (0 stays 0)."""
    lib = namespace(input)
    return input.copy() if input.dtype.kind == "b" else lib.sign(input)


@sgn.vjp("input", r"\bar x = (\bar y - \operatorname{Re}(\bar y \bar{y}) y) / |x|")
def _(g, input, output):
    if getattr(input, "_array", input).dtype.kind != "c":
        return g * sign(output) * 0
    size = sqrt(real(input) * real(input) + imag(input) * imag(input))
    along = real(g * conj(output))
    return where(size == 0, 0.0, (g - along * output) / where(size == 0, 1.0, size))
