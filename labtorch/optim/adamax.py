"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, descend, number, zeros_like


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
        self, group: dict[str, Any], state: dict[str, Any], w: np.ndarray, g: np.ndarray
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["exp_avg"], state["exp_inf"] = zeros_like(w), zeros_like(w)
        m, u, s = state["exp_avg"]._array, state["exp_inf"]._array, self.scratch(w)
        step = state["step"]._array
        step[...] = step + 1
        beta1, beta2 = group["betas"]
        m += np.multiply(np.subtract(g, m, s), number(1 - beta1, w.dtype), s)
        u *= number(beta2, w.dtype)
        np.maximum(u, np.add(np.abs(g, s), number(group["eps"], w.dtype), s), out=u)
        descend(w, np.divide(m, u, s), float(group["lr"]) / (1 - beta1 ** float(step)), s)
