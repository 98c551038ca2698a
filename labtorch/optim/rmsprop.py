"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, constants, descend, zeros_like


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
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["square_avg"] = zeros_like(w)
            if group["momentum"]:
                state["momentum_buffer"] = zeros_like(w)
            if group["centered"]:
                state["grad_avg"] = zeros_like(w)
        state["step"]._array[...] = state["step"]._array + 1
        mean = state["grad_avg"]._array if group["centered"] else None
        buffer = state["momentum_buffer"]._array if group["momentum"] else None
        alpha, v, s = group["alpha"], state["square_avg"]._array, self.scratch(w)
        lr, mu = float(group["lr"]), group["momentum"]
        _rmsprop(w, g, v, mean, buffer, s, *constants(w, alpha, 1 - alpha, group["eps"], mu, lr))


@fused
def _rmsprop(w, g, v, mean, b, s, alpha, rest, eps, momentum, rate):
    lib = namespace(w)
    lib.multiply(v, alpha, v)
    lib.add(v, lib.multiply(lib.multiply(g, g, out=s), rest, out=s), v)
    if mean is not None:
        lib.add(mean, lib.multiply(lib.subtract(g, mean, out=s), rest, out=s), mean)
        v = lib.subtract(v, lib.multiply(mean, mean, out=s), out=s)
    root = lib.add(lib.sqrt(v, out=s), eps, out=s)
    u = lib.divide(g, root, out=s)
    if b is not None:
        lib.multiply(b, momentum, b)
        u = lib.add(b, u, b)
    descend(w, u, rate, s)
