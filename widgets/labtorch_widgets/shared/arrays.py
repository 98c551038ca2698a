"""The part of an array that a browser shows: of any rank, in a bounded number of bytes.

The last two axes are a plane of rows and columns. Of the axes before them, those next to the plane
are laid side by side as long as everything stays small (*facets*); the others are stepped through,
one index each (*sliders*). What does not fit is seen through a window that can be moved.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

SIDE = 48  # rows and columns that a window shows at most
MOST_FACETS = 36


@dataclass(frozen=True)
class Wish:
    """Where somebody looks: an index for each slider, and the window's upper left corner."""

    at: tuple[int, ...] = ()
    row: int = 0
    column: int = 0

    @classmethod
    def of(cls, at: Any = (), row: Any = 0, column: Any = 0) -> Wish:
        """What a browser asks for; raises TypeError or ValueError for what are no places."""
        if not isinstance(at, list | tuple) or len(at) > 64:
            raise TypeError(f"at is a list of indices, not {at!r:.60}")
        return cls(tuple(int(index) for index in at), int(row), int(column))


def slab(
    array: np.ndarray, wish: Wish | None = None, shape: list[int] | None = None
) -> dict[str, Any]:
    """What is to be seen of `array`: the numbers of one window, and where it lies.

    `shape` is that of the whole where `array` holds only its first rows.
    """
    wish = wish or Wish()
    numbers = _numbers(array)
    full = numbers.reshape((1,) * max(0, 2 - numbers.ndim) + numbers.shape)
    facets, sliders = _axes(full.shape)
    at = [
        _within(wish.at[i] if i < len(wish.at) else 0, full.shape[axis])
        for i, axis in enumerate(sliders)
    ]
    rows, columns = (
        _window(start, size) for start, size in zip((wish.row, wish.column), full.shape[-2:])
    )
    place: Any = (*at, *(slice(None),) * len(facets), slice(*rows), slice(*columns))
    shown = np.ascontiguousarray(full[place]) if full.size else np.zeros((0, 0), numbers.dtype)
    finite = np.abs(numbers[np.isfinite(numbers)])
    nan = int(np.count_nonzero(np.isnan(numbers)))
    return {
        "shape": list(array.shape),
        "of": list(array.shape) if shape is None else list(shape),
        "dtype": array.dtype.name,
        "modulus": array.dtype.kind == "c",
        "limit": float(finite.max()) if finite.size else 0.0,
        "nan": nan,
        "inf": int(numbers.size - finite.size - nan),
        "at": at,
        "sliders": [full.shape[axis] for axis in sliders],
        "facets": [full.shape[axis] for axis in facets],
        "rows": [*rows, full.shape[-2]],
        "columns": [*columns, full.shape[-1]],
        "double": shown.dtype.itemsize == 8,
        "data": base64.b64encode(shown.tobytes()).decode(),
    }


def _numbers(array: np.ndarray) -> np.ndarray:
    """Real floats that a browser can read; of complex numbers the modulus."""
    if array.dtype.kind == "c":
        array = np.abs(array)
    if array.dtype.kind != "f":
        return array.astype("<f8")  # integers up to 2^53 stay what they are
    return array.astype("<f8" if array.dtype.itemsize >= 8 else "<f4", copy=False)


def _axes(shape: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Which leading axes are facets (at most two, innermost), and which are sliders."""
    room = min(SIDE, shape[-2]) * min(SIDE, shape[-1])
    leading = list(range(len(shape) - 2))
    facets: list[int] = []
    count = 1
    while leading and len(facets) < 2:
        count *= shape[leading[-1]]
        if count > MOST_FACETS or count * room > SIDE * SIDE:
            break
        facets.insert(0, leading.pop())
    return facets, leading


def _window(start: int, size: int) -> tuple[int, int]:
    start = max(0, min(start, size - SIDE))
    return start, min(size, start + SIDE)


def _within(index: int, size: int) -> int:
    return max(0, min(index, size - 1))
