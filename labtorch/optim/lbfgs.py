"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, is_array, namespace
from labtorch.engine.modes import enable_grad
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr


class LBFGS(Optimizer):
    r"""Newton's direction from the last changes of weights and gradient.

    With $s_i = w_{i+1} - w_i$ and $y_i = g_{i+1} - g_i$, the two-loop recursion multiplies the
    gradient by the inverse Hessian that these differences imply; along it goes a step of `lr`, or
    a line search under the strong Wolfe conditions. `step` needs a closure, which it may call
    many times; there is one parameter group. Source: Nocedal (1980); Nocedal and Wright, ch. 3, 7.
    """

    def _check_state(self, name: str, value: Any, parameter: Any) -> None:
        """Its state is of all parameters together, and stands with the first."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        check(max_iter, max_iter >= 0, "max_iter value")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    # ---------------------------------------------------------------- all parameters as one vector
    def _gradient(self) -> Array:
        parts = [
            (
                namespace(p._array).zeros_like(p._array) if p._grad is None else p._grad._array
            ).ravel()
            for p in self._params
        ]
        return namespace(parts[0]).concatenate(parts)

    def _weights(self) -> Array:
        parts = [p._array.ravel() for p in self._params]
        return namespace(parts[0]).concatenate(parts)

    def _set(self, weights: Array) -> None:
        start = 0
        for p in self._params:
            p._array[...] = weights[start : start + p._array.size].reshape(p._array.shape)
            p.version().written("LBFGS.step()")
            start += p._array.size

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to `max_iter` iterations; `closure` computes the loss and its gradient."""
        if closure is None:
            raise TypeError("LBFGS.step() missing 1 required positional argument: 'closure'")
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> Any:
            with enable_grad():
                return closure()

        first = evaluate()
        loss, calls = float(first), 1
        state["func_evals"] += 1
        g = self._gradient()
        if not g.size or abs(g).max() <= group["tolerance_grad"]:
            return first
        d, t = _kept(state.get("d")), state.get("t")
        changes, steps, curvatures = (
            list(map(_kept, state.get(name) or [])) for name in ("old_dirs", "old_stps", "ro")
        )
        scale, before = _kept(state.get("H_diag")), _kept(state.get("prev_flat_grad"))
        loss_before = state.get("prev_loss")
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                d, changes, steps, curvatures, scale = -g, [], [], [], 1.0
            else:
                y, s = g - before, d * t
                along = float(y @ s)
                if along > 1e-10:
                    if len(changes) == group["history_size"]:
                        del changes[0], steps[0], curvatures[0]
                    changes.append(y)
                    steps.append(s)
                    curvatures.append(1.0 / along)
                    scale = along / float(y @ y)
                d = _direction(g, changes, steps, curvatures, scale)
            before, loss_before = g.copy(), loss
            lr = float(group["lr"])
            t = min(1.0, 1.0 / float(abs(g).sum())) * lr if state["n_iter"] == 1 else lr
            slope = float(g @ d)
            if slope > -group["tolerance_change"]:
                break
            used = 0
            start = self._weights()
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")

                def probe(size: float) -> tuple[float, Array]:
                    self._set(start + d.dtype.type(size) * d)  # noqa: B023 - used at once
                    return float(evaluate()), self._gradient()

                loss, g, t, used = strong_wolfe(
                    probe, t, d, loss, g, slope, tolerance_change=group["tolerance_change"]
                )
                self._set(start + d.dtype.type(t) * d)
            else:
                self._set(start + d.dtype.type(t) * d)
                if iteration != group["max_iter"]:
                    loss, g, used = float(evaluate()), self._gradient(), 1
            calls += used
            state["func_evals"] += used
            if (
                calls >= group["max_eval"]
                or abs(g).max() <= group["tolerance_grad"]
                or abs(d * t).max() <= group["tolerance_change"]
                or abs(loss - loss_before) < group["tolerance_change"]
            ):
                break
        state.update(
            d=wrap(d),
            t=t,
            old_dirs=[wrap(y) for y in changes],
            old_stps=[wrap(s) for s in steps],
            ro=[wrap(np.asarray(r, g.dtype)) for r in curvatures],
            H_diag=scale if isinstance(scale, int) else wrap(np.asarray(scale, g.dtype)),
            prev_flat_grad=wrap(before),
            prev_loss=loss_before,
        )
        self.steps_taken += 1
        return first


def _kept(value: Any) -> Any:
    """What the state holds, as an array or a number."""
    array = getattr(value, "_array", value)
    return array.item() if is_array(array) and not array.ndim else array


def _direction(g: Array, changes: list, steps: list, curvatures: list, scale: float) -> Array:
    """-H g by the two-loop recursion."""
    q, alphas = -g, []
    for y, s, r in zip(reversed(changes), reversed(steps), reversed(curvatures)):
        alphas.append(float(s @ q) * r)
        q = q - q.dtype.type(alphas[-1]) * y
    q = q * q.dtype.type(scale)
    for y, s, r, alpha in zip(changes, steps, curvatures, reversed(alphas)):
        q = q + q.dtype.type(alpha - float(y @ q) * r) * s
    return q


def _minimum(
    x1: float, f1: float, g1: float, x2: float, f2: float, g2: float, bounds: Any = None
) -> float:
    """Of the cubic through two points with their slopes; the middle where there is none."""
    low, high = bounds if bounds is not None else (min(x1, x2), max(x1, x2))
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1 * d1 - g1 * g2
    if square < 0:
        return (low + high) / 2
    d2 = square**0.5
    if x1 <= x2:
        found = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        found = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(found, low), high)


def strong_wolfe(
    probe: Callable[[float], tuple[float, Array]],
    t: float,
    d: Array,
    f: float,
    g: Array,
    slope: float,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    max_ls: int = 25,
) -> tuple[float, Array, float, int]:
    """Find a step size that lowers the loss enough and flattens its slope.

    Returned are the loss and gradient there, the size, and how often `probe` was called. First a
    bracket must hold such a size, then zoom into it (Nocedal and Wright, algorithms 3.5 and 3.6).
    """
    longest = float(abs(d).max())
    f_new, g_new = probe(t)
    calls, slope_new = 1, float(g_new @ d)
    size, f_old, g_old, slope_old = 0.0, f, g, slope
    done, ls = False, 0
    bracket: list[tuple[float, float, Array, float]] = []
    while ls < max_ls:
        if f_new > f + c1 * t * slope or (ls > 1 and f_new >= f_old):
            bracket = [(size, f_old, g_old, slope_old), (t, f_new, g_new, slope_new)]
            break
        if abs(slope_new) <= -c2 * slope:
            bracket, done = [(t, f_new, g_new, slope_new)], True
            break
        if slope_new >= 0:
            bracket = [(size, f_old, g_old, slope_old), (t, f_new, g_new, slope_new)]
            break
        bounds = t + 0.01 * (t - size), t * 10
        ahead = _minimum(size, f_old, slope_old, t, f_new, slope_new, bounds)
        size, f_old, g_old, slope_old, t = t, f_new, g_new, slope_new, ahead
        f_new, g_new = probe(t)
        calls, slope_new, ls = calls + 1, float(g_new @ d), ls + 1
    if ls == max_ls:
        bracket = [(0.0, f, g, slope), (t, f_new, g_new, slope_new)]
    stuck = False
    low, high = (0, -1) if bracket[0][1] <= bracket[-1][1] else (1, 0)
    while not done and ls < max_ls:
        (x1, f1, _, s1), (x2, f2, _, s2) = bracket
        if abs(x2 - x1) * longest < tolerance_change:
            break
        t = _minimum(x1, f1, s1, x2, f2, s2)
        start, end = min(x1, x2), max(x1, x2)
        edge = 0.1 * (end - start)
        if min(end - t, t - start) < edge:  # too near an end: only once, and then away from it
            if stuck or t >= end or t <= start:
                t = end - edge if abs(t - end) < abs(t - start) else start + edge
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        f_new, g_new = probe(t)
        calls, slope_new, ls = calls + 1, float(g_new @ d), ls + 1
        point = (t, f_new, g_new, slope_new)
        if f_new > f + c1 * t * slope or f_new >= bracket[low][1]:
            bracket[high] = point
            low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
        else:
            if abs(slope_new) <= -c2 * slope:
                done = True
            elif slope_new * (bracket[high][0] - bracket[low][0]) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
    size, f_new, g_new, _ = bracket[low if len(bracket) > 1 else 0]
    return f_new, g_new, size, calls
