"""Normalisation, and distances of normalised vectors."""

from __future__ import annotations

from collections.abc import Sequence

from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.modes import no_grad
from labtorch.engine.variable import wrap
from labtorch.ops import arithmetic, normalization
from labtorch.ops.reduction import sum as sum_along
from labtorch.tensor import functions
from labtorch.tensor.arranging import broadcast_tensors
from labtorch.tensor.tensor import Tensor


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 over the last dimensions, then an affine map."""
    return apply(normalization.layer_norm, (input, tuple(normalized_shape), weight, bias, eps))


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Root mean square 1 over the last dimensions, then a scale."""
    return apply(normalization.rms_norm, (input, tuple(normalized_shape), weight, eps))


@composite
def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divide by the p-norm along `dim` (by eps where that is less)."""
    length = functions.norm(input, p, dim, True)
    return input / arithmetic.clamp(length, eps)


@composite
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (|x1| |x2|) along `dim`; a norm less than eps counts as eps."""
    x1, x2 = broadcast_tensors(x1, x2)
    a = arithmetic.clamp(functions.norm(x1, 2, dim, True), eps)
    b = arithmetic.clamp(functions.norm(x2, 2, dim, True), eps)
    return sum_along((x1 / a) * (x2 / b), dim)


@composite
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return functions.norm(x1 - x2 + eps, p, -1, keepdim)


def _more_than_one(size: Sequence[int]) -> None:
    count = size[0]
    for n in size[2:]:
        count *= n
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {size}"
        )


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 per channel (dimension 1), then an affine map.

    With `training`, over the batch, and the running statistics move to the batch's by `momentum`;
    else by the running statistics.
    """
    if training and eps <= 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if input.ndim < 2:  # no channels: only an empty one passes
        return input.clone()  # type: ignore[no-any-return]
    if training:
        _more_than_one(input.shape)
        # the op moves them in place and never needs them again: the next call may move them, too
        moved = [x for x in (running_mean, running_var) if x is not None]
        for running in moved:
            running.version().written("batch_norm")
        running_mean, running_var = (wrap(x._array) for x in moved) if moved else (None, None)
    elif running_mean is None or running_var is None:
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when training=False"
        )
    arguments = (input, running_mean, running_var, weight, bias, training, momentum, eps)
    return apply(normalization.batch_norm, arguments)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 per sample and group of channels, then an affine map."""
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    _more_than_one((input.shape[0] * input.shape[1] // num_groups, num_groups, *input.shape[2:]))
    return apply(normalization.group_norm, (input, num_groups, weight, bias, eps))


@composite
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 per sample and channel, then an affine map."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    n = 1
    for size in input.shape[2:]:
        n *= size
    if n == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    with no_grad():
        for running, of_sample in ((running_mean, _mean_of), (running_var, _variance_of)):
            if running is not None:
                moved = of_sample(input, n).mean(0)
                running.copy_((1 - momentum) * running + momentum * moved.to(running.dtype))
    return apply(normalization.group_norm, (input, input.shape[1], weight, bias, eps))


def _mean_of(input: Tensor, n: int) -> Tensor:
    return functions.reshape(input, (*input.shape[:2], -1)).mean(-1)


def _variance_of(input: Tensor, n: int) -> Tensor:
    return functions.var(functions.reshape(input, (*input.shape[:2], -1)), -1)


@composite
def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha mean(x^2 over `size` neighbouring channels))^beta."""
    if input.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)"
        )
    if not input.numel():
        return input
    border = (0, 0) * (input.ndim - 2) + (size // 2, (size - 1) // 2)
    windows = functions.pad(input * input, border).unfold(1, size, 1)
    total = windows.sum(-1)
    mean = total / size if input.is_floating_point() else total // size
    return input / (mean * alpha + k) ** beta
