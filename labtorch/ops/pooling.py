r"""Pooling: the largest element or the mean of each window of the last one to three dimensions.

y[i] = max over k of x[i * stride + k * dilation - padding]
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace, readable
from labtorch.backend.threads import split
from labtorch.engine.op import Op, op
from labtorch.engine.public import FUNCTION, public
from labtorch.ops.conv import Sizes, product, steps
from labtorch.ops.indexing import gather, scatter_along


# ---------------------------------------------------------------- where the windows lie
def sizes(value: Any, n: int, name: str) -> Sizes:
    """One number for all dimensions, or one for each."""
    given = tuple(map(int, value)) if isinstance(value, Sequence) else (int(value),)
    if len(given) not in (1, n):
        raise RuntimeError(f"{name} must either be a single int, or a tuple of {n} ints")
    return given * n if len(given) == 1 else given


def geometry(n: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> tuple:
    """Kernel, stride (the kernel, if none is given), padding and dilation, each of n numbers."""
    kernel = sizes(kernel_size, n, "kernel_size")
    stride = kernel if stride is None or stride == () else sizes(stride, n, "stride")
    return kernel, stride, sizes(padding, n, "padding"), sizes(dilation, n, "dilation")


def windows_along(ceil_mode: bool, m: int, k: int, s: int, p: int, d: int) -> int:
    """How many windows there are; with `ceil_mode`, a last one may reach over the border."""
    room = m + 2 * p - d * (k - 1) - 1
    out = (room + s - 1 if ceil_mode else room) // s + 1
    return out - 1 if ceil_mode and (out - 1) * s >= m + p else out


def _placed(name: str, n: int, input: Any, placing: tuple, ceil_mode: bool) -> Sizes:
    """The number of windows along each dimension; refuses what does not fit."""
    kernel, stride, padding, dilation = placing
    for what, numbers in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        if min(numbers) <= 0:
            raise RuntimeError(f"{name}() {what} must be greater than zero, but got {min(numbers)}")
    if min(padding) < 0:
        raise RuntimeError(f"{name}: pad must be non-negative, but got {min(padding)}")
    if any(p > (d * (k - 1) + 1) // 2 for k, p, d in zip(kernel, padding, dilation)):
        raise RuntimeError(
            f"{name}: pad should be at most half of effective kernel size, but got "
            f"pad={max(padding)}, kernel_size={max(kernel)} and dilation={max(dilation)}"
        )
    if input.ndim not in (n + 1, n + 2) or 0 in input.shape[-n - 1 :]:
        wanted = (
            f"{n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input"
        )
        if n == 3:
            wanted = f"input's non-batch dimensions to have positive length: a non-empty {wanted}"
        raise RuntimeError(f"{name}: Expected {wanted}, but got: {list(input.shape)}")
    out = tuple(map(partial(windows_along, ceil_mode), input.shape[-n:], *placing))
    if min(out) < 1:
        raise RuntimeError(
            f"{name}: Given input size: {list(input.shape[-n - 1 :])}. Calculated output size: "
            f"{list(out)}. Output size is too small. Invalid computed output size: {min(out)}"
        )
    return out


def _bordered(x: Any, placing: tuple, out: Sequence[int], value: Any) -> Any:
    """x with the border that its windows reach over."""
    kernel, stride, padding, dilation = placing
    n, lib = len(kernel), namespace(x)
    ends = [(o - 1) * s + d * (k - 1) + 1 for o, k, s, d in zip(out, kernel, stride, dilation)]
    whole = [max(end, m + p) for end, m, p in zip(ends, x.shape[-n:], padding)]
    if tuple(whole) == x.shape[-n:]:
        return x
    wide = lib.full((*x.shape[:-n], *whole), value, x.dtype)
    wide[_inside(x.shape[-n:], padding)] = x
    return wide


def _inside(size: Sequence[int], padding: Sizes) -> tuple:
    return (..., *(slice(p, p + m) for m, p in zip(size, padding)))


# ---------------------------------------------------------------- the largest of each window
def _largest(x: Any, placing: tuple, out: Sizes) -> tuple[Any, Any]:
    """The maximum of each window, and its place in the window, counted row by row."""
    kernel, stride, _, dilation = placing
    lib, floating, n = namespace(x), x.dtype.kind == "f", len(kernel)
    best = lib.empty((*x.shape[:-n], *out), x.dtype)
    place = lib.zeros(best.shape, lib.min_scalar_type(product(kernel)))
    lowest = -lib.inf if floating else lib.iinfo(x.dtype).min

    def largest_part(part: slice) -> None:
        wide = _bordered(x[part], placing, out, lowest)
        highest, at = best[part], place[part]
        for i, (_, window) in enumerate(steps(kernel, dilation, stride, out)):
            here = wide[(..., *window)]
            if i == 0:
                highest[...] = here
                continue
            better = here > highest
            lib.maximum(highest, here, out=highest)
            # the last NaN counts; to look first is faster, but a GPU would have to be waited for
            if floating and (lib is not np or highest.size and np.isnan(highest.min())):
                better |= here != here
            lib.maximum(at, better * place.dtype.type(i), out=at)  # i grows: the last one stays

    split(largest_part, x, x.size)
    return best, place


def flat_indices(place: Any, size: Sequence[int], placing: tuple) -> Any:
    """Where the maxima lie in the input, its n dimensions counted as one, as PyTorch counts."""
    kernel, stride, padding, dilation = placing
    lib, n, flat, step = namespace(place), len(kernel), 0, 1
    within = lib.unravel_index(place.astype("int64"), kernel)
    for d in reversed(range(n)):
        start = lib.arange(place.shape[d - n]) * stride[d] - padding[d]
        start = start.reshape((-1,) + (1,) * (n - 1 - d))
        flat, step = flat + (start + within[d] * dilation[d]) * step, step * size[d]
    return flat


@op(r"x_{i s + k_i d - p} \mathrel{+}= y_i")
def put_back(input, place, size, placing):
    """Each y_i to the place in its window that `place` tells, zero elsewhere."""
    kernel, stride, padding, dilation = placing
    n, lib = len(kernel), namespace(input)
    out = input.shape[-n:]
    x = lib.zeros((*input.shape[:-n], *size), input.dtype)
    apart = all(d * (k - 1) < s for k, s, d in zip(kernel, stride, dilation))

    def put_part(part: slice) -> None:
        wide = _bordered(x[part], placing, out, 0)
        y, at = input[part], place[part]
        for i, (_, window) in enumerate(steps(kernel, dilation, stride, out)):
            if apart:  # no element is in two windows
                lib.multiply(y, at == i, out=wide[(..., *window)])
            else:
                wide[(..., *window)] += y * (at == i)
        if wide.base is not x:
            x[part] = wide[_inside(size, padding)]

    split(put_part, input, x.size)
    return x


@op(r"y_i = x_{i s + k_i d - p}")
def pick(input, place, placing):
    """From each window the element that `place` tells."""
    kernel, stride, _, dilation = placing
    out = place.shape[-len(kernel) :]
    wide = _bordered(input, placing, out, 0)
    y = namespace(input).zeros(place.shape, input.dtype)
    for i, (_, part) in enumerate(steps(kernel, dilation, stride, out)):
        y += wide[(..., *part)] * (place == i)
    return y


@put_back.vjp("input", r"\bar y_i = \bar x_{i s + k_i d - p}")
def _(g, place, placing):
    return pick(g, place, placing)


@pick.vjp("input", r"\bar x_{i s + k_i d - p} \mathrel{+}= \bar y_i")
def _(g, input_shape, place, placing):
    return put_back(g, place, input_shape[-len(placing[0]) :], placing)


def _max_pool(n: int, with_indices: bool) -> Op:
    """max_pool1d, 2d or 3d; the op keeps `place`: which of its window each maximum is."""
    name = f"max_pool{n}d"
    options: dict[str, Any] = {"name": f"{name}_with_indices" if with_indices else name}
    if with_indices:
        options["outputs"] = ("values", "indices")

    @op(r"y_i = \max_k x_{i s + k d - p}", keeps=("place",), **options)
    def pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        """The largest element of each window of x (N, C, *in) or (C, *in)."""
        placing = geometry(n, kernel_size, stride, padding, dilation)
        out = _placed(name, n, input, placing, ceil_mode)
        values, place = _largest(input, placing, out)
        if with_indices:
            return values, flat_indices(place, input.shape[-n:], placing), place
        return values, place

    def back(g, input, kernel_size, stride, padding, dilation, ceil_mode, place):
        placing = geometry(n, kernel_size, stride, padding, dilation)
        if place is None:  # a recorded pass
            out = g.shape[-n:]
            place = _largest(getattr(input, "_array", input), placing, out)[1]
        return put_back(g, place, input.shape[-n:], placing)

    formula = r"\bar x_{i s + k_i d - p} \mathrel{+}= \bar y_i, \; k_i = \arg\max"
    if with_indices:

        @pool.vjps("input", formula=formula)
        def _(g, input, kernel_size, stride, padding, dilation, ceil_mode, place):
            return (back(g[0], input, kernel_size, stride, padding, dilation, ceil_mode, place),)

    else:
        pool.vjp("input", formula)(back)
    return public(FUNCTION)(pool) if n == 1 or not with_indices else pool


max_pool1d, max_pool2d, max_pool3d = (_max_pool(n, False) for n in (1, 2, 3))
max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = (
    _max_pool(n, True) for n in (1, 2, 3)
)


# ---------------------------------------------------------------- the mean of each window
@op(r"y_i = \sum_k x_{i s + k - p}")
def window_sum(input, out, placing):
    kernel, stride, _, dilation = placing
    lib, wide, y = namespace(input), _bordered(input, placing, out, 0), None
    for _, part in steps(kernel, dilation, stride, out):
        here = wide[(..., *part)]
        y = here.copy() if y is None else lib.add(y, here, out=y)
    return y


@op(r"x_{i s + k - p} \mathrel{+}= y_i")
def window_spread(input, size, placing):
    """The adjoint of `window_sum`: each y_i to all elements of its window."""
    kernel, stride, padding, dilation = placing
    n, lib = len(kernel), namespace(input)
    out = input.shape[-n:]
    wide = _bordered(lib.zeros((*input.shape[:-n], *size), input.dtype), placing, out, 0)
    for _, part in steps(kernel, dilation, stride, out):
        wide[(..., *part)] += input
    return lib.ascontiguousarray(wide[_inside(size, padding)])


@window_sum.vjp("input", r"\bar x_{i s + k - p} \mathrel{+}= \bar y_i")
def _(g, input_shape, placing):
    return window_spread(g, input_shape[-len(placing[0]) :], placing)


@window_spread.vjp("input", r"\bar y_i = \sum_k \bar x_{i s + k - p}")
def _(g, input_shape, placing):
    return window_sum(g, input_shape[-len(placing[0]) :], placing)


def _counts(lib: Any, size: Sequence[int], out: Sequence[int], placing: tuple, pad: bool) -> Any:
    """How many elements each window has, those of the padding counted or not."""
    counts: Any = 1
    for m, o, k, s, p in zip(size, out, *placing[:3]):
        start = lib.arange(o) * s - p
        end = lib.minimum(start + k, m + p)
        here = end - start if pad else lib.minimum(end, m) - lib.maximum(start, 0)
        counts = lib.multiply.outer(counts, here)
    return counts


def _avg_pool(n: int) -> Op:
    """avg_pool1d, 2d or 3d."""
    name = f"avg_pool{n}d"

    @op(r"y_i = \tfrac{1}{|K_i|} \sum_{k \in K_i} x_{i s + k - p}", name=name)
    def pool(
        input,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        """The mean of each window of x (N, C, *in) or (C, *in)."""
        placing = geometry(n, kernel_size, stride, padding)
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        out = _placed(name, n, input, placing, ceil_mode)
        y = window_sum.forward(input, out, placing)
        mean = y / divisor(input.shape, out, placing, count_include_pad, divisor_override, y)
        return mean.astype(input.dtype)

    def divisor(shape, out, placing, count_include_pad, divisor_override, like):
        if divisor_override is not None:
            return divisor_override
        lib = namespace(getattr(like, "_array", like))
        counts = _counts(lib, shape[-n:], out, placing, count_include_pad)
        return counts.astype(getattr(like, "_array", like).dtype)

    @pool.vjp("input", r"\bar x_{i s + k - p} \mathrel{+}= \bar y_i / |K_i|")
    def _(g, input_shape, kernel_size, stride, padding, count_include_pad, divisor_override):
        placing = geometry(n, kernel_size, stride, padding)
        by = divisor(input_shape, g.shape[-n:], placing, count_include_pad, divisor_override, g)
        return window_spread(g * (1 / by), input_shape[-n:], placing)

    return public(FUNCTION)(pool) if n == 1 else pool


avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))


# ---------------------------------------------------------------- windows chosen for an output size
def _wanted(name: str, n: int, input: Any, output_size: Any, leaves: bool) -> Sizes:
    """The output size; where it is None, that of the input."""
    if isinstance(output_size, Sequence) and len(output_size) not in (1, n):
        if n == 1:
            raise RuntimeError(f"{name}: 'output_size' should contain one int")
        raise RuntimeError(
            f"{name}: internal error: output_size must be {n}, not {len(output_size)}"
        )
    if isinstance(output_size, Sequence) and n > 1 and input.ndim <= n:
        raise ValueError(f"Input dimension should be at least {n + 1}, got {input.ndim}")
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,)
    given = given * n if len(given) == 1 else given
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got {list(input.shape)}"
        )
    out = tuple(m if o is None else int(o) for o, m in zip(given, input.shape[-n:]))
    if min(out) < 0:
        if leaves:
            raise RuntimeError(f"Trying to create tensor with negative dimension: {list(out)}")
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0, but received "
            f"{list(out)}"
        )
    if 0 in input.shape[-n - 1 :]:
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input "
            f"has sizes {list(input.shape)}"
        )
    return out


def _bins(lib: Any, m: int, o: int) -> tuple[Any, Any]:
    """Where each of o windows over m elements starts and ends."""
    i = lib.arange(o)
    return i * m // max(o, 1), -(-(i + 1) * m // max(o, 1))


@op(r"y = x\, A_1 \cdots A_n")
def map_dims(input, matrices):
    """The last dimensions of x, each through a matrix (out, in) of its own."""
    lib, n, y = namespace(input), len(matrices), input
    for d, matrix in enumerate(matrices):
        y = lib.moveaxis(lib.tensordot(y, matrix, ((d - n,), (1,))), -1, d - n)
    return lib.ascontiguousarray(y)


@map_dims.vjp("input", r"\bar x = \bar y\, A_1^{\top} \cdots A_n^{\top}")
def _(g, matrices):
    return map_dims(g, tuple(each.T for each in matrices))


def _adaptive_avg_pool(n: int) -> Op:
    name = f"adaptive_avg_pool{n}d"

    def means(like, shape, out):
        """For each dimension the matrix whose rows are the windows' weights."""
        array = getattr(like, "_array", like)
        lib, found = namespace(array), []
        for m, o in zip(shape[-n:], out):
            start, end = _bins(lib, m, o)
            at = lib.arange(m)
            inside = (at >= start[:, None]) & (at < end[:, None])
            found.append((inside / lib.maximum(end - start, 1)[:, None]).astype(array.dtype))
        return tuple(found)

    @op(r"y_i = \tfrac{1}{|K_i|} \sum_{k \in K_i} x_k", name=name)
    def pool(input, output_size):
        """The means of windows that divide x (N, C, *in) evenly: y (N, C, *output_size)."""
        out = _wanted(name, n, input, output_size, False)
        return map_dims.forward(input, means(input, input.shape, out))

    @pool.vjp("input", r"\bar x_k = \sum_{i : k \in K_i} \bar y_i / |K_i|")
    def _(g, input_shape):
        matrices = means(g, input_shape, g.shape[-n:])
        return map_dims(g, tuple(each.T for each in matrices))

    return public(FUNCTION)(pool) if n == 1 else pool


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))


def _adaptive_max_pool(n: int) -> Op:
    name = f"adaptive_max_pool{n}d"

    @op(r"y_i = \max_{k \in K_i} x_k", name=name, outputs=("values", "indices"))
    def pool(input, output_size):
        """The largest of windows that divide x (N, C, *in) evenly, and where they lie."""
        out = _wanted(name, n, input, output_size, True)
        lib, flat, step, count = namespace(input), 0, 1, 1
        for d in reversed(range(n)):  # (out, elements of a window); short windows repeat their last
            m = input.shape[d - n]
            start, end = _bins(lib, m, out[d])
            reach = lib.arange(int((end - start).max()) if out[d] else 1)
            index = lib.minimum(start[:, None] + reach, end[:, None] - 1)
            ones = (1,) * (n - 1)
            shape = ones[:d] + index.shape[:1] + ones[d:] + ones[:d] + index.shape[1:] + ones[d:]
            flat, step, count = flat + index.reshape(shape) * step, step * m, count * len(reach)
        flat = flat.reshape((*out, count))
        found = input.reshape((*input.shape[:-n], step))[..., flat]
        place = found.argmax(-1)[..., None]
        indices = lib.take_along_axis(lib.broadcast_to(flat, found.shape), place, -1)[..., 0]
        return lib.take_along_axis(found, place, -1)[..., 0], indices

    @pool.vjps("input", formula=r"\bar x_{k_i} \mathrel{+}= \bar y_i, \; k_i = \arg\max")
    def _(g, input_shape, indices):
        indices = getattr(indices, "_array", indices)
        return (put_flat(g[0], indices, input_shape, n),)

    return public(FUNCTION)(pool) if n == 1 else pool


def put_flat(x: Any, indices: Any, shape: Sizes, n: int) -> Any:
    """x at `indices`, which count the last n dimensions of `shape` as one; zero elsewhere."""
    flat = (*shape[:-n], product(shape[-n:]))
    rows = x.reshape((*x.shape[:-n], -1))
    where = indices.reshape((*indices.shape[:-n], -1))
    return scatter_along(rows, where, len(flat) - 1, flat).reshape(shape)


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))


# ---------------------------------------------------------------- back to where maxima were
@op(r"y_{k_i} = x_i")
def max_unpool(input, indices, output_size):
    """x at `indices` into the last dimensions of y, counted as one; zero elsewhere."""
    if indices.shape != input.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}), but got indices tensor with shape: {list(indices.shape)}"
        )
    lib, n = namespace(input), len(output_size)
    count = product(output_size)
    if indices.size and readable(indices) and (indices.min() < 0 or indices.max() >= count):
        raise RuntimeError(f"Found an invalid max index: {indices.max()} (output size {count})")
    y = lib.zeros((*input.shape[:-n], count), input.dtype)
    rows = input.reshape((*input.shape[:-n], -1))
    lib.put_along_axis(y, indices.reshape(rows.shape), rows, -1)
    return y.reshape((*input.shape[:-n], *output_size))


@max_unpool.vjp("input", r"\bar x_i = \bar y_{k_i}")
def _(g, input_shape, indices, output_size):
    n = len(output_size)
    rows = g.reshape((*g.shape[:-n], -1))
    where = indices.reshape((*indices.shape[:-n], -1))
    return gather(rows, rows.ndim - 1, where).reshape(input_shape)
