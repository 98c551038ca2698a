"""Convolutions, transposed ones, and sliding windows as columns."""

from __future__ import annotations

from typing import Any

from labtorch.engine.apply import apply
from labtorch.ops.conv import (
    col2im,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    im2col,
    sizes,
)
from labtorch.tensor.tensor import Tensor

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "unfold",
]


def _pairs(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple:
    return (
        sizes(kernel_size, 2, "kernel_size"),
        sizes(dilation, 2, "dilation"),
        sizes(padding, 2, "padding"),
        sizes(stride, 2, "stride"),
    )


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Every window of x (N, C, H, W) as a column: (N, C * kernel, windows)."""
    placed = _pairs(kernel_size, dilation, padding, stride)
    if input.dim() == 3:
        return unfold(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)  # type: ignore[attr-defined]
    return apply(im2col, (input, *placed))


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Columns (N, C * kernel, windows) added up where their windows lie: (N, C, *output_size)."""
    size = sizes(output_size, 2, "output_size")
    placed = _pairs(kernel_size, dilation, padding, stride)
    if input.dim() == 2:
        return fold(input.unsqueeze(0), size, kernel_size, dilation, padding, stride).squeeze(0)  # type: ignore[attr-defined]
    return apply(col2im, (input, size, *placed))
