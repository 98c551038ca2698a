"""Tensors as arrays that are sent, and back."""

from __future__ import annotations

from typing import Any

from labtorch.backend import devices
from labtorch.backend.arrays import namespace
from labtorch.distributed.carriers import Host
from labtorch.tensor.tensor import Tensor


def checked(tensor: Any, what: str, argument: str = "tensor") -> Tensor:
    if not isinstance(tensor, Tensor):
        kind = f"{type(tensor).__module__}.{type(tensor).__qualname__}"
        raise TypeError(
            f"Invalid function argument. Expected parameter `{argument}` of {what} to be of type "
            f"labtorch.Tensor, not {kind.removeprefix('builtins.')}"
        )
    return tensor


def buffer(tensor: Any, what: str, argument: str = "tensor") -> Any:
    """The numbers of a tensor in a row in the computer's memory: its own, where they are so."""
    return Host.own(checked(tensor, what, argument)._array)


def fill(tensor: Tensor, numbers: Any, what: str) -> None:
    """Write what has come into a tensor, unless it came into its own memory."""
    tensor.version().written(what)
    array = tensor._array
    xp = namespace(array)
    if xp is not namespace(numbers) or not xp.shares_memory(array, numbers):
        array[...] = devices.move(numbers.reshape(array.shape), tensor.device)
