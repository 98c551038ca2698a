"""Public functions whose spelling differs from the op's: overloads, varargs and aliases."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.backend.arrays import namespace
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.public import ELEMENTWISE, FUNCTION, ONLY_METHOD, public
from labtorch.engine.results import return_type
from labtorch.engine.variable import wrap
from labtorch.ops import activation, arithmetic, indexing, linalg, linear, reduction, shape
from labtorch.tensor.tensor import Size, Tensor

VALUES = ("values", "indices")


def _ints(size: tuple) -> tuple:
    """(2, 3) from f(2, 3), f((2, 3)) and f([2, 3])."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    return tuple(int(each) for each in size)


@public()
def reshape(input: Tensor, *size: Any, **named: Any) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where possible."""
    return apply(shape.reshape, (input, _ints(size or (named["shape"],))))


@public(ONLY_METHOD)
def view(input: Tensor, *size: Any) -> Tensor:
    """A view of the same memory in another shape, or as another dtype."""
    if len(size) == 1 and isinstance(size[0], dtypes.dtype):
        return wrap(input._array.view(size[0].numpy))
    return apply(shape.view, (input, _ints(size)))


@public(ONLY_METHOD)
def view_as(input: Tensor, other: Tensor) -> Tensor:
    return view(input, other.shape)


@public(ONLY_METHOD)
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    return reshape(input, other.shape)


@public(ONLY_METHOD)
def expand(input: Tensor, *size: Any, implicit: bool = False) -> Tensor:
    """A view with dimensions of size 1 repeated without copying; -1 keeps a size."""
    return apply(shape.expand, (input, _ints(size)))


@public()
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy, through which gradients flow."""
    return apply(shape.clone, (input,))


@public(ONLY_METHOD)
def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """Itself if its elements lie in memory in their order, else a copy of which that is true."""
    return apply(shape.contiguous, (input,))


@public(ONLY_METHOD)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    return expand(input, other.shape)


@public()
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    return expand(input, size)


@public()
def permute(input: Tensor, *dims: Any) -> Tensor:
    """A view with the dimensions in another order."""
    return apply(shape.permute, (input, _ints(dims)))


@public()
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix (vectors stay as they are)."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    # (1, 0) and not (0, 1): so the node knows that it is to be called TBackward0
    return shape.transpose(input, 1, 0) if input.ndim == 2 else shape.alias(input)


@public()
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the dimensions from start_dim to end_dim into one."""
    if not input.ndim:
        return reshape(input, (1,))
    start = reduction.wrap_dim(start_dim, input.ndim)
    end = reduction.wrap_dim(end_dim, input.ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    sizes = tuple(input.shape)
    joined = int(np.prod(sizes[start : end + 1]))
    return reshape(input, sizes[:start] + (joined,) + sizes[end + 1 :])


@public()
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    d, have = reduction.wrap_dim(dim, input.ndim), tuple(input.shape)
    return reshape(input, have[:d] + tuple(sizes) + have[d + 1 :])


@public()
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of the given size (the last may be smaller), or of the given sizes, as views."""
    d = reduction.wrap_dim(dim, tensor.ndim)
    n = tensor.shape[d]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and n):
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={size}"
            )
        sizes = [size if size < n - i else n - i for i in range(0, n, size)] if n else [0]
    else:
        sizes = list(split_size_or_sections)
        if builtin_sum(sizes) != n:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size "
                f"at dimension {dim}), but got split_sizes={sizes}"
            )
    starts = [builtin_sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(shape.narrow(tensor, d, at, size) for at, size in zip(starts, sizes))


builtin_sum, builtin_max = sum, builtins.max


@public()
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of equal size (the last may be smaller)."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input.shape[reduction.wrap_dim(dim, input.ndim)]
    return split(input, -(-n // chunks) or 1, dim)


@public(out=True)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at `index` along a dimension, which goes away."""
    if not input.ndim:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    d = reduction.wrap_dim(dim, input.ndim)
    n = input.shape[d]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {d}"
        )
    return input[(slice(None),) * d + (int(index),)]


@public()
@composite
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension, which goes away."""
    d = reduction.wrap_dim(dim, input.ndim)
    return tuple(input[(slice(None),) * d + (i,)] for i in range(input.shape[d]))


@public()
@composite
def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """Copies of the tensor, `sizes[i]` times along dimension i."""
    times = _ints(sizes)
    if len(times) < input.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    have = (1,) * (len(times) - input.ndim) + tuple(input.shape)
    spaced = tuple(each for n in have for each in (1, n))
    target = tuple(each for m, n in zip(times, have) for each in (m, n))
    final = tuple(m * n for m, n in zip(times, have))
    return reshape(expand(reshape(input, spaced), target), final)


def size_of(input: Tensor) -> Size:
    return input.shape


@public(out=True)
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; with `dim`, (values, indices) along it; with a tensor, elementwise."""
    if isinstance(dim, Tensor):
        return arithmetic.maximum(input, dim)
    if dim is None:
        return reduction.amax(input)
    return apply(reduction.max_along, (input, dim, keepdim))


@public(out=True)
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; with `dim`, (values, indices) along it; with a tensor, elementwise."""
    if isinstance(dim, Tensor):
        return arithmetic.minimum(input, dim)
    if dim is None:
        return reduction.amin(input)
    return apply(reduction.min_along, (input, dim, keepdim))


def _correction(unbiased: Any, correction: Any) -> Any:
    if correction is not None:
        return correction
    return 1 if unbiased is None or unbiased else 0


@public(out=True)
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> Tensor:
    """The variance, divided by n - correction (1 unless given; `unbiased=False` means 0)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return reduction.var(input, dim, _correction(unbiased, correction), keepdim)


@public(out=True)
@composite
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> Tensor:
    """The standard deviation: the root of `var`."""
    return arithmetic.sqrt(var(input, dim, unbiased, keepdim, correction=correction))


@public(out=True)
@composite
def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """The p-norm of the elements (2 unless given); "nuc" is the sum of the singular values."""
    if p == "nuc":
        return linalg.matrix_norm(input, p, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return linalg.vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype)


@public(out=True)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices; no broadcasting."""
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError(
            f"mm expects two matrices, got {input.ndim}D and {mat2.ndim}D; matmul broadcasts"
        )
    return linear.matmul(input, mat2)


@public(out=True)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices."""
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor: bmm takes (B, n, m) and (B, m, p)")
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(
            f"bmm: batch sizes must be equal, got {input.shape[0]} and {mat2.shape[0]}"
        )
    return linear.matmul(input, mat2)


@public(out=True)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The scalar product of two vectors."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input.shape != tensor.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor {list(input.shape)} and src "
            f"{list(tensor.shape)} to have the same number of elements"
        )
    return linear.matmul(input, tensor)


@public(FUNCTION, out=True)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """input where condition, else other; with one argument, the indices of the true elements."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    return arithmetic.where(condition, input, other)


@public(out=True)
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0: rows of a matrix, or a tuple per dimension."""
    lib = namespace(input._array)
    places = lib.nonzero(lib.atleast_1d(input._array))
    if as_tuple:
        return tuple(wrap(each) for each in places)
    if not input.ndim:
        return wrap(lib.zeros((int(bool(input._array)), 0), np.int64))
    return wrap(lib.stack(places, 1).astype(np.int64))


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """A border around the last dimensions: `pad` counts (before, after) from the last one on.

    `mode` says what the border holds: "constant" the value, "reflect" the inside mirrored,
    "replicate" the edge, "circular" the other end.
    """
    counts = _ints((pad,))
    if mode == "constant":
        return apply(shape.constant_pad, (input, counts, 0.0 if value is None else value))
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if len(counts) % 2 or len(counts) // 2 not in (input.ndim - 1, input.ndim - 2):
        raise NotImplementedError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: "
            f"{len(counts)} counts for a tensor of {input.ndim} dimensions"
        )
    for i in range(len(counts) // 2):
        d = input.ndim - 1 - i
        input = _bordered(input, d, counts[2 * i], counts[2 * i + 1], mode)
    return input


def _bordered(input: Tensor, d: int, before: int, after: int, mode: str) -> Tensor:
    """The border along one dimension, by the indices of the elements that it repeats."""
    n = input.shape[d]
    if mode == "reflect" and builtin_max(before, after) >= n:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but "
            f"got: padding ({before}, {after}) at dimension {d} of input {list(input.shape)}"
        )
    if mode == "circular" and builtin_max(before, after) > n:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    if n == 0 or n + before + after < 0:
        raise RuntimeError(f"a border ({before}, {after}) does not fit {list(input.shape)}")
    at = np.arange(-before, n + after)
    if mode == "replicate":
        at = at.clip(0, n - 1)
    elif mode == "circular":
        low, high = builtin_max(-before, 0), n - builtin_max(-after, 0)
        at = low + (at - low) % (high - low)  # what a negative count cuts off does not come round
    else:
        at = n - 1 - abs(n - 1 - abs(at))
    return input[(slice(None),) * d + (wrap(at),)]


@public(FUNCTION)
def fill(input: Tensor, value: Any) -> Tensor:
    """A copy with every element `value` (a number, or a 0-d tensor)."""
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            "fill only supports 0-dimension value tensor but got tensor with "
            f"{value.ndim} dimensions."
        )
    return apply(indexing.setitem, (input, value, ...))


@public(ELEMENTWISE, out=True)
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, **more: Any) -> Tensor:
    """A copy with `src` (a tensor or a number) at `index` along `dim`; `reduce="add"` adds."""
    src = more.pop("value", src)
    how = more.pop("reduce", None)
    if more:
        raise TypeError(f"scatter() got an unexpected keyword argument '{next(iter(more))}'")
    if how == "multiply":
        many = apply(indexing.gather, (input, dim, index)) * src
        return apply(indexing.scatter, (input, dim, index, many))
    if how not in (None, "add"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    return apply(indexing.scatter_add if how else indexing.scatter, (input, dim, index, src))


@public(ELEMENTWISE, out=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy with `src` added at `index` along `dim`."""
    return apply(indexing.scatter_add, (input, dim, index, src))


@public(ELEMENTWISE, out=True)
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `values` at `indices`, a tuple of tensors; or added there."""
    index = indexing.plain_index(tuple(slice(None) if i is None else i for i in indices))
    if values.dtype is not input.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{input.dtype} for the destination and {values.dtype} for the source."
        )
    if not accumulate:
        return apply(indexing.setitem, (input, values, index))
    values = expand(values, input[index].shape)
    return input + apply(indexing.put, (values, index, tuple(input.shape)))


@public(out=True)
@composite
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy with `value` wherever mask is true."""
    if mask._array.dtype.kind != "b":
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    number = value._array.item() if isinstance(value, Tensor) else value
    if isinstance(number, complex) and not input.is_complex():
        raise RuntimeError(f"value cannot be converted to type {input.dtype} without overflow")
    filled = arithmetic.where(mask, value, input)
    return filled if filled.dtype is input.dtype else filled.to(input.dtype)


@public(aliases="special.softmax", out=True)
def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """Exponentials along `dim`, divided by their sum."""
    return apply(activation.softmax, (input if dtype is None else input.to(dtype), dim, None))


@public(aliases="special.log_softmax", out=True)
def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, computed stably."""
    return apply(activation.log_softmax, (input if dtype is None else input.to(dtype), dim, None))


@public(out=True)
@composite
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) elements along `dim`, and where they were."""
    d = reduction.wrap_dim(dim, input.ndim)
    n = input.shape[d] if input.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError(f"selected index k out of range: k={k} of {n} elements")
    values, indices = sort(input, d, descending=largest, stable=True)
    if not input.ndim:
        return return_type("topk", VALUES)(values, indices)
    return return_type("topk", VALUES)(
        shape.narrow(values, d, 0, k), shape.narrow(indices, d, 0, k)
    )


@public(out=True)
@composite
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The elements along `dim` in order, and where they were."""
    d = reduction.wrap_dim(dim, input.ndim)
    if not input.ndim:
        zero = wrap(namespace(input._array).zeros((), np.int64))
        return return_type("sort", VALUES)(shape.clone(input), zero)
    indices = apply(reduction.sort_order, (input, d, descending))
    return return_type("sort", VALUES)(indexing.gather(input, d, indices), indices)


@public(out=True)
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    return sort(input, dim, descending).indices


def _triangle(name: str, input: Tensor, diagonal: int, lower: bool) -> Tensor:
    """`input` up to a diagonal, or past it, and zeros elsewhere."""
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    lib = namespace(input._array)
    zero = wrap(lib.zeros((), input._array.dtype))  # of the same dtype: a mask stays a mask
    here = lib.tri(*input._array.shape[-2:], diagonal, dtype=bool)
    return arithmetic.where(wrap(here if lower else ~here), input, zero)


@public(ELEMENTWISE, out=True)
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle; zeros below."""
    return _triangle("triu", input, diagonal - 1, False)


@public(ELEMENTWISE, out=True)
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle; zeros above."""
    return _triangle("tril", input, diagonal, True)


@public()
def flip(input: Tensor, *dims: Any, **named: Any) -> Tensor:
    """The elements in reverse order along the given dimensions."""
    return apply(shape.flip, (input, _ints(dims or (named["dims"],))))


def _unique(array: Any, dim: int | None) -> tuple:
    """The distinct elements (or slices), the place of each in them, and how often it comes."""
    lib = namespace(array)
    found = lib.unique(array, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    values, inverse, counts = (lib.asarray(each) for each in found)
    return values, inverse.reshape(array.shape) if dim is None else inverse, counts


@public()
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements, in order."""
    values, inverse, counts = map(wrap, _unique(input._array, dim))
    asked = (values,) + (inverse,) * return_inverse + (counts,) * return_counts
    return asked if len(asked) > 1 else values


@public(FUNCTION)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, one tensor per dimension."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    order = list(tensors)
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = order[1], order[0]
    sizes = tuple(each.numel() for each in order)
    grids = [
        expand(reshape(each, (1,) * i + (-1,) + (1,) * (len(order) - i - 1)), sizes)
        for i, each in enumerate(order)
    ]
    if indexing == "xy" and len(order) > 1:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@public(ELEMENTWISE, out=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """No element less than `min`."""
    return arithmetic.clamp(input, min)


@public(ELEMENTWISE, out=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """No element more than `max`."""
    return arithmetic.clamp(input, None, max)


@public(FUNCTION)
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha input."""
    return other - (input if alpha == 1 else input * alpha)


@public(FUNCTION)
def detach(input: Tensor) -> Tensor:
    """The same memory outside the graph."""
    return input.detach()


@public(FUNCTION)
def numel(input: Tensor) -> int:
    return input.numel()


@public(FUNCTION)
def is_tensor(value: Any) -> bool:
    """Is it a Tensor?"""
    return isinstance(value, Tensor)


@public(FUNCTION)
def is_floating_point(input: Tensor) -> bool:
    return input.is_floating_point()


@public(FUNCTION)
def result_type(a: Any, b: Any) -> dtypes.dtype:
    """The dtype that an op on both would give."""
    plain = [x._array if isinstance(x, Tensor) else x for x in (a, b)]
    return dtypes.FROM_NUMPY[dtypes.promote(*plain)]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Rows of the identity matrix, chosen by class index."""
    array = tensor._array
    if array.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if array.size and array.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        if not array.size:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(array.max()) + 1
    elif array.size and array.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    classes = wrap(namespace(array).arange(num_classes))
    return (tensor.unsqueeze(-1) == classes).long()
