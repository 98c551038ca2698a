"""Switches of the whole library that PyTorch has: those that change nothing here say so."""

from __future__ import annotations

import os
from typing import Any

from labtorch.engine.public import FUNCTION, public
from labtorch.tensor.attributes import Storage
from labtorch.tensor.tensor import Tensor

_settings: dict[str, Any] = {"precision": "highest", "deterministic": False, "warn_always": False}


@public(FUNCTION)
def set_float32_matmul_precision(precision: str) -> None:
    """Accepted: float32 is multiplied as float32, the precision that PyTorch calls highest."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"Invalid precision: {precision}. Use highest, high or medium")
    _settings["precision"] = precision


@public(FUNCTION)
def get_float32_matmul_precision() -> str:
    return _settings["precision"]


@public(FUNCTION)
def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted: all algorithms here are deterministic."""
    _settings["deterministic"] = bool(mode)


@public(FUNCTION)
def are_deterministic_algorithms_enabled() -> bool:
    return _settings["deterministic"]


@public(FUNCTION)
def set_warn_always(b: bool) -> None:
    """Accepted: how often a warning is shown is for Python's `warnings` to say."""
    _settings["warn_always"] = b


@public(FUNCTION)
def is_warn_always_enabled() -> bool:
    return _settings["warn_always"]


@public(FUNCTION)
def set_flush_denormal(mode: bool) -> bool:
    """False: NumPy cannot treat the smallest numbers as 0."""
    return False


@public(FUNCTION)
def set_num_interop_threads(n: int) -> None:
    """Accepted: ops run one after the other."""
    if n <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")


@public(FUNCTION)
def get_num_interop_threads() -> int:
    return os.cpu_count() or 1


@public(FUNCTION)
def is_autocast_enabled(device_type: str | None = None) -> bool:
    """False: autocast changes nothing here."""
    return False


@public(FUNCTION)
def is_storage(obj: Any) -> bool:
    return isinstance(obj, Storage)


@public(FUNCTION)
def typename(obj: Any) -> str:
    """The name of a tensor's type, or of an object's class."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    module = getattr(kind, "__module__", "")
    return kind.__qualname__ if module in ("", "builtins") else f"{module}.{kind.__qualname__}"
