"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, constants, descend, zeros_like


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
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["square_avg"], state["acc_delta"] = zeros_like(w), zeros_like(w)
        state["step"]._array[...] = state["step"]._array + 1
        v, d, rho = state["square_avg"]._array, state["acc_delta"]._array, group["rho"]
        s, u = self.scratch(w), self.scratch(w, 1)
        k = constants(w, rho, 1 - rho, group["eps"], float(group["lr"]))
        _adadelta(w, g, v, d, s, u, *k)


@fused
def _adadelta(w, g, v, d, s, u, rho, rest, eps, rate):
    lib = namespace(w)
    lib.multiply(v, rho, v)
    lib.add(v, lib.multiply(lib.multiply(g, g, out=s), rest, out=s), v)
    ratio = lib.divide(lib.add(d, eps, out=u), lib.add(v, eps, out=s), out=u)
    u = lib.multiply(lib.sqrt(ratio, out=u), g, out=u)
    lib.multiply(d, rho, d)
    lib.add(d, lib.multiply(lib.multiply(u, u, out=s), rest, out=s), d)
    descend(w, u, rate, s)
