"""Which numbers of a trace depend on the sizes of the inputs, and how.

A trace is of one run, with the sizes of one batch. The model runs again with other sizes, and what
differs between the runs is expressed by the sizes: as a multiple of their product, as a linear
function of them, or as the size of a tensor that is there already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from labtorch.onnx.axes import Axis
from labtorch.onnx.errors import OnnxExporterError
from labtorch.onnx.trace import Constant, Entry, Ref, Trace


@dataclass(frozen=True)
class Sym:
    """An integer that is known when the exported model runs: c + sum of k * product of sizes.

    A size is (number of a value, dimension); `value` is what the integer was in the first run.
    """

    terms: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    constant: int
    value: int
    name: str | None = None

    def __index__(self) -> int:
        raise OnnxExporterError(
            "onnx.export: a size that is dynamic is needed as a fixed number here; leave that "
            "dimension out of dynamic_axes"
        )


@dataclass(frozen=True)
class Filled:
    """A constant of dynamic shape: `array`, broadcast to `dims`."""

    array: np.ndarray
    dims: tuple


@dataclass(frozen=True)
class Counted:
    """A constant of dynamic length: start + step * 0, 1, 2, ..., along the dimension `axis`."""

    start: Any
    step: Any
    dims: tuple
    axis: int


@dataclass(frozen=True)
class Triangle:
    """A constant: in its last two dimensions `high` where column - row >= diagonal, else `low`."""

    low: np.ndarray
    high: np.ndarray
    diagonal: int
    dims: tuple


class Sizes:
    """What the runs tell of numbers; see `runs`."""

    def __init__(self, traces: list[Trace], axes: list[Axis]) -> None:
        self.traces, self.axes = traces, axes
        self._known: dict[tuple[int, ...], tuple[int, int]] = {}  # sizes met, and where

    def met(self, number: int) -> None:
        """From here on, the sizes of that value can be used to express others."""
        for axis, sizes in enumerate(zip(*(t.arrays[number].shape for t in self.traces))):
            if len(set(sizes)) > 1:
                self._known.setdefault(sizes, (number, axis))

    def same(self, number: int) -> bool:
        """Has the value been the same in all runs?"""
        arrays = [trace.arrays[number] for trace in self.traces]
        return all(a.shape == arrays[0].shape and _same(a, arrays[0]) for a in arrays)

    def dims(self, number: int) -> tuple:
        """A value's shape; what changes is a Sym, and None where nothing expresses it."""
        shapes = [trace.arrays[number].shape for trace in self.traces]
        if len({len(shape) for shape in shapes}) > 1:
            raise OnnxExporterError("onnx.export: the number of dimensions depends on the sizes")
        return tuple(self.integer(list(sizes)) for sizes in zip(*shapes))

    def integer(self, values: list[int]) -> Any:
        """The number itself, or how it follows from the sizes; None if that is not seen."""
        first = int(values[0])
        if all(v == first for v in values):
            return first
        for axis in self.axes:
            if values == axis.sizes:
                return Sym(((1, (axis.places[0],)),), 0, first, axis.name)
        moved = [i for i in range(len(self.axes)) if values[i + 1] != first]
        for guess in (self._product(first, values, moved), self._linear(first, values, moved)):
            if guess is not None and self._value(guess, -1) == values[-1]:
                return guess
        if tuple(values) in self._known:
            return Sym(((1, (self._known[tuple(values)],)),), 0, first)
        return None

    def _value(self, sym: Sym, run: int) -> int:
        """What a formula says of one of the runs."""
        arrays = self.traces[run].arrays
        return sym.constant + sum(
            factor * math.prod(arrays[number].shape[axis] for number, axis in places)
            for factor, places in sym.terms
        )

    def _product(self, first: int, values: list[int], moved: list[int]) -> Sym | None:
        whole = math.prod(self.axes[i].sizes[0] for i in moved)
        for i in moved:
            was, other = self.axes[i].sizes[0], self.axes[i].sizes[i + 1]
            if first * other != values[i + 1] * was:
                return None
        if not moved or not whole or first % whole:
            return None
        return Sym(((first // whole, tuple(self.axes[i].places[0] for i in moved)),), 0, first)

    def _linear(self, first: int, values: list[int], moved: list[int]) -> Sym | None:
        terms, rest = [], Fraction(first)
        for i in moved:
            was, other = self.axes[i].sizes[0], self.axes[i].sizes[i + 1]
            slope = Fraction(int(values[i + 1]) - first, other - was)
            if slope.denominator != 1:
                return None
            terms.append((int(slope), (self.axes[i].places[0],)))
            rest -= slope * was
        return Sym(tuple(terms), int(rest), first)

    # ---------------------------------------------------------------- arguments
    def arguments(self, entries: list[Entry]) -> list[Any]:
        """What an op takes, from what it took in each of the runs."""
        entry = entries[0]
        where = f"op {entry.op.name} in module '{entry.scope or 'the model itself'}', {entry.line}"
        return [self.argument(list(each), where) for each in zip(*(e.args for e in entries))]

    def argument(self, values: list[Any], where: str) -> Any:
        """One argument, from what it was in each of the runs."""
        first = values[0]
        if isinstance(first, (tuple, list)):
            if any(len(v) != len(first) for v in values):
                raise self._differs("how many numbers it takes", where)
            return tuple(self.argument(list(each), where) for each in zip(*values))
        if isinstance(first, slice):
            parts = [[getattr(v, name) for v in values] for name in ("start", "stop", "step")]
            return slice(*(self.argument(part, where) for part in parts))
        if isinstance(first, Ref):
            if any(not isinstance(v, Ref) or v.number != first.number for v in values):
                raise self._differs("where its input comes from", where)
            return first
        if isinstance(first, Constant):
            return first if first.name is not None else self._constant(values, where)
        found: Any = first
        if isinstance(first, (int, np.integer)) and not isinstance(first, bool):
            found = self.integer(values)
        elif isinstance(first, float):
            found = self._real(values)
        if found is None and first is not None:
            raise self._differs(f"one of its numbers, {first} here,", where)
        return found

    def _real(self, values: list[float]) -> Any:
        """A float that is the same in all runs, or an integer, or 1 / an integer."""
        if all(v == values[0] or v != v for v in values):
            return values[0]
        if all(float(v).is_integer() for v in values):
            return self.integer([int(v) for v in values])
        turned = [1.0 / v if v else math.inf for v in values]
        if any(math.isinf(t) or not math.isclose(t, round(t), rel_tol=1e-6) for t in turned):
            return None
        whole = self.integer([round(t) for t in turned])
        return None if whole is None else Inverse(whole)

    def _constant(self, values: list[Constant], where: str) -> Any:
        arrays = [each.array for each in values]
        first = arrays[0]
        if all(a.shape == first.shape and _same(a, first) for a in arrays):
            return values[0]
        if first.ndim == 0 and first.dtype.kind in "iu":
            found = self.integer([int(a) for a in arrays])
            if found is not None:
                return found
        dims = tuple(self.integer(list(sizes)) for sizes in zip(*(a.shape for a in arrays)))
        if None not in dims:
            for form in (_filled, _counted, _triangle):
                found = form(arrays, dims)
                if found is not None:
                    return found
        raise self._differs(f"a tensor made in Python, {list(first.shape)} here,", where)

    def _differs(self, what: str, where: str) -> OnnxExporterError:
        names = ", ".join(repr(each.name) for each in self.axes)
        return OnnxExporterError(
            f"onnx.export: with another size of the dynamic dimensions ({names}), {what} changes "
            f"in a way that cannot be expressed in ONNX: {where}\n"
            "Compute it from tensors, or leave that dimension out of dynamic_axes"
        )


@dataclass(frozen=True)
class Inverse:
    """1 / a number that is known when the exported model runs."""

    of: Any


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _filled(arrays: list[np.ndarray], dims: tuple) -> Filled | None:
    """Equal along each dimension that changes?"""
    cut = tuple(slice(None) if isinstance(d, int) else slice(0, 1) for d in dims)
    first = arrays[0][cut]
    for array in arrays:
        part = array[cut]
        if part.shape != first.shape or not _same(part, first):
            return None
        if not _same(np.broadcast_to(part, array.shape), array):
            return None
    return Filled(first, dims)


def _counted(arrays: list[np.ndarray], dims: tuple) -> Counted | None:
    long = [axis for axis, d in enumerate(dims) if d != 1]
    if len(long) != 1 or arrays[0].dtype.kind not in "iuf" or min(a.size for a in arrays) < 1:
        return None
    start = arrays[0].reshape(-1)[0]
    steps = {a.reshape(-1)[1] - a.reshape(-1)[0] for a in arrays if a.size > 1}
    if len(steps) != 1:
        return None
    step = steps.pop()
    for array in arrays:
        flat = array.reshape(-1)
        if not np.allclose(flat, start + step * np.arange(flat.size), rtol=1e-6):
            return None
    return Counted(start, step, dims, long[0])


def _triangle(arrays: list[np.ndarray], dims: tuple) -> Triangle | None:
    planes: list[Any] = [a.reshape(a.shape[-2:]) for a in arrays if a.ndim >= 2]
    if not planes or any(d != 1 for d in dims[:-2]):
        return None
    largest = max(planes, key=lambda plane: plane.size)
    rows, columns = largest.shape
    if min(rows, columns) < 2:
        return None
    low, high = largest[-1, 0], largest[0, -1]
    for diagonal in range(-rows + 1, columns + 1):
        below = [np.tri(len(p), p.shape[1], diagonal - 1, dtype=bool) for p in planes]
        if all(_same(np.where(b, low, high), plane) for b, plane in zip(below, planes)):
            return Triangle(np.asarray(low), np.asarray(high), diagonal, dims)
    return None
