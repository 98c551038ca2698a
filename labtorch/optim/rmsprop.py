"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, descend, number, zeros_like

multiply, add, subtract, divide = np.multiply, np.add, np.subtract, np.divide


class RMSprop(Optimizer):
    r"""Steps divided by the root of a running mean of squared gradients.

    $$v \leftarrow \alpha v + (1 - \alpha) g^2, \quad
      w \leftarrow w - \eta\, \frac{g}{\sqrt{v} + \epsilon}$$

    `centered` takes the square of a running mean of g from v; `momentum` sums the quotients up.
    Source: Tieleman and Hinton, lecture 6.5 (2012); Graves (2013) for the centred version.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check(eps, 0.0 <= eps, "epsilon value")
        check(momentum, 0.0 <= momentum, "momentum value")
        check(weight_decay, 0.0 <= weight_decay, "weight_decay value")
        check(alpha, 0.0 <= alpha, "alpha value")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: np.ndarray, g: np.ndarray
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["square_avg"] = zeros_like(w)
            if group["momentum"]:
                state["momentum_buffer"] = zeros_like(w)
            if group["centered"]:
                state["grad_avg"] = zeros_like(w)
        state["step"]._array[...] = state["step"]._array + 1
        v, s, dtype = state["square_avg"]._array, self.scratch(w), w.dtype
        alpha, rest = number(group["alpha"], dtype), number(1 - group["alpha"], dtype)
        multiply(v, alpha, v)
        add(v, multiply(multiply(g, g, s), rest, s), v)
        if group["centered"]:
            mean = state["grad_avg"]._array
            add(mean, multiply(subtract(g, mean, s), rest, s), mean)
            v = subtract(v, multiply(mean, mean, s), s)
        add(np.sqrt(v, s), number(group["eps"], dtype), s)
        u = divide(g, s, s)
        if group["momentum"]:
            b = state["momentum_buffer"]._array
            multiply(b, number(group["momentum"], dtype), b)
            u = add(b, u, b)
        descend(w, u, float(group["lr"]), s)
