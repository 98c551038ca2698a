"""The functions behind the layers: `import labtorch.nn.functional as F`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

import numpy as np

from labtorch.engine import errors
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.inplace import apply_inplace
from labtorch.engine.modes import no_grad
from labtorch.engine.op import Op
from labtorch.engine.variable import wrap
from labtorch.ops import activation, arithmetic, indexing, loss, normalization, shape
from labtorch.ops.linear import linear
from labtorch.ops.reduction import sum as sum_along
from labtorch.tensor import functions, random
from labtorch.tensor.functions import one_hot, pad
from labtorch.tensor.tensor import Tensor

__all__ = [  # the rest is defined below
    "linear",
    "one_hot",
    "pad",
]


# -------------------------------------------------------------------- linear maps
@composite
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""y_o = x_1^T W_o x_2 + b_o, for x_1 (..., n), x_2 (..., m), W (o, n, m) and y (..., o)."""
    outputs, n, m = weight.shape
    rows = functions.reshape(input1, -1, n)
    maps = functions.reshape(functions.permute(weight, 1, 0, 2), n, outputs * m)
    half = functions.reshape(rows @ maps, -1, outputs, m)
    out = (half @ functions.reshape(input2, -1, m, 1)).squeeze(-1)  # type: ignore[attr-defined]
    if bias is not None:
        out = out + bias
    return functions.reshape(out, *input1.shape[:-1], outputs)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` by index; the row at `padding_idx` gets no gradient."""
    if padding_idx is not None:
        if not -len(weight) <= padding_idx < len(weight):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= len(weight)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    return apply(indexing.embedding, (input, weight, padding_idx, scale_grad_by_freq))


def _renormalize(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Shorten, in place, the rows that are looked up and longer than `max_norm`."""
    rows = np.unique(input._array)
    table = weight._array
    norms = (np.abs(table[rows]) ** norm_type).sum(1) ** (1 / norm_type)
    long = norms > max_norm
    if long.any():
        table[rows[long]] *= (max_norm / (norms[long] + 1e-7))[:, None].astype(table.dtype)
        weight.version().count += 1


# -------------------------------------------------------------------- activations
def _applied(operation: Op, inplace: bool, *args: Any) -> Tensor:
    return (apply_inplace if inplace else apply)(operation, args)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x)."""
    return apply_inplace(activation.relu, (input,)) if inplace else apply(activation.relu, (input,))


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, negative_slope x elsewhere."""
    return _applied(activation.leaky_relu, inplace, input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha (exp(x) - 1) elsewhere."""
    return _applied(activation.elu, inplace, input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU with the scale that keeps mean 0 and variance 1 (Klambauer et al., 2017)."""
    return _applied(activation.selu, inplace, input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha (exp(x / alpha) - 1) elsewhere."""
    return _applied(activation.celu, inplace, input, alpha)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x); approximate="tanh" uses a tanh for the normal distribution function."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return apply(activation.gelu_erf if approximate == "none" else activation.gelu_tanh, (input,))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x)."""
    return _applied(activation.silu, inplace, input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x))."""
    return _applied(activation.mish, inplace, input)


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
    return _applied(activation.hardtanh, inplace, input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6)."""
    return _applied(activation.hardtanh, inplace, input, 0.0, 6.0)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x hardsigmoid(x)."""
    return _applied(activation.hardswish, inplace, input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2, no less than 0 and no more than 1."""
    return _applied(activation.hardsigmoid, inplace, input)


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
    return _applied(activation.threshold, inplace, input, threshold, value)


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
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    drawn = random.rand_like(input)._array * (upper - lower) + lower
    mask = np.where(input._array >= 0, 1, drawn).astype(input._array.dtype)
    return _applied(activation.dropout, inplace, input, wrap(mask))


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
    noise = random._stream(None).gumbel(size=logits._array.shape).astype(logits._array.dtype)
    soft = functions.softmax((logits + wrap(noise)) / tau, dim)
    if not hard:
        return soft
    chosen = np.zeros_like(soft._array)
    best = np.expand_dims(soft._array.argmax(dim), dim)
    np.put_along_axis(chosen, best, 1, dim)
    return wrap(chosen) - soft.detach() + soft


# -------------------------------------------------------------------- dropout
def _check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _mask(size: tuple, p: float, like: Tensor) -> Tensor:
    """1 / (1 - p) with probability 1 - p, else 0."""
    dtype = like._array.dtype
    if p == 1.0:
        return wrap(np.zeros(size, dtype))
    drawn = random._stream(None).random(size, dtype=np.float32)
    return wrap((drawn >= p).astype(dtype) * dtype.type(1 / (1 - p)))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), in training."""
    _check_probability(p)
    if not training or p == 0.0:
        return input
    return _applied(activation.dropout, inplace, input, _mask(input._array.shape, p, input))


def _channel_dropout(
    name: str, spatial: int, input: Tensor, p: float, training: bool, inplace: bool
) -> Tensor:
    _check_probability(p)
    ndim = input.ndim
    if ndim not in (spatial + 1, spatial + 2):
        warnings.warn(
            f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in "
            f"an error in a future release. It takes {spatial + 1}-D or {spatial + 2}-D input.",
            stacklevel=3,
        )
    if not training or p == 0.0:
        return input
    batched = ndim >= spatial + 2 or name == "dropout2d"
    kept = 2 if batched else 1  # dropout2d takes the first of three dimensions for the batch
    size = input._array.shape[:kept] + (1,) * (ndim - kept)
    return _applied(activation.dropout, inplace, input, _mask(size, p, input))


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, L) or (C, L) with probability p."""
    _check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _channel_dropout("dropout1d", 1, input, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, H, W) with probability p."""
    return _channel_dropout("dropout2d", 2, input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability p."""
    return _channel_dropout("dropout3d", 3, input, p, training, inplace)


@composite
def _alpha_dropout(input: Tensor, p: float, training: bool, inplace: bool, size: tuple) -> Tensor:
    """Dropped elements take SELU's limit, and an affine map keeps mean 0 and variance 1."""
    _check_probability(p)
    if not training or p == 0.0:
        return input
    if p == 1.0:
        return input * 0.0
    low = -activation.SELU_ALPHA * activation.SELU_SCALE
    kept = (random._stream(None).random(size) >= p).astype(input._array.dtype)
    a = ((1 - p) * (1 + p * low * low)) ** -0.5
    offset = (1 - kept) * (a * low) - a * low * p
    return input * wrap(kept * a) + wrap(offset.astype(input._array.dtype))


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for SELU networks (Klambauer et al., 2017)."""
    return _alpha_dropout(input, p, training, inplace, input._array.shape)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """As `alpha_dropout`, on whole channels."""
    size = input._array.shape[:2] + (1,) * (input.ndim - 2)
    return _alpha_dropout(input, p, training, inplace, size)


# -------------------------------------------------------------------- norms and distances
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 over the last dimensions, then an affine map."""
    return apply(normalization.layer_norm, (input, tuple(normalized_shape), weight, bias, eps))


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Root mean square 1 over the last dimensions, then a scale."""
    return apply(normalization.rms_norm, (input, tuple(normalized_shape), weight, eps))


@composite
def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divide by the p-norm along `dim` (by eps where that is less)."""
    length = functions.norm(input, p, dim, True)
    return input / arithmetic.clamp(length, eps)


@composite
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (|x1| |x2|) along `dim`; a norm less than eps counts as eps."""
    a = arithmetic.clamp(functions.norm(x1, 2, dim, True), eps)
    b = arithmetic.clamp(functions.norm(x2, 2, dim, True), eps)
    return sum_along((x1 / a) * (x2 / b), dim)


@composite
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return functions.norm(x1 - x2 + eps, p, -1, keepdim)


# -------------------------------------------------------------------- losses
def _reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """What the two old flags mean, where one is given."""
    if size_average is None and reduce is None:
        return reduction
    average = True if size_average is None else size_average
    meant = "none" if reduce is False else "mean" if average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{meant}' instead.",
        stacklevel=3,
    )
    return meant


def _weighted(losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """Reduce the losses of single elements; with weights, to their weighted mean."""
    if weight is None:
        return loss._reduce(losses, reduction)
    loss.check_reduction(reduction)
    if weight.shape != losses.shape:
        raise ValueError("Weights and input must have the same size.")
    losses = losses * weight
    if reduction == "mean":
        return losses.sum() / weight.sum()  # type: ignore[attr-defined]
    return loss._reduce(losses, reduction)


def _warn_sizes(input: Tensor, target: Tensor) -> None:
    """Say that shapes differ: (N, 1) against (N,) broadcasts to (N, N) and trains on nonsense."""
    warnings.warn(
        f"Using a target size ({target.shape}) that is different to the input size "
        f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
        "Please ensure they have the same size.",
        stacklevel=_user_level(),
    )


def _user_level() -> int:
    """How far up the user's own frame is, for a warning that should name it."""
    level, user = 1, errors.user_frame()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame is not user:
        frame, level = frame.f_back, level + 1
    return level


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean of (input - target)^2."""
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    if size_average is not None or reduce is not None:
        reduction = _reduction(size_average, reduce, reduction)
    if weight is not None:
        return _weighted(apply(loss.mse, (input, target, "none")), weight, reduction)
    return apply(loss.mse, (input, target, reduction))


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean of |input - target|."""
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    reduction = _reduction(size_average, reduce, reduction)
    if weight is not None:
        return _weighted(apply(loss.l1, (input, target, "none")), weight, reduction)
    return apply(loss.l1, (input, target, reduction))


@composite
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """e^2 / (2 beta) for errors less than beta, |e| - beta / 2 beyond."""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    reduction = _reduction(size_average, reduce, reduction)
    if beta == 0:
        return apply(loss.l1, (input, target, reduction))
    return loss._reduce(apply(loss.huber, (input, target, beta)) / beta, reduction)


@composite
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """e^2 / 2 for errors less than delta, delta (|e| - delta / 2) beyond."""
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if input._array.shape != target._array.shape:
        _warn_sizes(input, target)
    return _weighted(apply(loss.huber, (input, target, delta)), weight, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of logits (N, C, ...) with class indices (N, ...) or probabilities."""
    if size_average is not None or reduce is not None:
        reduction = _reduction(size_average, reduce, reduction)
    if label_smoothing < 0.0 or label_smoothing > 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    return loss.cross_entropy(
        input, target, weight, None, ignore_index, None, reduction, label_smoothing
    )


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean of -(t ln p + (1 - t) ln(1 - p)), for probabilities p."""
    reduction = _reduction(size_average, reduce, reduction)
    return loss.binary_cross_entropy(input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of logits, stable at both ends."""
    reduction = _reduction(size_average, reduce, reduction)
    return loss.binary_cross_entropy_with_logits(
        input, target, weight, reduction=reduction, pos_weight=pos_weight
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean of -input[n, target[n]]: cross-entropy of log-probabilities."""
    reduction = _reduction(size_average, reduce, reduction)
    return apply(loss.nll, (input, target, weight, ignore_index, reduction))


@composite
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The mean of target (ln target - input), for log-probabilities `input`."""
    reduction = _reduction(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=_user_level(),
        )
    losses = apply(loss.kl, (input, target, log_target))
    if reduction == "batchmean":
        return losses.sum() / max(input.shape[0] if input.ndim else 1, 1)
    return loss._reduce(losses, reduction)


@composite
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - t x, or x - t ln(x + eps); `full` adds Stirling's formula for ln t!."""
    reduction = _reduction(size_average, reduce, reduction)
    if log_input:
        losses = arithmetic.exp(input) - target * input
    else:
        losses = input - target * arithmetic.log(input + eps)
    if full:
        safe = arithmetic.where(target > 1, target, 1.0)
        stirling = target * arithmetic.log(safe) - target + 0.5 * arithmetic.log(2 * np.pi * safe)
        losses = losses + arithmetic.where(target > 1, stirling, 0.0)
    return loss._reduce(losses, reduction)


@composite
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(ln v + (x - t)^2 / v) / 2, with the variance v no less than eps."""
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = wrap(np.full_like(input._array, var))
    elif (var._array < 0).any():
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = shape.unsqueeze(var, -1)
        elif not (input.shape[:-1] == var.shape[:-1] and var.shape[-1] == 1) and not _fits(
            var.shape, input.shape
        ):
            raise ValueError("var is of incorrect size")
    loss.check_reduction(reduction)
    bounded = var.clone()  # type: ignore[attr-defined]
    with no_grad():
        bounded.clamp_(min=eps)  # type: ignore[attr-defined]  # the gradient passes the bound
    error = input - target
    losses = (arithmetic.log(bounded) + error * error / bounded) * 0.5
    if full:
        losses = losses + 0.5 * float(np.log(2 * np.pi))
    return loss._reduce(losses, reduction)


def _fits(small: Sequence[int], large: Sequence[int]) -> bool:
    return len(small) == len(large) and all(a == b or a == 1 for a, b in zip(small, large))


@composite
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where t = 1, max(0, margin - x) where t = -1."""
    reduction = _reduction(size_average, reduce, reduction)
    apart = arithmetic.where(target == 1, 0.0, arithmetic.clamp(margin - input, 0))
    near = arithmetic.where(target == -1, 0.0, input)
    return loss._reduce(apart + near, reduction)


@composite
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - t (x1 - x2))."""
    reduction = _reduction(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return loss._reduce(arithmetic.clamp(margin - target * (input1 - input2), 0), reduction)


@composite
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """ln(1 + exp(-t x))."""
    reduction = _reduction(size_average, reduce, reduction)
    return loss._reduce(apply(activation.softplus, (-(target * input), 1.0, 20.0)), reduction)


@composite
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where t = 1, max(0, cos - margin) where t = -1."""
    reduction = _reduction(size_average, reduce, reduction)
    a, b = (sum_along(x * x, -1) + 1e-12 for x in (input1, input2))
    cosine = sum_along(input1 * input2, -1) / arithmetic.sqrt(a * b)
    near = arithmetic.where(target == 1, 1 - cosine, 0.0)
    apart = arithmetic.where(target == -1, arithmetic.clamp(cosine - margin, 0), 0.0)
    return loss._reduce(near + apart, reduction)


@composite
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) - d(a, n) + margin), with the distances of `pairwise_distance`."""
    reduction = _reduction(size_average, reduce, reduction)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = arithmetic.minimum(far, pairwise_distance(positive, negative, p, eps))
    return loss._reduce(arithmetic.clamp(near - far + margin, 0), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """As `triplet_margin_loss`, with a distance of one's own."""
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = arithmetic.minimum(far, distance(positive, negative))
    return loss._reduce(arithmetic.clamp(near - far + margin, 0), reduction)


def _inplace(function: Any) -> Any:
    def call(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return function(input, *args, inplace=True, **kwargs)

    call.__name__ = function.__name__ + "_"
    call.__doc__ = f"`{function.__name__}`, written into the input."
    return call


relu_, leaky_relu_, elu_, selu_, celu_ = map(_inplace, (relu, leaky_relu, elu, selu, celu))
hardtanh_, threshold_, rrelu_ = map(_inplace, (hardtanh, threshold, rrelu))
__all__ += [
    name
    for name, value in list(globals().items())
    if not name.startswith("_") and getattr(value, "__module__", None) == __name__
]
