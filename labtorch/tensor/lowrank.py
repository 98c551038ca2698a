"""Low-rank approximations found by random directions.

Source: Halko, Martinsson, Tropp, "Finding structure with randomness" (2011).
"""

from __future__ import annotations

from typing import Any

from labtorch.engine.composite import composite
from labtorch.engine.public import FUNCTION, public
from labtorch.ops import decompositions
from labtorch.ops.linear import matmul
from labtorch.ops.matrices import mH
from labtorch.ops.reduction import mean
from labtorch.ops.shape import expand
from labtorch.tensor.random import randn


def _range(A: Any, q: int, niter: int, M: Any) -> Any:
    """Orthonormal columns that nearly span the range of A - M (algorithm 4.4)."""

    def moved(x: Any, transposed: bool) -> Any:
        left = mH(A) if transposed else A
        if M is None:
            return matmul(left, x)
        return matmul(left, x) - matmul(mH(M) if transposed else M, x)

    draw = randn(A.shape[-1], q, dtype=A.dtype, device=A.device)
    Q = decompositions.qr(moved(draw, False))[0]
    for _ in range(niter):
        Q = decompositions.qr(moved(Q, True))[0]
        Q = decompositions.qr(moved(Q, False))[0]
    return Q


@public(FUNCTION)
@composite
def svd_lowrank(A: Any, q: int = 6, niter: int = 2, M: Any = None) -> Any:
    """U, S, V with about q singular values of A - M, found by random directions."""
    rows, columns = A.shape[-2:]
    M = None if M is None else expand(M, tuple(A.shape))
    if rows < columns:  # the shorter side is the one to search
        V, S, U = _lowrank(mH(A), q, niter, None if M is None else mH(M))
        return U, S, V
    return _lowrank(A, q, niter, M)


def _lowrank(A: Any, q: int, niter: int, M: Any) -> tuple:
    Q = _range(A, q, niter, M)
    small = matmul(mH(Q), A if M is None else A - M)
    U, S, Vh = decompositions.svd(small, False)
    return matmul(Q, U), S, mH(Vh)


@public(FUNCTION)
@composite
def pca_lowrank(A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """The principal components of the rows of A: `svd_lowrank` of A less its mean row."""
    rows, columns = A.shape[-2:]
    q = min(6, rows, columns) if q is None else q
    if not 0 <= q <= min(rows, columns):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than "
            f"min(m, n)={min(rows, columns)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - mean(A, -2, True) if center else A, q, niter)
