"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates

REDUCTIONS = {"mean": "ReduceMean", "sum": "ReduceSum"}


def _reduced(g: Graph, losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else g(REDUCTIONS[reduction], losses, None, keepdims=0)


@translates("mse_loss", "l1_loss")
def _(g, input, target, reduction="mean"):
    error = g("Sub", g.floating(input), g.floating(target))
    size = g("Abs", error) if g.op_name == "l1_loss" else g("Mul", error, error)
    return _reduced(g, size, reduction)


@translates("cross_entropy")
def _(g, input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    logp = g("LogSoftmax", input, axis=1 if input.ndim > 1 else 0)
    logp = g.shaped(logp, input.shape)
    return _of_classes(g, logp, target, weight, ignore_index, reduction, label_smoothing)


@translates("nll_loss")
def _(g, input, target, weight=None, ignore_index=-100, reduction="mean"):
    return _of_classes(g, input, target, weight, ignore_index, reduction, 0.0)


def _of_classes(
    g: Graph, logp: Value, target: Value, weight: Any, ignore: int, reduction: str, smooth: float
) -> Any:
    """Of each label its log-likelihood, weighted by its class and smoothed over all classes."""
    d = 1 if logp.ndim > 1 else 0
    target = g.cast(target, np.int64)
    ignored = g("Equal", target, int(ignore), dtype=bool)
    safe = g("Where", ignored, g.value(0, np.int64), target, dtype=np.int64)
    kept = g.cast(g("Not", ignored), logp.dtype)
    weights = kept if weight is None else g("Mul", kept, g("Gather", weight, safe, axis=0))
    chosen = g("GatherElements", logp, g("Unsqueeze", safe, [d]), axis=d)
    losses = g("Neg", g("Mul", weights, g("Squeeze", chosen, [d])))
    if smooth:
        spread = logp
        if weight is not None:
            spread = g("Mul", logp, g.reshape(weight, (-1,) + (1,) * (logp.ndim - d - 1)))
        every = g("Mul", g("ReduceSum", spread, [d], keepdims=0), kept)
        share = smooth / int(logp.shape[d])
        losses = g("Sub", g("Mul", losses, 1 - smooth), g("Mul", every, share))
    if reduction == "none":
        return losses
    total = g("ReduceSum", losses, None, keepdims=0)
    if reduction == "sum":
        return total
    return g("Div", total, g("ReduceSum", weights, None, keepdims=0))


@translates("bce")
def _(g, input, target):
    one = g.value(1.0, g.dtype)
    high = g("Max", g("Log", input), -100.0)
    low = g("Max", g("Log", g("Sub", one, input)), -100.0)
    right = g("Mul", target, high)
    return g("Neg", g("Add", right, g("Mul", g("Sub", one, target), low)))


@translates("bce_logits")
def _(g, input, target, weight, pos_weight):
    one = g.value(1.0, g.dtype)
    if pos_weight is None:
        # softplus(x) - x t
        losses = g("Sub", g("Softplus", input), g("Mul", input, target))
    else:
        scale = g("Add", g("Mul", g("Sub", pos_weight, one), target), one)
        wrong = g("Mul", g("Sub", one, target), input)
        losses = g("Add", wrong, g("Mul", scale, g("Softplus", g("Neg", input))))
    return losses if weight is None else g("Mul", losses, weight)


@translates("huber")
def _(g, input, target, delta=1.0):
    size = g("Abs", g("Sub", g.floating(input), g.floating(target)))
    near = g("Mul", g("Mul", size, size), 0.5)
    far = g("Mul", g("Sub", size, 0.5 * float(delta)), float(delta))
    small = g("Less", size, g.value(delta, g.dtype), dtype=bool)
    return g("Where", small, near, far, dtype=g.dtype)


@translates("kl_div")
def _(g, input, target, log_target=False):
    if log_target:
        return g("Mul", g("Exp", target), g("Sub", target, input))
    zero = g("Equal", target, g.value(0.0, g.dtype), dtype=bool)
    safe = g("Where", zero, g.value(1.0, g.dtype), target, dtype=g.dtype)
    return g("Sub", g("Mul", target, g("Log", safe)), g("Mul", target, input))
