"""Copies between the computer's memory and a GPU's that do not wait: from pinned memory.

Pinned memory stays where it is, so the GPU fetches it by itself while the program goes on. What a
copy may still read from is held until an event after it has passed.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from labtorch.backend import devices

_held: deque[tuple[Any, Any]] = deque()  # (event, what must stay until then), in their order


def is_pinned(array: Any) -> bool:
    """Does it lie in memory that a GPU can read by itself?"""
    if not isinstance(array, np.ndarray):
        return False
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    # by name: whoever has pinned memory has loaded CuPy, and nobody else needs to
    return type(base).__name__ == "PinnedMemoryPointer"


def pinned(array: np.ndarray) -> np.ndarray:
    """A copy in pinned memory; the array itself where it lies there already."""
    if is_pinned(array):
        return array
    devices.library("cuda")
    import cupyx

    out = cupyx.empty_pinned(array.shape, array.dtype)
    out[...] = array
    return out


def to_device(array: np.ndarray, where: devices.device) -> Any:
    """On a GPU, without waiting: queued on the current stream, by way of pinned memory."""
    cupy = devices.library(where)
    with devices.entered(where):
        out = cupy.empty(array.shape, array.dtype)
        source = pinned(array)
        if not source.flags.c_contiguous:
            source = pinned(np.ascontiguousarray(source))
        out.set(source)
        hold(source, cupy.cuda.get_current_stream())
    return out


def hold(memory: Any, stream: Any) -> None:
    """Keep `memory` until what is queued on `stream` by now is done."""
    if stream.is_capturing():  # an event of a capture never passes: the graph reads it each time
        _held.appendleft((_Never(), memory))
        return
    while _held and _held[-1][0].done:
        _held.pop()
    _held.appendleft((stream.record(), memory))


class _Never:
    done = False
