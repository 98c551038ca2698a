"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused as fuse
from labtorch.optim.optimizer import Optimizer, check, check_lr, constants, descend, zeros_like

WRITER = ("SGD.step()", None)  # who an error names where a saved parameter has changed


class SGD(Optimizer):
    r"""w <- w - lr u, with the gradient for u, or with momentum mu a running sum of gradients.

    $$g \leftarrow g + \lambda w, \quad b \leftarrow \mu b + (1 - d) g, \quad
      u = b \ \text{(or } g + \mu b \text{ with nesterov)}, \quad w \leftarrow w - \eta u$$

    Source: Sutskever, Martens, Dahl, Hinton (2013), in PyTorch's form: lr multiplies the whole sum.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check(momentum, momentum >= 0.0, "momentum value")
        check(weight_decay, weight_decay >= 0.0, "weight_decay value")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def step_group(self, group: dict[str, Any]) -> None:
        if group["momentum"] or group["weight_decay"] or group["maximize"]:
            return super().step_group(group)
        lr = float(group["lr"])  # w <- w - lr g needs no state and no call per parameter
        for parameter in group["params"]:
            gradient = parameter._grad
            if gradient is not None:
                descend(parameter._array, gradient._array, lr)
                version = parameter.version()
                version.count += 1
                version.writer = WRITER
        return None

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        mu, rest, lr = group["momentum"], 1 - group["dampening"], float(group["lr"])
        if not mu:
            return descend(w, g, lr)
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"], rest = zeros_like(w), 1
        b, k = state["momentum_buffer"]._array, constants(w, mu, rest, lr)
        _momentum(w, g, b, self.scratch(w), *k, group["nesterov"] or None)


@fuse
def _momentum(w, g, b, s, mu, rest, lr, nesterov):
    lib = namespace(w)
    lib.multiply(b, mu, b)
    lib.add(b, lib.multiply(g, rest, out=s), b)
    if nesterov is not None:  # a traced kernel can tell nothing else of an argument
        b = lib.add(g, lib.multiply(b, mu, out=s), out=s)
    descend(w, b, lr, s)
