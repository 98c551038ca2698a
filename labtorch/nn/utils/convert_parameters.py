"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from labtorch.engine.variable import wrap
from labtorch.ops.shape import cat
from labtorch.tensor.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after the other."""
    return cat([parameter.reshape(-1) for parameter in parameters])  # type: ignore[attr-defined]


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its part of the vector."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    at = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.data = wrap(vec._array[at : at + size].reshape(parameter._array.shape))
        at += size
