"""Normalisation: centre, scale, and an affine map of the result."""

from __future__ import annotations

from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op
from labtorch.ops.arithmetic import rsqrt
from labtorch.ops.reduction import mean, var
from labtorch.ops.shape import sum_to


def _last(shape: tuple) -> tuple[int, ...]:
    return tuple(range(-len(shape), 0))


def _check(name: str, input: Any, shape: tuple, weight: Any, bias: Any = None) -> None:
    shape = tuple(shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for what, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.shape != shape:
            raise RuntimeError(
                f"Expected {what} to be of same shape as normalized_shape, but got {what} of shape "
                f"{list(given.shape)} and normalized_shape = {list(shape)}"
            )
    if input.ndim < len(shape) or input.shape[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
        )


@op(
    r"y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \odot w + b",
    keeps=("normalized", "scale"),
)
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 over the last dimensions. Source: Ba, Kiros, Hinton (2016)."""
    _check("layer_norm", input, normalized_shape, weight, bias)
    lib, axes = namespace(input), _last(normalized_shape)
    centred = input - input.mean(axis=axes, keepdims=True)
    variance = lib.square(centred).mean(axis=axes, keepdims=True)
    scale = 1 / lib.sqrt(variance + eps)
    centred *= scale
    y = centred if weight is None else centred * weight
    if bias is not None:
        y = y + bias
    return y, centred, scale


def _normalized(input: Any, shape: tuple, eps: float, normalized: Any, scale: Any) -> tuple:
    """What the forward kept, or the same again from the input, for a recorded backward pass."""
    if normalized is not None:
        return normalized, scale
    axes = _last(shape)
    scale = rsqrt(var(input, axes, 0, True) + eps)
    return (input - mean(input, axes, True)) * scale, scale


@layer_norm.vjp(
    "input",
    r"\bar x = \tfrac{1}{\sigma} \bigl(h - \operatorname{mean} h "
    r"- \hat x \operatorname{mean}(h \hat x)\bigr), \; h = \bar y \odot w",
)
def _(g, input, normalized_shape, weight, eps, normalized, scale):
    x, scale = _normalized(input, normalized_shape, eps, normalized, scale)
    axes = _last(normalized_shape)
    h = g if weight is None else g * weight
    return (h - mean(h, axes, True) - x * mean(h * x, axes, True)) * scale


@layer_norm.vjp("weight", r"\bar w = \sum \bar y \odot \hat x")
def _(g, input, normalized_shape, eps, weight_shape, normalized, scale):
    x, _ = _normalized(input, normalized_shape, eps, normalized, scale)
    return sum_to(g * x, weight_shape)


@layer_norm.vjp("bias", r"\bar b = \sum \bar y")
def _(g, bias_shape):
    return sum_to(g, bias_shape)


@op(r"y = \frac{x}{\sqrt{\operatorname{mean}(x^2) + \epsilon}} \odot w")
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Root mean square 1 over the last dimensions. Source: Zhang, Sennrich (2019)."""
    _check("rms_norm", input, normalized_shape, weight)
    lib = namespace(input)
    y = input / lib.sqrt(_mean_square(lib, input, normalized_shape, eps))
    return y if weight is None else y * weight


def _mean_square(lib: Any, input: Any, shape: tuple, eps: float | None) -> Any:
    square = lib.square(input).mean(axis=_last(shape), keepdims=True)
    return square + (lib.finfo(input.dtype).eps if eps is None else eps)


def _rms_scale(input: Any, shape: tuple, eps: float | None) -> Any:
    import numpy as np

    dtype = getattr(input, "_array", input).dtype
    return rsqrt(
        mean(input * input, _last(shape), True) + (np.finfo(dtype).eps if eps is None else eps)
    )


@rms_norm.vjp(
    "input",
    r"\bar x = \tfrac{1}{r} \bigl(h - \hat x \operatorname{mean}(h \hat x)\bigr), "
    r"\; h = \bar y \odot w",
)
def _(g, input, normalized_shape, weight, eps):
    scale = _rms_scale(input, normalized_shape, eps)
    x = input * scale
    h = g if weight is None else g * weight
    return (h - x * mean(h * x, _last(normalized_shape), True)) * scale


@rms_norm.vjp("weight", r"\bar w = \sum \bar y \odot \hat x")
def _(g, input, normalized_shape, eps, weight_shape):
    return sum_to(g * (input * _rms_scale(input, normalized_shape, eps)), weight_shape)
