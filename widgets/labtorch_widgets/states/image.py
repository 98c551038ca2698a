"""Units over time as one byte a number, in the order that a learner asks for."""

from __future__ import annotations

import math

import numpy as np

MOST = 1 << 18  # bytes of one picture
MISSING = 255  # NaN or infinity


def nice_limit(values: np.ndarray) -> float:
    """The largest finite magnitude, rounded up to 1, 2 or 5 times a power of ten."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    if largest == 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(float(f"{n * power:.1g}") for n in (1, 2, 5, 10) if n * power >= largest * 0.999999)


def ordered(values: np.ndarray, by: str) -> np.ndarray:
    """The units of `values` (T, H) by number, by activity, or each beside its like."""
    steady = np.nan_to_num(values.astype(np.float64))
    activity = np.abs(steady).mean(axis=0)
    if by == "activity":
        return np.argsort(-activity, kind="stable")
    if by != "similarity":
        return np.arange(values.shape[1])
    centred = steady - steady.mean(axis=0)
    centred /= np.maximum(np.linalg.norm(centred, axis=0), 1e-12)
    alike = centred.T @ centred
    chain = [int(activity.argmax())]
    left = np.ones(len(activity), bool)
    left[chain[0]] = False
    while left.any():
        chain.append(int(np.where(left, alike[chain[-1]], -np.inf).argmax()))
        left[chain[-1]] = False
    return np.array(chain)


def quantised(values: np.ndarray, limit: float) -> bytes:
    """(T, H) as rows of units: 0 is -limit, 127 zero, 254 +limit."""
    with np.errstate(invalid="ignore"):
        levels = np.rint(np.clip(values / limit, -1, 1) * 127) + 127
    levels = np.where(np.isfinite(values), levels, MISSING)
    return np.ascontiguousarray(levels.T.astype(np.uint8)).tobytes()


def pooled(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Means of neighbouring units, so many that the picture stays within MOST bytes."""
    steps, units = values.shape
    block = max(1, math.ceil(steps * units / MOST))
    if block == 1:
        return values, 1
    starts = np.arange(0, units, block)
    sums = np.add.reduceat(values, starts, axis=1)
    return sums / np.diff(np.append(starts, units)), block
