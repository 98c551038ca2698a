"""Shapes: views of the same memory where possible, copies where not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend.arrays import is_array, namespace
from labtorch.engine import backward
from labtorch.engine.composite import composite
from labtorch.engine.op import op
from labtorch.engine.public import FUNCTION, public
from labtorch.engine.variable import Variable


def _dim(dim: int, ndim: int) -> int:
    from labtorch.ops.reduction import wrap_dim

    return wrap_dim(dim, ndim)


def full_shape(shape: tuple, size: int) -> tuple[int, ...]:
    """`shape` with its -1 filled in; PyTorch's errors if it cannot be."""
    shape = tuple(int(s) for s in shape)
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if any(s < -1 for s in shape):
        raise RuntimeError(f"invalid shape dimension {min(shape)}")
    known = math.prod(s for s in shape if s != -1)
    if -1 in shape:
        if known == 0 and size == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        if known == 0 or size % known:
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
        return tuple(size // known if s == -1 else s for s in shape)
    if known != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


@op(r"y = \operatorname{reshape}(x)", view=True)
def reshape(input, shape):
    return input.reshape(full_shape(shape, input.size))


@reshape.vjp("input", r"\bar x = \operatorname{reshape}(\bar y)")
def _(g, input_shape):
    return g.reshape(input_shape)


@op(r"y = \operatorname{view}(x)", view=True)
def view(input, shape):
    shape = full_shape(shape, input.size)
    try:
        return input.reshape(shape, copy=False)
    except ValueError:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        ) from None


@view.vjp("input", r"\bar x = \operatorname{view}(\bar y)")
def _(g, input_shape):
    return g.reshape(input_shape)


@public(aliases="swapaxes swapdims")
@op(r"y_{ij} = x_{ji}", view=True)
def transpose(input, dim0, dim1):
    if not input.ndim:
        _dim(dim0, 0), _dim(dim1, 0)
        return input[...]
    return input.swapaxes(_dim(dim0, input.ndim), _dim(dim1, input.ndim))


@transpose.vjp("input", r"\bar x_{ji} = \bar y_{ij}")
def _(g, dim0, dim1):
    return transpose(g, dim0, dim1)


@op(r"y = \operatorname{permute}(x)", view=True)
def permute(input, dims):
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not "
            f"equal to len(dims) = {len(dims)}"
        )
    order = [_dim(d, input.ndim) for d in dims]
    if len(set(order)) < len(order):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return input.transpose(order)


@permute.vjp("input", r"\bar x = \operatorname{permute}^{-1}(\bar y)")
def _(g, dims):
    n = len(dims)
    return permute(g, tuple(int(i) for i in np.argsort([d % n for d in dims])))


@public()
@op(r"y = \operatorname{unsqueeze}(x)", view=True)
def unsqueeze(input, dim):
    return namespace(input).expand_dims(input, _dim(dim, input.ndim + 1))


@unsqueeze.vjp("input", r"\bar x = \operatorname{squeeze}(\bar y)")
def _(g, input_shape):
    return g.reshape(input_shape)


@public()
@op(r"y = \operatorname{squeeze}(x)", view=True)
def squeeze(input, dim=None):
    if dim is None:
        return input.squeeze()[...]
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    dims = tuple(_dim(d, input.ndim) for d in dims)
    if not input.ndim:
        return input[...]
    return input.squeeze(tuple(d for d in dims if input.shape[d] == 1))


@squeeze.vjp("input", r"\bar x = \operatorname{unsqueeze}(\bar y)")
def _(g, input_shape):
    return g.reshape(input_shape)


@op(r"y = \operatorname{expand}(x)", view=True)
def expand(input, shape):
    shape = tuple(int(s) for s in shape)
    lead = len(shape) - input.ndim
    if lead < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(shape)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({input.ndim})"
        )
    target = tuple(
        (input.shape[i - lead] if i >= lead else s) if s == -1 else s for i, s in enumerate(shape)
    )
    for i, (have, want) in enumerate(zip(input.shape, target[lead:])):
        if have not in (1, want):
            raise RuntimeError(
                f"The expanded size of the tensor ({want}) must match the existing size ({have}) "
                f"at non-singleton dimension {i + lead}.  Target sizes: {list(shape)}.  "
                f"Tensor sizes: {list(input.shape)}"
            )
    if min(target, default=0) < 0:
        raise RuntimeError(f"expand: invalid negative size in {list(shape)}")
    return namespace(input).broadcast_to(input, target)


@expand.vjp("input", r"\bar x = \sum \bar y")
def _(g, input_shape):
    return sum_to(g, input_shape)


@op(r"\bar x = \sum \bar y")
def sum_to(input, shape):
    """Sum over the dimensions that broadcasting added or stretched."""
    lead = input.ndim - len(shape)
    stretched = tuple(
        i + lead for i, s in enumerate(shape) if s == 1 and input.shape[i + lead] != 1
    )
    add = namespace(input).add
    return add.reduce(input, axis=tuple(range(lead)) + stretched, keepdims=True).reshape(shape)


@sum_to.vjp("input", r"\bar{\bar y} = \operatorname{expand}(\bar{\bar x})")
def _(g, input_shape):
    return expand(g, input_shape)


@op(r"y = x \text{ in another dtype}")
def cast(input, dtype):
    if input.dtype.kind == "c" and np.dtype(dtype).kind not in "c":
        input = input.real
    with np.errstate(invalid="ignore"):
        return input.astype(dtype)


@cast.vjp("input", r"\bar x = \bar y \text{ in the dtype of } x")
def _(g, input_dtype):
    return cast(g, input_dtype)


backward.sum_to_op = sum_to
backward.cast_op = cast


@op(r"y = x")
def clone(input):
    return input.copy()


@clone.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@op(r"y = x", view=True)
def contiguous(input):
    return namespace(input).ascontiguousarray(input).reshape(input.shape)


@contiguous.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@op(r"y = x", view=True)
def alias(input):
    return input[...]


@alias.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@public()
@op(r"y = x_{s : s + l}", view=True)
def narrow(input, dim, start, length):
    d = _dim(dim, input.ndim)
    size = input.shape[d] if input.ndim else 0
    if not input.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if getattr(start, "ndim", 0) or getattr(start, "dtype", np.dtype(int)).kind not in "ui":
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    start, length = int(start), int(length)
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    begin = start + size if start < 0 else start
    if not 0 <= begin <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        )
    if begin + length > size:
        raise RuntimeError(f"start ({begin}) + length ({length}) exceeds dimension size ({size}).")
    return input[(slice(None),) * d + (slice(begin, begin + length),)]


@narrow.vjp("input", r"\bar x_{s : s + l} = \bar y")
def _(g, input_shape, dim, start):
    d, start = _dim(dim, len(input_shape)), int(start)
    return pad_zeros(g, input_shape, d, start % max(input_shape[d], 1) if start < 0 else start)


@public()
@op(r"y_i = x_{i,\, i + o}", view=True)
def diagonal(input, offset=0, dim1=0, dim2=1):
    d1, d2 = _dim(dim1, input.ndim), _dim(dim2, input.ndim)
    if d1 == d2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    y = input.diagonal(offset, d1, d2)
    if isinstance(y, np.ndarray):
        y.flags.writeable = input.flags.writeable
    return y


@diagonal.vjp("input", r"\bar x_{i,\, i + o} = \bar y_i")
def _(g, input_shape, offset, dim1, dim2):
    return diagonal_of(g, input_shape, offset, dim1, dim2)


@op(r"y_{i,\, i + o} = x_i")
def diagonal_of(input, shape, offset=0, dim1=0, dim2=1):
    """Zeros of `shape` with `input` on a diagonal: the transpose of `diagonal`."""
    y = namespace(input).zeros(shape, input.dtype)
    diagonal.forward(y, offset, dim1, dim2)[...] = input
    return y


@diagonal_of.vjp("input", r"\bar x_i = \bar y_{i,\, i + o}")
def _(g, offset, dim1, dim2):
    return diagonal(g, offset, dim1, dim2)


@op(r"y_{s : s + l} = x")
def pad_zeros(input, shape, dim, start):
    """Zeros of `shape` with `input` at `start` along `dim`: the transpose of `narrow`."""
    y = namespace(input).zeros(shape, input.dtype)
    y[(slice(None),) * dim + (slice(start, start + input.shape[dim]),)] = input
    return y


@pad_zeros.vjp("input", r"\bar x = \bar y_{s : s + l}")
def _(g, input_shape, dim, start):
    return narrow(g, dim, start, input_shape[dim])


@op(r"y = x \text{ with a border of } v")
def constant_pad(input, pad, value=0.0):
    """A border: `pad` counts (before, after) from the last dimension on; negative ones cut."""
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be even and at most twice the number of dimensions of the "
            f"input: {len(pad)} for {input.ndim} dimensions"
        )
    sides = [(0, 0)] * input.ndim
    for i in range(len(pad) // 2):
        sides[-1 - i] = (pad[2 * i], pad[2 * i + 1])
    if any(n + a + b < 0 for n, (a, b) in zip(input.shape, sides)):
        raise RuntimeError(f"padding {tuple(pad)} would give a negative size for {input.shape}")
    cut = tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(input.shape, sides))
    grow = [(max(a, 0), max(b, 0)) for a, b in sides]
    return namespace(input).pad(input[cut], grow, constant_values=value) if grow else input.copy()


@constant_pad.vjp("input", r"\bar x = \bar y \text{ without its border}")
def _(g, pad):
    return constant_pad(g, tuple(-n for n in pad))


@op(r"y = [x_1; \dots; x_n]", name="cat")
def _cat(dim, *tensors):
    from labtorch.backend.dtypes import promote

    arrays = [t for t in tensors if t.shape != (0,)] or list(tensors[:1])
    d = _dim(dim, arrays[0].ndim)
    common = promote(*tensors)
    if any(t.ndim == 0 for t in arrays):
        raise RuntimeError(
            "zero-dimensional tensor (at position 0) cannot be concatenated; use stack instead"
        )
    for i, t in enumerate(arrays):
        first = arrays[0]
        if t.ndim != first.ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {t.ndim}"
            )
        for each in range(t.ndim):
            if each != d and t.shape[each] != first.shape[each]:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {d}. Expected size "
                    f"{first.shape[each]} but got size {t.shape[each]} for tensor number {i} "
                    "in the list."
                )
    return namespace(arrays[0]).concatenate([t.astype(common, copy=False) for t in arrays], d)


@_cat.vjps(formula=r"\bar x_i = \bar y \text{ in the part that } x_i \text{ filled}")
def _(g, dim, tensors_shape, tensors_dtype):
    d, start, gradients = _dim(dim, g.ndim), 0, [None]
    for shape, dtype in zip(tensors_shape, tensors_dtype):
        if shape == (0,):
            gradients.append(g.reshape((-1,))[:0])
            continue
        part = narrow(g, d, start, shape[d])
        gradients.append(part if g.dtype == dtype else cast(part, dtype))
        start += shape[d]
    return gradients


@public(FUNCTION, aliases="concat concatenate", out=True)
def cat(tensors: Any, dim: int = 0) -> Any:
    """Concatenate along an existing dimension: shapes agree in all others."""
    if isinstance(tensors, Variable):
        raise TypeError(
            "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor; to join "
            "the slices of one tensor, reshape or flatten it"
        )
    tensors = tuple(tensors)
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, each in enumerate(tensors):
        if not isinstance(each, Variable) and not is_array(each):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(each).__name__}"
            )
    return _cat(dim, *tensors)


@public(FUNCTION, out=True)
@composite
def stack(tensors: Any, dim: int = 0) -> Any:
    """Concatenate along a new dimension: all shapes agree."""
    tensors = tuple(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tuple(tensors[0].shape)
    for i, each in enumerate(tensors):
        if tuple(each.shape) != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(each.shape)} at entry {i}"
            )
    return cat([unsqueeze(t, dim) for t in tensors], dim)


@op(r"y = x \text{ with the order of dimensions reversed}")
def flip(input, dims):
    dims = (dims,) if isinstance(dims, int) else dims
    return namespace(input).flip(input, tuple(_dim(d, input.ndim) for d in dims)).copy()


@flip.vjp("input", r"\bar x = \operatorname{flip}(\bar y)")
def _(g, dims):
    return flip(g, dims)
