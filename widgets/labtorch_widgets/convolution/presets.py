"""Kernels that every textbook shows."""

from __future__ import annotations

import numpy as np

PRESETS: dict[str, list[list[float]]] = {
    "vertical": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],  # Sobel
    "horizontal": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "outline": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "blur": [[1 / 9] * 3] * 3,
    "gaussian": [[a * b / 16 for a in (1, 2, 1)] for b in (1, 2, 1)],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
}


def preset(name: str) -> np.ndarray:
    if name not in PRESETS:
        raise ValueError(f"no kernel {name!r}: there are {', '.join(map(repr, PRESETS))}")
    return np.array(PRESETS[name], np.float32)


def name_of(kernel: np.ndarray) -> str | None:
    """The preset that the kernel is; None where it is another."""
    for name in PRESETS:
        each = preset(name)
        if each.shape == kernel.shape and np.array_equal(each, kernel):
            return name
    return None


def resized(kernel: np.ndarray, size: int) -> np.ndarray:
    """The kernel with `size` rows and columns: zeros around it, or its middle."""
    out = np.zeros((size, size), np.float32)
    cut = tuple(
        slice(max(0, (m - size) // 2), max(0, (m - size) // 2) + size) for m in kernel.shape
    )
    middle = kernel[cut]
    at = tuple(slice((size - m) // 2, (size - m) // 2 + m) for m in middle.shape)
    out[at] = middle
    return out
