"""A probe: an array of any size becomes a summary of fixed size, and is let go."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.backend.arrays import namespace, on_cpu
from labtorch.observe.ferry import Ferry
from labtorch.observe.snapshot import Histogram, Summary, Thumbnail

BINS = 24
SIDE = 32  # a thumbnail's largest side
SAMPLE = 1 << 14  # elements that a histogram looks at, at most


class Probe:
    """What is kept of one array: a few numbers, a histogram and a thumbnail, in compact form."""

    __slots__ = ("shape", "dtype", "moments", "counts", "thumbnail", "exact")

    def __init__(self, array: Any) -> None:
        if not isinstance(array, np.ndarray):  # a scalar, or on a GPU: a copy to the host
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
            limits = np.finfo(sample.dtype)  # its kind has no number for the span, or for 1 / span
            if not BINS * float(limits.tiny) < high - low < float(limits.max):
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


class FarProbe(Probe):
    """A probe of an array on a GPU: reduced there, and complete once `ferry` has fetched."""

    __slots__ = ()

    def __init__(self, array: Any, ferry: Ferry) -> None:
        self.shape, self.dtype = array.shape, array.dtype.name
        self.counts = None
        self.moments = (None, None, None, None, 0.0, 0.0, 0, 0)
        if not array.size:
            self.thumbnail, self.exact = np.zeros((0, 0), np.float32), True
            return
        with devices.entered(devices.of_array(array)):
            values = array if array.dtype.kind == "f" else _real(array)
            picture, self.exact = thumbnail(values)
            self.thumbnail = np.zeros(picture.shape, np.float32)  # until it is fetched
            measured = _measured(values.reshape(-1))
            ferry.later(namespace(array).concatenate([measured, picture.reshape(-1)]), self._land)

    def _land(self, row: np.ndarray) -> None:
        numbers, counts, norm = row[:8].tolist(), row[8 : 8 + BINS], float(row[8 + BINS])
        self.thumbnail = row[9 + BINS :].astype(np.float32).reshape(self.thumbnail.shape)
        finite, low, high = numbers[7], numbers[2], numbers[3]
        nan, inf = int(numbers[5]), int(numbers[6])
        zeros = numbers[4] / math.prod(self.shape)
        if not finite:
            self.moments = (None, None, None, None, None, zeros, nan, inf)
            return
        scale = max(abs(low), abs(high)) or 1.0
        mean, std, norm = (scale * each for each in (numbers[0], numbers[1], norm))
        self.moments = (mean, std, low, high, norm, zeros, nan, inf)
        if high > low:
            self.counts = counts.astype(np.int32)


def probe(array: Any, ferry: Ferry) -> Probe:
    """What is kept of an array; of one on a GPU, once `ferry` has fetched."""
    return Probe(array) if on_cpu(array) else FarProbe(array, ferry)


def _measured(flat: Any) -> Any:
    """The numbers of `FarProbe._land`, without asking for any of them on the way."""
    lib, n, wide = namespace(flat), flat.size, np.float64
    good = lib.isfinite(flat)
    finite, nan = good.sum(), lib.isnan(flat).sum()
    low = lib.where(good, flat, np.inf).min()
    high = lib.where(good, flat, -np.inf).max()
    scale = lib.maximum(lib.abs(low), lib.abs(high))
    scale = lib.where((scale > 0) & lib.isfinite(scale), scale, 1)  # squares stay in range
    scaled = lib.where(good, flat, 0) / scale
    count = lib.maximum(finite, 1)
    mean = scaled.sum(dtype=wide) / count
    centred = lib.where(good, scaled - mean.astype(scaled.dtype), 0)
    std = lib.sqrt(lib.square(centred).sum(dtype=wide) / count)
    norm = lib.sqrt(lib.square(scaled).sum(dtype=wide))
    step = -(-n // SAMPLE)
    sample, left, right = scaled[::step].astype(wide), low / scale, high / scale
    span = lib.where(right > left, right - left, 1)
    places = lib.minimum(lib.floor((sample - left) * (BINS / span)), BINS - 1)
    places = lib.where(good[::step], places, -1)
    counts = (places[:, None] == lib.arange(BINS)).sum(0)
    zeros = (flat == 0).sum()
    numbers = [mean, std, low, high, zeros, nan, n - finite - nan, finite]
    return lib.concatenate([each.astype(wide).reshape(-1) for each in (*numbers, counts, norm)])


def _real(array: Any) -> Any:
    """Numbers that can be averaged: the modulus of complex ones, integers and bools as floats."""
    return abs(array) if array.dtype.kind == "c" else array.astype(np.float64)


def thumbnail(array: Any) -> tuple[Any, bool]:
    """At most SIDE x SIDE numbers: the elements themselves, or means of blocks of them."""
    if array.ndim == 0:
        return array.reshape(1, 1).astype(np.float32), True
    if array.size == 0:
        return namespace(array).zeros((0, 0), np.float32), True
    picture = array.reshape(1, -1) if array.ndim == 1 else array.reshape(-1, array.shape[-1])
    rows, columns = picture.shape
    if rows <= SIDE and columns <= SIDE:
        return picture.astype(np.float32), True
    return _blocks(_blocks(picture, 0), 1).astype(np.float32), False


def _blocks(picture: Any, axis: int) -> Any:
    """Means of at most SIDE runs of equal length (but for one element) along an axis."""
    lib, n = namespace(picture), picture.shape[axis]
    if n <= SIDE:
        return picture
    if n % SIDE == 0:  # of blocks of equal length, means are products with a row of weights
        run = n // SIDE
        weights = lib.full(run, 1 / run, picture.dtype)
        if axis == 0:
            return lib.matmul(weights, picture.reshape(SIDE, run, -1))
        return lib.matmul(picture.reshape(len(picture), SIDE, run), weights)
    starts = lib.arange(SIDE + 1) * n // SIDE
    lengths = lib.diff(starts)
    spread = (-1, 1) if axis == 0 else (1, -1)
    if lib is np:
        sums = np.add.reduceat(picture, starts[:-1], axis=axis)
    else:  # no reduceat: the runs side by side, the shorter ones filled up with zeros
        reach = lib.arange(-(-n // SIDE))
        index = lib.minimum(starts[:-1, None] + reach, n - 1)
        inside = reach < lengths[:, None]
        inside = inside.reshape((*inside.shape, 1) if axis == 0 else inside.shape)
        sums = lib.where(inside, lib.take(picture, index, axis), 0).sum(axis + 1)
    return sums / lengths.reshape(spread)


def _plain_thumbnail(picture: np.ndarray, exact: bool) -> Thumbnail:
    glyphs: list[tuple[int, int, str]] = []
    values: list[list[float | None]] = picture.tolist()
    if not np.isfinite(picture).all():
        for row, column in np.argwhere(~np.isfinite(picture)).tolist():
            glyphs.append((row, column, str(values[row][column])))
            values[row][column] = None
    return {"values": values, "glyphs": glyphs, "exact": exact}
