"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

import numpy as np

from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, descend, number, zeros_like
from labtorch.tensor.tensor import Tensor

multiply, add, subtract, divide = np.multiply, np.add, np.subtract, np.divide


class Adam(Optimizer):
    r"""Steps scaled by running moments of the gradient.

    $$m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2$$
    $$w \leftarrow w - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}$$

    `weight_decay` adds to the gradient, or shrinks the weights with `decoupled_weight_decay`;
    `amsgrad` divides by the largest v so far. Source: Kingma and Ba (2015); Reddi et al. (2018).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_lr(lr)
        check(eps, 0.0 <= eps, "epsilon value")
        _check_kinds(lr, betas, foreach, capturable)
        for i, beta in enumerate(betas):
            check(beta, 0.0 <= beta < 1.0, f"beta parameter at index {i}")
        check(weight_decay, 0.0 <= weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def begin(self, group: dict[str, Any]) -> None:
        self.lr = float(group["lr"])
        self.beta1, self.beta2 = (float(beta) for beta in group["betas"])

    def descent(self, group: dict[str, Any], w: np.ndarray, g: np.ndarray) -> np.ndarray:
        if not group["decoupled_weight_decay"]:
            return super().descent(group, w, g)
        multiply(w, number(1 - self.lr * group["weight_decay"], w.dtype), w)
        return np.negative(g, self.scratch(w, -1)) if group["maximize"] else g

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: np.ndarray, g: np.ndarray
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(w), zeros_like(w)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros_like(w)
        m, v, s, dtype = (
            state["exp_avg"]._array,
            state["exp_avg_sq"]._array,
            self.scratch(w),
            w.dtype,
        )
        step = state["step"]._array
        t = step.item() + 1
        step[...] = t
        beta1, beta2 = self.beta1, self.beta2
        # m += (1 - beta1) (g - m), and the same for v with g^2
        add(m, multiply(subtract(g, m, s), number(1 - beta1, dtype), s), m)
        multiply(v, number(beta2, dtype), v)
        add(v, multiply(multiply(g, g, s), number(1 - beta2, dtype), s), v)
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]._array
            v = np.maximum(largest, v, out=largest)
        # both corrections as numbers: root2 multiplies eps and the step instead of dividing sqrt(v)
        root2 = sqrt(1 - beta2**t)
        rate = self.lr * root2 / (1 - beta1**t)
        add(np.sqrt(v, s), number(group["eps"] * root2, dtype), s)
        descend(w, divide(m, s, s), rate, s)


def _check_kinds(lr: Any, betas: tuple[Any, Any], foreach: Any, capturable: bool) -> None:
    """Refuse mixed betas; and, as PyTorch does, tensors where `foreach` is asked for."""
    kinds = [isinstance(beta, Tensor) for beta in betas]
    if any(kinds) != all(kinds):
        raise ValueError("betas must be either both floats or both Tensors")
    for what, given in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
        if isinstance(given, Tensor) and foreach and not capturable:
            raise ValueError(
                f"{what} as a Tensor is not supported for capturable=False and foreach=True"
            )


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights. Source: Loshchilov and Hutter (2019)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
