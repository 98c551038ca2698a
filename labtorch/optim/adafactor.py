"""Adafactor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labtorch.backend.arrays import Array, namespace
from labtorch.engine.variable import wrap
from labtorch.optim.optimizer import Optimizer, check, check_lr, zeros_like


class Adafactor(Optimizer):
    r"""Adam's scaling with the second moments of a matrix kept by row and by column.

    $$R \leftarrow \beta_t R + (1 - \beta_t) \operatorname{mean}_j g_{ij}^2, \quad
      C \leftarrow \beta_t C + (1 - \beta_t) \operatorname{mean}_i g_{ij}^2, \quad
      V = R C^T / \operatorname{mean} R, \quad \beta_t = 1 - t^{\tau}$$
    $$w \leftarrow w - \alpha_t \frac{u}{\max(1, \operatorname{rms}(u) / d)}, \quad
      u = g / \sqrt{V}, \quad \alpha_t = \max(\epsilon_2, \operatorname{rms} w)
      \min(\eta, 1 / \sqrt t)$$

    Source: Shazeer, Stern (2018).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_lr(lr)
        check(beta2_decay, beta2_decay <= 0.0, "beta2_decay")
        if eps[0] is not None:
            check(eps[0], 0.0 <= eps[0], "epsilon1")
        check(eps[1], 0.0 <= eps[1], "epsilon2")
        check(d, 1.0 <= d, "d")
        check(weight_decay, 0.0 <= weight_decay, "weight_decay")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            if any(parameter.is_complex() for parameter in group["params"]):
                raise RuntimeError("Adafactor does not support complex parameters")

    def descent(self, group: dict[str, Any], w: Array, g: Array) -> Array:
        return -g if group["maximize"] else g  # the rule itself shrinks the weights

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        if not state:
            state["step"] = wrap(np.zeros((), np.float32))
            if w.ndim > 1:
                state["row_var"] = zeros_like(w[..., :1])
                state["col_var"] = zeros_like(w[..., :1, :])
            else:
                state["variance"] = zeros_like(w)
        step = state["step"]._array
        step[...] = step + 1
        t, square, lib = float(step), g * g, namespace(w)
        rest = w.dtype.type(t ** group["beta2_decay"])
        least, floor = group["eps"]
        least = float(np.finfo(w.dtype).eps) if least is None else least
        rate = lib.maximum(lib.sqrt((w * w).mean()), floor) * min(float(group["lr"]), t**-0.5)
        w *= w.dtype.type(1 - float(group["lr"]) * group["weight_decay"])
        if w.ndim > 1:
            rows, columns = state["row_var"]._array, state["col_var"]._array
            rows += (square.mean(-1, keepdims=True) - rows) * rest
            columns += (square.mean(-2, keepdims=True) - columns) * rest
            v = rows @ columns / lib.maximum(rows.mean(-2, keepdims=True), least)
        else:
            v = state["variance"]._array
            v += (square - v) * rest
        u = g / lib.sqrt(lib.maximum(v, least * least))
        size = lib.sqrt((u * u).mean())
        w -= u * (rate / lib.maximum(size / group["d"], 1.0))
