"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused as fuse
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
from labtorch.tensor.tensor import Tensor


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
        lr = group["lr"]
        # a rate that is a tensor of the GPU is read there, by each replay of a captured step
        there = group["capturable"] and isinstance(lr, Tensor) and lr.is_cuda
        self.lr = lr._array if there else float(lr)
        self.beta1, self.beta2 = (float(beta) for beta in group["betas"])

    def descent(self, group: dict[str, Any], w: Array, g: Array) -> Array:
        if not group["decoupled_weight_decay"]:
            return super().descent(group, w, g)
        shrink(w, 1 - self.lr * group["weight_decay"])
        return namespace(g).negative(g, out=self.scratch(w, -1)) if group["maximize"] else g

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            state["step"] = wrap(self._no_steps(group, w))
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(w), zeros_like(w)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros_like(w)
        m, v = state["exp_avg"]._array, state["exp_avg_sq"]._array
        largest = state["max_exp_avg_sq"]._array if group["amsgrad"] else None
        beta1, beta2 = self.beta1, self.beta2
        root2, rate = self._corrections(state["step"]._array, w)
        k = constants(w, 1 - beta1, beta2, 1 - beta2)
        now = constants(w, group["eps"] * root2, rate)  # these are others at each step
        _adam(w, g, m, v, largest, self.scratch(w), *k, *now)

    @staticmethod
    def _no_steps(group: dict[str, Any], w: Array) -> Array:
        """The count of steps: on the CPU, or beside the parameter, for a graph that counts on."""
        return (namespace(w) if group["capturable"] else np).zeros((), np.float32)

    def _corrections(self, step: Array, w: Array) -> tuple[Any, Any]:
        """Count the step. Both corrections for the first steps, as numbers: the root of v's
        multiplies eps and the step instead of dividing the root of v."""
        if step.__class__ is np.ndarray:
            t = step.item() + 1
            step[...] = t
            root2 = sqrt(1 - self.beta2**t)
            return root2, self.lr * root2 / (1 - self.beta1**t)
        step += 1
        lib, t = namespace(step), step.astype(np.float64)
        root2 = lib.sqrt(1 - lib.power(self.beta2, t))
        rate = root2 / (1 - lib.power(self.beta1, t))
        kind = w.real.dtype
        return root2.astype(kind), (rate * self.lr).astype(kind)


@fuse
def _adam(w, g, m, v, largest, s, rest1, beta2, rest2, eps, rate):
    lib = namespace(w)
    add, multiply = lib.add, lib.multiply
    # m += (1 - beta1) (g - m), and the same for v with g^2
    add(m, multiply(lib.subtract(g, m, out=s), rest1, out=s), m)
    multiply(v, beta2, v)
    add(v, multiply(multiply(g, g, out=s), rest2, out=s), v)
    if largest is not None:
        v = lib.maximum(largest, v, out=largest)
    root = add(lib.sqrt(v, out=s), eps, out=s)
    descend(w, lib.divide(m, root, out=s), rate, s)


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
