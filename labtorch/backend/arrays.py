"""Find the array library from the array: op code names neither NumPy nor CuPy."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

Array = Any  # a numpy.ndarray or a cupy.ndarray


def namespace(array: Array) -> ModuleType:
    """The library that `array` belongs to: `numpy`, or `cupy` for an array on a GPU."""
    if isinstance(array, (np.ndarray, np.generic)):
        return np
    return sys.modules["cupy"]


def is_array(value: object) -> bool:
    """Is `value` an array (or array scalar) of a library that can compute here?"""
    if isinstance(value, (np.ndarray, np.generic)):
        return True
    cupy = sys.modules.get("cupy")  # an array of CuPy can only exist once CuPy is imported
    return cupy is not None and isinstance(value, cupy.ndarray)


def require_tensors(name: str, **operands: Any) -> None:
    """Refuse Python numbers where PyTorch takes tensors only."""
    for position, (argument, value) in enumerate(operands.items(), 1):
        if not is_array(value):
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position}) must be Tensor, "
                f"not {type(value).__name__}"
            )


def ones_like(array: Array) -> Array:
    return namespace(array).ones_like(array)
