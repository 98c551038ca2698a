"""NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, descend, number, zeros_like


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

    def descent(self, group: dict[str, Any], w: np.ndarray, g: np.ndarray) -> np.ndarray:
        if not group["decoupled_weight_decay"]:
            return super().descent(group, w, g)
        w *= number(1 - float(group["lr"]) * group["weight_decay"], w.dtype)
        return np.negative(g, self.scratch(w, -1)) if group["maximize"] else g

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: np.ndarray, g: np.ndarray
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
        m += np.multiply(np.subtract(g, m, s), number(1 - beta1, w.dtype), s)
        v *= number(beta2, w.dtype)
        v += np.multiply(np.multiply(g, g, s), number(1 - beta2, w.dtype), s)
        root = np.sqrt(np.divide(v, number(1 - beta2**t, w.dtype), s), s)
        root += number(group["eps"], w.dtype)
        lr, u = float(group["lr"]), self.scratch(w, 1)
        descend(w, np.divide(g, root, u), lr * (1 - now) / (1 - float(product)), u)
        descend(w, np.divide(m, root, u), lr * ahead / (1 - float(product) * ahead), u)
