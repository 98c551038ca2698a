r"""Convolutions of one, two and three dimensions, their adjoints, and sliding windows as columns.

With x (N, C, *in), w (O, C / groups, *kernel) and y (N, O, *out) a convolution is bilinear,

    y[n, o, i] = \sum_{c, k} w[o, c, k] x[n, c, i * stride + k * dilation - padding],

and so are its two adjoints: `spread` takes y and w to an x, `correlate` x and y to a w. The
gradients of each of the three are the other two, to any order. A transposed convolution is a
`spread`.

All three lay the windows of x out as rows, with the channels last, and are one product of matrices:
Chellapilla, Puri, Simard (2006). On a GPU, cuDNN computes them where it is there and can.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace, on_cpu
from labtorch.backend.cuda import cudnn
from labtorch.backend.threads import split
from labtorch.engine.op import Op, op
from labtorch.engine.public import FUNCTION, public
from labtorch.ops.arithmetic import conj
from labtorch.ops.shape import squeeze, unsqueeze

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]  # zeros before and after, for each dimension of space


# ---------------------------------------------------------------- the kernels, on arrays
def padded(x: Any, pads: Pads, value: Any = 0) -> Any:
    """x (N, *space, C) with a border around its space; a negative one after it cuts."""
    if not any(map(any, pads)):
        return x
    x = x[(slice(None), *(slice(m + min(hi, 0)) for m, (_, hi) in zip(x.shape[1:-1], pads)))]
    size = [m + lo + max(hi, 0) for m, (lo, hi) in zip(x.shape[1:-1], pads)]
    out = namespace(x).full((x.shape[0], *size, x.shape[-1]), value, x.dtype)
    out[(slice(None), *(slice(lo, lo + m) for m, (lo, _) in zip(x.shape[1:-1], pads)))] = x
    return out


def windows(x: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Any:
    """A view (N, *out, *kernel, C) of x (N, *space, C)."""
    n, *steps, channel = x.strides
    out = [
        (m - d * (k - 1) - 1) // s + 1
        for m, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation)
    ]
    fixed = {"writeable": False} if isinstance(x, np.ndarray) else {}  # CuPy keeps no such flag
    return namespace(x).lib.stride_tricks.as_strided(
        x,
        (x.shape[0], *out, *kernel, x.shape[-1]),
        (
            n,
            *(a * s for a, s in zip(steps, stride)),
            *(a * d for a, d in zip(steps, dilation)),
            channel,
        ),
        **fixed,
    )


def _last(x: Any) -> Any:
    """The channels of x (N, C, *space) last."""
    return namespace(x).moveaxis(x, 1, -1)


def _first(x: Any) -> Any:
    """The channels of x (N, *space, C) second again, contiguous."""
    lib = namespace(x)
    return lib.ascontiguousarray(lib.moveaxis(x, -1, 1))


def _rows(x: Any, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int) -> Any:
    """The windows of x (N, C, *in) as matrices (groups, N * out, kernel * C / groups)."""
    seen = windows(padded(_last(x), pads), kernel, stride, dilation)
    length = len(seen.shape[1 : -len(kernel) - 1]) + 1
    if groups == 1:
        return seen.reshape((1, product(seen.shape[:length]), product(seen.shape[length:])))
    seen = seen.reshape((*seen.shape[:-1], groups, seen.shape[-1] // groups))
    seen = namespace(x).moveaxis(seen, -2, 0)
    rows, row = seen.shape[1 : length + 1], seen.shape[length + 1 :]
    return seen.reshape((groups, product(rows), product(row)))


def product(sizes: Sequence[int]) -> int:
    out = 1
    for each in sizes:
        out *= each
    return out


def _room(y: Any, w: Any) -> int:
    """How many elements the windows have that y (N, O, *out) comes from."""
    return product(y.shape[2:]) * len(y) * product(w.shape[1:])


def _pixels(y: Any, groups: int) -> Any:
    """y (N, O, *out) as matrices (groups, N * out, O / groups)."""
    count = y.shape[0] * product(y.shape[2:])
    pixels = _last(y).reshape((count, groups, y.shape[1] // groups))
    return pixels.swapaxes(0, 1)


def _matrices(w: Any, groups: int) -> Any:
    """w (O, C / groups, *kernel) as matrices (groups, kernel * C / groups, O / groups)."""
    rows = _last(w).reshape((groups, w.shape[0] // groups, -1))
    return rows.swapaxes(1, 2)


def steps(kernel: Sizes, dilation: Sizes, stride: Sizes, out: Sequence[int]) -> Any:
    """For each element of the kernel, its index and the slices of the space that it meets."""
    for k in itertools.product(*map(range, kernel)):
        starts = [i * d for i, d in zip(k, dilation)]
        yield k, tuple(slice(a, a + s * (m - 1) + 1, s) for a, s, m in zip(starts, stride, out))


def overlap_add(rows: Any, size: Sizes, stride: Sizes, pads: Pads, dilation: Sizes) -> Any:
    """The adjoint of `windows` after `padded`: from rows (N, *out, *kernel, C) to (N, *size, C)."""
    n = len(size)
    out, kernel = rows.shape[1 : n + 1], rows.shape[n + 1 : -1]
    whole = [m + lo + max(hi, 0) for m, (lo, hi) in zip(size, pads)]
    x = namespace(rows).zeros((rows.shape[0], *whole, rows.shape[-1]), rows.dtype)
    for k, part in steps(kernel, dilation, stride, out):
        x[(slice(None), *part)] += rows[(slice(None), *(slice(None),) * n, *k)]
    return x[(slice(None), *(slice(lo, lo + m) for m, (lo, _) in zip(size, pads)))]


# ---------------------------------------------------------------- the three bilinear maps
@op(r"y_{n o i} = \sum_{c k} w_{o c k}\, x_{n, c, i s + k d - p}")
def convolve(input, weight, stride, pads, dilation, groups):
    """x (N, C, *in) and w (O, C / groups, *kernel) to y (N, O, *out)."""
    kernel = weight.shape[2:]
    whole = [m + sum(pad) for m, pad in zip(input.shape[2:], pads)]
    out = [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(whole, kernel, stride, dilation)]
    shape = input.shape[0], weight.shape[0], *out
    if not on_cpu(input):
        y = cudnn.run("conv_fprop", input, weight, shape, stride, pads, dilation)
        if y is not None:
            return y
    lib, matrices = namespace(input), _matrices(weight, groups)
    y = lib.empty(shape, input.dtype)

    def convolve_part(part: slice) -> None:
        x = input[part]
        pixels = _rows(x, kernel, stride, pads, dilation, groups) @ matrices
        pixels = pixels[0] if groups == 1 else pixels.swapaxes(0, 1)
        y[part] = lib.moveaxis(pixels.reshape((len(x), *out, weight.shape[0])), -1, 1)

    split(convolve_part, input, _room(y, weight))
    return y


@op(r"x_{n c j} = \sum_{o,\, i s + k d - p = j} w_{o c k}\, y_{n o i}")
def spread(input, weight, size, stride, pads, dilation, groups):
    """y (N, O, *out) and w (O, C / groups, *kernel) to x (N, C, *size): the transposed map."""
    kernel, lib = weight.shape[2:], namespace(input)
    channels = groups * weight.shape[1]
    shape = input.shape[0], channels, *size
    if not on_cpu(input):
        x = cudnn.run("conv_dgrad", input, weight, shape, stride, pads, dilation)
        if x is not None:
            return x
    matrices = _matrices(weight, groups).swapaxes(1, 2)
    x = lib.empty(shape, input.dtype)

    def spread_part(part: slice) -> None:
        y = input[part]
        rows = _pixels(y, groups) @ matrices
        shape = (groups, len(y), *y.shape[2:], *kernel, weight.shape[1])
        rows = lib.moveaxis(rows.reshape(shape), 0, -2)
        rows = rows.reshape((*rows.shape[:-2], channels))
        x[part] = lib.moveaxis(overlap_add(rows, size, stride, pads, dilation), -1, 1)

    split(spread_part, input, _room(input, weight))
    return x


@op(r"w_{o c k} = \sum_{n i} y_{n o i}\, x_{n, c, i s + k d - p}")
def correlate(input, other, kernel, stride, pads, dilation, groups):
    """x (N, C, *in) and y (N, O, *out) to w (O, C / groups, *kernel)."""
    if not on_cpu(input):
        shape = other.shape[1], input.shape[1] // groups, *kernel
        w = cudnn.run("conv_wgrad", input, other, shape, stride, pads, dilation)
        if w is not None:
            return w

    def correlate_part(part: slice) -> Any:
        rows = _rows(input[part], kernel, stride, pads, dilation, groups)
        return rows.swapaxes(1, 2) @ _pixels(other[part], groups)

    room = product(other.shape[2:]) * len(other) * input.shape[1] * product(kernel)
    w = sum(split(correlate_part, input, room))
    w = w.swapaxes(1, 2).reshape((other.shape[1], *kernel, input.shape[1] // groups))
    return _first(w)


@convolve.vjp("input", r"\bar x = \operatorname{spread}(\bar y, w)")
def _(g, input_shape, weight, stride, pads, dilation, groups):
    return spread(g, conj(weight), input_shape[2:], stride, pads, dilation, groups)


@convolve.vjp("weight", r"\bar w = \operatorname{correlate}(x, \bar y)")
def _(g, input, weight_shape, stride, pads, dilation, groups):
    return correlate(conj(input), g, weight_shape[2:], stride, pads, dilation, groups)


@spread.vjp("input", r"\bar y = \operatorname{convolve}(\bar x, w)")
def _(g, weight, stride, pads, dilation, groups):
    return convolve(g, conj(weight), stride, pads, dilation, groups)


@spread.vjp("weight", r"\bar w = \operatorname{correlate}(\bar x, y)")
def _(g, input, weight_shape, stride, pads, dilation, groups):
    return correlate(g, conj(input), weight_shape[2:], stride, pads, dilation, groups)


@correlate.vjp("input", r"\bar x = \operatorname{spread}(y, \bar w)")
def _(g, input_shape, other, stride, pads, dilation, groups):
    return spread(conj(other), g, input_shape[2:], stride, pads, dilation, groups)


@correlate.vjp("other", r"\bar y = \operatorname{convolve}(x, \bar w)")
def _(g, input, stride, pads, dilation, groups):
    return convolve(conj(input), g, stride, pads, dilation, groups)


# ---------------------------------------------------------------- PyTorch's functions
def sizes(value: Any, n: int, name: str) -> Sizes:
    """One number for all dimensions, or one for each."""
    given = tuple(value) if isinstance(value, Sequence) else (value,)
    given = tuple(map(int, given))
    if len(given) not in (1, n):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {n} values to match the "
            f"convolution dimensions, but got {name}={list(given)}"
        )
    return given * n if len(given) == 1 else given


def _pads(padding: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Pads:
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        if set(stride) != {1}:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        reach = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return tuple((r // 2, r - r // 2) for r in reach)
    if isinstance(padding, str):
        raise RuntimeError(f"Invalid padding string: '{padding}'; 'same' and 'valid' are known")
    counts = sizes(padding, len(kernel), "padding")
    if min(counts) < 0:
        raise RuntimeError(f"negative padding is not supported, but got padding={list(counts)}")
    return tuple((p, p) for p in counts)


def _check(name, n, input, weight, bias, stride, dilation, groups, transposed) -> None:
    """Refuse what does not fit, in PyTorch's words."""
    for what, other in (("weight", weight), ("bias", bias)):
        if other is not None and other.dtype != input.dtype:
            raise RuntimeError(
                f"Input type ({input.dtype}) and {what} type ({other.dtype}) should be the same"
            )
    if weight.ndim < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input "
            f"of size: {list(input.shape)}"
        )
    if weight.ndim != n + 2:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight "
            f"{list(weight.shape)}, but got {n + 2}-dimensional input of size "
            f"{list(input.shape)} instead"
        )
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise RuntimeError("dilation should be greater than zero")
    if weight.shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {list(weight.shape)} instead"
        )
    if weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(weight.shape)} instead"
        )
    wanted = weight.shape[0] if transposed else weight.shape[1] * groups
    given = input.shape[-n - 1]
    if given != wanted:
        start = f"transposed={int(transposed)}" if transposed else f"groups={groups}"
        raise RuntimeError(
            f"Given {start}, weight of size {list(weight.shape)}, expected input"
            f"{list(input.shape)} to have {wanted} channels, but got {given} channels instead"
        )
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(
            f"Given transposed={int(transposed)}, weight of size {list(weight.shape)}, expected "
            f"bias to be 1-dimensional with {outputs} elements, but got bias of size "
            f"{list(bias.shape)} instead"
        )


def _with_bias(y: Any, bias: Any, batched: bool) -> Any:
    if bias is not None:
        y += bias.reshape((-1,) + (1,) * (y.ndim - 2))
    return y if batched else y[0]


def _batch(x: Any, n: int) -> Any:
    """x with a dimension of samples."""
    return x if x.ndim == n + 2 else unsqueeze(x, 0)


def _unbatch(x: Any, n: int, like: Sequence[int]) -> Any:
    return x if len(like) == n + 2 else squeeze(x, 0)


def _convolution(n: int) -> Op:
    """conv1d, conv2d or conv3d."""

    @op(r"y_{n o i} = b_o + \sum_{c k} w_{o c k}\, x_{n, c, i s + k d - p}", name=f"conv{n}d")
    def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        """x (N, C, *in) or (C, *in) and w (O, C / groups, *kernel) to y (N, O, *out)."""
        stride, dilation = sizes(stride, n, "stride"), sizes(dilation, n, "dilation")
        _check(f"conv{n}d", n, input, weight, bias, stride, dilation, groups, False)
        kernel = weight.shape[2:]
        pads = _pads(padding, kernel, stride, dilation)
        whole = [m + sum(pad) for m, pad in zip(input.shape[-n:], pads)]
        if any(m < d * (k - 1) + 1 for m, k, d in zip(whole, kernel, dilation)):
            across = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
            raise RuntimeError(
                f"Calculated padded input size per channel: ({' x '.join(map(str, whole))}). "
                f"Kernel size: ({' x '.join(map(str, across))}). Kernel size can't be greater than "
                "actual input size"
            )
        x = _batch(input, n)
        y = convolve.forward(x, weight, stride, pads, dilation, groups)
        return _with_bias(y, bias, x is input)

    def geometry(kernel, stride, padding, dilation):
        stride, dilation = sizes(stride, n, "stride"), sizes(dilation, n, "dilation")
        return stride, _pads(padding, kernel, stride, dilation), dilation

    @conv.vjp("input", r"\bar x = \operatorname{spread}(\bar y, w)")
    def _(g, input_shape, weight, stride, padding, dilation, groups):
        placed = geometry(weight.shape[2:], stride, padding, dilation)
        x = spread(_batch(g, n), conj(weight), input_shape[-n:], *placed, groups)
        return _unbatch(x, n, input_shape)

    @conv.vjp("weight", r"\bar w = \operatorname{correlate}(x, \bar y)")
    def _(g, input, weight_shape, stride, padding, dilation, groups):
        kernel = weight_shape[2:]
        placed = geometry(kernel, stride, padding, dilation)
        return correlate(_batch(conj(input), n), _batch(g, n), kernel, *placed, groups)

    @conv.vjp("bias", r"\bar b_o = \sum_{n i} \bar y_{n o i}")
    def _(g):
        return _batch(g, n).sum((0, *range(2, n + 2)))

    return public(FUNCTION)(conv)


def _transposed_convolution(n: int) -> Op:
    """conv_transpose1d, conv_transpose2d or conv_transpose3d."""
    name = f"conv_transpose{n}d"

    @op(r"y_{n o j} = b_o + \sum_{c,\, i s + k d - p = j} w_{c o k}\, x_{n c i}", name=name)
    def conv(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        """The adjoint of a convolution: x (N, C, *in), w (C, O / groups, *k) to y (N, O, *out)."""
        kernel = weight.shape[2:]
        stride, pads, dilation = geometry(kernel, stride, padding, output_padding, dilation)
        _check(name, n, input, weight, bias, stride, dilation, groups, True)
        extra = sizes(output_padding, n, "output_padding")
        if min(extra) < 0:
            raise RuntimeError("negative output_padding is not supported")
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got "
                f"output_padding={list(extra)}, stride={list(stride)}, dilation={list(dilation)}"
            )
        size = tuple(
            (m - 1) * s - sum(p) + d * (k - 1) + 1
            for m, s, p, d, k in zip(input.shape[-n:], stride, pads, dilation, kernel)
        )
        if min(size) <= 0:
            raise RuntimeError(
                f"Given input size per channel: {list(input.shape[-n:])}. Calculated output size "
                f"per channel: {list(size)}. Output size is too small"
            )
        x = _batch(input, n)
        y = spread.forward(x, weight, size, stride, pads, dilation, groups)
        return _with_bias(y, bias, x is input)

    def geometry(kernel, stride, padding, output_padding, dilation):
        """With the padding that the convolution has from the output's size back to the input's."""
        stride, dilation = sizes(stride, n, "stride"), sizes(dilation, n, "dilation")
        extra = sizes(output_padding, n, "output_padding")
        pads = _pads(padding, kernel, stride, dilation)
        return stride, tuple((lo, hi - e) for (lo, hi), e in zip(pads, extra)), dilation

    @conv.vjp("input", r"\bar x = \operatorname{convolve}(\bar y, w)")
    def _(g, input_shape, weight, stride, padding, output_padding, dilation, groups):
        placed = geometry(weight.shape[2:], stride, padding, output_padding, dilation)
        return _unbatch(convolve(_batch(g, n), conj(weight), *placed, groups), n, input_shape)

    @conv.vjp("weight", r"\bar w = \operatorname{correlate}(\bar y, x)")
    def _(g, input, weight_shape, stride, padding, output_padding, dilation, groups):
        kernel = weight_shape[2:]
        placed = geometry(kernel, stride, padding, output_padding, dilation)
        return correlate(_batch(g, n), _batch(conj(input), n), kernel, *placed, groups)

    @conv.vjp("bias", r"\bar b_o = \sum_{n j} \bar y_{n o j}")
    def _(g):
        return _batch(g, n).sum((0, *range(2, n + 2)))

    return public(FUNCTION)(conv)


conv1d, conv2d, conv3d = map(_convolution, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_transposed_convolution, (1, 2, 3))


# ---------------------------------------------------------------- windows as columns
@op(r"y_{n,\, c k,\, i} = x_{n, c, i s + k d - p}")
def im2col(input, kernel_size, dilation, padding, stride):
    """Every window of x (N, C, H, W) as a column: y (N, C * kernel, windows)."""
    seen = windows(
        padded(_last(input), tuple((p, p) for p in padding)), kernel_size, stride, dilation
    )
    columns = namespace(input).moveaxis(seen, (-1, -3, -2), (1, 2, 3))
    count = product(columns.shape[4:])
    return columns.reshape((input.shape[0], input.shape[1] * product(kernel_size), count))


@im2col.vjp("input", r"\bar x_{n, c, i s + k d - p} \mathrel{+}= \bar y_{n,\, c k,\, i}")
def _(g, input_shape, kernel_size, dilation, padding, stride):
    return col2im(g, input_shape[2:], kernel_size, dilation, padding, stride)


@op(r"y_{n, c, i s + k d - p} \mathrel{+}= x_{n,\, c k,\, i}")
def col2im(input, output_size, kernel_size, dilation, padding, stride):
    """Columns x (N, C * kernel, windows) added up where their windows lie: y (N, C, H, W)."""
    pads = tuple((p, p) for p in padding)
    out = [
        (m + 2 * p - d * (k - 1) - 1) // s + 1
        for m, p, d, k, s in zip(output_size, padding, dilation, kernel_size, stride)
    ]
    lib = namespace(input)
    channels = input.shape[1] // product(kernel_size)
    columns = input.reshape((input.shape[0], channels, *kernel_size, *out))
    rows = lib.moveaxis(columns, (1, 2, 3), (-1, -3, -2))
    return _first(overlap_add(rows, tuple(output_size), stride, pads, dilation))


@col2im.vjp("input", r"\bar x_{n,\, c k,\, i} = \bar y_{n, c, i s + k d - p}")
def _(g, kernel_size, dilation, padding, stride):
    return im2col(g, kernel_size, dilation, padding, stride)
