"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused as fuse
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, constants, descend


class Adagrad(Optimizer):
    r"""Steps scaled by the root of all squared gradients so far.

    $$v \leftarrow v + g^2, \quad
      w \leftarrow w - \frac{\eta}{1 + (t - 1)\,\lambda} \frac{g}{\sqrt{v} + \epsilon}$$

    Source: Duchi, Hazan, Singer (2011).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check(lr_decay, 0.0 <= lr_decay, "lr_decay value")
        check(weight_decay, 0.0 <= weight_decay, "weight_decay value")
        check(
            initial_accumulator_value,
            0.0 <= initial_accumulator_value,
            "initial_accumulator_value value",
        )
        check(eps, 0.0 <= eps, "epsilon value")
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:  # the state is there before the first step, as PyTorch's
            for parameter in group["params"]:
                self._begin_state(self.state[parameter], group, parameter._array)

    @staticmethod
    def _begin_state(state: dict[str, Any], group: dict[str, Any], w: Array) -> None:
        state["step"] = wrap(np.zeros((), np.float32))
        state["sum"] = wrap(namespace(w).full_like(w, group["initial_accumulator_value"]))

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            self._begin_state(state, group, w)
        step, v, s = state["step"]._array, state["sum"]._array, self.scratch(w)
        step[...] = step + 1
        rate = float(group["lr"]) / (1 + (float(step) - 1) * group["lr_decay"])
        _adagrad(w, g, v, s, *constants(w, group["eps"], rate))


@fuse
def _adagrad(w, g, v, s, eps, rate):
    lib = namespace(w)
    lib.add(v, lib.multiply(g, g, out=s), v)
    root = lib.add(lib.sqrt(v, out=s), eps, out=s)
    descend(w, lib.divide(g, root, out=s), rate, s)
