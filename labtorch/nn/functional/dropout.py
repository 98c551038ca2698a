"""Dropout: zeros by chance, while training."""

from __future__ import annotations

import warnings

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.fused import fused
from labtorch.engine.composite import composite
from labtorch.engine.variable import wrap
from labtorch.nn.functional.activation import applied
from labtorch.ops import activation
from labtorch.tensor import random
from labtorch.tensor.tensor import Tensor


def check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def drawn_mask(size: tuple, p: float, like: Tensor) -> Tensor:
    """1 / (1 - p) with probability 1 - p, else 0."""
    dtype = like._array.dtype
    if p == 1.0:
        return wrap(namespace(like._array).zeros(size, dtype))
    drawn = random.stream_like(like._array).random(size, dtype=np.float32)
    return wrap(_mask(drawn, p, dtype.type(1 / (1 - p))))


@fused
def _mask(drawn, p, scale):
    return (drawn >= p).astype(scale.dtype) * scale


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), in training."""
    check_probability(p)
    if not training or p == 0.0:
        return input
    return applied(activation.dropout, inplace, input, drawn_mask(input._array.shape, p, input))


def _channel_dropout(
    name: str, spatial: int, input: Tensor, p: float, training: bool, inplace: bool
) -> Tensor:
    check_probability(p)
    ndim = input.ndim
    if ndim not in (spatial + 1, spatial + 2):
        warnings.warn(
            f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in "
            f"an error in a future release. It takes {spatial + 1}-D or {spatial + 2}-D input.",
            stacklevel=3,
        )
    if not training or p == 0.0:
        return input
    batched = ndim >= spatial + 2 or name == "dropout2d"
    kept = 2 if batched else 1  # dropout2d takes the first of three dimensions for the batch
    size = input._array.shape[:kept] + (1,) * (ndim - kept)
    return applied(activation.dropout, inplace, input, drawn_mask(size, p, input))


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, L) or (C, L) with probability p."""
    check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _channel_dropout("dropout1d", 1, input, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, H, W) with probability p."""
    return _channel_dropout("dropout2d", 2, input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability p."""
    return _channel_dropout("dropout3d", 3, input, p, training, inplace)


@composite
def _alpha_dropout(input: Tensor, p: float, training: bool, inplace: bool, size: tuple) -> Tensor:
    """Dropped elements take SELU's limit, and an affine map keeps mean 0 and variance 1."""
    check_probability(p)
    if not training or p == 0.0:
        return input
    if p == 1.0:
        return input * 0.0
    low = -activation.SELU_ALPHA * activation.SELU_SCALE
    kept = (random.stream_like(input._array).random(size) >= p).astype(input._array.dtype)
    a = ((1 - p) * (1 + p * low * low)) ** -0.5
    offset = (1 - kept) * (a * low) - a * low * p
    return input * wrap(kept * a) + wrap(offset.astype(input._array.dtype))


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for SELU networks (Klambauer et al., 2017)."""
    return _alpha_dropout(input, p, training, inplace, input._array.shape)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """As `alpha_dropout`, on whole channels."""
    size = input._array.shape[:2] + (1,) * (input.ndim - 2)
    return _alpha_dropout(input, p, training, inplace, size)
