"""What is computed on the CPU wherever its arrays are: forth, compute, and back.

Some algorithms take one step after the other (a general eigenvalue problem, LDL factors), and some
have no kernel in CuPy. `on_host` marks a function on arrays as one of them: arrays of a GPU are
fetched, the results go back to that GPU. Each call waits for the device. `FUNCTIONS` lists them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from labtorch.backend import devices
from labtorch.backend.arrays import is_array

F = TypeVar("F", bound=Callable[..., Any])
FUNCTIONS: list[str] = []  # "linalg.eig", ...: what runs on the CPU, always


def on_host(function: F) -> F:
    """`function` of arrays, computed by NumPy; results follow the first array of a GPU."""
    FUNCTIONS.append(f"{function.__module__.rpartition('.')[2]}.{function.__name__}")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        where = None
        for each in (*args, *kwargs.values()):
            where = where or _gpu_of(each)
        if where is None:
            return function(*args, **kwargs)
        fetched = {name: _moved(value, devices.CPU) for name, value in kwargs.items()}
        return _moved(function(*(_moved(each, devices.CPU) for each in args), **fetched), where)

    return call  # type: ignore[return-value]  # the same signature


def _gpu_of(value: Any) -> devices.device | None:
    if isinstance(value, (tuple, list)):
        return next((found for found in map(_gpu_of, value) if found is not None), None)
    if not is_array(value) or isinstance(value, (np.ndarray, np.generic)):
        return None
    return devices.of_array(value)


def _moved(value: Any, where: devices.device) -> Any:
    if is_array(value):
        return devices.move(np.asarray(value) if isinstance(value, np.generic) else value, where)
    if isinstance(value, (tuple, list)):
        return type(value)(_moved(each, where) for each in value)
    return value
