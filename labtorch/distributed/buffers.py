"""Tensors as MPI's buffers, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.tensor.tensor import Tensor


def buffer(tensor: Any, what: str, argument: str = "tensor") -> np.ndarray:
    """The numbers of a tensor in a row in the computer's memory: its own, where they are so."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"Invalid function argument. Expected parameter `{argument}` of {what} to be of type "
            f"torch.Tensor, not {type(tensor).__name__}"
        )
    return np.ascontiguousarray(devices.move(tensor._array, devices.CPU))


def fill(tensor: Tensor, numbers: np.ndarray, what: str) -> None:
    """Write what has come into a tensor, unless it came into its own memory."""
    tensor.version().written(what)
    array = tensor._array
    if not (isinstance(array, np.ndarray) and np.shares_memory(array, numbers)):
        array[...] = devices.move(numbers.reshape(array.shape), tensor.device)
