"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import (
    Optimizer,
    check,
    check_lr,
    constants,
    descend,
    shrink,
    zeros_like,
)


class ASGD(Optimizer):
    r"""Stochastic gradient descent that also keeps the mean of its weights, `state["ax"]`.

    $$w \leftarrow w (1 - \lambda \eta_t) - \eta_t g, \quad
      \eta_t = \eta / (1 + \lambda \eta t)^\alpha, \quad
      a \leftarrow a + (w - a) / \max(1, t - t_0)$$

    Source: Polyak, Juditsky (1992).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check(weight_decay, 0.0 <= weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["eta"] = wrap(np.asarray(float(group["lr"]), np.float32))
            state["mu"] = wrap(np.ones((), np.float32))
            state["ax"] = zeros_like(w)
        step, eta, mu = (state[name]._array for name in ("step", "eta", "mu"))
        mean, s = state["ax"]._array, self.scratch(w)
        step[...] = step + 1
        shrink(w, 1 - group["lambd"] * float(eta))
        (rate,) = constants(w, float(eta))
        descend(w, g, rate, s)
        if float(mu) == 1:
            mean[...] = w
        else:
            _towards(mean, w, s, *constants(w, float(mu)))
        t, lr = float(step), float(group["lr"])
        eta[...] = lr / (1 + group["lambd"] * lr * t) ** group["alpha"]
        mu[...] = 1 / max(1, t - group["t0"])


@fused
def _towards(mean, w, s, by):
    """mean <- mean + by (w - mean)."""
    lib = namespace(w)
    lib.add(mean, lib.multiply(lib.subtract(w, mean, out=s), by, out=s), mean)
