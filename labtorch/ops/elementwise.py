"""Rounding, extremes that pass over NaN, and other functions of single elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend.arrays import is_array, namespace, require_tensors
from labtorch.backend.dtypes import check_ordered, promote
from labtorch.engine.composite import composite
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, METHOD, public
from labtorch.ops.arithmetic import _floating, _lib, conj, exp, pow, sign, where
from labtorch.ops.shape import cast


@public(ELEMENTWISE, aliases="fix")
@op(r"y = \operatorname{sign}(x) \lfloor |x| \rfloor")
def trunc(input):
    check_ordered("trunc", input)
    return input.copy() if input.dtype.kind in "bui" else namespace(input).trunc(input)


@trunc.vjp("input", r"\bar x = 0")
def _(g):
    return g * 0


@public(ELEMENTWISE)
@op(r"y = x - \operatorname{trunc} x")
def frac(input):
    if input.dtype.kind not in "f":
        raise NotImplementedError(f'"frac" not implemented for {input.dtype.name}')
    return input - namespace(input).trunc(input)


@frac.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@public(ELEMENTWISE)
@op(r"y = a - b \operatorname{trunc}(a / b)", promotes=True)
def fmod(input, other):
    if not is_array(other) and other == 0 or is_array(other) and other.dtype.kind in "bui":
        if input.dtype.kind in "bui" and not namespace(input).all(other):
            raise RuntimeError("ZeroDivisionError")
    return _lib(input, other).fmod(input, other)


@fmod.vjp("input", r"\bar a = \bar y")
def _(g):
    return g


@fmod.vjp("other", r"\bar b = -\,\bar y \odot \operatorname{trunc}(a / b)")
def _(g, input, other):
    return -g * trunc(input / other)


def _extreme(name: str, words: str) -> Any:
    @public()
    @op(rf"y = \{words}(a, b)", name=name, promotes=True)
    def extreme(input, other):
        check_ordered(name, input)
        require_tensors(name, input=input, other=other)
        return getattr(namespace(input), name)(input, other)

    @extreme.vjp("input", r"\bar a = \bar y \odot [y = a \text{, first}]")
    def _(g, input, other):
        mine = (input >= other) if name == "fmax" else (input <= other)
        return g * (mine | (other != other))  # NaN differs from itself

    @extreme.vjp("other", r"\bar b = \bar y \odot [y = b \text{, not } a]")
    def _(g, input, other):
        mine = (input >= other) if name == "fmax" else (input <= other)
        return g * ~(mine | (other != other))

    return extreme


fmax, fmin = _extreme("fmax", "max"), _extreme("fmin", "min")


@public(ELEMENTWISE)
@op(r"y = |a| \operatorname{sign} b", promotes=True)
def copysign(input, other):
    require_tensors("copysign", input=input)
    size, other = (_floating(x) if is_array(x) else x for x in (input, other))
    return _lib(size, other).copysign(size, other)


@copysign.vjp("input", r"\bar a = \bar y \odot y / a")
def _(g, input, output):
    return g * where(input == 0, 0.0, sign(input) * sign(output))


@copysign.vjp("other", r"\bar b = 0")
def _(g):
    return g * 0


@public(ELEMENTWISE)
@op(r"y = \text{the float after } a \text{ towards } b", promotes=True)
def nextafter(input, other):
    if input.dtype.kind != "f":
        raise NotImplementedError(f'"nextafter" not implemented for {input.dtype.name}')
    return namespace(input).nextafter(input, other)


@nextafter.vjp("input", r"\bar a = \bar y \odot [a \ne b]")
def _(g, input, other):
    return g * (input != other)


@nextafter.vjp("other", r"\bar b = 0")
def _(g):
    return g * 0


@public(ELEMENTWISE)
@op(r"y = [x > 0] + v\,[x = 0]", promotes=True)
def heaviside(input, values):
    require_tensors("heaviside", input=input, values=values)
    check_ordered("heaviside", input)
    if values.dtype != input.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    lib = namespace(input)
    step = (input > 0).astype(input.dtype)
    return lib.where(input == 0, values, step)


def _logaddexp(name: str, base: str, power: float) -> Any:
    @public(METHOD)
    @op(rf"y = {base}(b^a + b^c)", name=name, promotes=True)
    def total(input, other):
        if input.dtype.kind not in "fc":
            raise NotImplementedError(f'"{name}" not implemented for {input.dtype.name}')
        if input.dtype.kind == "c":
            lib = namespace(input)
            return lib.log(lib.exp(input) + lib.exp(other))
        return getattr(namespace(input), name)(input, other)

    @total.vjp("input", r"\bar a = \bar y \odot b^{a - y}")
    def _(g, input, output):
        return g * conj(where(input == output, 1.0, exp((input - output) * power)))

    @total.vjp("other", r"\bar c = \bar y \odot b^{c - y}")
    def _(g, other, output):
        return g * conj(where(other == output, 1.0, exp((other - output) * power)))

    return total


logaddexp = _logaddexp("logaddexp", r"\ln", 1.0)
logaddexp2 = _logaddexp("logaddexp2", r"\log_2", math.log(2))


@public(ELEMENTWISE, aliases="special.exp2")
@op(r"y = 2^{x}")
def exp2(input):
    lib, x = namespace(input), _floating(input)
    return lib.exp2(x) if x.dtype.kind == "f" else lib.exp(x * math.log(2))


@exp2.vjp("input", r"\bar x = \bar y \odot y \ln 2")
def _(g, output):
    return g * conj(output * math.log(2))


@public(ELEMENTWISE)
@op(r"y = a + w (b - a)", broadcasts=True)
def lerp(input, end, weight):
    """From `input` (weight 0) to `end` (weight 1)."""
    for what, other in (("end", end), ("weight", weight)):
        if is_array(other) and other.dtype != input.dtype:
            raise RuntimeError(
                f"expected dtype {input.dtype.name} for `{what}`, but got dtype {other.dtype.name}"
            )
    if input.dtype.kind not in "fc":
        raise NotImplementedError(f'"lerp" not implemented for {input.dtype.name}')
    lib = namespace(input)
    near = input + weight * (end - input)
    return lib.where(lib.abs(weight) < 0.5, near, end - (end - input) * (1 - weight))


@lerp.vjp("input", r"\bar a = \bar y \odot (1 - w)")
def _(g, weight):
    return g * (1 - conj(weight))


@lerp.vjp("end", r"\bar b = \bar y \odot w")
def _(g, weight):
    return g * conj(weight)


@lerp.vjp("weight", r"\bar w = \bar y \odot (b - a)")
def _(g, input, end):
    return g * conj(end - input)


def _common(*operands: Any) -> list[Any]:
    """All operands in their common dtype."""
    to = promote(*operands)
    return [x.astype(to, copy=False) if is_array(x) else x for x in operands]


def _scale(name: str, value: Any, dtype: Any) -> Any:
    if dtype.kind in "bui" and not isinstance(value, (int, np.integer)):
        raise RuntimeError(
            f"{name}: for integral input tensors, argument value must not be a floating point "
            "number"
        )
    return value


@public(ELEMENTWISE)
@op(r"y = x + v\, a \odot b", broadcasts=True)
def addcmul(input, tensor1, tensor2, value=1):
    x, a, b = _common(input, tensor1, tensor2)
    return x + _scale("addcmul", value, x.dtype) * a * b


@addcmul.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@addcmul.vjp("tensor1", r"\bar a = v\, \bar y \odot b")
def _(g, tensor2, value):
    return g * conj(tensor2 * value)


@addcmul.vjp("tensor2", r"\bar b = v\, \bar y \odot a")
def _(g, tensor1, value):
    return g * conj(tensor1 * value)


@public(ELEMENTWISE)
@op(r"y = x + v\, a / b", broadcasts=True)
def addcdiv(input, tensor1, tensor2, value=1):
    x, a, b = _common(input, tensor1, tensor2)
    if x.dtype.kind in "bui" or a.dtype.kind in "bui":
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2."
        )
    return x + value * (a / b)


@addcdiv.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@addcdiv.vjp("tensor1", r"\bar a = v\, \bar y / b")
def _(g, tensor2, value):
    return g * conj(value / tensor2)


@addcdiv.vjp("tensor2", r"\bar b = -v\, \bar y \odot a / b^2")
def _(g, tensor1, tensor2, value):
    return -g * conj(value * tensor1 / (tensor2 * tensor2))


@public(ELEMENTWISE)
@op(r"y = x \text{, NaN and infinities replaced}")
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    if input.dtype.kind in "bui":
        return input.copy()
    return namespace(input).nan_to_num(
        input, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf
    )


@nan_to_num.vjp("input", r"\bar x = \bar y \odot [x \text{ finite}]")
def _(g, input):
    return g * ((input - input) == 0)  # what is infinite or NaN less itself is NaN


@public(METHOD)
@op(r"y = x")
def positive(input):
    if input.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input.copy()


@positive.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@public(METHOD)
@op(r"y = [x < 0 \text{ or } x = -0]")
def signbit(input):
    check_ordered("signbit", input)
    return input < 0 if input.dtype.kind in "bui" else namespace(input).signbit(input)


@public(ELEMENTWISE)
@op(r"y = \bar x")
def conj_physical(input):
    return input.conj() if input.dtype.kind == "c" else input.copy()


@conj_physical.vjp("input", r"\bar x = \overline{\bar y}")
def _(g):
    return conj(g)


@public(ELEMENTWISE)
@op(r"y = a \cdot 2^{b}", broadcasts=True)
def ldexp(input, other):
    x = _floating(input)
    return x * namespace(x).exp2(_floating(other)).astype(x.dtype, copy=False)


@ldexp.vjp("input", r"\bar a = \bar y \odot 2^{b}")
def _(g, other):
    return g * exp(other * math.log(2))


@ldexp.vjp("other", r"\bar b = \bar y \odot y \ln 2")
def _(g, output):
    return g * (output * math.log(2))


@public(METHOD)
@op(r"x = m \cdot 2^{e}", outputs=("mantissa", "exponent"))
def frexp(input):
    if input.dtype.kind != "f":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return namespace(input).frexp(input)


@frexp.vjp("input", r"\bar x = \bar m \cdot 2^{-e}")
def _(g, exponent, input_dtype):
    return g[0] * exp(cast(exponent, input_dtype) * -math.log(2))


@public(ELEMENTWISE)
@composite
def float_power(input: Any, exponent: Any) -> Any:
    """a^b in double precision."""
    wide = promote(*(getattr(x, "_array", x) for x in (input, exponent)))
    to = np.dtype("complex128" if wide.kind == "c" else "float64")
    return pow(*(cast(x, to) if hasattr(x, "_array") else x for x in (input, exponent)))


def _integers(name: str) -> Any:
    @public(ELEMENTWISE)
    @op(rf"y = \operatorname{{{name}}}(a, b)", name=name, promotes=True)
    def function(input, other):
        require_tensors(name, input=input, other=other)
        if input.dtype.kind not in "ui":
            raise NotImplementedError(f'"{name}" not implemented for {input.dtype.name}')
        return getattr(namespace(input), name)(input, other)

    return function


gcd, lcm = _integers("gcd"), _integers("lcm")


def _shift(name: str, function: str, formula: str) -> Any:
    @public(ELEMENTWISE)
    @op(formula, name=name, promotes=True)
    def shift(input, other):
        dtype = (input if is_array(input) else other).dtype
        if dtype.kind not in "ui":
            raise NotImplementedError(f'"{name}" not implemented for {dtype.name}')
        return getattr(_lib(input, other), function)(input, other)

    return shift


bitwise_left_shift = _shift("bitwise_left_shift", "left_shift", r"y = a \cdot 2^{b}")
bitwise_right_shift = _shift("bitwise_right_shift", "right_shift", r"y = \lfloor a / 2^{b} \rfloor")


@public(METHOD)
@op(r"y = [\,|a - b| \le t_a + t_r |b|\,]", broadcasts=True)
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    require_tensors("isclose", input=input, other=other)
    if input.dtype != other.dtype:
        raise RuntimeError(f"{input.dtype.name} did not match {other.dtype.name}")
    if rtol < 0 or atol < 0:
        name = "rtol" if rtol < 0 else "atol"
        raise RuntimeError(
            f"{name} must be greater than or equal to zero, but got {min(rtol, atol)}"
        )
    return namespace(input).isclose(input, other, rtol, atol, equal_nan=equal_nan)


@op(r"y = [u < p], \; u \sim \mathcal U(0, 1)")
def bernoulli(input, uniform):
    """1 with probability `input`, else 0, by draws of the uniform distribution."""
    return (uniform < input).astype(input.dtype)


@bernoulli.vjp("input", r"\bar p = 0")
def _(g):
    return g * 0


@public(METHOD)
@op(r"y = [x = -\infty]")
def isneginf(input):
    if input.dtype.kind == "c":
        raise RuntimeError("isneginf does not support complex inputs.")
    return input == -math.inf


@public(METHOD)
@op(r"y = [x = \infty]")
def isposinf(input):
    if input.dtype.kind == "c":
        raise RuntimeError("isposinf does not support complex inputs.")
    return input == math.inf


@public(METHOD)
@op(r"y = [\operatorname{Im} x = 0]")
def isreal(input):
    return namespace(input).isreal(input)
