"""Convolutions, transposed ones, and windows as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates
from labtorch.ops.conv import sizes


def _batched(g: Graph, x: Value, n: int) -> Value:
    return x if x.ndim == n + 2 else g.shaped(g("Unsqueeze", x, [0]), (1, *x.shape))


def _unbatched(g: Graph, y: Value, x: Value, n: int) -> Any:
    return y if x.ndim == n + 2 else g("Squeeze", y, [0])


@translates("conv1d", "conv2d", "conv3d")
def _(g, input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    n = int(g.op_name[-2])
    kernel = [int(k) for k in weight.shape[2:]]
    stride, dilation = sizes(stride, n, "stride"), sizes(dilation, n, "dilation")
    if padding == "same":
        reach = [d * (k - 1) for k, d in zip(kernel, dilation)]
        pads = [r // 2 for r in reach] + [r - r // 2 for r in reach]
    else:
        pads = list(sizes(0 if padding == "valid" else padding, n, "padding")) * 2
    y = g(
        "Conv",
        _batched(g, input, n),
        weight,
        bias,
        kernel_shape=kernel,
        strides=stride,
        pads=pads,
        dilations=dilation,
        group=int(groups),
    )
    return _unbatched(g, y, input, n)


@translates("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _(g, input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    n = int(g.op_name[-2])
    y = g(
        "ConvTranspose",
        _batched(g, input, n),
        weight,
        bias,
        kernel_shape=[int(k) for k in weight.shape[2:]],
        strides=sizes(stride, n, "stride"),
        pads=list(sizes(padding, n, "padding")) * 2,
        dilations=sizes(dilation, n, "dilation"),
        output_padding=sizes(output_padding, n, "output_padding"),
        group=int(groups),
    )
    return _unbatched(g, y, input, n)


@translates("im2col")
def _(g, input, kernel_size, dilation, padding, stride):
    """Rows, then columns, gathered by the places of the windows."""
    x, (height, width) = input, (int(m) for m in input.shape[2:])
    if any(padding):
        p, q = padding
        x = g("Pad", x, [0, 0, p, q, 0, 0, p, q], g.value(0, g.dtype))
    for axis, (m, k, d, p, s) in enumerate(
        zip((height, width), kernel_size, dilation, padding, stride)
    ):
        count = (m + 2 * p - d * (k - 1) - 1) // s + 1
        places = np.arange(k)[:, None] * d + np.arange(count) * s  # (kernel, windows)
        x = g("Gather", x, places.astype(np.int64), axis=2 + 2 * axis)
    x = g("Transpose", x, perm=[0, 1, 2, 4, 3, 5])  # N, C, kernel, kernel, windows, windows
    channels = int(input.shape[1]) * kernel_size[0] * kernel_size[1]
    return g("Reshape", x, [0, channels, -1])


@translates("col2im")
def _(g, input, output_size, kernel_size, dilation, padding, stride):
    return g(
        "Col2Im",
        input,
        list(output_size),
        list(kernel_size),
        dilations=list(dilation),
        pads=list(padding) * 2,
        strides=list(stride),
    )
