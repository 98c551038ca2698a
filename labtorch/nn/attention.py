"""PyTorch's names for the ways to compute attention. Here there is one, whichever is asked for."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class SDPBackend(enum.IntEnum):
    """The kernels that PyTorch chooses from; labtorch always computes what MATH says."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[dict]:
    """Accepts PyTorch's choice of kernels and changes nothing: all of them give the same numbers.

    >>> with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
    ...     pass
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(chosen, (list, tuple)) or not all(
        isinstance(each, SDPBackend) for each in chosen
    ):
        raise AssertionError("Backend must be an instance of SDPBackend or a list of SDPBackend")
    yield {}
