"""Activations: elementwise functions and the softmax family."""

from __future__ import annotations

import warnings
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.inplace import apply_inplace
from labtorch.engine.op import Op
from labtorch.engine.variable import wrap
from labtorch.ops import activation
from labtorch.tensor import functions, random
from labtorch.tensor.tensor import Tensor


def applied(operation: Op, inplace: bool, *args: Any) -> Tensor:
    return (apply_inplace if inplace else apply)(operation, args)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x)."""
    return apply_inplace(activation.relu, (input,)) if inplace else apply(activation.relu, (input,))


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, negative_slope x elsewhere."""
    return applied(activation.leaky_relu, inplace, input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha (exp(x) - 1) elsewhere."""
    return applied(activation.elu, inplace, input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU with the scale that keeps mean 0 and variance 1 (Klambauer et al., 2017)."""
    return applied(activation.selu, inplace, input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha (exp(x / alpha) - 1) elsewhere."""
    return applied(activation.celu, inplace, input, alpha)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x); approximate="tanh" uses a tanh for the normal distribution function."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return apply(activation.gelu_erf if approximate == "none" else activation.gelu_tanh, (input,))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x)."""
    return applied(activation.silu, inplace, input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x))."""
    return applied(activation.mish, inplace, input)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return apply(activation.sigmoid, (input,))


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return apply(activation.tanh, (input,))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + exp(beta x)) / beta; x itself beyond the threshold."""
    return apply(activation.softplus, (input, beta, threshold))


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return apply(activation.softsign, (input,))


@composite
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - apply(activation.tanh, (input,))


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x, no less than min_val and no more than max_val."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return applied(activation.hardtanh, inplace, input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6)."""
    return applied(activation.hardtanh, inplace, input, 0.0, 6.0)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x)."""
    return applied(activation.hardswish, inplace, input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2, no less than 0 and no more than 1."""
    return applied(activation.hardsigmoid, inplace, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, 0 elsewhere."""
    return apply(activation.hardshrink, (input, lambd))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd."""
    return apply(activation.softshrink, (input, lambd))


def logsigmoid(input: Tensor) -> Tensor:
    """ln sigmoid(x), stable at both ends."""
    return apply(activation.logsigmoid, (input,))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, value elsewhere."""
    return applied(activation.threshold, inplace, input, threshold, value)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, a x elsewhere, with a learnt slope for all channels or one each."""
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.numel() not in (1, channels):
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{weight.numel()} and channel size = {channels}."
        )
    return apply(activation.prelu, (input, weight))


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Leaky ReLU with a slope drawn anew for each element; its mean when not training."""
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    drawn = random.rand_like(input)._array * (upper - lower) + lower
    mask = namespace(drawn).where(input._array >= 0, 1, drawn).astype(input._array.dtype)
    return applied(activation.dropout, inplace, input, wrap(mask))


@composite
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b), for the two halves a and b of the input along `dim`."""
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.shape[dim] % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}"
        )
    a, b = functions.chunk(input, 2, dim)
    return a * apply(activation.sigmoid, (b,))


def _softmax_dim(name: str, ndim: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=4,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """Exponentials along `dim`, divided by their sum."""
    if dim is None:
        dim = _softmax_dim("softmax", input.ndim)
    return functions.softmax(input, dim, dtype)


@composite
def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x)."""
    if dim is None:
        dim = _softmax_dim("softmin", input.ndim)
    return functions.softmax(-input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """The logarithm of softmax, computed stably."""
    if dim is None:
        dim = _softmax_dim("log_softmax", input.ndim)
    return functions.log_softmax(input, dim, dtype)


@composite
def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A sample of a relaxed categorical distribution (Jang et al., 2017); one-hot with `hard`."""
    noise = random.stream_like(logits._array).gumbel(size=logits._array.shape)
    noise = noise.astype(logits._array.dtype)
    soft = functions.softmax((logits + wrap(noise)) / tau, dim)
    if not hard:
        return soft
    lib, array = namespace(soft._array), soft._array
    best = lib.expand_dims(array.argmax(dim), dim)
    places = lib.expand_dims(lib.arange(array.shape[dim]), tuple(range(1, array.ndim)))
    chosen = lib.moveaxis(places, 0, dim) == best
    return wrap(chosen.astype(array.dtype)) - soft.detach() + soft


def _inplace(function: Any) -> Any:
    def call(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return function(input, *args, inplace=True, **kwargs)

    call.__name__ = function.__name__ + "_"
    call.__doc__ = f"`{function.__name__}`, written into the input."
    return call


relu_, leaky_relu_, elu_, selu_, celu_ = map(_inplace, (relu, leaky_relu, elu, selu, celu))
hardtanh_, threshold_, rrelu_ = map(_inplace, (hardtanh, threshold, rrelu))
