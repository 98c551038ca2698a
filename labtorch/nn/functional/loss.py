"""Losses: how far a prediction is from its target."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.engine import errors
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.modes import no_grad
from labtorch.engine.variable import wrap
from labtorch.nn.functional.normalization import pairwise_distance
from labtorch.ops import activation, arithmetic, indexing, loss, shape
from labtorch.ops.reduction import sum as sum_along
from labtorch.tensor import arranging, functions
from labtorch.tensor.tensor import Tensor


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """What the two old flags mean, where one is given."""
    if size_average is None and reduce is None:
        return reduction
    average = True if size_average is None else size_average
    meant = "none" if reduce is False else "mean" if average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{meant}' instead.",
        stacklevel=3,
    )
    return meant


def _weighted(losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """Reduce the losses of single elements; with weights, to their weighted mean."""
    if weight is None:
        return loss._reduce(losses, reduction)
    loss.check_reduction(reduction)
    if weight.shape != losses.shape:
        raise ValueError("Weights and input must have the same size.")
    losses = losses * weight
    if reduction == "mean":
        return losses.sum() / weight.sum()  # type: ignore[attr-defined]
    return loss._reduce(losses, reduction)


def _warn_sizes(input: Tensor, target: Tensor) -> None:
    """Say that shapes differ: (N, 1) against (N,) broadcasts to (N, N) and trains on nonsense."""
    warnings.warn(
        f"Using a target size ({target.shape}) that is different to the input size "
        f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
        "Please ensure they have the same size.",
        stacklevel=_user_level(),
    )


def _user_level() -> int:
    """How far up the user's own frame is, for a warning that should name it."""
    level, user = 1, errors.user_frame()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not user:
        frame, level = frame.f_back, level + 1
    return level


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean of (input - target)^2."""
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is not None:
        return _weighted(apply(loss.mse, (input, target, "none")), weight, reduction)
    return apply(loss.mse, (input, target, reduction))


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean of |input - target|."""
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is not None:
        return _weighted(apply(loss.l1, (input, target, "none")), weight, reduction)
    return apply(loss.l1, (input, target, reduction))


@composite
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """e^2 / (2 beta) for errors less than beta, |e| - beta / 2 beyond."""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if beta == 0:
        return apply(loss.l1, (input, target, reduction))
    return loss._reduce(apply(loss.huber, (input, target, beta)) / beta, reduction)


@composite
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """e^2 / 2 for errors less than delta, delta (|e| - delta / 2) beyond."""
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    return _weighted(apply(loss.huber, (input, target, delta)), weight, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of logits (N, C, ...) with class indices (N, ...) or probabilities."""
    if size_average is not None or reduce is not None:
        reduction = legacy_reduction(size_average, reduce, reduction)
    if label_smoothing < 0.0 or label_smoothing > 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    return loss.cross_entropy(
        input, target, weight, None, ignore_index, None, reduction, label_smoothing
    )


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean of -(t ln p + (1 - t) ln(1 - p)), for probabilities p."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return loss.binary_cross_entropy(input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of logits, stable at both ends."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return loss.binary_cross_entropy_with_logits(
        input, target, weight, reduction=reduction, pos_weight=pos_weight
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean of -input[n, target[n]]: cross-entropy of log-probabilities."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return apply(loss.nll, (input, target, weight, ignore_index, reduction))


@composite
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The mean of target (ln target - input), for log-probabilities `input`."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=_user_level(),
        )
    losses = apply(loss.kl, (input, target, log_target))
    if reduction == "batchmean":
        return losses.sum() / max(input.shape[0] if input.ndim else 1, 1)
    return loss._reduce(losses, reduction)


@composite
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - t x, or x - t ln(x + eps); `full` adds Stirling's formula for ln t!."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if log_input:
        losses = arithmetic.exp(input) - target * input
    else:
        losses = input - target * arithmetic.log(input + eps)
    if full:
        safe = arithmetic.where(target > 1, target, 1.0)
        stirling = target * arithmetic.log(safe) - target + 0.5 * arithmetic.log(2 * np.pi * safe)
        losses = losses + arithmetic.where(target > 1, stirling, 0.0)
    return loss._reduce(losses, reduction)


@composite
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(ln v + (x - t)^2 / v) / 2, with the variance v no less than eps."""
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = wrap(namespace(input._array).full_like(input._array, var))
    elif (var._array < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = shape.unsqueeze(var, -1)
        elif not (input.shape[:-1] == var.shape[:-1] and var.shape[-1] == 1) and not _fits(
            var.shape, input.shape
        ):
            raise ValueError("var is of incorrect size")
    loss.check_reduction(reduction)
    bounded = var.clone()  # type: ignore[attr-defined]
    with no_grad():
        bounded.clamp_(min=eps)  # type: ignore[attr-defined]  # the gradient passes the bound
    error = input - target
    losses = (arithmetic.log(bounded) + error * error / bounded) * 0.5
    if full:
        losses = losses + 0.5 * float(np.log(2 * np.pi))
    return loss._reduce(losses, reduction)


def _fits(small: Sequence[int], large: Sequence[int]) -> bool:
    return len(small) == len(large) and all(a == b or a == 1 for a, b in zip(small, large))


@composite
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where t = 1, max(0, margin - x) where t = -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    apart = arithmetic.where(target == 1, 0.0, arithmetic.clamp(margin - input, 0))
    near = arithmetic.where(target == -1, 0.0, input)
    return loss._reduce(apart + near, reduction)


@composite
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - t (x1 - x2))."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return loss._reduce(arithmetic.clamp(margin - target * (input1 - input2), 0), reduction)


@composite
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """ln(1 + exp(-t x))."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    return loss._reduce(apply(activation.softplus, (-(target * input), 1.0, 20.0)), reduction)


@composite
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where t = 1, max(0, cos - margin) where t = -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    a, b = (sum_along(x * x, -1) + 1e-12 for x in (input1, input2))
    cosine = sum_along(input1 * input2, -1) / arithmetic.sqrt(a * b)
    near = arithmetic.where(target == 1, 1 - cosine, 0.0)
    apart = arithmetic.where(target == -1, arithmetic.clamp(cosine - margin, 0), 0.0)
    return loss._reduce(near + apart, reduction)


@composite
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) - d(a, n) + margin), with the distances of `pairwise_distance`."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = arithmetic.minimum(far, pairwise_distance(positive, negative, p, eps))
    return loss._reduce(arithmetic.clamp(near - far + margin, 0), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """As `triplet_margin_loss`, with a distance of one's own."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = arithmetic.minimum(far, distance(positive, negative))
    return loss._reduce(arithmetic.clamp(near - far + margin, 0), reduction)


@composite
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Of x (N, C) and classes y: sum over i != y of w_y max(0, margin - x_y + x_i)^p, by C."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss.check_reduction(reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    rows = input if input.ndim == 2 else functions.reshape(input, (1, -1))
    if input.ndim > 2 or not input.numel():
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    classes = functions.reshape(target, (-1, 1))
    if classes.shape[0] != rows.shape[0] or target.ndim > 1:
        raise RuntimeError(
            f"inconsistent target size, expected {rows.shape[0]} but got {list(target.shape)}"
        )
    if weight is not None and tuple(weight.shape) != (rows.shape[1],):
        raise RuntimeError(
            f"inconsistent weight size, expected {rows.shape[1]} but got {list(weight.shape)}"
        )
    apart = arithmetic.clamp(margin - indexing.gather(rows, 1, classes) + rows, 0) ** p
    if weight is not None:
        apart = apart * functions.reshape(weight[functions.reshape(classes, (-1,))], (-1, 1))
    others = wrap(namespace(rows._array).arange(rows.shape[1])) != classes
    losses = arithmetic.where(others, apart, 0.0).sum(1) / rows.shape[1]
    return loss._reduce(losses if input.ndim == 2 else losses.squeeze(0), reduction)


@composite
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Of x (N, C) and class numbers up to the first -1: sum of max(0, 1 - x_y + x_i), by C.

    It runs over the classes y that are named and the classes i that are not.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss.check_reduction(reduction)
    if input.ndim > 2 or not input.numel():
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    if tuple(target.shape) != tuple(input.shape):
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    size = (1, -1) if input.ndim < 2 else tuple(input.shape)
    rows, named = functions.reshape(input, size), functions.reshape(target, size)
    valid = (named >= 0).long().cumprod(1)
    place = named * valid
    chosen = arranging.scatter_reduce(valid * 0, 1, place, valid, "amax")
    of_named = indexing.gather(rows, 1, place)
    apart = arithmetic.clamp(1 - of_named.unsqueeze(2) + rows.unsqueeze(1), 0)
    pairs = (valid.unsqueeze(2) > 0) & (chosen.unsqueeze(1) == 0)
    losses = arithmetic.where(pairs, apart, 0.0).sum((1, 2)) / rows.shape[1]
    return loss._reduce(losses if input.ndim == 2 else losses.squeeze(0), reduction)


@composite
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t ln sigmoid(x) + (1 - t) ln sigmoid(-x)), the mean over classes (the last dimension)."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    positive = apply(activation.logsigmoid, (input,))
    negative = apply(activation.logsigmoid, (-input,))
    losses = -(target * positive + (1 - target) * negative)
    if weight is not None:
        losses = losses * weight
    return loss._reduce(losses.mean(-1), reduction)
