"""Activation functions, and the softmax family."""

from __future__ import annotations

import math
from typing import Any

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates

PLAIN = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "mish": "Mish"}
PLAIN |= {"selu": "Selu", "softsign": "Softsign"}


@translates(*PLAIN)
def _(g, input):
    return g(PLAIN[g.op_name], g.floating(input))


@translates("leaky_relu")
def _(g, input, negative_slope=0.01):
    return g("LeakyRelu", input, alpha=float(negative_slope))


@translates("elu", "celu")
def _(g, input, alpha=1.0):
    return g("Elu" if g.op_name == "elu" else "Celu", input, alpha=float(alpha))


@translates("silu")
def _(g, input):
    return g("Mul", input, g("Sigmoid", input))


@translates("hardsigmoid")
def _(g, input):
    return g("HardSigmoid", input, alpha=1 / 6, beta=0.5)


@translates("hardswish")
def _(g, input):
    return g("HardSwish", input)


@translates("hardtanh")
def _(g, input, min_val=-1.0, max_val=1.0):
    return g.call("clamp", input, min_val, max_val)


@translates("hardshrink")
def _(g, input, lambd=0.5):
    return g("Shrink", input, lambd=float(lambd), bias=0.0)


@translates("softshrink")
def _(g, input, lambd=0.5):
    return g("Shrink", input, lambd=float(lambd), bias=float(lambd))


@translates("threshold")
def _(g, input, threshold, value):
    above = g("Greater", input, g.value(threshold, g.dtype), dtype=bool)
    return g("Where", above, input, g.value(value, g.dtype), dtype=g.dtype)


@translates("softplus")
def _(g, input, beta=1.0, threshold=20.0):
    if beta == 1 and threshold == 20:  # beyond 20 both are x, to the last bit
        return g("Softplus", input)
    scaled = g("Mul", input, beta)
    soft = g("Div", g("Softplus", scaled), beta)
    far = g("Greater", scaled, g.value(threshold, g.dtype), dtype=bool)
    return g("Where", far, input, soft, dtype=g.dtype)


@translates("logsigmoid")
def _(g, input):
    return g("Neg", g("Softplus", g("Neg", input)))


@translates("gelu_erf", "gelu_tanh")
def _(g, input):
    tanh = g.op_name == "gelu_tanh"
    if g.opset >= 20:
        return g("Gelu", input, approximate="tanh" if tanh else "none")
    if tanh:
        cube = g("Mul", g("Mul", g("Mul", input, input), input), 0.044715)
        share = g("Tanh", g("Mul", g("Add", input, cube), math.sqrt(2 / math.pi)))
    else:
        share = g("Erf", g("Mul", input, math.sqrt(0.5)))
    return g("Mul", g("Mul", input, 0.5), g("Add", share, 1.0))


@translates("prelu")
def _(g, input, weight):
    if weight.shape and weight.shape[-1] != 1 and input.ndim > 2:  # one slope a channel
        weight = g.reshape(weight, (-1,) + (1,) * (input.ndim - 2))
    elif not weight.shape:
        weight = g.reshape(weight, (1,))
    return g("PRelu", input, weight)


@translates("softmax", "log_softmax")
def _(g, input, dim=-1, dtype=None):
    x = g.floating(input)
    if not input.ndim:
        return alone(g, x, lambda y: g("Softmax" if g.op_name == "softmax" else "LogSoftmax", y))
    return g("Softmax" if g.op_name == "softmax" else "LogSoftmax", x, axis=int(dim))


def alone(g: Graph, x: Value, compute: Any) -> Any:
    """Of a tensor without dimensions, what `compute` makes of one element."""
    return g("Reshape", compute(g("Reshape", x, [1])), [])


@translates("dropout")
def _(g, input, mask):
    return g("Mul", input, mask)
