"""Arithmetic, element by element, with broadcasting and type promotion."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend.arrays import is_array, namespace, require_tensors
from labtorch.backend.dtypes import check_ordered, get_default_dtype, promote
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, public


def _lib(a: Any, b: Any) -> Any:
    return namespace(a if is_array(a) else b)


@public(ELEMENTWISE)
@op(r"y = a + \alpha b", promotes=True)
def add(input, other, alpha=1):
    return input + other if alpha == 1 else input + alpha * other


@add.vjp("input", r"\bar a = \bar y")
def _(g):
    return g


@add.vjp("other", r"\bar b = \alpha\,\bar y")
def _(g, alpha):
    return g if alpha == 1 else g * alpha


@public(ELEMENTWISE, aliases="subtract")
@op(r"y = a - \alpha b", promotes=True)
def sub(input, other, alpha=1):
    try:
        return _lib(input, other).subtract(input, other if alpha == 1 else alpha * other)
    except TypeError:
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
            "or `logical_xor()` operator instead."
        ) from None


@sub.vjp("input", r"\bar a = \bar y")
def _(g):
    return g


@sub.vjp("other", r"\bar b = -\alpha\,\bar y")
def _(g, alpha):
    return -g if alpha == 1 else g * -alpha


@public(ELEMENTWISE, aliases="multiply")
@op(r"y = a \odot b", promotes=True)
def mul(input, other):
    return input * other


@mul.vjp("input", r"\bar a = \bar y \odot b")
def _(g, other):
    return g * conj(other)


@mul.vjp("other", r"\bar b = \bar y \odot a")
def _(g, input):
    return g * conj(input)


@public(ELEMENTWISE, aliases="divide true_divide")
@op(r"y = a / b", promotes=True)
def div(input, other, rounding_mode=None):
    xp = _lib(input, other)
    if rounding_mode == "floor":
        return xp.floor_divide(input, other)
    quotient = xp.true_divide(input, other)
    if all(not is_array(x) or x.dtype.kind in "bui" for x in (input, other)):
        if rounding_mode == "trunc":
            return xp.trunc(quotient).astype(getattr(input, "dtype", None) or other.dtype)
        quotient = quotient.astype(get_default_dtype().numpy)
    if rounding_mode == "trunc":
        return xp.trunc(quotient)
    if rounding_mode is not None:
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' "
            f"but found '{rounding_mode}'"
        )
    return quotient


@div.vjp("input", r"\bar a = \bar y / b")
def _(g, other, rounding_mode):
    return g / conj(other) if rounding_mode is None else g * 0


@div.vjp("other", r"\bar b = -\,\bar y \odot a / b^2")
def _(g, input, other, rounding_mode):
    if rounding_mode is not None:
        return g * 0
    return -g * conj((input / other) / other)


@public(ELEMENTWISE)
@op(r"y = \lfloor a / b \rfloor", promotes=True)
def floor_divide(input, other):
    return _lib(input, other).floor_divide(input, other)


@public(ELEMENTWISE)
@op(r"y = a - b \lfloor a / b \rfloor", promotes=True)
def remainder(input, other):
    return _lib(input, other).remainder(input, other)


@remainder.vjp("input", r"\bar a = \bar y")
def _(g):
    return g


@remainder.vjp("other", r"\bar b = -\,\bar y \odot \lfloor a / b \rfloor")
def _(g, input, other):
    return -g * floor(input / other)


@public(ELEMENTWISE)
@op(r"y = a^{b}", promotes=True)
def pow(input, exponent):
    if isinstance(exponent, int) and exponent < 0 and input.dtype.kind in "ui":
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    if isinstance(exponent, (int, float)) and exponent == 2:
        return input * input
    base = getattr(input, "dtype", None)
    if base is not None and base.kind == "b" and getattr(exponent, "dtype", base) == base:
        return _lib(input, exponent).logical_or(input, ~exponent)  # NumPy would count in int8
    if base is not None and base.kind == "i" and is_array(exponent) and exponent.dtype.kind == "i":
        return _integer_power(input, exponent)
    return _lib(input, exponent).power(input, exponent)


def _integer_power(base: Any, exponent: Any) -> Any:
    """With negative exponents, 1 / a^n rounded towards 0, which NumPy refuses."""
    lib = namespace(base)
    odd = 1 - 2 * (exponent % 2)
    inverse = lib.where(base == 1, 1, lib.where(base == -1, odd, 0))
    power = lib.power(base, lib.maximum(exponent, 0))
    return lib.where(exponent < 0, inverse, power).astype(power.dtype)


@pow.vjp("input", r"\bar a = \bar y \odot b\, a^{b - 1}")
def _(g, input, exponent):
    if isinstance(exponent, (int, float)):
        if exponent == 0:
            return g * 0
        return g * conj(exponent * (input if exponent == 2 else pow(input, exponent - 1)))
    return g * conj(where(exponent == 0, 0.0, exponent * pow(input, exponent - 1)))


@pow.vjp("exponent", r"\bar b = \bar y \odot a^{b} \ln a")
def _(g, input, exponent, output):
    if not hasattr(input, "dtype"):  # a Python number
        return g * output * float(np.log(input)) if input else g * 0
    return g * where(input == 0, 0.0, output * log(where(input == 0, 1.0, input)))


@public(ELEMENTWISE, aliases="negative")
@op(r"y = -x")
def neg(input):
    if input.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return -input


@neg.vjp("input", r"\bar x = -\bar y")
def _(g):
    return -g


@public(ELEMENTWISE, aliases="absolute")
@op(r"y = |x|")
def abs(input):
    return namespace(input).abs(input)


@abs.vjp("input", r"\bar x = \bar y \odot \operatorname{sign} x")
def _(g, input):
    if getattr(input, "_array", input).dtype.kind != "c":
        return g * sign(input)
    size = abs(input)
    return g * (input / where(size == 0, 1.0, size))


@public(ELEMENTWISE)
@op(r"y = \operatorname{sign} x")
def sign(input):
    return input.copy() if input.dtype.kind == "b" else namespace(input).sign(input)


@sign.vjp("input", r"\bar x = 0")
def _(g):
    return g * 0


def _floating(input: Any) -> Any:
    """Integers become the default dtype, as in PyTorch (NumPy would take float64)."""
    return input if input.dtype.kind in "fc" else input.astype(get_default_dtype().numpy)


@public(ELEMENTWISE)
@op(r"y = e^{x}")
def exp(input):
    return namespace(input).exp(_floating(input))


@exp.vjp("input", r"\bar x = \bar y \odot y")
def _(g, output):
    return g * conj(output)


@public(ELEMENTWISE)
@op(r"y = \ln x")
def log(input):
    return namespace(input).log(_floating(input))


@log.vjp("input", r"\bar x = \bar y / x")
def _(g, input):
    return g / conj(input)


@public(ELEMENTWISE, aliases="special.log1p")
@op(r"y = \ln (1 + x)")
def log1p(input):
    return namespace(input).log1p(_floating(input))


@log1p.vjp("input", r"\bar x = \bar y / (1 + x)")
def _(g, input):
    return g / conj(input + 1)


@public(ELEMENTWISE)
@op(r"y = \log_2 x")
def log2(input):
    return namespace(input).log2(_floating(input))


@log2.vjp("input", r"\bar x = \bar y / (x \ln 2)")
def _(g, input):
    return g / conj(input * float(np.log(2)))


@public(ELEMENTWISE)
@op(r"y = \log_{10} x")
def log10(input):
    return namespace(input).log10(_floating(input))


@log10.vjp("input", r"\bar x = \bar y / (x \ln 10)")
def _(g, input):
    return g / conj(input * float(np.log(10)))


@public(ELEMENTWISE, aliases="special.expm1")
@op(r"y = e^{x} - 1")
def expm1(input):
    return namespace(input).expm1(_floating(input))


@expm1.vjp("input", r"\bar x = \bar y \odot (y + 1)")
def _(g, output):
    return g * conj(output + 1)


@public(ELEMENTWISE)
@op(r"y = \sqrt{x}")
def sqrt(input):
    return namespace(input).sqrt(_floating(input))


@sqrt.vjp("input", r"\bar x = \bar y / (2 y)")
def _(g, output):
    return g / conj(output * 2)


@public(ELEMENTWISE)
@op(r"y = 1 / \sqrt{x}")
def rsqrt(input):
    x = _floating(input)
    return 1 / namespace(x).sqrt(x)


@rsqrt.vjp("input", r"\bar x = -\tfrac{1}{2}\, \bar y \odot y^{3}")
def _(g, output):
    return g * conj(output * output * output * -0.5)


@public(ELEMENTWISE)
@op(r"y = 1 / x")
def reciprocal(input):
    return 1 / _floating(input)


@reciprocal.vjp("input", r"\bar x = -\,\bar y \odot y^{2}")
def _(g, output):
    return -g * conj(output * output)


@public(ELEMENTWISE)
@op(r"y = x^{2}")
def square(input):
    x = input.astype("int64") if input.dtype.kind == "b" else input
    return x * x


@square.vjp("input", r"\bar x = 2\, \bar y \odot x")
def _(g, input):
    return g * conj(input * 2)


@public(ELEMENTWISE)
@op(r"y = \sin x")
def sin(input):
    return namespace(input).sin(_floating(input))


@sin.vjp("input", r"\bar x = \bar y \odot \cos x")
def _(g, input):
    return g * conj(cos(input))


@public(ELEMENTWISE)
@op(r"y = \cos x")
def cos(input):
    return namespace(input).cos(_floating(input))


@cos.vjp("input", r"\bar x = -\,\bar y \odot \sin x")
def _(g, input):
    return -g * conj(sin(input))


@public(ELEMENTWISE)
@op(r"y = \tan x")
def tan(input):
    return namespace(input).tan(_floating(input))


@tan.vjp("input", r"\bar x = \bar y \odot (1 + y^{2})")
def _(g, output):
    return g * conj(output * output + 1)


@public(ELEMENTWISE)
@op(r"y = \lfloor x \rfloor")
def floor(input):
    return input if input.dtype.kind in "ui" else namespace(input).floor(input)


@floor.vjp("input", r"\bar x = 0")
def _(g):
    return g * 0


@public(ELEMENTWISE)
@op(r"y = \lceil x \rceil")
def ceil(input):
    return input if input.dtype.kind in "ui" else namespace(input).ceil(input)


@ceil.vjp("input", r"\bar x = 0")
def _(g):
    return g * 0


@public(ELEMENTWISE, aliases="special.round")
@op(r"y = \operatorname{round} x")
def round(input, decimals=0):
    return namespace(input).round(input, decimals)


@round.vjp("input", r"\bar x = 0")
def _(g):
    return g * 0


@public(ELEMENTWISE, aliases="clip")
@op(r"y = \min(\max(x, l), u)", broadcasts=True)
def clamp(input, min=None, max=None):
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    check_ordered("clamp", input)
    lib = namespace(input)
    bounds = [bound for bound in (min, max) if bound is not None]
    if input.dtype.kind != "f" or any(is_array(bound) for bound in bounds):
        common = promote(input, *bounds)
        input = input.astype(common, copy=False)
        min, max = (b.astype(common, copy=False) if is_array(b) else b for b in (min, max))
    y = input if min is None else lib.maximum(input, min)
    return y if max is None else lib.minimum(y, max)


@clamp.vjp("input", r"\bar x = \bar y \odot [\, l \le x \le u \,]")
def _(g, input, min, max):
    if min is not None:
        g = g * (input >= min)
    return g if max is None else g * (input <= max)


@clamp.vjp("min", r"\bar l = \bar y \odot [\, x < l < u \,]")
def _(g, input, min, max):
    g = g * (input < min)
    return g if max is None else g * (min < max)


@clamp.vjp("max", r"\bar u = \bar y \odot [\, x > u \text{ or } l \ge u \,]")
def _(g, input, min, max):
    return g * (input > max if min is None else (input > max) | (max <= min))


@public()
@op(r"y = \max(a, b)", promotes=True)
def maximum(input, other):
    require_tensors("maximum", input=input, other=other)
    check_ordered("maximum", input)
    return namespace(input).maximum(input, other)


@maximum.vjp("input", r"\bar a = \bar y \odot [a > b] + \tfrac{1}{2} \bar y \odot [a = b]")
def _(g, input, other):
    return g * where(input == other, 0.5, where(input > other, 1.0, 0.0))


@maximum.vjp("other", r"\bar b = \bar y \odot [b > a] + \tfrac{1}{2} \bar y \odot [a = b]")
def _(g, input, other):
    return g * where(input == other, 0.5, where(other > input, 1.0, 0.0))


@public()
@op(r"y = \min(a, b)", promotes=True)
def minimum(input, other):
    require_tensors("minimum", input=input, other=other)
    check_ordered("minimum", input)
    return namespace(input).minimum(input, other)


@minimum.vjp("input", r"\bar a = \bar y \odot [a < b] + \tfrac{1}{2} \bar y \odot [a = b]")
def _(g, input, other):
    return g * where(input == other, 0.5, where(input < other, 1.0, 0.0))


@minimum.vjp("other", r"\bar b = \bar y \odot [b < a] + \tfrac{1}{2} \bar y \odot [a = b]")
def _(g, input, other):
    return g * where(input == other, 0.5, where(other < input, 1.0, 0.0))


@op(r"y_i = a_i \text{ where } c_i, \text{ else } b_i", broadcasts=True)
def where(condition, input, other):
    if not is_array(condition):
        raise TypeError("where(): argument 'condition' (position 1) must be Tensor")
    if condition.dtype.kind not in "b":
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition.dtype}"
        )
    from labtorch.backend.dtypes import promote

    common = promote(input, other)
    if not (is_array(input) or is_array(other)):
        common = get_default_dtype().numpy if common.kind == "f" else common
    a, b = (x.astype(common, copy=False) if is_array(x) else common.type(x) for x in (input, other))
    return namespace(condition).where(condition, a, b).astype(common, copy=False)


@where.vjp("input", r"\bar a = \bar y \odot c")
def _(g, condition):  # not g * c: what is NaN where it is not taken stays out
    return where(condition, g, 0.0)


@where.vjp("other", r"\bar b = \bar y \odot \lnot c")
def _(g, condition):
    return where(condition, 0.0, g)


@op(r"y = \bar x", name="conj")
def conjugate(input):
    return input.conj() if input.dtype.kind == "c" else input


@conjugate.vjp("input", r"\bar x = \overline{\bar y}")
def _(g):
    return conj(g)


@op(r"y = \operatorname{Re} x", view=True)
def real(input):
    return input.real


@real.vjp("input", r"\bar x = \bar y")
def _(g, input_dtype):
    from labtorch.ops.shape import cast

    return cast(g, input_dtype)


@op(r"y = \operatorname{Im} x", view=True)
def imag(input):
    if input.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return input.imag


@imag.vjp("input", r"\bar x = i\,\bar y")
def _(g, input_dtype):
    from labtorch.ops.shape import cast

    return cast(g, input_dtype) * 1j


@public()
def conj(x: Any) -> Any:
    """The complex conjugate; a real array, tensor or Python number is returned as it is."""
    array = getattr(x, "_array", x)
    if getattr(array, "dtype", None) is None:
        return x.conjugate() if isinstance(x, complex) else x
    if array.dtype.kind != "c":
        return x
    return conjugate(x)
