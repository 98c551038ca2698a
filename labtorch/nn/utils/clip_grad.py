"""Gradients kept within bounds, in place."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.fused import fused
from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import Tensor


def _listed(tensors: Any) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def get_total_norm(
    tensors: Any,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors together."""
    tensors = _listed(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return wrap(np.zeros((), np.float32))
    lib = namespace(tensors[0]._array)
    norms = [lib.linalg.norm(t._array.ravel(), norm_type) for t in tensors if t._array.size]
    total = lib.linalg.norm(lib.stack(norms), norm_type) if norms else lib.zeros(())
    if error_if_nonfinite and not lib.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return wrap(lib.asarray(total, tensors[0]._array.dtype))


def clip_grads_with_norm_(
    parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients so that `total_norm` becomes at most `max_norm`."""
    total: Any = total_norm._array
    scale = None
    if isinstance(total, np.ndarray):
        scale = np.asarray(float(max_norm) / (total.item() + 1e-6))
        if scale >= 1.0:  # a NaN goes on: it is to be seen in the gradients
            return
    for parameter in _listed(parameters):
        gradient = parameter._grad
        if gradient is not None:
            if scale is None:
                _bound(gradient._array, total, float(max_norm))
            else:
                gradient._array *= scale.astype(gradient._array.dtype)
            gradient.version().written("clip_grad_")


@fused
def _bound(gradient, total, max_norm):
    """Without waiting for the GPU to tell the norm."""
    scale = namespace(total).minimum(max_norm / (total + 1e-6), 1)
    gradient *= scale.astype(gradient.dtype)


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients so that their norm together is at most `max_norm`; returns that norm."""
    parameters = _listed(parameters)
    if not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    gradients = [p._grad for p in parameters if p._grad is not None]
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    """The old name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Bound every element of the gradients by `clip_value` in absolute value."""
    bound = float(clip_value)
    for parameter in _gradients(_listed(parameters)):
        array = parameter._array
        namespace(array).clip(array, -bound, bound, out=array)
        parameter.version().written("clip_grad_")


def _gradients(parameters: Iterable[Tensor]) -> list[Any]:
    return [p._grad for p in parameters if p._grad is not None]
