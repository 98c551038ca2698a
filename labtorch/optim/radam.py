"""RAdam."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
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


class RAdam(Optimizer):
    r"""Adam that waits with its scaling until the variance of the second moment is bounded.

    $$\rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \quad
      \rho_\infty = \frac{2}{1 - \beta_2} - 1, \quad
      r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\rho_\infty}
      {(\rho_\infty - 4)(\rho_\infty - 2)\rho_t}}$$

    Where rho_t > 5 a step is r_t times Adam's, else that of momentum. Source: Liu et al. (2020).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check(eps, 0.0 <= eps, "epsilon value")
        for i, beta in enumerate(betas):
            check(beta, 0.0 <= beta < 1.0, f"beta parameter at index {i}")
        check(weight_decay, 0.0 <= weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def descent(self, group: dict[str, Any], w: Array, g: Array) -> Array:
        if not group["decoupled_weight_decay"]:
            return super().descent(group, w, g)
        shrink(w, 1 - float(group["lr"]) * group["weight_decay"])
        return namespace(g).negative(g, out=self.scratch(w, -1)) if group["maximize"] else g

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(w), zeros_like(w)
        m, v, s = state["exp_avg"]._array, state["exp_avg_sq"]._array, self.scratch(w)
        step = state["step"]._array
        step[...] = step + 1
        t, (beta1, beta2) = float(step), group["betas"]
        _moments(g, m, v, s, *constants(w, 1 - beta1, beta2, 1 - beta2))
        rate, left = float(group["lr"]) / (1 - beta1**t), 1 - beta2**t
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * t * beta2**t / left
        if length <= 5:
            (rate,) = constants(w, rate)
            return descend(w, m, rate, s)
        bounded = (length - 4) * (length - 2) * limit
        scale = sqrt(bounded / ((limit - 4) * (limit - 2) * length)) * sqrt(left)
        return _scaled(w, m, v, s, *constants(w, group["eps"], rate * scale))


@fused
def _moments(g, m, v, s, rest1, beta2, rest2):
    lib = namespace(m)
    lib.add(m, lib.multiply(lib.subtract(g, m, out=s), rest1, out=s), m)
    lib.multiply(v, beta2, v)
    lib.add(v, lib.multiply(lib.multiply(g, g, out=s), rest2, out=s), v)


@fused
def _scaled(w, m, v, s, eps, rate):
    lib = namespace(w)
    root = lib.add(lib.sqrt(v, out=s), eps, out=s)
    descend(w, lib.divide(m, root, out=s), rate, s)
