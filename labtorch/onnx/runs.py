"""The runs that tell what a model does: on the example, on other values, with other sizes.

For each dynamic dimension there is a run in which it alone has another size, from which formulas
for sizes are found, and then one in which all have a third size, by which they are checked.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from labtorch.nn.module import Module
from labtorch.onnx.axes import Axis
from labtorch.onnx.errors import OnnxExporterError, TracerWarning
from labtorch.onnx.structure import Arguments
from labtorch.onnx.trace import Constant, Ref, State, Trace, run
from labtorch.ops.quantization import Grid
from labtorch.tensor import random

EVAL, PRESERVE, TRAINING = 0, 1, 2
Tracer = Callable[[list[np.ndarray]], Trace]


_running = threading.local()


def is_in_onnx_export() -> bool:
    """Is this thread running a model in order to export it?"""
    return getattr(_running, "export", False)


@contextlib.contextmanager
def as_it_was(model: Module, training: int) -> Iterator[State]:
    """The model in the mode of the export; afterwards mode, state and random numbers as before."""
    modes = [(module, module.training) for module in model.modules()]
    state, numbers = State(model), random.get_rng_state()
    try:
        if training != PRESERVE:
            model.train(training == TRAINING)
        _running.export = True
        yield state
    finally:
        _running.export = False
        for module, mode in modes:
            module.training = mode
        state.restore()
        random.set_rng_state(numbers)


def traces_of(model: Module, state: State, arguments: Arguments, axes: list[Axis]) -> list[Trace]:
    """The example's trace, one for each dynamic dimension, and one to check by."""

    def trace(arrays: list[np.ndarray]) -> Trace:
        state.restore()
        return run(state, arrays, lambda tensors: arguments.call(model, tensors))

    arrays = arguments.arrays
    first = trace(arrays)
    _warn_of_values(first, trace, arrays)
    traces, others = [first], []
    for axis in list(axes):
        if axis not in axes:
            continue  # has become a part of another
        size, found = _of_one_size(first, trace, arrays, axis, axes)
        traces.append(found)
        others.append(size)
    for i, axis in enumerate(axes):
        axis.sizes = [axis.sizes[0]] * len(traces)
        axis.sizes[i + 1] = others[i]
    if axes:
        _add_check(traces, trace, arrays, axes, others)
    return traces


def _of_one_size(
    first: Trace, trace: Tracer, arrays: list[np.ndarray], axis: Axis, axes: list[Axis]
) -> tuple[int, Trace]:
    """A run with another size; dimensions that must share it, as an LSTM's batch in its input and
    its state, become one."""
    try:
        return _other_size(first, trace, arrays, axis)
    except OnnxExporterError as error:
        alone = error

    def joined(others: list[Axis]) -> Axis:
        places = [place for each in (axis, *others) for place in each.places]
        return Axis(axis.name, axis.sizes, places)

    later = axes[axes.index(axis) + 1 :]  # those before can have a size of their own
    shared = [each for each in later if each.sizes[0] == axis.sizes[0]]
    try:
        made = _other_size(first, trace, arrays, joined(shared))
    except OnnxExporterError:
        raise alone from None
    for each in tuple(shared):
        fewer = [other for other in shared if other is not each]
        with contextlib.suppress(OnnxExporterError):
            made, shared = _other_size(first, trace, arrays, joined(fewer)), fewer
    axis.places = joined(shared).places
    for each in shared:
        axes.remove(each)
    return made


def _other_size(
    first: Trace, trace: Tracer, arrays: list[np.ndarray], axis: Axis
) -> tuple[int, Trace]:
    size, said = axis.sizes[0], ""
    for other in (2 * size, size + 1, size - 1):
        if other < 1 or other == size:
            continue
        try:
            found = trace(_resized(arrays, [(axis, other)]))
        except OnnxExporterError:
            raise
        except Exception as error:
            said = said or f"with size {other} the model fails: {error}"
            continue
        apart = aligned(first, found)
        if apart is None:
            return other, found
        said = said or f"with size {other} the model takes other steps: {apart}"
    raise OnnxExporterError(
        f"onnx.export: dimension '{axis.name}' cannot be dynamic: {said}. Leave it out of "
        "dynamic_axes, or compute without a Python loop over it"
    )


def _add_check(
    traces: list[Trace],
    trace: Tracer,
    arrays: list[np.ndarray],
    axes: list[Axis],
    others: list[int],
) -> None:
    """A run with every dimension at a third size, where the model takes one."""
    for third in (lambda n: n + 1, lambda n: n + 2, lambda n: 3 * n, lambda n: n - 1):
        sizes = [third(axis.sizes[0]) for axis in axes]
        if any(n < 1 or n == other for n, other in zip(sizes, others)):
            continue
        try:
            found = trace(_resized(arrays, list(zip(axes, sizes))))
        except Exception:
            continue
        if aligned(traces[0], found) is None:
            traces.append(found)
            for axis, size in zip(axes, sizes):
                axis.sizes.append(size)
            return


def _resized(arrays: list[np.ndarray], sizes: list[tuple[Axis, int]]) -> list[np.ndarray]:
    made = list(arrays)
    for axis, size in sizes:
        for number, dim in axis.places:
            at = np.arange(size) % max(made[number].shape[dim], 1)
            made[number] = np.ascontiguousarray(np.take(made[number], at, axis=dim))
    return made


def aligned(first: Trace, other: Trace) -> str | None:
    """Did both runs take the same steps? If not, where they part."""
    for a, b in zip(first.entries, other.entries):
        if a.op is not b.op or a.scope != b.scope or len(a.args) != len(b.args):
            return f"{a.op.name} or {b.op.name} in module '{a.scope}', {a.line}"
    if len(first.entries) != len(other.entries):
        return f"{len(first.entries)} ops or {len(other.entries)}"
    return None


# -------------------------------------------------------------------- other values
def _warn_of_values(first: Trace, trace: Tracer, arrays: list[np.ndarray]) -> None:
    """Run on other values, and say what became a constant though it depends on them."""
    for sign in (1, -1):
        random.manual_seed(sign % 3)
        try:
            other = trace([_other_values(each, sign) for each in arrays])
        except Exception:
            continue  # values that the model does not take: nothing is learnt
        if _said(first, other):
            return


def _said(first: Trace, other: Trace) -> bool:
    apart = aligned(first, other)
    if apart is not None:
        _warn(
            f"which ops run depends on the values of the inputs ({apart}): the branch that the "
            "example takes is exported. torch.where chooses by value in the graph"
        )
        return True
    dynamic = {e.args[0].number for e in first.entries if e.op.name == "quantized_linear_dynamic"}
    moved = [
        a
        for a, b in zip(first.entries, other.entries)
        if any(_moved(x, y) for x, y in zip(a.args, b.args))
        and a.op.name != "quantized_linear_dynamic"  # its grid is found at run time
        and a.first not in dynamic
    ]
    if any(_moved(a, b) for (_, a, _), (_, b, _) in zip(first.results, other.results)):
        _warn("the model returns a tensor that depends on the values of the inputs as a constant")
        return True
    for entry in moved:
        _warn(
            f"a number or tensor that {entry.op.name} takes depends on the values of the inputs, "
            f"or is random, and becomes a constant: module '{entry.scope}', {entry.line}"
        )
    return bool(moved)


def _warn(said: str) -> None:
    warnings.warn(f"onnx.export: {said}", TracerWarning, stacklevel=6)


def _other_values(array: np.ndarray, sign: int) -> np.ndarray:
    if array.dtype.kind == "f":
        return (sign * array * 0.5 + np.roll(array, 1) * 0.25).astype(array.dtype)
    return np.flip(array).copy() if sign > 0 else np.roll(array, 1)


def _moved(a: Any, b: Any) -> bool:
    if isinstance(a, Constant) and isinstance(b, Constant):
        same = a.array.shape == b.array.shape and a.array.tobytes() == b.array.tobytes()
        return a.name is None and not same
    if isinstance(a, Ref) or isinstance(b, Ref):
        return not (isinstance(a, Ref) and isinstance(b, Ref) and a.number == b.number)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) != len(b) or any(_moved(x, y) for x, y in zip(a, b))
    if isinstance(a, Grid) and isinstance(b, Grid):
        return not (np.array_equal(a.scale, b.scale) and np.array_equal(a.zero_point, b.zero_point))
    if isinstance(a, (bool, int, float)) and isinstance(b, (bool, int, float)):
        return a != b and not (a != a and b != b)
    return False
