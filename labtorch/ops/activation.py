"""Activation functions, and the softmax family."""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace, on_cpu
from labtorch.backend.dtypes import as_numpy
from labtorch.backend.fused import fused
from labtorch.backend.threads import MUCH, split
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, public
from labtorch.engine.variable import Variable
from labtorch.ops.arithmetic import _floating, abs, conj, exp, where
from labtorch.ops.reduction import sum, wrap_dim
from labtorch.ops.special import erf


@public(ELEMENTWISE)
@op(r"y = \max(0, x)")
def relu(input):
    if input.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    if input.size < MUCH:
        return namespace(input).maximum(input, 0)
    lib = namespace(input)
    y = lib.empty_like(input)
    split(lambda part: lib.maximum(input[part], 0, out=y[part]), input, input.size)
    return y


@relu.vjp("input", r"\bar x = \bar y \odot [y > 0]")
def _(g, output):
    if isinstance(g, Variable) or g.size < MUCH or not on_cpu(g):
        return _where_positive(g, output)
    lib = namespace(g)
    x = lib.empty_like(g)
    split(lambda part: lib.multiply(g[part], output[part] > 0, out=x[part]), g, g.size)
    return x


@fused
def _where_positive(g, output):
    return g * (output > 0)


@public(ELEMENTWISE)
@op(r"y = \tanh x")
def tanh(input):
    return namespace(input).tanh(_floating(input))


@tanh.vjp("input", r"\bar x = \bar y \odot (1 - y^{2})")
@fused
def _(g, output):
    return g * conj(1 - output * output)


@public(ELEMENTWISE, aliases="special.expit")
@op(r"y = \frac{1}{1 + e^{-x}}")
@fused
def sigmoid(input):
    x = _floating(input)
    lib = namespace(x)
    if x.dtype.kind == "c":
        return 1 / (1 + lib.exp(-x))
    return lib.tanh(x * 0.5) * 0.5 + 0.5  # one tanh, and no overflow at either end


@sigmoid.vjp("input", r"\bar x = \bar y \odot y \odot (1 - y)")
@fused
def _(g, output):
    return g * conj(output * (1 - output))


@op(r"y = x \text{ if } x > 0 \text{ else } a x")
@fused
def leaky_relu(input, negative_slope=0.01):
    return namespace(input).where(input > 0, input, input * negative_slope)


@leaky_relu.vjp("input", r"\bar x = \bar y \text{ if } x > 0 \text{ else } a\,\bar y")
def _(g, input, negative_slope):
    return _leaked(g, input, negative_slope)


@fused
def _leaked(g, input, slope):
    return where(input > 0, g, g * slope)


@op(r"y = \tfrac{1}{\beta} \ln (1 + e^{\beta x})")
@fused
def softplus(input, beta=1.0, threshold=20.0):
    lib = namespace(input)
    scaled = input * beta
    soft = lib.log1p(lib.exp(lib.minimum(scaled, threshold))) / beta
    return lib.where(scaled > threshold, input, soft).astype(input.dtype)


@softplus.vjp("input", r"\bar x = \bar y \odot \sigma(\beta x)")
@fused
def _(g, input, beta, threshold):
    return where(input * beta > threshold, g, g * sigmoid(input * beta))


@op(r"y = x \odot \sigma(x)")
@fused
def silu(input):
    return input * sigmoid.forward(input)


@silu.vjp("input", r"\bar x = \bar y \odot \sigma(x)\,(1 + x\,(1 - \sigma(x)))")
@fused
def _(g, input):
    s = sigmoid(input)
    return g * (s * (1 + input * (1 - s)))


@op(r"y = x \text{ if } x > 0 \text{ else } \alpha (e^{x} - 1)")
@fused
def elu(input, alpha=1.0):
    lib = namespace(input)
    return lib.where(input > 0, input, lib.expm1(lib.minimum(input, 0)) * alpha).astype(input.dtype)


@elu.vjp("input", r"\bar x = \bar y \text{ if } x > 0 \text{ else } \bar y\,\alpha e^{x}")
@fused
def _(g, input, alpha):
    return where(input > 0, g, g * alpha * exp(where(input > 0, input * 0, input)))


@op(r"y = x\,\Phi(x) \approx \tfrac{x}{2}\bigl(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715 x^{3}))\bigr)")
@fused
def gelu_tanh(input):
    lib = namespace(input)
    inner = math.sqrt(2 / math.pi) * (input + 0.044715 * input * input * input)
    return (0.5 * input * (1 + lib.tanh(inner))).astype(input.dtype)


@gelu_tanh.vjp("input", r"\bar x = \bar y \odot \tfrac{\mathrm{d}}{\mathrm{d}x}\,y(x)")
@fused
def _(g, input):
    c = math.sqrt(2 / math.pi)
    t = tanh((input + input * input * input * 0.044715) * c)
    slope = (1 + t) * 0.5 + input * (1 - t * t) * (1 + input * input * 0.134145) * (0.5 * c)
    return g * slope


@op(r"y_i = \frac{e^{x_i}}{\sum_j e^{x_j}}")
def softmax(input, dim=-1, dtype=None):
    x = _in_dtype(input, dtype)
    lib = namespace(x)
    d = wrap_dim(dim, x.ndim)
    if not x.size or not x.ndim:
        return lib.ones_like(x)
    y = _exp_below(x, x.max(axis=d, keepdims=True))
    y /= y.sum(axis=d, keepdims=True)
    return y


@softmax.vjp("input", r"\bar x = y \odot \bigl(\bar y - \textstyle\sum_j \bar y_j y_j\bigr)")
def _(g, output, input_dtype, dim):
    weighted = g * output
    return _less_share(weighted, output, sum(weighted, dim, True))


@fused
def _exp_below(x, highest):
    return namespace(x).exp(x - highest)


@fused
def _less_share(x, share, total):
    return x - share * total


@op(r"y_i = x_i - \ln \sum_j e^{x_j}")
def log_softmax(input, dim=-1, dtype=None):
    x = _in_dtype(input, dtype)
    lib = namespace(x)
    d = wrap_dim(dim, x.ndim)
    if not x.size or not x.ndim:
        return lib.zeros_like(x)
    shifted = x - x.max(axis=d, keepdims=True)
    return _less_log(shifted, lib.exp(shifted).sum(axis=d, keepdims=True))


@log_softmax.vjp("input", r"\bar x = \bar y - e^{y} \textstyle\sum_j \bar y_j")
def _(g, output, dim):
    return _less_power(g, output, sum(g, dim, True))


@fused
def _less_log(x, total):
    return x - namespace(x).log(total)


@fused
def _less_power(g, x, total):
    return g - exp(x) * total


def _in_dtype(input: Any, dtype: Any) -> Any:
    if dtype is not None:
        return input.astype(as_numpy(dtype))
    if input.dtype.kind not in "fc":
        raise RuntimeError(
            f'"softmax_kernel_impl" not implemented for {input.dtype}; convert it: x.float()'
        )
    return input


def _within(input: Any, low: float, high: float) -> Any:
    return (input > low) & (input < high)


@op(r"y = \min(\max(x, a), b)")
def hardtanh(input, min_val=-1.0, max_val=1.0):
    y = namespace(input).clip(input, min_val, max_val)
    return y.astype(input.dtype, copy=False)  # integers stay integers between bounds of 0.0 and 6.0


@hardtanh.vjp("input", r"\bar x = \bar y \odot [a < x < b]")
@fused
def _(g, input, min_val, max_val):
    return g * _within(input, min_val, max_val)


@op(r"y = \min(\max(\tfrac{x}{6} + \tfrac{1}{2}, 0), 1)")
@fused
def hardsigmoid(input):
    return namespace(input).clip(input / 6 + 0.5, 0, 1).astype(input.dtype)


@hardsigmoid.vjp("input", r"\bar x = \tfrac{1}{6} \bar y \odot [-3 < x < 3]")
@fused
def _(g, input):
    return g * _within(input, -3, 3) / 6


@op(r"y = x \odot \min(\max(\tfrac{x}{6} + \tfrac{1}{2}, 0), 1)")
@fused
def hardswish(input):
    return input * hardsigmoid.forward(input)


@hardswish.vjp("input", r"\bar x = \bar y \odot (\tfrac{x}{3} + \tfrac{1}{2}) \text{ in } (-3, 3)")
@fused
def _(g, input):
    inside = where(input > -3, g * (input / 3 + 0.5), g * 0)
    return where(input < 3, inside, g)


@op(r"y = x \text{ if } |x| > \lambda \text{ else } 0")
def hardshrink(input, lambd=0.5):
    lib = namespace(input)
    return lib.where((input >= -lambd) & (input <= lambd), 0, input).astype(input.dtype)


@hardshrink.vjp("input", r"\bar x = \bar y \odot [\,|x| > \lambda\,]")
def _(g, input, lambd):
    return where((input >= -lambd) & (input <= lambd), g * 0, g)


@op(r"y = \operatorname{sign}(x) \max(|x| - \lambda, 0)")
def softshrink(input, lambd=0.5):
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    lib = namespace(input)
    return (lib.sign(input) * lib.maximum(lib.abs(input) - lambd, 0)).astype(input.dtype)


@softshrink.vjp("input", r"\bar x = \bar y \odot [\,|x| > \lambda\,]")
def _(g, input, lambd):
    return where((input >= -lambd) & (input <= lambd), g * 0, g)


@op(r"y = x \text{ if } x > t \text{ else } v")
@fused
def threshold(input, threshold, value):
    return namespace(input).where(input <= threshold, value, input).astype(input.dtype)


@threshold.vjp("input", r"\bar x = \bar y \odot [x > t]")
@fused
def _(g, input, threshold):
    return where(input <= threshold, g * 0, g)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@op(r"y = \lambda x \text{ if } x > 0 \text{ else } \lambda \alpha (e^{x} - 1)")
@fused
def selu(input):
    lib = namespace(input)
    low = lib.expm1(lib.minimum(input, 0)) * (SELU_ALPHA * SELU_SCALE)
    return lib.where(input > 0, input * SELU_SCALE, low).astype(input.dtype)


@selu.vjp(
    "input",
    r"\bar x = \lambda \bar y \text{ if } x > 0 \text{ else } \lambda \alpha\,\bar y\, e^{x}",
)
@fused
def _(g, input):
    low = exp(where(input > 0, input * 0, input)) * (SELU_ALPHA * SELU_SCALE)
    return where(input > 0, g * SELU_SCALE, g * low)


@op(r"y = x \text{ if } x > 0 \text{ else } \alpha (e^{x / \alpha} - 1)")
def celu(input, alpha=1.0):
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _celu(input, alpha)


@fused
def _celu(input, alpha):
    lib = namespace(input)
    low = lib.expm1(lib.where(input > 0, 0, input) / alpha) * alpha
    return lib.where(input > 0, input, low).astype(input.dtype)


@celu.vjp("input", r"\bar x = \bar y \text{ if } x > 0 \text{ else } \bar y\, e^{x / \alpha}")
@fused
def _(g, input, alpha):
    return where(input > 0, g, g * exp(where(input > 0, input * 0, input) / alpha))


@op(r"y = x \odot \tanh(\ln(1 + e^{x}))")
@fused
def mish(input):
    return input * namespace(input).tanh(softplus.forward(input))


@mish.vjp(
    "input", r"\bar x = \bar y \odot (t + x (1 - t^{2})\,\sigma(x)), \quad t = \tanh \ln(1 + e^{x})"
)
@fused
def _(g, input):
    t = tanh(softplus(input))
    return g * (t + input * (1 - t * t) * sigmoid(input))


@op(r"y = \frac{x}{1 + |x|}")
@fused
def softsign(input):
    x = _floating(input)
    return x / (1 + namespace(x).abs(x))


@softsign.vjp("input", r"\bar x = \frac{\bar y}{(1 + |x|)^{2}}")
@fused
def _(g, input):
    scale = 1 + abs(input)
    return g / (scale * scale)


@op(r"y = \ln \sigma(x)")
@fused
def logsigmoid(input):
    lib = namespace(input)
    return lib.minimum(input, 0) - lib.log1p(lib.exp(-lib.abs(input)))


@logsigmoid.vjp("input", r"\bar x = \bar y \odot \sigma(-x)")
@fused
def _(g, input):
    return g * sigmoid(-input)


@op(r"y = x \text{ if } x > 0 \text{ else } a_c x")
def prelu(input, weight):
    return leaky_relu.forward(input, _per_channel(weight, input.ndim))


@prelu.vjp("input", r"\bar x = \bar y \text{ if } x > 0 \text{ else } a_c\,\bar y")
def _(g, input, weight):
    return _leaked(g, input, _per_channel(weight, input.ndim))


@prelu.vjp("weight", r"\bar a_c = \sum_{x < 0} \bar y\, x")
def _(g, input, weight_shape):
    from labtorch.ops.shape import sum_to

    each = where(input > 0, g * 0, g * input)
    shared = len(weight_shape) == 0 or weight_shape[0] == 1
    if shared or input.ndim < 2:
        return sum(each).reshape(weight_shape) if shared else sum_to(each, weight_shape)
    shape = (1, weight_shape[0]) + (1,) * (input.ndim - 2)
    return sum_to(each, shape).reshape(weight_shape)


def _per_channel(weight: Any, ndim: int) -> Any:
    """A weight per channel (dimension 1), or one for all, in a shape that broadcasts."""
    if ndim == 0:
        return weight.reshape(())
    if ndim == 1 or weight.ndim == 0 or weight.shape[0] == 1:
        return weight
    return weight.reshape((1, weight.shape[0]) + (1,) * (ndim - 2))


@op(r"y = x\,\Phi(x)")
@fused
def gelu_erf(input):
    return (input * (0.5 + 0.5 * erf.forward(input * math.sqrt(0.5)))).astype(input.dtype)


@gelu_erf.vjp("input", r"\bar x = \bar y \odot (\Phi(x) + x\,\varphi(x))")
@fused
def _(g, input):
    density = exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * (erf(input * math.sqrt(0.5)) * 0.5 + 0.5 + input * density)


@op(r"y = x \odot m")
def dropout(input, mask):
    """x where the mask kept it, scaled by 1 / (1 - p); the mask is drawn by the caller."""
    return input * mask


@dropout.vjp("input", r"\bar x = \bar y \odot m")
def _(g, mask):
    return g * mask
