"""A probe: an array of any size becomes a summary of fixed size, and is let go."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.observe.snapshot import Histogram, Summary, Thumbnail

BINS = 24
SIDE = 32  # a thumbnail's largest side
SAMPLE = 1 << 14  # elements that a histogram looks at, at most


class Probe:
    """What is kept of one array: a few numbers, a histogram and a thumbnail, in compact form."""

    __slots__ = ("shape", "dtype", "moments", "counts", "thumbnail", "exact")

    def __init__(self, array: Any) -> None:
        if not isinstance(array, np.ndarray):  # a scalar, or on a GPU: one copy to the host
            array = np.asarray(array) if isinstance(array, np.generic) else array.get()
        self.shape, self.dtype = array.shape, array.dtype.name
        values = array if array.dtype.kind == "f" else _real(array)
        # the rest works on at most a copy in float64 of a small array, or on the array itself
        flat = values.ravel(order="K")  # no copy where channels lie last
        n = flat.size
        self.counts: np.ndarray | None = None
        if not n:
            self.moments: tuple[Any, ...] = (None, None, None, None, 0.0, 0.0, 0, 0)
        else:
            self.moments = self._measure(flat)
        self.thumbnail, self.exact = thumbnail(values)

    def _measure(self, flat: np.ndarray) -> tuple:
        n = flat.size
        zeros = int(np.count_nonzero(flat == 0)) / n  # of bools: five times as fast as of floats
        low, high = float(flat.min()), float(flat.max())  # NaN wins in both
        nan = inf = 0
        finite = flat
        if not (np.isfinite(low) and np.isfinite(high)):
            nan = int(np.count_nonzero(np.isnan(flat)))
            good = np.isfinite(flat)
            finite = flat[good]
            inf = n - nan - finite.size
            if not finite.size:
                return None, None, None, None, None, zeros, nan, inf
            low, high = float(finite.min()), float(finite.max())
        m = finite.size
        # of many elements the sum goes by pairs, which is as exact, and faster
        wide = np.float64 if m <= SAMPLE or finite.itemsize < 4 else None
        mean = float(finite.sum(dtype=wide)) / m
        scale = max(abs(low), abs(high)) or 1.0  # so that squares neither overflow nor vanish
        scaled = (
            finite.astype(np.float64) / scale if m <= SAMPLE else finite / finite.dtype.type(scale)
        )
        square = float(np.dot(scaled, scaled))
        norm = scale * square**0.5
        centred = scaled - mean / scale
        std = scale * (float(np.dot(centred, centred)) / m) ** 0.5
        sample = finite if m <= SAMPLE else finite[:: -(-m // SAMPLE)]
        if high > low:
            left, right = low, high
            if not high - low < float(np.finfo(sample.dtype).max):  # its kind has no such number
                left, right = low / scale, high / scale
                sample = sample / sample.dtype.type(scale)
            places = (sample - left) * (BINS / (right - left))
            self.counts = np.bincount(
                np.minimum(places.astype(np.intp), BINS - 1), minlength=BINS
            ).astype(np.int32)
        return mean, std, low, high, norm, zeros, nan, inf

    @property
    def nbytes(self) -> int:
        counts = 0 if self.counts is None else self.counts.nbytes
        return 400 + counts + self.thumbnail.nbytes

    def histogram(self) -> Histogram | None:
        if self.counts is None:
            return None
        edges = np.linspace(self.moments[2], self.moments[3], BINS + 1).tolist()
        return {"edges": edges, "counts": self.counts.tolist()}

    def plain(self) -> Summary:
        """The summary that views get."""
        mean, std, low, high, norm, zeros, nan, inf = self.moments
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "mean": mean,
            "std": std,
            "min": low,
            "max": high,
            "norm": norm,
            "zeros": zeros,
            "nan": nan,
            "inf": inf,
            "histogram": self.histogram(),
            "thumbnail": _plain_thumbnail(self.thumbnail, self.exact),
        }


def _real(array: np.ndarray) -> np.ndarray:
    """Numbers that can be averaged: the modulus of complex ones, integers and bools as floats."""
    return np.abs(array) if array.dtype.kind == "c" else array.astype(np.float64)


def thumbnail(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """At most SIDE x SIDE numbers: the elements themselves, or means of blocks of them."""
    if array.ndim == 0:
        return array.reshape(1, 1).astype(np.float32), True
    if array.size == 0:
        return np.zeros((0, 0), np.float32), True
    picture = array.reshape(1, -1) if array.ndim == 1 else array.reshape(-1, array.shape[-1])
    rows, columns = picture.shape
    if rows <= SIDE and columns <= SIDE:
        return picture.astype(np.float32), True
    return _blocks(_blocks(picture, 0), 1).astype(np.float32), False


def _blocks(picture: np.ndarray, axis: int) -> np.ndarray:
    """Means of at most SIDE runs of equal length (but for one element) along an axis."""
    n = picture.shape[axis]
    if n <= SIDE:
        return picture
    if n % SIDE == 0:  # of blocks of equal length, means are products with a row of weights
        run = n // SIDE
        weights = np.full(run, 1 / run, picture.dtype)
        if axis == 0:
            return np.matmul(weights, picture.reshape(SIDE, run, -1))
        return np.matmul(picture.reshape(len(picture), SIDE, run), weights)
    starts = np.arange(SIDE) * n // SIDE
    lengths = np.diff(np.append(starts, n))
    sums = np.add.reduceat(picture, starts, axis=axis)
    return sums / (lengths[:, None] if axis == 0 else lengths)


def _plain_thumbnail(picture: np.ndarray, exact: bool) -> Thumbnail:
    glyphs: list[tuple[int, int, str]] = []
    values: list[list[float | None]] = picture.tolist()
    if not np.isfinite(picture).all():
        for row, column in np.argwhere(~np.isfinite(picture)).tolist():
            glyphs.append((row, column, str(values[row][column])))
            values[row][column] = None
    return {"values": values, "glyphs": glyphs, "exact": exact}
