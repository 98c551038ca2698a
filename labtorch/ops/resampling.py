"""Resampling: one matrix per dimension, whose rows weigh the inputs of one output."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op

KINDS = {"nearest": "nearest", "nearest-exact": "exact", "area": "area", "bicubic": "cubic"}
KINDS |= {"linear": "linear", "bilinear": "linear", "trilinear": "linear"}


@lru_cache(maxsize=256)
def matrix(
    kind: str, n: int, m: int, scale: float | None, align_corners: bool, antialias: bool
) -> Any:
    """The m x n matrix that resamples n values to m; `scale` is m / n unless given."""
    out = np.arange(m)
    ratio = n / m if scale is None else 1 / scale
    weights = np.zeros((m, n))
    if kind == "area":
        for i in out:
            start, end = i * n // m, -(-(i + 1) * n // m)
            weights[i, start:end] = 1 / (end - start)
        return weights
    if kind in ("nearest", "exact"):
        single = np.float32(ratio)  # places are computed in single precision, as PyTorch does
        at = (out if kind == "nearest" else out + np.float32(0.5)) * single
        weights[out, np.minimum(np.floor(at).astype(int), n - 1)] = 1
        return weights
    if align_corners:
        at = out * ((n - 1) / (m - 1) if m > 1 else 0.0)
    else:
        at = (out + 0.5) * ratio - 0.5
    if antialias:
        return _antialiased(weights, kind, at, ratio)
    if kind == "linear":
        at = np.maximum(at, 0)
        low = np.minimum(np.floor(at).astype(int), n - 1)
        high = np.minimum(low + 1, n - 1)
        np.add.at(weights, (out, low), 1 - (at - low))
        np.add.at(weights, (out, high), at - low)
        return weights
    low = np.floor(at).astype(int)
    for offset in range(-1, 3):
        place = np.clip(low + offset, 0, n - 1)
        np.add.at(weights, (out, place), _cubic(np.abs(at - low - offset), -0.75))
    return weights


def _cubic(x: Any, a: float) -> Any:
    """Keys's kernel of cubic convolution (1981)."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _antialiased(weights: Any, kind: str, at: Any, ratio: float) -> Any:
    """The kernel stretched over all inputs that one output covers."""
    m, n = weights.shape
    wide = max(ratio, 1.0)
    reach = (1 if kind == "linear" else 2) * wide
    for i, centre in enumerate(at + 0.5):
        start, end = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), n)
        x = np.abs((np.arange(start, end) - centre + 0.5) / wide)
        row = np.maximum(1 - x, 0) if kind == "linear" else _cubic(x, -0.5)
        weights[i, start:end] = row / row.sum()
    return weights


@op(r"y = x \times_2 M_1 \times_3 M_2 \cdots")
def resample(input, matrices):
    """Each dimension after the channels multiplied by its matrix (out x in)."""
    lib = namespace(input)
    y = input
    for i, each in enumerate(matrices):
        weights = lib.asarray(each, input.dtype)
        y = lib.moveaxis(lib.tensordot(y, weights, axes=(2 + i, 1)), -1, 2 + i)
    return lib.ascontiguousarray(y)


@resample.vjp("input", r"\bar x = \bar y \times_2 M_1^T \times_3 M_2^T \cdots")
def _(g, matrices):
    return resample(g, tuple(each.T for each in matrices))
