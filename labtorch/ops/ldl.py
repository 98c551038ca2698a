"""L D L^T of symmetric (or Hermitian) matrices that need not be positive, and solving with it."""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op
from labtorch.engine.public import NOWHERE, public
from labtorch.engine.results import return_type
from labtorch.ops.arithmetic import conj
from labtorch.ops.matrices import LinAlgError, check_matrices, check_square, lower
from labtorch.ops.shape import sum_to

ALPHA = (1 + math.sqrt(17)) / 8  # bounds the growth of the elements (Bunch, Kaufman)


@public(NOWHERE, aliases="linalg.ldl_factor_ex")
@op(
    r"P^{\top} A P = L D L^{\top}",
    outputs=("LD", "pivots", "info"),
    name="linalg_ldl_factor_ex",
)
def ldl_factor_ex(A, hermitian=False, check_errors=False):
    """L below and D on the diagonal, in blocks of 1 or 2, of the lower triangle of A.

    pivots[k] is the row that was swapped with row k; in both rows of a block of 2 it is negative.
    Source: Bunch, Kaufman, "Some stable methods for calculating inertia and solving symmetric
    linear systems" (1977).
    """
    check_square("torch.linalg.ldl_factor_ex", A)
    lib, batch = namespace(A), A.shape[:-2]
    flip = lib.conj if hermitian else lambda x: x
    LD = lower(A) + flip(lower(A, -1).swapaxes(-1, -2))
    pivots, info = lib.zeros(A.shape[:-1], "int32"), lib.zeros(batch, "int32")
    for at in lib.ndindex(*batch):
        info[at] = _factor(lib, LD[at], pivots[at], flip)
    if check_errors and info.any():
        raise LinAlgError(
            "torch.linalg.ldl_factor_ex: The factorization has a block of D that is singular, so "
            "solving with it would divide by zero."
        )
    return lower(LD), pivots, info


def _factor(lib: Any, A: Any, pivots: Any, flip: Any) -> int:
    """One matrix, in place; the place of the first column of zeros (from 1), or 0."""
    n, k, info = A.shape[-1], 0, 0
    while k < n:
        size, place = _pivot(lib, A, k)
        if size == 0:
            pivots[k], info, k = k + 1, info or k + 1, k + 1
            continue
        last, rest = k + size - 1, k + size
        part = A[k:, k:]
        swap = [last - k, place - k]
        part[swap] = part[swap[::-1]]
        part[:, swap] = part[:, swap[::-1]]
        column, block = A[rest:, k:rest].copy(), A[k:rest, k:rest]
        factor = lib.linalg.solve(block.T, column.T).T
        A[rest:, rest:] -= factor @ flip(column.T)
        A[rest:, k:rest] = factor
        pivots[k:rest] = place + 1 if size == 1 else -(place + 1)
        k = rest
    return info


def _pivot(lib: Any, A: Any, k: int) -> tuple[int, int]:
    """The size of the next block of D (0: a column of zeros), and the row to bring there."""
    here, below = abs(A[k, k]), lib.abs(A[k + 1 :, k])
    most = below.max() if below.size else 0.0
    if max(here, most) == 0:
        return 0, k
    if here >= ALPHA * most:
        return 1, k
    other = k + 1 + int(below.argmax())
    row = lib.abs(A[other, k:])
    row[other - k] = 0
    if here >= ALPHA * most * (most / row.max()):
        return 1, k
    return (1 if abs(A[other, other]) >= ALPHA * row.max() else 2), other


LDLFactor = return_type("linalg_ldl_factor", ("LD", "pivots"))


@public(NOWHERE, aliases="linalg.ldl_factor", out=True)
def ldl_factor(A: Any, *, hermitian: bool = False) -> Any:
    """(LD, pivots) of a symmetric (or Hermitian) matrix; see `ldl_factor_ex`."""
    return LDLFactor(*ldl_factor_ex(A, hermitian, True)[:2])


@public(NOWHERE, aliases="linalg.ldl_solve")
@op(r"P L D L^{\top} P^{\top} X = B", name="linalg_ldl_solve")
def ldl_solve(LD, pivots, B, hermitian=False):
    """X with A X = B, from the factors of A."""
    check_square("torch.linalg.ldl_solve", LD, "LD")
    check_matrices("torch.linalg.ldl_solve", LD, B, argument="B")
    if B.shape[-2] != LD.shape[-1]:
        raise RuntimeError(
            f"torch.linalg.ldl_solve: Incompatible shapes: {LD.shape[-2]}x{LD.shape[-1]} and "
            f"{B.shape[-2]}x{B.shape[-1]}"
        )
    if pivots.dtype.kind not in "iu":
        raise RuntimeError(
            "torch.linalg.ldl_solve: Expected pivots to be integers. Got " + pivots.dtype.name
        )
    lib = namespace(LD)
    batch = lib.broadcast_shapes(LD.shape[:-2], B.shape[:-2])
    X = lib.broadcast_to(B, (*batch, *B.shape[-2:])).copy()
    factors = lib.broadcast_to(LD, (*batch, *LD.shape[-2:]))
    swaps = lib.broadcast_to(pivots, (*batch, pivots.shape[-1]))
    for at in lib.ndindex(*batch):
        _substitute(lib, factors[at], swaps[at], X[at], lib.conj if hermitian else lambda x: x)
    return X


def _substitute(lib: Any, LD: Any, pivots: Any, X: Any, flip: Any) -> None:
    """One matrix: down with L and D, up with L^T, undoing the swaps as they were made."""
    blocks, k = [], 0
    while k < len(pivots):
        blocks.append((k, k + (1 if pivots[k] > 0 else 2)))
        k = blocks[-1][1]
    for start, stop in blocks:
        _swap(X, stop - 1, abs(int(pivots[start])) - 1)
        X[stop:] -= LD[stop:, start:stop] @ X[start:stop]
        D = LD[start:stop, start:stop]
        if stop - start == 2:
            D = lower(D) + flip(lower(D, -1).T)
        X[start:stop] = lib.linalg.solve(D, X[start:stop])
    for start, stop in reversed(blocks):
        X[start:stop] -= flip(LD[stop:, start:stop].T) @ X[stop:]
        _swap(X, stop - 1, abs(int(pivots[start])) - 1)


def _swap(X: Any, i: int, j: int) -> None:
    X[[i, j]] = X[[j, i]]


@ldl_solve.vjp("B", r"\bar B = A^{-\mathsf H} \bar X")
def _(g, LD, pivots, B_shape, hermitian):
    back = ldl_solve(LD, pivots, g if hermitian else conj(g), hermitian)
    return sum_to(back if hermitian else conj(back), B_shape)
