"""cuDNN's switches. It computes convolutions on a GPU where `nvidia-cudnn-frontend` is installed.

    torch.backends.cudnn.enabled = False  # array code and cuBLAS instead
    torch.backends.cudnn.benchmark = True  # time all of its kernels once for each kind of job

`deterministic` and float32 that is computed as float32 (`allow_tf32 = False`) are what is set here
from the start: the same seed, the same numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from labtorch.backend.cuda import cudnn as _cudnn


def is_available() -> bool:
    """Is cuDNN there, with its frontend and a GPU?"""
    return _cudnn.frontend() is not None


def version() -> int | None:
    """cuDNN's version, such as 91400; None where it is not there."""
    cudnn = _cudnn.frontend()
    return None if cudnn is None else int(cudnn.backend_version())


@contextmanager
def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> Iterator[None]:
    """Set the switches for a while."""
    switches = _cudnn.switches
    before = dict(vars(switches))
    vars(switches).update(
        enabled=enabled, benchmark=benchmark, deterministic=deterministic, allow_tf32=allow_tf32
    )
    try:
        yield
    finally:
        vars(switches).update(before)


class _Switches(ModuleType):
    """The module itself: what is set on it is read where convolutions are computed."""

    def __getattr__(self, name: str) -> Any:
        if name in vars(_cudnn.switches):
            return getattr(_cudnn.switches, name)
        raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        target = _cudnn.switches if name in vars(_cudnn.switches) else super()
        target.__setattr__(name, value)


sys.modules[__name__].__class__ = _Switches
