"""Products of matrices and vectors, alone and added to something; products of sets."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from labtorch.backend.arrays import on_device_of
from labtorch.engine.composite import composite
from labtorch.engine.public import ELEMENTWISE, FUNCTION, public
from labtorch.engine.variable import wrap
from labtorch.ops import shape
from labtorch.ops.arithmetic import conj
from labtorch.ops.linalg import vector_norm
from labtorch.ops.linear import matmul
from labtorch.ops.reduction import wrap_dim
from labtorch.tensor.functions import meshgrid
from labtorch.tensor.tensor import Tensor


def _check_dims(name: str, **expected: tuple[Tensor, int]) -> None:
    kinds = {1: "vector", 2: "matrix", 3: "3D tensor"}
    for argument, (given, ndim) in expected.items():
        if given.ndim != ndim:
            raise RuntimeError(
                f"{name}: {argument} must be a {kinds[ndim]}, got {given.ndim}-D tensor"
            )


def _added(input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta * input + alpha * product; with beta = 0, NaN in the input does not count."""
    if not (product.is_floating_point() or product.is_complex()):
        beta, alpha = int(beta), int(alpha)  # as PyTorch: integers are scaled by integers
    if input.dtype is not product.dtype:
        raise RuntimeError(
            f"self and the product must have the same dtype, but got {input.dtype} and "
            f"{product.dtype}"
        )
    scaled = product if alpha == 1 else product * alpha
    if beta == 0:
        return scaled
    part = input if beta == 1 else input * beta
    return shape.expand(part, tuple(product.shape)) + scaled


@public(ELEMENTWISE, out=True)
@composite
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat1 @ mat2."""
    _check_dims("addmm", mat1=(mat1, 2), mat2=(mat2, 2))
    return _added(input, matmul(mat1, mat2), beta, alpha)


@public(ELEMENTWISE, out=True)
@composite
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat @ vec."""
    if (mat.ndim, vec.ndim) != (2, 1) or input.ndim > 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {input.ndim}, {mat.ndim}, {vec.ndim}"
        )
    return _added(input, matmul(mat, vec), beta, alpha)


@public(ELEMENTWISE, out=True)
@composite
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * the outer product of two vectors."""
    for name, each in (("vec1", vec1), ("vec2", vec2)):
        if each.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {each.ndim}-D")
    return _added(input, outer(vec1, vec2), beta, alpha)


@public(ELEMENTWISE, out=True)
@composite
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """beta * input + alpha * the matrix products of two batches."""
    _check_dims("baddbmm", batch1=(batch1, 3), batch2=(batch2, 3))
    _check_batches(batch1, batch2)
    return _added(input, matmul(batch1, batch2), beta, alpha)


@public(ELEMENTWISE, out=True)
@composite
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """beta * input + alpha * the sum of the matrix products of two batches."""
    _check_dims("addbmm", batch1=(batch1, 3), batch2=(batch2, 3))
    _check_batches(batch1, batch2)
    summed = matmul(batch1, batch2).sum(0, dtype=batch1.dtype)
    return _added(input, summed, beta, alpha)


def _check_batches(batch1: Tensor, batch2: Tensor) -> None:
    if batch1.shape[0] != batch2.shape[0] or batch1.shape[2] != batch2.shape[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{batch1.shape[0]}, {batch1.shape[2]}] but got: "
            f"[{batch2.shape[0]}, {batch2.shape[1]}]."
        )


@public(out=True)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    if (input.ndim, vec.ndim) != (2, 1):
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {vec.ndim}, {input.ndim}, {vec.ndim}"
        )
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({input.shape[0]}), mat ({input.shape[0]}x"
            f"{input.shape[1]}), vec ({vec.shape[0]})"
        )
    return matmul(input, vec)


@public(aliases="ger", out=True)
@composite
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of an element of the one and an element of the other vector."""
    for name, each in (("self", input), ("vec2", vec2)):
        if each.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {each.ndim}-D")
    return shape.unsqueeze(input, -1) * vec2


@public(out=True)
@composite
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The scalar products along the last dimensions."""
    if not input.ndim or not other.ndim:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return tensordot(input, other, ([-1], [-1]))


@public(out=True)
@composite
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The scalar product of two vectors, the first conjugated."""
    if input.ndim != 1 or other.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {other.ndim}D tensors")
    if input.shape != other.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor {list(input.shape)} and src "
            f"{list(other.shape)} to have the same number of elements, but got {input.shape[0]} "
            f"and {other.shape[0]} elements respectively"
        )
    return matmul(conj(input), other)


@public(out=True)
@composite
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of the input times all of the other."""
    ndim = max(input.ndim, other.ndim)
    one, two = ((1,) * (ndim - x.ndim) + tuple(x.shape) for x in (input, other))
    spread = [size for n in one for size in (n, 1)], [size for n in two for size in (1, n)]
    product = input.reshape(spread[0]) * other.reshape(spread[1])
    return product.reshape([m * n for m, n in zip(one, two)])


@public(FUNCTION, out=True)
@composite
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over the last `dims` dimensions of a and the first of b, or two lists."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(
                f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims} and ndims "
                f"{a.ndim} and {b.ndim}"
            )
        dims = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    first, second = ([wrap_dim(d, x.ndim) for d in along] for x, along in zip((a, b), dims))
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    for i, j in zip(first, second):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise RuntimeError(
                "contracted dimensions need to match, but first has size "
                f"{a.shape[i]} in dim {i} and second has size {b.shape[j]} in dim {j}"
            )
        if a.shape[i] != b.shape[j]:  # a dimension of size 1 meets every element of the other
            a, b = (a.sum(i, True), b) if b.shape[j] == 1 else (a, b.sum(j, True))
    rows = [d for d in range(a.ndim) if d not in first]
    columns = [d for d in range(b.ndim) if d not in second]
    count = int(np.prod([a.shape[d] for d in first]))
    left = shape.permute(a, (*rows, *first)).reshape(
        (int(np.prod([a.shape[d] for d in rows])), count)
    )
    right = shape.permute(b, (*second, *columns)).reshape(
        (count, int(np.prod([b.shape[d] for d in columns])))
    )
    sizes = [a.shape[d] for d in rows] + [b.shape[d] for d in columns]
    return matmul(left, right).reshape(sizes)


@public()
@composite
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    return shape.diagonal(input).sum()


@public(FUNCTION)
@composite
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norm distance of every row of x1 to every row of x2."""
    for name, each in (("X1", x1), ("X2", x2)):
        if each.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {each.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    difference = shape.unsqueeze(x1, -2) - shape.unsqueeze(x2, -3)
    if not difference.shape[-1]:
        return difference.sum(-1)
    return vector_norm(difference, p, -1)


@public(FUNCTION)
@composite
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All choices of one element of each vector, as rows."""
    for each in tensors:
        if each.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(each.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return shape.stack([each.reshape((-1,)) for each in meshgrid(*tensors, indexing="ij")], -1)


@public()
@composite
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a vector, in order, as rows."""
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input[:0]
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.shape[0]), r)), dtype=np.int64).reshape(-1, r)
    return input[wrap(on_device_of(rows, input._array))]


@public(FUNCTION)
@composite
def block_diag(*tensors: Tensor) -> Tensor:
    """The matrices along the diagonal of one, zeros elsewhere."""
    for at, each in enumerate(tensors):
        if each.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                f"Input {at} has {each.ndim} dimensions"
            )
    blocks = [x.reshape((1,) * (2 - x.ndim) + tuple(x.shape)) for x in tensors] or [
        wrap(np.zeros((1, 0), np.float32))
    ]
    width, left, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        rows.append(shape.constant_pad(x, (left, width - left - x.shape[1])))
        left += x.shape[1]
    return shape.cat(rows, 0)
