"""Sums, means and maxima of bags of embeddings."""

from __future__ import annotations

import math

import numpy as np

from labtorch.backend.arrays import namespace, on_device_of
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.variable import wrap
from labtorch.nn.functional.linear import embedding
from labtorch.ops import arithmetic, indexing
from labtorch.tensor import arranging, functions
from labtorch.tensor.tensor import Tensor


@composite
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or max of the rows of `weight` that each bag names; 0 for an empty bag.

    A bag is a row of a 2-d `input`; of a 1-d one, what lies between two `offsets`. Rows named
    `padding_idx` are left out. `per_sample_weights` scale the rows of a sum.
    """
    starts, ends = _bounds(input, weight, offsets, mode, per_sample_weights, include_last_offset)
    if padding_idx is not None:
        if not -len(weight) <= padding_idx < len(weight):
            raise RuntimeError("padding_idx must be within the number of embeddings")
        padding_idx %= len(weight)
    if input.ndim == 2:
        taken = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
        return _of_rows(input, taken, mode, per_sample_weights, padding_idx)
    places = functions.reshape(input, (-1,))
    rows = embedding(places, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * functions.reshape(per_sample_weights, (-1, 1))
    lib = namespace(places._array)
    bag = on_device_of(np.repeat(np.arange(len(starts)), ends - starts), places._array)
    kept = lib.arange(starts[0], starts[0] + len(bag)) if len(starts) else bag
    if padding_idx is not None:
        there = places._array[kept] != padding_idx
        bag, kept = bag[there], kept[there]
    rows = apply(indexing.index_select, (rows, 0, wrap(kept)))
    count = lib.bincount(bag, minlength=len(starts))
    empty = wrap(lib.zeros((len(starts), weight.shape[1]), weight._array.dtype))
    if mode == "max":
        index = wrap(lib.broadcast_to(bag[:, None], (len(bag), weight.shape[1])))
        return arranging.scatter_reduce(empty, 0, index, rows, "amax", include_self=False)
    total = arranging.index_add(empty, 0, wrap(bag), rows)
    if mode == "sum":
        return total
    return arithmetic.div(total, wrap(lib.maximum(count, 1)[:, None].astype(weight._array.dtype)))


def _of_rows(
    input: Tensor, taken: Tensor, mode: str, scales: Tensor | None, padding_idx: int | None
) -> Tensor:
    """The bags of a 2-d input, all of one length, from what they take of the table (B, L, D)."""
    if scales is not None:
        taken = taken * scales.unsqueeze(-1)
    if padding_idx is None and input.shape[1]:
        return taken.amax(1) if mode == "max" else taken.sum(1) if mode == "sum" else taken.mean(1)
    kept = (input != (-1 if padding_idx is None else padding_idx)).unsqueeze(-1)
    if mode == "max":
        low = arithmetic.where(kept, taken, -math.inf)
        some = kept.any(1)
        return arithmetic.where(some, low.amax(1), 0.0) if input.shape[1] else taken.sum(1)
    total = arithmetic.where(kept, taken, 0.0).sum(1)
    return total if mode == "sum" else total / arithmetic.clamp(kept.sum(1), 1)


def _bounds(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None,
    mode: str,
    per_sample_weights: Tensor | None,
    include_last_offset: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Where each bag begins and ends in the flat input, on the CPU; PyTorch's refusals."""
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not None, "
            f"then it must have the same shape as the input ({list(input.shape)})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')."
        )
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        starts = np.arange(input.shape[0]) * input.shape[1]
        return starts, starts + input.shape[1]
    if input.ndim != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}"
        )
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    array, n = offsets.cpu()._array, input.numel()
    if array.size and array[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {array[0]}"
        )
    if array.size and array[-1] > n:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length({n}). However, got offsets[-1] of "
            f"{array[-1]}"
        )
    if include_last_offset:
        if not array.size:
            raise RuntimeError("include_last_offset: number of offsets should be at least 1")
        return array[:-1], array[1:]
    return array, np.append(array[1:], n)[: array.size]
