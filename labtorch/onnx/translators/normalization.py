"""Normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates


def _normalized(g: Graph, x: Any, axes: list[int], eps: float) -> Any:
    centred = g("Sub", x, g("ReduceMean", x, axes, keepdims=1))
    variance = g("ReduceMean", g("Mul", centred, centred), axes, keepdims=1)
    return g("Div", centred, g("Sqrt", g("Add", variance, float(eps))))


def _affine(g: Graph, y: Any, ndim: int, weight: Value | None, bias: Value | None) -> Any:
    """With one number a channel, dimension 1."""
    for kind, each in (("Mul", weight), ("Add", bias)):
        if each is not None:
            spread = (-1,) + (1,) * (ndim - 2)
            y = g(kind, y, g.reshape(each, spread) if ndim > 2 else each)
    return y


@translates("batch_norm")
def _(
    g,
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
):
    if training:
        y = _normalized(g, input, [0, *range(2, input.ndim)], eps)
        return _affine(g, y, input.ndim, weight, bias)
    channels = int(input.shape[1])
    scale = weight or g.constant(np.ones(channels, g.dtype))
    shift = bias or g.constant(np.zeros(channels, g.dtype))
    statistics = (g.floating(running_mean), g.floating(running_var))
    return g("BatchNormalization", input, scale, shift, *statistics, epsilon=float(eps))


@translates("layer_norm")
def _(g, input, normalized_shape, weight=None, bias=None, eps=1e-5):
    scale = weight or g.constant(np.ones([int(n) for n in normalized_shape], g.dtype))
    axis = -len(normalized_shape)
    return g("LayerNormalization", input, scale, bias, axis=axis, epsilon=float(eps))


@translates("rms_norm")
def _(g, input, normalized_shape, weight=None, eps=None):
    axes = list(range(-len(normalized_shape), 0))
    square = g("ReduceMean", g("Mul", input, input), axes, keepdims=1)
    eps = float(np.finfo(g.dtype).eps) if eps is None else float(eps)
    y = g("Div", input, g("Sqrt", g("Add", square, eps)))
    return y if weight is None else g("Mul", y, weight)


@translates("group_norm")
def _(g, input, num_groups, weight=None, bias=None, eps=1e-5):
    rows = g("Reshape", input, [0, int(num_groups), -1])
    y = g("Reshape", _normalized(g, rows, [2], eps), g.shape_of(input))
    return _affine(g, y, input.ndim, weight, bias)
