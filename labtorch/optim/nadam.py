"""NAdam."""

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


class NAdam(Optimizer):
    r"""Adam with Nesterov's momentum, which looks one step ahead.

    $$\mu_t = \beta_1 \bigl(1 - \tfrac{1}{2} 0.96^{t \psi}\bigr), \quad
      \hat m = \frac{\mu_{t+1} m}{1 - \prod_{i \le t+1} \mu_i}
      + \frac{(1 - \mu_t) g}{1 - \prod_{i \le t} \mu_i}, \quad
      w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$

    with m and v as in Adam and the momentum decay psi. Source: Dozat (2016).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check(momentum_decay, 0.0 <= momentum_decay, "momentum_decay value")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
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
            state["mu_product"] = wrap(np.ones((), np.float32))
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(w), zeros_like(w)
        m, v, s = state["exp_avg"]._array, state["exp_avg_sq"]._array, self.scratch(w)
        step, product = state["step"]._array, state["mu_product"]._array
        step[...] = step + 1
        t, (beta1, beta2) = float(step), group["betas"]
        now, ahead = (
            beta1 * (1 - 0.5 * 0.96 ** (at * group["momentum_decay"])) for at in (t, t + 1)
        )
        product[...] = product * now
        lr, made = float(group["lr"]), float(product)
        rates = lr * (1 - now) / (1 - made), lr * ahead / (1 - made * ahead)
        k = constants(w, 1 - beta1, beta2, 1 - beta2, 1 - beta2**t, group["eps"], *rates)
        _nadam(w, g, m, v, s, self.scratch(w, 1), *k)


@fused
def _nadam(w, g, m, v, s, u, rest1, beta2, rest2, left, eps, rate, rate_ahead):
    lib = namespace(w)
    lib.add(m, lib.multiply(lib.subtract(g, m, out=s), rest1, out=s), m)
    lib.multiply(v, beta2, v)
    lib.add(v, lib.multiply(lib.multiply(g, g, out=s), rest2, out=s), v)
    root = lib.sqrt(lib.divide(v, left, out=s), out=s)
    root = lib.add(root, eps, out=s)
    descend(w, lib.divide(g, root, out=u), rate, u)
    descend(w, lib.divide(m, root, out=u), rate_ahead, u)
