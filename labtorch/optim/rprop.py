"""Rprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, zeros_like


class Rprop(Optimizer):
    r"""Steps of each weight's own size, which grows while the gradient keeps its sign.

    $$\eta_i \leftarrow \eta_i \cdot \{\eta^+ \text{ if } g_i g_i' > 0, \;
      \eta^- \text{ if } g_i g_i' < 0\}, \quad
      w_i \leftarrow w_i - \eta_i \operatorname{sign} g_i$$

    where g' is the gradient before; after a change of sign the weight rests for one step.
    Source: Riedmiller, Braun (1993).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check(f"{etas[0]}, {etas[1]}", 0.0 < etas[0] < 1.0 < etas[1], "eta values")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            state["prev"] = zeros_like(w)
            state["step_size"] = wrap(namespace(w).full_like(w, float(group["lr"])))
        step, before, size = (state[n]._array for n in ("step", "prev", "step_size"))
        step[...] = step + 1
        lib = namespace(w)
        agree = lib.sign(g * before)
        (less, more), (smallest, largest) = group["etas"], group["step_sizes"]
        size *= lib.where(agree > 0, more, lib.where(agree < 0, less, 1.0)).astype(w.dtype)
        lib.clip(size, smallest, largest, out=size)
        g = lib.where(agree < 0, 0, g).astype(w.dtype)
        w -= lib.sign(g) * size
        before[...] = g
