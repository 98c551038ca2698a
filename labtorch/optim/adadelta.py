"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, descend, number, zeros_like

multiply, add, divide = np.multiply, np.add, np.divide


class Adadelta(Optimizer):
    r"""Steps in the parameter's own units: running means of squared steps over squared gradients.

    $$v \leftarrow \rho v + (1 - \rho) g^2, \quad
      u = \frac{\sqrt{d + \epsilon}}{\sqrt{v + \epsilon}}\, g, \quad
      d \leftarrow \rho d + (1 - \rho) u^2, \quad w \leftarrow w - \eta u$$

    Source: Zeiler (2012).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check(rho, 0.0 <= rho <= 1.0, "rho value")
        check(eps, 0.0 <= eps, "epsilon value")
        check(weight_decay, 0.0 <= weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: np.ndarray, g: np.ndarray
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["square_avg"], state["acc_delta"] = zeros_like(w), zeros_like(w)
        state["step"]._array[...] = state["step"]._array + 1
        v, d = state["square_avg"]._array, state["acc_delta"]._array
        s, u, dtype = self.scratch(w), self.scratch(w, 1), w.dtype
        rho, rest = number(group["rho"], dtype), number(1 - group["rho"], dtype)
        eps = number(group["eps"], dtype)
        multiply(v, rho, v)
        add(v, multiply(multiply(g, g, s), rest, s), v)
        np.sqrt(divide(add(d, eps, u), add(v, eps, s), u), u)
        multiply(u, g, u)
        multiply(d, rho, d)
        add(d, multiply(multiply(u, u, s), rest, s), d)
        descend(w, u, float(group["lr"]), s)
