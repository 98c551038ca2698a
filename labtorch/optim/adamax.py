"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, constants, descend, zeros_like


class Adamax(Optimizer):
    r"""Adam with the largest gradient in place of the root mean square.

    $$m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
      u \leftarrow \max(\beta_2 u, |g| + \epsilon), \quad
      w \leftarrow w - \frac{\eta}{1 - \beta_1^t} \frac{m}{u}$$

    Source: Kingma and Ba (2015).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
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
            state["exp_avg"], state["exp_inf"] = zeros_like(w), zeros_like(w)
        m, u, s = state["exp_avg"]._array, state["exp_inf"]._array, self.scratch(w)
        step = state["step"]._array
        step[...] = step + 1
        beta1, beta2 = group["betas"]
        rate = float(group["lr"]) / (1 - beta1 ** float(step))
        _adamax(w, g, m, u, s, *constants(w, 1 - beta1, beta2, group["eps"], rate))


@fused
def _adamax(w, g, m, u, s, rest1, beta2, eps, rate):
    lib = namespace(w)
    lib.add(m, lib.multiply(lib.subtract(g, m, out=s), rest1, out=s), m)
    lib.multiply(u, beta2, u)
    lib.maximum(u, lib.add(lib.absolute(g, out=s), eps, out=s), out=u)
    descend(w, lib.divide(m, u, out=s), rate, s)
