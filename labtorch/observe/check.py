"""Is the gradient that an op sent back the right one? Central finite differences of its forward.

For a recorded call y = f(x) with the cotangent u, a rule sent back J^T u. For a direction v

    <J^T u, v> = <u, (f(x + h v) - f(x - h v)) / 2h> + O(h^2),

with the forward computed in float64: element by element where the input is small, else along
random directions. Where the slopes on the two sides differ, f has a kink (relu at 0, a tie of a
maximum): no gradient is the right one, and one between the two slopes is as good as another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypedDict

import numpy as np

from labtorch.autograd.function import FunctionCtx, _Call
from labtorch.engine.modes import no_grad
from labtorch.engine.op import Op
from labtorch.engine.thread import local
from labtorch.engine.variable import Variable, wrap
from labtorch.observe import structure
from labtorch.observe.capture import Captured
from labtorch.random import fork_rng

FEW = 64  # elements: an input of up to so many is checked one by one
DIRECTIONS = 12
STEP, TOLERANCE = 1e-6, 2e-3  # what a float32 gradient can be held to
ROUGH_STEP, ROUGH_TOLERANCE = 1e-2, 3e-2  # of a forward whose result is not float64
KINK = 1e-3  # slopes of the two sides that differ by more than this, relatively


class Checked(TypedDict):
    """What became of one input."""

    input: str
    verdict: Literal["ok", "wrong", "kink", "unknown"]
    error: float | None  # relative, over the directions that could be told
    directions: int  # how many were looked along
    kinks: int  # along how many of them there is no derivative
    index: list[int] | None  # the element that is furthest off, where each was looked at
    recorded: float | None  # there, or along the worst direction
    difference: float | None
    reason: str  # why nothing can be said: "cut", "random", "complex", "other", or ""


def check(captured: Captured, shapes: dict[str, list[int]] | None = None) -> list[Checked]:
    """Compare, for each input that a gradient was sent to, that gradient with differences.

    `captured` is what a lens kept of a call with its backward pass; `shapes` are those of its
    whole arguments, so that arrays that were cut are known. Empty where nothing came back.
    """
    names = [name for name, gradient in captured.gradients.items() if gradient is not None]
    reason = _obstacle(captured, shapes or {})
    if reason:
        return [_unknown(name, reason) for name in names or captured.gradients]
    with fork_rng(), no_grad():
        watchers, local.thread.watchers = local.thread.watchers, ()
        try:
            return _compare(captured, names)
        finally:
            local.thread.watchers = watchers


def _obstacle(captured: Captured, shapes: dict[str, list[int]]) -> str:
    """What stands in the way of checking at all."""
    arrays = {**captured.arguments, **captured.gradients}
    if captured.op is None or all(c is None for c in captured.cotangents):
        return "other"
    for name, array in arrays.items():
        if array is None and name in captured.arguments:
            return "cut"
        if array is not None and list(array.shape) != list(shapes.get(name, array.shape)):
            return "cut"
    everything = [a for a in (*arrays.values(), *captured.cotangents) if a is not None]
    return "complex" if any(a.dtype.kind == "c" for a in everything) else ""


def _compare(captured: Captured, names: list[str]) -> list[Checked]:
    op = captured.op
    assert op is not None
    positions = {structure.argument(op, at): at for at, _ in enumerate(captured.args)}
    forward = _forward(op, captured.args)
    args = [
        a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
        for a in captured.args
    ]
    try:
        first, second = forward(args), forward(args)
    except Exception:  # a forward that needs another dtype, or what it took is no longer there
        return [_unknown(name, "other") for name in names]
    if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second)):
        return [_unknown(name, "random") for name in names]
    cotangents = [
        np.zeros(y.shape) if c is None else c.astype(np.float64)
        for y, c in zip(first, [*captured.cotangents, *[None] * len(first)])
    ]
    if any(c.shape != y.shape for c, y in zip(cotangents, first)):
        return [_unknown(name, "cut") for name in names]
    smooth = all(y.dtype == np.float64 for y in first if y.dtype.kind == "f")
    found = []
    for name in names:
        at = positions[name]

        def along(x: np.ndarray, at: int = at) -> float:
            results = forward([*args[:at], x, *args[at + 1 :]])
            return float(
                sum(np.vdot(c, y) for c, y in zip(cotangents, results) if y.dtype.kind == "f")
            )

        gradient = captured.gradients[name]
        assert gradient is not None
        found.append(_checked(name, args[at], gradient, along, smooth))
    return found


def _checked(
    name: str, x: np.ndarray, gradient: np.ndarray, f: Callable[[np.ndarray], float], smooth: bool
) -> Checked:
    """One input against differences of f along several directions."""
    step, tolerance = (STEP, TOLERANCE) if smooth else (ROUGH_STEP, ROUGH_TOLERANCE)
    few = x.size <= FEW
    h = step * max(1.0, float(np.abs(x[np.isfinite(x)]).max(initial=0.0)))
    sent = gradient.astype(np.float64)
    if sent.shape != x.shape:  # what the operand was broadcast to: its gradient is the sum
        sent = _summed(sent, x.shape)
    centre = f(x)
    rows = []
    for v in _directions(x.shape, few):
        ahead, behind = (f(x + h * v) - centre) / h, (centre - f(x - h * v)) / h
        rows.append((float(np.vdot(sent, v)), ahead, behind))
    told, up, down = np.array(rows).reshape(-1, 3).T
    middle = (up + down) / 2
    if not np.isfinite(np.array(rows)).all():
        return _unknown(name, "other")
    scale = max(float(np.abs(told).max(initial=0)), float(np.abs(middle).max(initial=0)), 1e-12)
    kinked = np.abs(up - down) > (KINK if smooth else 0.2) * scale
    off = np.abs(told - middle)
    slack = tolerance * scale
    between = (told >= np.minimum(up, down) - slack) & (told <= np.maximum(up, down) + slack)
    wrong = np.where(kinked, ~between, off > slack)
    relative = np.where(kinked, np.where(between, 0.0, off), off) / scale
    worst = int(np.argmax(np.where(wrong, relative + 1, relative))) if len(rows) else 0
    if wrong.any():
        verdict: Any = "wrong"
    elif kinked.any():
        verdict, worst = "kink", int(np.argmax(kinked))
    else:
        verdict = "ok"
    index = [int(i) for i in np.unravel_index(worst, x.shape)] if few and x.size else None
    return {
        "input": name,
        "verdict": verdict,
        "error": float(relative.max(initial=0.0)),
        "directions": len(rows),
        "kinks": int(kinked.sum()),
        "index": index,
        "recorded": float(told[worst]) if len(rows) else None,
        "difference": float(middle[worst]) if len(rows) else None,
        "reason": "",
    }


def _directions(shape: tuple[int, ...], few: bool) -> Any:
    """Each element's own, or random ones, always the same."""
    size = int(np.prod(shape, dtype=np.int64))
    if few:
        for i in range(size):
            v = np.zeros(size)
            v[i] = 1.0
            yield v.reshape(shape)
        return
    random = np.random.default_rng(0)
    for _ in range(DIRECTIONS):
        yield random.standard_normal(shape)


def _summed(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    extra = gradient.ndim - len(shape)
    gradient = gradient.sum(axis=tuple(range(extra)))
    kept = tuple(d for d, n in enumerate(shape) if n == 1 and gradient.shape[d] != 1)
    return gradient.sum(axis=kept, keepdims=True)


def _forward(op: Op, given: tuple) -> Callable[[list], list[np.ndarray]]:
    """The op's forward on arrays, of which it may write into its own copies only."""
    call = given[0] if given and isinstance(given[0], _Call) else None

    def compute(args: list) -> list[np.ndarray]:
        own = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
        if call is not None:
            return _user_forward(call, own[1:])
        result = op.forward(*own)
        results = list(result) if op.many or op.keeps else [result]
        results = results[: len(results) - len(op.keeps)]
        return [np.asarray(each) for each in results]

    return compute


def _user_forward(call: _Call, args: list) -> list[np.ndarray]:
    """The forward of a user's `autograd.Function`, run anew on these arrays."""
    ctx = FunctionCtx("check", (False,) * len(args))
    tensors = [wrap(a) if isinstance(a, np.ndarray) else a for a in args]
    result = call.function._forward(ctx, tuple(tensors))
    results = result if isinstance(result, tuple) else (result,)
    return [each._array for each in results if isinstance(each, Variable)]


def _unknown(name: str, reason: str) -> Checked:
    return {
        "input": name,
        "verdict": "unknown",
        "error": None,
        "directions": 0,
        "kinks": 0,
        "index": None,
        "recorded": None,
        "difference": None,
        "reason": reason,
    }
