"""Rearranging: rolling, tiling, joining, splitting, and writing into copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace, on_device_of, readable
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.public import ELEMENTWISE, FUNCTION, METHOD, ONLY_METHOD, public
from labtorch.engine.variable import wrap
from labtorch.ops import arithmetic, arrangement, indexing, shape
from labtorch.ops.reduction import wrap_dim
from labtorch.tensor import functions
from labtorch.tensor.tensor import Size, Tensor

FULL = slice(None)


def _dims(dims: Any) -> tuple:
    return (dims,) if isinstance(dims, int) else tuple(dims)


def _along(d: int, index: Any) -> tuple:
    """An index into dimension d."""
    return (FULL,) * d + (index,)


# -------------------------------------------------------------------- order of dimensions
@public(aliases="moveaxis")
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """A view with dimensions moved to other places; the rest keep their order."""
    a, b = _dims(source), _dims(destination)
    if len(a) != len(b):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(a)} dims) should contain "
            f"the same number of dims as destination ({list(b)} dims)"
        )
    a, b = (tuple(wrap_dim(d, input.ndim) for d in each) for each in (a, b))
    for name, each in (("source", a), ("destination", b)):
        if len(set(each)) < len(each):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(each)})")
    order = [d for d in range(input.ndim) if d not in a]
    for at, d in sorted(zip(b, a)):
        order.insert(at, d)
    return functions.permute(input, order)


@public()
def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions."""
    return arithmetic.conj(shape.transpose(input, -2, -1))


@public(FUNCTION)
def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to."""
    whole = [(each,) if isinstance(each, int) else tuple(each) for each in shapes]
    if any(n < 0 for each in whole for n in each):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {whole}")
    try:
        return Size(np.broadcast_shapes(*whole))
    except ValueError:
        raise RuntimeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: "
            f"{', '.join(str(list(each)) for each in whole)}"
        ) from None


@public(FUNCTION)
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Views of all tensors in the shape that they broadcast to."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    whole = broadcast_shapes(*(each.shape for each in tensors))
    return tuple(functions.expand(each, whole) for each in tensors)


@public(ONLY_METHOD)
def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Summed over the dimensions that broadcasting `size` to this shape would stretch."""
    want, have = functions._ints(size), tuple(input.shape)
    lead = len(have) - len(want)
    if lead < 0 or any(n not in (1, m) for n, m in zip(want, have[lead:])):
        raise RuntimeError(f"size {list(want)} is not expandable to size {list(have)}.")
    return apply(shape.sum_to, (input, want))


@public()
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension: a view where possible."""
    return functions.reshape(input, (-1,))


@public()
def fliplr(input: Tensor) -> Tensor:
    """Columns in reverse order."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return shape.flip(input, 1)


@public()
def flipud(input: Tensor) -> Tensor:
    """Rows in reverse order."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return shape.flip(input, 0)


@public()
@composite
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Turned by k right angles in the plane of two dimensions, from the first to the second."""
    dims = _dims(dims)
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    a, b = (wrap_dim(d, input.ndim) for d in dims)
    if a == b:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    if k % 4 == 0:
        return shape.clone(input)
    if k % 4 == 2:
        return shape.flip(input, (a, b))
    return shape.transpose(shape.flip(input, b if k % 4 == 1 else a), a, b)


@public()
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """Shifted along dimensions (the whole, if none is named); what leaves comes in again."""
    shifts, dims = _dims(shifts), _dims(dims)
    if not shifts:
        raise RuntimeError("`shifts` required")
    if dims and not input.ndim:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    if not dims and len(shifts) == 1:
        return functions.reshape(apply(arrangement.roll, (ravel(input), shifts, (0,))), input.shape)
    if len(shifts) != len(dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    return apply(arrangement.roll, (input, shifts, dims))


@public()
def tile(input: Tensor, *dims: Any) -> Tensor:
    """Copies side by side: `dims[i]` of them along dimension i, counted from the last."""
    times = functions._ints(dims)
    return functions.repeat(input, (1,) * (input.ndim - len(times)) + times)


# -------------------------------------------------------------------- joining
def _atleast(name: str, n: int, grow: Any) -> Any:
    def atleast(*tensors: Any) -> Any:
        if len(tensors) == 1:
            if isinstance(tensors[0], Tensor):
                return grow(tensors[0])
            tensors = tuple(tensors[0])
        return tuple(grow(each) for each in tensors)

    atleast.__name__ = name
    atleast.__doc__ = f"Each tensor with at least {n} dimension{'s' if n > 1 else ''}."
    return public(FUNCTION)(atleast)


def _to_2d(x: Tensor) -> Tensor:
    return x if x.ndim > 1 else functions.reshape(x, (1, -1))


def _to_3d(x: Tensor) -> Tensor:
    if x.ndim < 2:
        return functions.reshape(x, (1, -1, 1))
    return x if x.ndim > 2 else shape.unsqueeze(x, -1)


def _to_1d(x: Tensor) -> Tensor:
    return x if x.ndim else functions.reshape(x, (1,))


atleast_1d = _atleast("atleast_1d", 1, _to_1d)
atleast_2d = _atleast("atleast_2d", 2, _to_2d)
atleast_3d = _atleast("atleast_3d", 3, _to_3d)


def _some(name: str, tensors: Any) -> list:
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@public(FUNCTION, out=True)
@composite
def hstack(tensors: Any) -> Tensor:
    """Side by side: along the second dimension (the first, of vectors)."""
    parts = [_to_1d(each) for each in _some("hstack", tensors)]
    return shape.cat(parts, 0 if parts[0].ndim == 1 else 1)


@public(FUNCTION, aliases="row_stack", out=True)
@composite
def vstack(tensors: Any) -> Tensor:
    """One above the other: vectors as rows."""
    return shape.cat([_to_2d(each) for each in _some("vstack", tensors)], 0)


@public(FUNCTION, out=True)
@composite
def dstack(tensors: Any) -> Tensor:
    """One behind the other, along the third dimension."""
    return shape.cat([_to_3d(each) for each in _some("dstack", tensors)], 2)


@public(FUNCTION, out=True)
@composite
def column_stack(tensors: Any) -> Tensor:
    """Side by side, vectors as columns."""
    parts = _some("column_stack", tensors)
    return hstack([functions.reshape(x, (-1, 1)) if x.ndim < 2 else x for x in parts])


# -------------------------------------------------------------------- splitting
@public()
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts as equal as possible, or cut at the given places."""
    if not input.ndim:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    d = wrap_dim(dim, input.ndim)
    n = input.shape[d]
    cuts = indices_or_sections
    if isinstance(cuts, Tensor):
        if cuts.ndim > 1 or cuts._array.dtype != np.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor of dtype int64, but got {cuts.ndim} dims of {cuts.dtype}"
            )
        cuts = cuts.tolist()
    if isinstance(cuts, int):
        if cuts <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {cuts}")
        cuts = [i * (n // cuts) + min(i, n % cuts) for i in range(1, cuts)]
    places = [0, *(max(0, min(n, c + n if c < 0 else c)) for c in cuts), n]
    return tuple(shape.narrow(input, d, a, max(b - a, 0)) for a, b in zip(places, places[1:]))


def _split_along(name: str, least: int, pick: Any) -> Any:
    def split(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
        if input.ndim < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension"
                f"{'s' if least > 1 else ''}, but got a tensor with {input.ndim} dimensions!"
            )
        d, cuts = pick(input), indices_or_sections
        if isinstance(cuts, int) and (cuts <= 0 or input.shape[d] % cuts):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {d}, but the size of the "
                f"dimension {input.shape[d]} is not divisible by the split_size {cuts}!"
            )
        return tensor_split(input, cuts, d)

    split.__name__ = name
    split.__doc__ = f"`tensor_split` along dimension {name[0]}: equal parts, or cut at places."
    return public()(split)


hsplit = _split_along("hsplit", 1, lambda x: 0 if x.ndim == 1 else 1)
vsplit = _split_along("vsplit", 2, lambda x: 0)
dsplit = _split_along("dsplit", 3, lambda x: 2)


@public(METHOD, aliases="split_with_sizes_copy unsafe_split_with_sizes")
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of the given sizes."""
    return functions.split(input, list(split_sizes), dim)


# -------------------------------------------------------------------- diagonals and triangles
@public()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices in the plane of dim1 and dim2 with the last dimension on a diagonal."""
    n = input.ndim + 1
    a, b = wrap_dim(dim1, n), wrap_dim(dim2, n)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    if not input.ndim:
        raise RuntimeError("diag_embed expects a tensor with at least one dimension")
    size = input.shape[-1] + abs(offset)
    whole = list(input.shape[:-1])
    for at in sorted((a, b)):
        whole.insert(at, size)
    return apply(shape.diagonal_of, (input, tuple(whole), offset, a, b))


@public(out=True)
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A vector as a diagonal matrix, or the diagonal of a matrix."""
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return shape.clone(shape.diagonal(input, diagonal))


@public()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """All elements on the diagonal of a matrix."""
    return diag_embed(ravel(input), offset)


def _triangle(name: str) -> Any:
    def indices(
        row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
    ) -> Tensor:
        for what, n in (("row", row), ("col", col)):
            if n < 0:
                raise RuntimeError(f"{what} must be non-negative, got{n}")
        places = getattr(np, name)(np.ones((row, col), bool), offset).nonzero()
        made = wrap(np.stack(places).astype(np.int64))
        return made if dtype is None and device is None else made.to(device=device, dtype=dtype)

    indices.__name__ = f"{name}_indices"
    indices.__doc__ = "Rows and columns of the elements of the triangle, as a 2 x n tensor."
    return public(FUNCTION)(indices)


tril_indices, triu_indices = _triangle("tril"), _triangle("triu")


# -------------------------------------------------------------------- picking
@public()
@composite
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element (slice) followed by its copies, `repeats` in all; of repeats alone, places."""
    if repeats is None:
        if input.ndim != 1:
            raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
        return wrap(_repeated(input._array, input.numel(), _counts(input)))
    if dim is None:
        input, dim = ravel(input), 0
    d = wrap_dim(dim, input.ndim)
    if not input.ndim:
        input = functions.reshape(input, (1,))
    times = _counts(repeats)
    if times.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if times.size not in (1, input.shape[d]):
        raise RuntimeError("repeats must have the same size as input along dim")
    places = _repeated(input._array, input.shape[d], times.reshape(-1))
    if output_size is not None and len(places) != output_size:
        raise RuntimeError(f"allocated size does not match required size: {len(places)}")
    return apply(indexing.index_select, (input, d, wrap(places)))


def _repeated(like: Any, n: int, times: Any) -> Any:
    """0 to n - 1, each so many times; CuPy wants the numbers of times on the host."""
    times = times if isinstance(times, np.ndarray) else times.get()
    return on_device_of(np.repeat(np.arange(n), times), like)


def _counts(repeats: Any) -> Any:
    times = repeats._array if isinstance(repeats, Tensor) else np.asarray(repeats)
    if times.dtype.kind not in "ui":
        raise RuntimeError("repeats has to be Long or Int tensor")
    if times.size and times.min() < 0:
        raise RuntimeError("repeats can not be negative")
    return times


@public(out=True)
@composite
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at places counted over the whole tensor."""
    array = index._array
    if array.dtype != np.int64:
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {index.dtype}")
    n = input.numel()
    if not n and array.size:
        raise IndexError("take(): tried to take from an empty tensor")
    if array.size and readable(array) and (array.min() < -n or array.max() >= n):
        raise IndexError(f"out of range: tried to access an index of {n} elements")
    return ravel(input)[index] if array.ndim else ravel(input)[array.item()]


@public(out=True)
@composite
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """The elements at `indices` along `dim`, the other dimensions broadcast."""
    if indices._array.dtype != np.int64:
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {indices.dtype}"
        )
    if dim is None:
        return indexing.gather(ravel(input), 0, ravel(indices))
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    d = wrap_dim(dim, input.ndim)
    if indices.numel() and readable(indices._array) and (indices._array < 0).any():
        indices = wrap(indices._array % input.shape[d])
    whole = list(np.broadcast_shapes(*(_with_one(x.shape, d) for x in (input, indices))))
    sizes = [(*whole[:d], x.shape[d], *whole[d + 1 :]) for x in (input, indices)]
    return indexing.gather(
        functions.expand(input, sizes[0]), d, functions.expand(indices, sizes[1])
    )


def _with_one(sizes: Any, d: int) -> tuple:
    return tuple(1 if i == d else n for i, n in enumerate(sizes))


@public(out=True)
@composite
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where mask is true, in one dimension."""
    if mask._array.dtype.kind != "b":
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    both = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    return functions.expand(input, both)[functions.expand(mask, both)]


@public()
def argwhere(input: Tensor) -> Tensor:
    """The places of the elements that are not 0, one a row."""
    return functions.nonzero(input)


@public(ONLY_METHOD)
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` elements along a dimension, `step` apart, as a last dimension."""
    return apply(arrangement.unfold, (input, dimension, size, step))


@public(METHOD)
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A view of a contiguous tensor's memory with any sizes and strides (in elements)."""
    return apply(arrangement.as_strided, (input, tuple(size), tuple(stride), storage_offset or 0))


@public(FUNCTION)
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Places counted over a whole tensor, as one index per dimension."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    lib = namespace(indices._array)
    return tuple(wrap(lib.asarray(x)) for x in lib.unravel_index(indices._array, sizes))


# -------------------------------------------------------------------- writing into copies
def _index(name: str, index: Tensor, input: Tensor, d: int) -> Any:
    """A checked index along dimension d."""
    array = index._array
    if array.ndim > 1:
        raise (IndexError if name != "index_fill" else IndexError)(
            f"{name}_(): Index should have dimension 1 or 0 (got {array.ndim})"
        )
    if array.dtype.kind not in "ui":
        raise RuntimeError(f"{name}_(): Expected dtype int32/int64 for index")
    n = input.shape[d] if input.ndim else 1
    if array.size and readable(array) and (array.min() < -n or array.max() >= n):
        raise IndexError(f"{name}_(): index out of range in self: {n} elements along {d}")
    return array.reshape(-1) % max(n, 1)


def _source(name: str, source: Tensor, input: Tensor, d: int, count: int) -> Tensor:
    """A checked source of `count` slices along dimension d."""
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}_(): self ({input.dtype}) and source ({source.dtype}) must have the same "
            "scalar type"
        )
    have, want = tuple(source.shape), tuple(input.shape)
    if have and want and (have[:d] + have[d + 1 :] != want[:d] + want[d + 1 :] or have[d] != count):
        raise (IndexError if have[d] != count else RuntimeError)(
            f"{name}_(): Source/destination tensor must have same slice shapes and as many slices "
            f"as there are indices. Destination {list(want)}, source {list(have)}, {count} indices"
        )
    return source


@public(ELEMENTWISE, out=True)
@composite
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """A copy with alpha times the slices of `source` added at `index` along `dim`."""
    d = wrap_dim(dim, input.ndim)
    places = _index("index_add", index, input, d)
    source = _source("index_add", source, input, d, places.size)
    if alpha != 1:
        source = source * alpha
    whole = functions.reshape(input, (1,)) if not input.ndim else input
    source = functions.reshape(source, (-1,)) if not input.ndim else source
    added = apply(indexing.put, (source, _along(d, places), tuple(whole.shape)))
    return functions.reshape(whole + added, input.shape)


@public(ELEMENTWISE, out=True)
@composite
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy with the slices of `source` at `index` along `dim`."""
    d = wrap_dim(dim, input.ndim)
    places = _index("index_copy", index, input, d)
    source = _source("index_copy", source, input, d, places.size)
    if not input.ndim:
        return functions.reshape(source, ()) if places.size else shape.clone(input)
    if not source.ndim:
        source = functions.reshape(source, (1,))
    return apply(indexing.setitem, (input, source, _along(d, places)))


@public(ELEMENTWISE)
@composite
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy with `value` at `index` along `dim`."""
    d = wrap_dim(dim, input.ndim)
    places = _index("index_fill", index, input, d)
    places = namespace(places).unique(places)
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    whole = functions.reshape(input, (1,)) if not input.ndim else input
    filled = apply(indexing.setitem, (whole, value, _along(d, places)))
    return functions.reshape(filled, input.shape)


@public(ELEMENTWISE)
@composite
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the elements of `source`, in order, where mask is true."""
    if mask._array.dtype.kind != "b":
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if source.dtype is not input.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{input.dtype} and {source.dtype}"
        )
    both = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    here = namespace(mask._array).broadcast_to(mask._array, both)
    n = int(here.sum())
    if n > source.numel():
        raise RuntimeError(
            "masked_scatter: expected the number of elements of source to be at least the number "
            f"of ones in mask: {source.numel()} < {n}"
        )
    values = shape.narrow(ravel(source), 0, 0, n)
    return apply(indexing.setitem, (functions.expand(input, both), values, here))


@public(ELEMENTWISE)
@composite
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `source` at places counted over the whole tensor, or added there."""
    if index._array.dtype != np.int64:
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {index.dtype}")
    if source.dtype is not input.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got {input.dtype} and "
            f"{source.dtype}"
        )
    if index.numel() != source.numel():
        raise RuntimeError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"{source.numel()} and {index.numel()}"
        )
    n, array = input.numel(), index._array.reshape(-1)
    if array.size and (not n or array.min() < -n or array.max() >= n):
        raise IndexError(f"out of range: tried to access an index of {n} elements")
    flat = functions.index_put(ravel(input), (wrap(array),), ravel(source), accumulate)
    return functions.reshape(flat, input.shape)


@public()
@composite
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with `src` at one place along `dim`."""
    d = wrap_dim(dim, input.ndim)
    _same_shape("select_scatter", src, functions.select(input, d, index))
    return apply(indexing.setitem, (input, src, _along(d, index)))


@public()
@composite
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Tensor:
    """A copy with `src` in a slice along `dim`."""
    index = _along(wrap_dim(dim, input.ndim), slice(start, end, step))
    _same_shape("slice_scatter", src, input[index])
    return apply(indexing.setitem, (input, src, index))


@public()
@composite
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy with `src` on a diagonal."""
    _same_shape("diagonal_scatter", src, shape.diagonal(input, offset, dim1, dim2))
    whole = tuple(input.shape)
    ones = wrap(namespace(src._array).ones(tuple(src.shape), bool))
    here = shape.diagonal_of(ones, whole, offset, dim1, dim2)
    return arithmetic.where(here, shape.diagonal_of(src, whole, offset, dim1, dim2), input)


def _same_shape(name: str, src: Tensor, part: Tensor) -> None:
    if src.shape != part.shape:
        raise RuntimeError(
            f"{name}: expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(part.shape)}"
        )


@public(ELEMENTWISE)
@composite
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """A copy with the slices of `source` reduced into those at `index` along `dim`."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    d = wrap_dim(dim, input.ndim)
    places = _index("index_reduce", index, input, d)
    source = _source("index_reduce", source, input, d, places.size)
    if not source.ndim:
        return scatter_reduce(input, 0, wrap(places[0]), source, reduce, include_self=include_self)
    rows = places.reshape((-1,) + (1,) * (source.ndim - 1 - d))
    whole = wrap(namespace(rows).broadcast_to(rows, tuple(source.shape)))
    return scatter_reduce(input, d, whole, source, reduce, include_self=include_self)


@public(ELEMENTWISE, out=True)
@composite
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy with `src` reduced into the places at `index`: sum, prod, mean, amax or amin."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}."
        )
    if not include_self:
        start = {"sum": 0, "mean": 0, "prod": 1}.get(reduce)
        if start is None:
            info = np.finfo if input._array.dtype.kind == "f" else np.iinfo
            low, high = info(input._array.dtype).min, info(input._array.dtype).max
            if input._array.dtype.kind == "f":
                low, high = -np.inf, np.inf
            start = low if reduce == "amax" else high
        input = functions.scatter(input, dim, index, start)
    if reduce in ("sum", "mean"):
        total = functions.scatter_add(input, dim, index, src)
        if reduce == "sum":
            return total
        ones = namespace(input._array).ones
        begin = ones(tuple(input.shape), input._array.dtype)
        one = wrap(ones(tuple(index.shape), input._array.dtype))
        count = wrap(begin) if include_self else functions.scatter(wrap(begin), dim, index, 0)
        count = arithmetic.clamp(functions.scatter_add(count, dim, index, one), 1)
        return arithmetic.div(total, count, None if input.is_floating_point() else "floor")
    return apply(arrangement.scatter_reduce, (input, dim, index, src, reduce))
