"""Names for stretches of work, which NVIDIA's profilers show; without a GPU, nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labtorch.backend import devices


def _nvtx() -> Any:
    return devices.library("cuda").cuda.nvtx if devices.cuda_is_available() else None


def range_push(msg: str) -> None:
    """Begin a stretch inside the one that is open."""
    if (nvtx := _nvtx()) is not None:
        nvtx.RangePush(msg)


def range_pop() -> None:
    """End the innermost stretch."""
    if (nvtx := _nvtx()) is not None:
        nvtx.RangePop()


def mark(msg: str) -> None:
    """A point in time."""
    if (nvtx := _nvtx()) is not None:
        nvtx.Mark(msg)


@contextmanager
def range(msg: str) -> Iterator[None]:
    """A stretch: the block."""
    range_push(msg)
    try:
        yield
    finally:
        range_pop()
