"""Losses, each one op: what a model is trained on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.fused import fused
from labtorch.engine.composite import composite
from labtorch.engine.op import op
from labtorch.ops.activation import log_softmax
from labtorch.ops.arithmetic import clamp, exp, log, sign, where
from labtorch.ops.reduction import mean, sum
from labtorch.ops.shape import unsqueeze


def check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: use mean, sum or none")


def _reduce(x: Any, reduction: str) -> Any:
    check_reduction(reduction)
    return x if reduction == "none" else sum(x) if reduction == "sum" else mean(x)


def _share(shape: tuple, reduction: str) -> float:
    """What each element's term counts in the result: 1/n of a mean, 1 of a sum or of itself."""
    if reduction != "mean":
        return 1.0
    n = math.prod(shape)
    return 1.0 / n if n else math.nan


@op(r"\ell = \frac{1}{n} \sum_i (\hat y_i - y_i)^2", name="mse_loss", broadcasts=True)
def mse(input, target, reduction="mean"):
    error = input - target
    if reduction == "mean":
        flat = error.ravel()
        return flat.dot(flat) / error.size if error.size else error.sum() * float("nan")
    check_reduction(reduction)
    return (error * error).sum() if reduction == "sum" else error * error


@mse.vjp("input", r"\bar{\hat y} = \bar\ell\,\frac{2}{n} (\hat y - y)")
def _(g, input, target, reduction):
    error = input - target
    return error * (g * (2 * _share(error.shape, reduction)))


@mse.vjp("target", r"\bar{y} = -\,\bar\ell\,\frac{2}{n} (\hat y - y)")
def _(g, input, target, reduction):
    error = target - input
    return error * (g * (2 * _share(error.shape, reduction)))


@op(r"\ell = \frac{1}{n} \sum_i |\hat y_i - y_i|", name="l1_loss", broadcasts=True)
def l1(input, target, reduction="mean"):
    check_reduction(reduction)
    error = _distance(input, target)
    return error if reduction == "none" else error.sum() if reduction == "sum" else error.mean()


@l1.vjp("input", r"\bar{\hat y} = \bar\ell\,\frac{1}{n} \operatorname{sign}(\hat y - y)")
def _(g, input, target, reduction):
    error = input - target
    return _even_pull(error, g, _share(error.shape, reduction))


@l1.vjp("target", r"\bar{y} = -\,\bar\ell\,\frac{1}{n} \operatorname{sign}(\hat y - y)")
def _(g, input, target, reduction):
    error = target - input
    return _even_pull(error, g, _share(error.shape, reduction))


@fused
def _distance(a, b):
    return namespace(a).abs(a - b)


@fused
def _even_pull(error, g, share):
    return sign(error) * (g * share)


def check_weight(weight: Any, classes: int, dtype: Any) -> None:
    """Refuse weights that are not one number per class."""
    if weight is None:
        return
    if weight.dtype != dtype:
        raise RuntimeError(f"expected scalar type {dtype} but found {weight.dtype} in weight")
    if weight.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.shape)}"
        )


def check_classes(input: Any, target: Any, ignore_index: int) -> None:
    """Refuse labels that name no class, with the first bad one (a GPU is not asked; `_chosen`)."""
    classes = input.shape[1] if input.ndim > 1 else input.shape[0]
    expected = input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()
    if target.dtype.kind not in "ui":
        raise RuntimeError(
            f"expected scalar type Long but found {target.dtype}: class indices are integers; "
            "convert them with target.long()"
        )
    if target.shape != expected:
        if target.shape[:1] != input.shape[:1]:
            raise ValueError(
                f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
                f"({target.shape[0] if target.ndim else 'none'})."
            )
        raise RuntimeError(
            f"Expected target size {list(expected)}, got {list(target.shape)}: one class index "
            "per row of the input"
        )
    if not isinstance(target, np.ndarray):
        return
    bad = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if bad.any():
        raise IndexError(
            f"Target {int(target[bad].reshape(-1)[0])} is out of bounds: the input has {classes} "
            f"classes, so labels run from 0 to {classes - 1}"
        )


@op(
    r"\ell = -\frac{1}{\sum_n w_{t_n}} \sum_n w_{t_n} "
    r"\ln \frac{e^{x_{n, t_n}}}{\sum_c e^{x_{n, c}}}",
    name="cross_entropy",
    keeps=("log_probability", "scale"),
)
def cross_entropy_indices(
    input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """Softmax and negative log-likelihood in one op, for x (N, C, ...) and classes t (N, ...)."""
    check_reduction(reduction)
    check_classes(input, target, ignore_index)
    lib = namespace(input)
    d = 1 if input.ndim > 1 else 0
    check_weight(weight, input.shape[d], input.dtype)
    logp = log_softmax.forward(input, d)
    likelihoods, scale, w = _likelihoods(
        lib, logp, target, weight, ignore_index, label_smoothing, d
    )
    losses = -likelihoods
    if reduction == "none":
        return losses, logp, scale
    total = losses.sum()
    if reduction == "mean":
        weights = w.sum()
        total, scale = total / weights, scale / weights  # 0 / 0 is NaN where all were ignored
    return total, logp, scale


def _chosen(lib: Any, target: Any, weight: Any, ignore: int, like: Any, d: int) -> tuple:
    """Of each label its place among the classes and the weight of its class; 0 for an ignored one.

    On a GPU nobody waits to hear whether a label names a class: one that does not weighs NaN.
    """
    if lib is not np and weight is None:
        return _chosen_alike(target, ignore, like.shape[d], like.dtype.type(1))
    kept = known = target != ignore
    if lib is not np:
        known = kept & (target >= 0) & (target < like.shape[d])
    place = lib.where(known, target, 0)
    w = kept if weight is None else lib.where(kept, weight[place], 0)
    if lib is not np:
        w = lib.where(known == kept, w, lib.nan)
    return place, w.astype(like.dtype)


@fused
def _chosen_alike(target, ignore, classes, one):
    """`_chosen` on a GPU, where all classes weigh one."""
    lib = namespace(target)
    kept = target != ignore
    known = kept & (target >= 0) & (target < classes)
    return lib.where(known, target, 0), lib.where(known == kept, kept.astype(one.dtype), lib.nan)


def _likelihoods(
    lib: Any, logp: Any, target: Any, weight: Any, ignore: int, smoothing: float, d: int
) -> tuple[Any, Any, Any]:
    """Weighted log-likelihood per label, the weights q that multiply logp: sum_c q_c logp_c, and
    those of the labels."""
    q = lib.zeros_like(logp)
    place, w = _chosen(lib, target, weight, ignore, logp, d)
    lib.put_along_axis(q, lib.expand_dims(place, d), lib.expand_dims(w * (1 - smoothing), d), d)
    if smoothing:
        classes = logp.shape[d]
        each = lib.full(classes, smoothing / classes, logp.dtype) * (
            1 if weight is None else weight
        )
        each = each.reshape((-1,) + (1,) * (logp.ndim - d - 1))
        q += each * lib.expand_dims((target != ignore).astype(logp.dtype), d)
    with np.errstate(invalid="ignore"):
        return _terms(q, logp).sum(axis=d), q, w


@fused
def _terms(q, logp):
    return namespace(q).where(q == 0, 0, q * logp)


@cross_entropy_indices.vjp(
    "input",
    r"\bar x_{n,c} = \frac{\bar\ell\, w_{t_n}}{\sum_m w_{t_m}} "
    r"(\operatorname{softmax}(x_n)_c - [c = t_n])",
)
def _(g, input, target, weight, ignore_index, reduction, label_smoothing, log_probability, scale):
    d = 1 if input.ndim > 1 else 0
    if log_probability is None:  # recorded for a higher order: from the input again
        log_probability = log_softmax(input, d)
        forward = cross_entropy_indices.forward
        plain = [getattr(x, "_array", x) for x in (input, target, weight)]
        scale = forward(*plain, ignore_index, reduction, label_smoothing)[2]
    if reduction == "none":
        g = unsqueeze(g, d)
    return _surplus(g, log_probability, scale.sum(axis=d, keepdims=True), scale)


@fused
def _surplus(g, logp, total, scale):
    return g * (exp(logp) * total - scale)


@composite
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross-entropy of logits (N, C, ...) with classes (N, ...) or probabilities (N, C, ...)."""
    if target._array.dtype.kind in "ui":
        return cross_entropy_indices(
            input, target, weight, ignore_index, reduction, label_smoothing
        )
    if tuple(target.shape) != tuple(input.shape):
        return cross_entropy_indices(
            input, target, weight, ignore_index, reduction, label_smoothing
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    d = 1 if input.ndim > 1 else 0
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[d]
    each = log_softmax(input, d) * target
    if weight is not None:
        each = each * weight.reshape((-1,) + (1,) * (input.ndim - d - 1))
    losses = -sum(each, d)
    if reduction == "mean":
        n = losses._array.size
        return sum(losses) / n
    return _reduce(losses, reduction)


@op(r"\ell = -\frac{1}{\sum_n w_{t_n}} \sum_n w_{t_n} x_{n, t_n}", name="nll_loss")
def nll(input, target, weight=None, ignore_index=-100, reduction="mean"):
    check_reduction(reduction)
    check_classes(input, target, ignore_index)
    lib, d = namespace(input), 1 if input.ndim > 1 else 0
    check_weight(weight, input.shape[d], input.dtype)
    likelihoods, _, w = _likelihoods(lib, input, target, weight, ignore_index, 0.0, d)
    if reduction == "none":
        return -likelihoods
    total = -likelihoods.sum()
    return total if reduction == "sum" else total / w.sum()


@nll.vjp("input", r"\bar x_{n,c} = -\,\bar\ell\, \frac{w_{t_n}}{\sum_m w_{t_m}} [c = t_n]")
def _(g, input, input_shape, target, weight, ignore_index, reduction):
    arrays = [getattr(x, "_array", x) for x in (input, target, weight)]
    lib, d = namespace(arrays[0]), 1 if len(input_shape) > 1 else 0
    _, q, w = _likelihoods(lib, *arrays, ignore_index, 0.0, d)
    if reduction == "mean":
        q = q / w.sum()
    return (unsqueeze(g, d) if reduction == "none" else g) * -q


@op(r"\ell = -\frac{1}{n} \sum_i t_i \ln p_i + (1 - t_i) \ln (1 - p_i)", broadcasts=True)
def _bce(input, target):
    looked_at = isinstance(input, np.ndarray)  # a GPU is not waited for: its logarithms are NaN
    if looked_at and input.size and (input.min() < 0 or input.max() > 1):
        raise RuntimeError(
            "all elements of input should be between 0 and 1: binary_cross_entropy takes "
            "probabilities; for logits use binary_cross_entropy_with_logits"
        )
    with np.errstate(divide="ignore"):
        return _entropy(input, target)


@fused
def _entropy(input, target):
    lib = namespace(input)
    high, low = lib.log(input), lib.log1p(-input)
    return -(target * lib.maximum(high, -100) + (1 - target) * lib.maximum(low, -100))


@_bce.vjp("input", r"\bar p = \bar\ell\, \frac{p - t}{p (1 - p)}")
@fused
def _(g, input, target):
    bounded = input * (1 - input)
    return g * (input - target) / where(bounded < 1e-12, 1e-12, bounded)


@_bce.vjp("target", r"\bar t = \bar\ell\, (\ln (1 - p) - \ln p)")
@fused
def _(g, input):
    return g * (log(1 - input) - log(input))


@composite
def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """Binary cross-entropy of probabilities."""
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    losses = _bce(input, target)
    return _reduce(losses if weight is None else losses * weight, reduction)


@op(r"\ell = \frac{1}{n} \sum_i \max(x_i, 0) - x_i t_i + \ln (1 + e^{-|x_i|})", broadcasts=True)
@fused
def _bce_logits(input, target, weight, pos_weight):
    lib = namespace(input)
    soft = lib.log1p(lib.exp(-lib.abs(input)))
    if pos_weight is None:
        losses = lib.maximum(input, 0) - input * target + soft
    else:
        scale = 1 + (pos_weight - 1) * target
        losses = (1 - target) * input + scale * (soft + lib.maximum(-input, 0))
    return losses if weight is None else losses * weight


@_bce_logits.vjp("input", r"\bar x = \bar\ell\, (\sigma(x) - t)")
@fused
def _(g, input, target, weight, pos_weight):
    from labtorch.ops.activation import sigmoid

    if weight is not None:
        g = g * weight
    if pos_weight is None:
        return g * (sigmoid(input) - target)
    scale = 1 + (pos_weight - 1) * target
    return g * ((1 - target) + scale * (sigmoid(input) - 1))


@_bce_logits.vjp("target", r"\bar t = -\,\bar\ell\, x")
@fused
def _(g, input, weight, pos_weight):
    from labtorch.ops.activation import softplus

    if weight is not None:
        g = g * weight
    return g * (-input if pos_weight is None else (pos_weight - 1) * softplus(-input) - input)


@composite
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """Binary cross-entropy of logits, stable at both ends."""
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    return _reduce(_bce_logits(input, target, weight, pos_weight), reduction)


@op(
    r"\ell_i = \tfrac{1}{2} e_i^2 \text{ if } |e_i| < \delta "
    r"\text{ else } \delta (|e_i| - \tfrac{\delta}{2}), \quad e = \hat y - y",
    broadcasts=True,
)
def huber(input, target, delta=1.0):
    """Of each element; the caller reduces."""
    return _huber(input, target, delta, 0.5 * delta)


@fused
def _huber(input, target, delta, half):
    lib = namespace(input)
    size = lib.abs(input - target)
    return lib.where(size < delta, 0.5 * size * size, delta * (size - half)).astype(size.dtype)


@huber.vjp("input", r"\bar{\hat y} = \bar\ell \odot \min(\max(e, -\delta), \delta)")
def _(g, input, target, delta):
    return _bounded_pull(g, input, target, -delta, delta)


@huber.vjp("target", r"\bar{y} = -\,\bar\ell \odot \min(\max(e, -\delta), \delta)")
def _(g, input, target, delta):
    return _bounded_pull(g, target, input, -delta, delta)


@fused
def _bounded_pull(g, a, b, low, high):
    return g * clamp(a - b, low, high)


@op(r"\ell_i = t_i (\ln t_i - x_i)", name="kl_div", broadcasts=True)
def kl(input, target, log_target=False):
    """Of each element; x is a logarithm of probabilities, t probabilities or their logarithms."""
    return _kl_of_logarithms(input, target) if log_target else _kl(input, target)


@fused
def _kl(input, target):
    lib = namespace(input)
    entropy = lib.where(target == 0, 0, target * lib.log(target)).astype(input.dtype)
    return entropy - target * input


@fused
def _kl_of_logarithms(input, target):
    return namespace(input).exp(target) * (target - input)


@kl.vjp("input", r"\bar x_i = -\,\bar\ell_i\, t_i")
def _(g, target, log_target):
    return -g * (exp(target) if log_target else target)


@kl.vjp("target", r"\bar t_i = \bar\ell_i\, (\ln t_i + 1 - x_i)")
def _(g, input, target, log_target):
    return (_kl_slope_of_logarithms if log_target else _kl_slope)(g, input, target)


@fused
def _kl_slope(g, input, target):
    return g * (log(target) + target / target - input)  # NaN at t = 0, as PyTorch has it


@fused
def _kl_slope_of_logarithms(g, input, target):
    return g * exp(target) * (target - input + 1)
