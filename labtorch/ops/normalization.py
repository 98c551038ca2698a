"""Normalisation: centre, scale, and an affine map of the result."""

from __future__ import annotations

from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.backend.fused import fused
from labtorch.engine.op import op
from labtorch.ops.arithmetic import rsqrt
from labtorch.ops.reduction import mean, sum, var
from labtorch.ops.shape import sum_to


def _last(shape: tuple) -> tuple[int, ...]:
    return tuple(range(-len(shape), 0))


def _check(name: str, input: Any, shape: tuple, weight: Any, bias: Any = None) -> None:
    shape = tuple(shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for what, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.shape != shape:
            raise RuntimeError(
                f"Expected {what} to be of same shape as normalized_shape, but got {what} of shape "
                f"{list(given.shape)} and normalized_shape = {list(shape)}"
            )
    if input.ndim < len(shape) or input.shape[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
        )


@op(
    r"y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \odot w + b",
    keeps=("normalized", "scale"),
)
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 over the last dimensions. Source: Ba, Kiros, Hinton (2016)."""
    _check("layer_norm", input, normalized_shape, weight, bias)
    lib, axes = namespace(input), _last(normalized_shape)
    centred = input - input.mean(axis=axes, keepdims=True)
    variance = lib.square(centred).mean(axis=axes, keepdims=True)
    scale = _inverse_root(variance, eps)
    return _scaled(centred, scale, weight, bias), centred, scale


@fused
def _inverse_root(variance, eps):
    return 1 / namespace(variance).sqrt(variance + eps)


@fused
def _scaled(x, scale, weight, bias):
    """x times the scale, which stays in x, and its affine map."""
    x *= scale
    y = x if weight is None else x * weight
    return y if bias is None else y + bias


@fused
def _orthogonal(h, x, mean_h, mean_hx, scale):
    """h without its parts along 1 and along x, scaled."""
    return (h - mean_h - x * mean_hx) * scale


def _normalized(input: Any, shape: tuple, eps: float, normalized: Any, scale: Any) -> tuple:
    """What the forward kept, or the same again from the input, for a recorded backward pass."""
    if normalized is not None:
        return normalized, scale
    axes = _last(shape)
    scale = rsqrt(var(input, axes, 0, True) + eps)
    return (input - mean(input, axes, True)) * scale, scale


@layer_norm.vjp(
    "input",
    r"\bar x = \tfrac{1}{\sigma} \bigl(h - \operatorname{mean} h "
    r"- \hat x \operatorname{mean}(h \hat x)\bigr), \; h = \bar y \odot w",
)
def _(g, input, normalized_shape, weight, eps, normalized, scale):
    x, scale = _normalized(input, normalized_shape, eps, normalized, scale)
    axes = _last(normalized_shape)
    h = g if weight is None else g * weight
    return _orthogonal(h, x, mean(h, axes, True), mean(h * x, axes, True), scale)


@layer_norm.vjp("weight", r"\bar w = \sum \bar y \odot \hat x")
def _(g, input, normalized_shape, eps, weight_shape, normalized, scale):
    x, _ = _normalized(input, normalized_shape, eps, normalized, scale)
    return sum_to(g * x, weight_shape)


@layer_norm.vjp("bias", r"\bar b = \sum \bar y")
def _(g, bias_shape):
    return sum_to(g, bias_shape)


@op(r"y = \frac{x}{\sqrt{\operatorname{mean}(x^2) + \epsilon}} \odot w")
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Root mean square 1 over the last dimensions. Source: Zhang, Sennrich (2019)."""
    _check("rms_norm", input, normalized_shape, weight)
    lib = namespace(input)
    square = lib.square(input).mean(axis=_last(normalized_shape), keepdims=True)
    return _over_root(input, square, lib.finfo(input.dtype).eps if eps is None else eps, weight)


@fused
def _over_root(input, square, eps, weight):
    y = input / namespace(input).sqrt(square + eps)
    return y if weight is None else y * weight


def _rms_scale(input: Any, shape: tuple, eps: float | None) -> Any:
    import numpy as np

    dtype = getattr(input, "_array", input).dtype
    square = mean(input * input, _last(shape), True)
    return _rsqrt(square, np.finfo(dtype).eps if eps is None else eps)


@fused
def _rsqrt(square, eps):
    return rsqrt(square + eps)


@rms_norm.vjp(
    "input",
    r"\bar x = \tfrac{1}{r} \bigl(h - \hat x \operatorname{mean}(h \hat x)\bigr), "
    r"\; h = \bar y \odot w",
)
def _(g, input, normalized_shape, weight, eps):
    scale = _rms_scale(input, normalized_shape, eps)
    x = input * scale
    h = g if weight is None else g * weight
    return _less_along(h, x, mean(h * x, _last(normalized_shape), True), scale)


@fused
def _less_along(h, x, mean_hx, scale):
    return (h - x * mean_hx) * scale


@rms_norm.vjp("weight", r"\bar w = \sum \bar y \odot \hat x")
def _(g, input, normalized_shape, eps, weight_shape):
    return sum_to(_scaled_product(g, input, _rms_scale(input, normalized_shape, eps)), weight_shape)


@fused
def _scaled_product(g, x, scale):
    return g * (x * scale)


# -------------------------------------------------------------------- statistics per channel
def _channels(input: Any) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """The dimensions to reduce, the shape of a channel's number, and how many elements it has."""
    shape = tuple(input.shape)
    axes = (0, *range(2, len(shape)))
    n = 1
    for d in axes:
        n *= shape[d]
    return axes, (1, -1) + (1,) * (len(shape) - 2), n


def _check_channels(name: str, channels: int, **given: Any) -> None:
    for what, each in given.items():
        if each is not None and each.shape != (channels,):
            raise RuntimeError(
                f"{what} should contain {channels} elements not {each.size}: {name} has one per "
                "channel, dimension 1 of its input"
            )


def _per_channel(x: Any, y: Any = None) -> Any:
    """The sum of x (or of x y) over all but the channels, each channel's in one number."""
    if hasattr(x, "_array") or hasattr(y, "_array"):
        axes, spread, _ = _channels(x)
        return sum(x if y is None else x * y, axes).reshape(spread)
    lib, (_, spread, _) = namespace(x), _channels(x)
    operands = [x] if y is None else [x, y]
    if all(each.strides[1] == each.itemsize for each in operands):  # channels last in memory
        operands = [lib.moveaxis(each, 1, -1).reshape(-1, each.shape[1]) for each in operands]
        letters = "mc"
    else:
        operands = [each.reshape(*each.shape[:2], -1) for each in operands if each.size]
        letters = "ncl"
    if not operands or not operands[0].size:
        return lib.zeros(x.shape[1], x.dtype).reshape(spread)
    return lib.einsum(",".join([letters] * len(operands)) + "->c", *operands).reshape(spread)


@op(
    r"y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \odot w + b",
    keeps=("centre", "scale"),
)
def batch_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
):
    """Mean 0 and variance 1 per channel: over the batch while training, else by the running ones.

    While training, these move to the batch's by `momentum`, in place. Source: Ioffe, Szegedy
    (2015). `centre` and `scale` are the mean and 1 / the standard deviation that were used.
    """
    _, spread, n = _channels(input)
    statistics = {"running_mean": running_mean, "running_var": running_var}
    _check_channels("batch_norm", input.shape[1], **statistics, weight=weight, bias=bias)
    if training:
        centre = _per_channel(input) / max(n, 1)
        y = input - centre
        variance = _per_channel(y, y) / max(n, 1)
        if running_mean is not None and n:
            unbiased = variance.reshape(-1) * (n / max(n - 1, 1))
            _move(running_mean, centre.reshape(-1), momentum)
            _move(running_var, unbiased, momentum)
    else:
        centre, variance = (x.astype(input.dtype).reshape(spread) for x in statistics.values())
        y = input - centre
    scale = _inverse_root(variance, eps)
    slope = scale if weight is None else scale * weight.reshape(spread)
    _map(y, slope, None if bias is None else bias.reshape(spread))
    return y, centre, scale


@fused
def _move(running, new, momentum):
    running += momentum * (new - running)


@fused
def _map(y, slope, bias):
    y *= slope
    if bias is not None:
        y += bias


@batch_norm.vjps(
    "input",
    "weight",
    "bias",
    formula=r"\bar x = \tfrac{w}{\sigma} \bigl(\bar y - \operatorname{mean} \bar y "
    r"- \hat x \operatorname{mean}(\bar y \hat x)\bigr), \; \bar w = \sum \bar y \odot \hat x, \; "
    r"\bar b = \sum \bar y",
)
def _(g, input, running_mean, running_var, weight, training, eps, centre, scale, needs):
    axes, spread, n = _channels(input)
    if centre is None:  # a recorded pass: from the input again
        if training:
            centre, variance = mean(input, axes, True), var(input, axes, 0, True)
        else:
            centre, variance = (x.reshape(spread) for x in (running_mean, running_var))
        scale = rsqrt(variance + eps)
    centred = input - centre
    total, along = _per_channel(g), _per_channel(g, centred) * scale
    gradients: list[Any] = [None] * 8
    if needs[0]:
        slope = scale if weight is None else scale * weight.reshape(spread)
        if training:
            gradients[0] = _through_batch(g, centred, slope, scale, total, along, n)
        else:
            gradients[0] = g * slope
    gradients[3], gradients[4] = along.reshape((-1,)), total.reshape((-1,))
    return gradients


@fused
def _through_batch(g, centred, slope, scale, total, along, n):
    """Also through the mean and the variance, which are the batch's."""
    through = g * slope
    return through - (centred * (slope * scale * along / n) + slope * total / n)


@op(
    r"y = \frac{x - \mu_g}{\sqrt{\sigma_g^2 + \epsilon}} \odot w + b", keeps=("normalized", "scale")
)
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Mean 0 and variance 1 per sample and group of channels. Source: Wu, He (2018)."""
    lib, (_, spread, _) = namespace(input), _channels(input)
    channels = input.shape[1]
    if num_groups <= 0 or channels % num_groups:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    for what, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.shape != (channels,):
            raise RuntimeError(
                f"Expected {what} to be a vector of size equal to the number of channels in input, "
                f"but got {what} of shape {list(given.shape)} and input of shape "
                f"{list(input.shape)}"
            )
    rows = input.reshape(_groups(input, num_groups))
    centred = rows - rows.mean(axis=2, keepdims=True)
    scale = _inverse_root(lib.square(centred).mean(axis=2, keepdims=True), eps)
    centred *= scale
    normalized = centred.reshape(input.shape)
    if weight is None and bias is None:
        return normalized, normalized, scale
    w, b = (None if each is None else each.reshape(spread) for each in (weight, bias))
    return _affine(normalized, w, b), normalized, scale


@fused
def _affine(x, weight, bias):
    y = x if weight is None else x * weight
    return y if bias is None else y + bias


def _groups(input: Any, num_groups: int) -> tuple[int, int, int]:
    """The shape with the elements of a group in a row."""
    n = 1
    for size in input.shape[1:]:
        n *= size
    return input.shape[0], num_groups, n // num_groups


@group_norm.vjps(
    "input",
    "weight",
    "bias",
    formula=r"\bar x = \tfrac{1}{\sigma_g} \bigl(h - \operatorname{mean}_g h "
    r"- \hat x \operatorname{mean}_g(h \hat x)\bigr), \; h = \bar y \odot w, \; "
    r"\bar w = \sum \bar y \odot \hat x, \; \bar b = \sum \bar y",
)
def _(g, input, num_groups, weight, eps, normalized, scale, needs):
    axes, spread, _ = _channels(input)
    shape, rows = tuple(input.shape), _groups(input, num_groups)
    if normalized is None:
        x = input.reshape(rows)
        scale = rsqrt(var(x, 2, 0, True) + eps)
        normalized = ((x - mean(x, 2, True)) * scale).reshape(shape)
    gradients: list[Any] = [None] * 5
    if needs[0]:
        h = (g if weight is None else g * weight.reshape(spread)).reshape(rows)
        x = normalized.reshape(rows)
        gradient = _orthogonal(h, x, mean(h, 2, True), mean(h * x, 2, True), scale)
        gradients[0] = gradient.reshape(shape)
    gradients[2], gradients[3] = sum(g * normalized, axes), sum(g, axes)
    return gradients
