"""Activation functions, and the softmax family."""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.backend.dtypes import as_numpy
from labtorch.engine.op import op
from labtorch.ops.arithmetic import _floating, conj, exp, where
from labtorch.ops.reduction import sum, wrap_dim


@op(r"y = \max(0, x)")
def relu(input):
    if input.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return namespace(input).maximum(input, 0)


@relu.vjp("input", r"\bar x = \bar y \odot [y > 0]")
def _(g, output):
    return g * (output > 0)


@op(r"y = \tanh x")
def tanh(input):
    return namespace(input).tanh(_floating(input))


@tanh.vjp("input", r"\bar x = \bar y \odot (1 - y^{2})")
def _(g, output):
    return g * conj(1 - output * output)


@op(r"y = \frac{1}{1 + e^{-x}}")
def sigmoid(input):
    x = _floating(input)
    lib = namespace(x)
    if x.dtype.kind == "c":
        return 1 / (1 + lib.exp(-x))
    return lib.tanh(x * 0.5) * 0.5 + 0.5  # one tanh, and no overflow at either end


@sigmoid.vjp("input", r"\bar x = \bar y \odot y \odot (1 - y)")
def _(g, output):
    return g * conj(output * (1 - output))


@op(r"y = x \text{ if } x > 0 \text{ else } a x")
def leaky_relu(input, negative_slope=0.01):
    return namespace(input).where(input > 0, input, input * negative_slope)


@leaky_relu.vjp("input", r"\bar x = \bar y \text{ if } x > 0 \text{ else } a\,\bar y")
def _(g, input, negative_slope):
    return where(input > 0, g, g * negative_slope)


@op(r"y = \tfrac{1}{\beta} \ln (1 + e^{\beta x})")
def softplus(input, beta=1.0, threshold=20.0):
    lib = namespace(input)
    scaled = input * beta
    soft = lib.log1p(lib.exp(lib.minimum(scaled, threshold))) / beta
    return lib.where(scaled > threshold, input, soft).astype(input.dtype)


@softplus.vjp("input", r"\bar x = \bar y \odot \sigma(\beta x)")
def _(g, input, beta, threshold):
    return where(input * beta > threshold, g, g * sigmoid(input * beta))


@op(r"y = x \odot \sigma(x)")
def silu(input):
    return input * sigmoid.forward(input)


@silu.vjp("input", r"\bar x = \bar y \odot \sigma(x)\,(1 + x\,(1 - \sigma(x)))")
def _(g, input):
    s = sigmoid(input)
    return g * (s * (1 + input * (1 - s)))


@op(r"y = x \text{ if } x > 0 \text{ else } \alpha (e^{x} - 1)")
def elu(input, alpha=1.0):
    lib = namespace(input)
    return lib.where(input > 0, input, lib.expm1(lib.minimum(input, 0)) * alpha).astype(input.dtype)


@elu.vjp("input", r"\bar x = \bar y \text{ if } x > 0 \text{ else } \bar y\,\alpha e^{x}")
def _(g, input, alpha):
    return where(input > 0, g, g * alpha * exp(where(input > 0, input * 0, input)))


@op(r"y = x\,\Phi(x) \approx \tfrac{x}{2}\bigl(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715 x^{3}))\bigr)")
def gelu_tanh(input):
    lib = namespace(input)
    inner = math.sqrt(2 / math.pi) * (input + 0.044715 * input * input * input)
    return (0.5 * input * (1 + lib.tanh(inner))).astype(input.dtype)


@gelu_tanh.vjp("input", r"\bar x = \bar y \odot \tfrac{\mathrm{d}}{\mathrm{d}x}\,y(x)")
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
    y = lib.exp(x - x.max(axis=d, keepdims=True))
    y /= y.sum(axis=d, keepdims=True)
    return y


@softmax.vjp("input", r"\bar x = y \odot \bigl(\bar y - \textstyle\sum_j \bar y_j y_j\bigr)")
def _(g, output, input_dtype, dim):
    weighted = g * output
    return weighted - output * sum(weighted, dim, True)


@op(r"y_i = x_i - \ln \sum_j e^{x_j}")
def log_softmax(input, dim=-1, dtype=None):
    x = _in_dtype(input, dtype)
    lib = namespace(x)
    d = wrap_dim(dim, x.ndim)
    if not x.size or not x.ndim:
        return lib.zeros_like(x)
    shifted = x - x.max(axis=d, keepdims=True)
    return shifted - lib.log(lib.exp(shifted).sum(axis=d, keepdims=True))


@log_softmax.vjp("input", r"\bar x = \bar y - e^{y} \textstyle\sum_j \bar y_j")
def _(g, output, dim):
    return g - exp(output) * sum(g, dim, True)


def _in_dtype(input: Any, dtype: Any) -> Any:
    if dtype is not None:
        return input.astype(as_numpy(dtype))
    if input.dtype.kind not in "fc":
        raise RuntimeError(
            f'"softmax_kernel_impl" not implemented for {input.dtype}; convert it: x.float()'
        )
    return input
