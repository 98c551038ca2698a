"""What the files of linear algebra share: checks with PyTorch's words, and pieces of matrices.

The pieces work on arrays and on tensors, so that rules can use them.
"""

from __future__ import annotations

from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.ops.arithmetic import conj, where
from labtorch.ops.shape import diagonal, transpose


class LinAlgError(RuntimeError):
    """A matrix does not have what was asked for: an inverse, a Cholesky factor, ..."""


def plain(x: Any) -> Any:
    """The array of a tensor; an array as it is."""
    return getattr(x, "_array", x)


# ------------------------------------------------------------------------------------- checks
def check_floats(name: str, *arrays: Any) -> None:
    """Floating or complex, of one dtype, and not half precision."""
    for each in arrays:
        if each.dtype.kind not in "fc":
            raise RuntimeError(
                f"{name}: Expected a floating point or complex tensor as input. "
                f"Got {each.dtype.name}"
            )
        if each.dtype.itemsize < 4:
            raise NotImplementedError(
                f'"{name}" not implemented for {each.dtype.name}: Low precision dtypes not '
                "supported. Convert with x.float()"
            )
        if each.dtype != arrays[0].dtype:
            raise RuntimeError(
                f"{name}: Expected all inputs to have the same dtype, but got "
                f"{arrays[0].dtype.name} and {each.dtype.name}"
            )


def check_matrices(name: str, *arrays: Any, argument: str = "A") -> None:
    """At least two dimensions."""
    for each in arrays:
        if each.ndim < 2:
            raise RuntimeError(
                f"{name}: The input tensor {argument} must have at least 2 dimensions."
            )
    check_floats(name, *arrays)


def check_square(name: str, a: Any, argument: str = "A") -> None:
    check_matrices(name, a, argument=argument)
    if a.shape[-1] != a.shape[-2]:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are "
            f"{a.shape[-2]} by {a.shape[-1]} matrices"
        )


def attempt(name: str, compute: Any, reason: str) -> Any:
    """`compute()`; the array library's refusal becomes PyTorch's LinAlgError."""
    try:
        return compute()
    except Exception as error:
        if type(error).__name__ != "LinAlgError":
            raise
        failure = f"{name}: {reason}"
    raise LinAlgError(failure)


# ------------------------------------------------------------------------------------- pieces
def mT(x: Any) -> Any:
    """The transpose of the last two dimensions."""
    return transpose(x, -2, -1)


def mH(x: Any) -> Any:
    """The conjugate transpose of the last two dimensions."""
    return conj(transpose(x, -2, -1))


def eye(n: int, like: Any) -> Any:
    """The identity, of the dtype of `like`."""
    array = plain(like)
    return namespace(array).eye(n, dtype=array.dtype)


def on_diagonal(x: Any) -> Any:
    """Matrices with `x` on their diagonal."""
    return x[..., None] * eye(x.shape[-1], x)


def diagonal_part(x: Any) -> Any:
    return diagonal(x, 0, -2, -1)


def lower(x: Any, offset: int = 0) -> Any:
    """The lower triangle; zeros above the diagonal with this offset."""
    keep = namespace(plain(x)).tri(*x.shape[-2:], offset, dtype=bool)
    return where(keep, x, 0.0)


def upper(x: Any, offset: int = 0) -> Any:
    """The upper triangle; zeros below the diagonal with this offset."""
    below = namespace(plain(x)).tri(*x.shape[-2:], offset - 1, dtype=bool)
    return where(below, 0.0, x)


def mirrored(x: Any) -> Any:
    """The Hermitian matrix with the triangle `x` (of either side) on both sides."""
    both = x + mH(x)
    return both - on_diagonal(diagonal_part(both) * 0.5)


def over(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0: what is undefined there does not count."""
    none = b == 0
    return where(none, 0.0, a / where(none, 1.0, b))
