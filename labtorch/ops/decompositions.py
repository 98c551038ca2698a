"""Decompositions of matrices, in batches.

The rules are adjoints of the differentials. Sources: M. Giles, "An extended collection of matrix
derivative results for forward and reverse mode algorithmic differentiation" (2008); J. Townsend,
"Differentiating the singular value decomposition" (2016); M. Seeger et al., "Auto-differentiating
linear algebra" (2017). H means the conjugate transpose; for real matrices, the transpose.
"""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op
from labtorch.engine.public import NOWHERE, public
from labtorch.ops.arithmetic import conj, imag
from labtorch.ops.linear import matmul
from labtorch.ops.matrices import (
    LinAlgError,
    check_matrices,
    check_square,
    diagonal_part,
    eye,
    lower,
    mH,
    mirrored,
    mT,
    on_diagonal,
    over,
    plain,
    upper,
)
from labtorch.ops.shape import cat


def _complex(x: Any) -> bool:
    return plain(x).dtype.kind == "c"


# ----------------------------------------------------------------------------------- Cholesky
@public(NOWHERE, aliases="linalg.cholesky_ex")
@op(r"A = L L^{\mathsf H}", outputs=("L", "info"), name="linalg_cholesky_ex")
def cholesky_ex(A, upper=False, check_errors=False):
    """(L, info): info is 0, or the order of the first leading minor that is not positive."""
    check_square("linalg.cholesky", A)
    lib = namespace(A)
    hermitian = A.swapaxes(-1, -2).conj() if upper else A
    info = lib.zeros(A.shape[:-2], "int32")
    try:
        factor = lib.linalg.cholesky(hermitian)
    except Exception as error:  # one of the batch failed: find out which, one by one
        if type(error).__name__ != "LinAlgError":
            raise
        factor = lib.zeros_like(hermitian)
        for at in lib.ndindex(*info.shape):
            factor[at], info[at] = _leading_part(lib, hermitian[at])
    if check_errors and info.any():
        at = int(info.reshape(-1).argmax())
        batch = f"(Batch element {at}): " if info.ndim else ""
        minor = f"the leading minor of order {int(info.reshape(-1)[at])} is not positive-definite"
        raise LinAlgError(
            f"linalg.cholesky: {batch}The factorization could not be completed because the input "
            f"is not positive-definite ({minor})."
        )
    return factor.swapaxes(-1, -2).conj() if upper else factor, info


def _leading_part(lib: Any, a: Any) -> tuple[Any, int]:
    """The factor of the largest leading minor that has one, and the order of the next (or 0)."""
    factor, n = lib.zeros_like(a), a.shape[-1]
    for order in range(1, n + 1):
        try:
            factor[:order, :order] = lib.linalg.cholesky(a[:order, :order])
        except lib.linalg.LinAlgError:
            return factor, order
    return factor, 0


@cholesky_ex.vjp(
    "A",
    r"\bar A = \tfrac{1}{2} L^{-\mathsf H} \operatorname{sym}(L^{\mathsf H} \bar L) L^{-1}, \;"
    r"\operatorname{sym} X: \text{its lower triangle, mirrored}",
)
def _(g, L, upper):
    from labtorch.ops.linalg import solve_triangular

    factor, cotangent = (mH(L), mH(g[0])) if upper else (L, g[0])
    inner = mirrored(lower(mH(factor) @ lower(cotangent)))
    left = solve_triangular(mH(factor), inner * 0.5, True)
    return solve_triangular(factor, left, False, False)


# ----------------------------------------------------------------------------------------- QR
@public(NOWHERE, aliases="linalg.qr")
@op(r"A = Q R", outputs=("Q", "R"), name="linalg_qr")
def qr(A, mode="reduced"):
    """Q with orthonormal columns, R upper triangular; mode "complete" makes Q square."""
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    check_matrices("linalg.qr", A)
    lib = namespace(A)
    if mode == "r":
        return lib.empty(0, A.dtype), lib.linalg.qr(A, mode)
    return tuple(lib.linalg.qr(A, mode))


@qr.vjp(
    "A",
    r"\bar A = \bigl(\bar Q + Q \operatorname{sym}(\operatorname{triu} M)\bigr) R^{-\mathsf H}, "
    r"\; M = \bar R R^{\mathsf H} - Q^{\mathsf H} \bar Q \quad (m \ge n)",
)
def _(g, A_shape, Q, R, mode):
    rows, columns = A_shape[-2:]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
            "Please use linalg.qr(A, mode='reduced')."
        )
    if mode == "complete" and rows > columns:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
        )
    if rows >= columns:
        return _qr_adjoint(g[0], g[1], Q, R)
    # A = [X Y], R = [U V]: X = Q U is square, and V = Q^H Y
    Y = Q @ R[..., rows:]
    cotangent = g[0] + Y @ mH(g[1][..., rows:])
    X = _qr_adjoint(cotangent, g[1][..., :rows], Q, R[..., :rows])
    return cat([X, Q @ g[1][..., rows:]], -1)


def _qr_adjoint(gQ: Any, gR: Any, Q: Any, R: Any) -> Any:
    from labtorch.ops.linalg import solve_triangular

    inner = mirrored(upper(gR @ mH(R) - mH(Q) @ gQ))
    return solve_triangular(mH(R), gQ + Q @ inner, False, False)


# ------------------------------------------------------------------------------------ singular
@public(NOWHERE, aliases="linalg.svd")
@op(r"A = U \operatorname{diag}(S)\, V^{\mathsf H}", outputs=("U", "S", "Vh"), name="linalg_svd")
def svd(A, full_matrices=True, driver=None):
    """Singular values S, the largest first, with their left (U) and right (V) singular vectors."""
    check_matrices("linalg.svd", A)
    return tuple(namespace(A).linalg.svd(A, full_matrices))


@svd.vjp(
    "A",
    r"\bar A = U \bigl[ \tfrac{\operatorname{skew}(U^{\mathsf H} \bar U)}{E} S "
    r"+ S \tfrac{\operatorname{skew}(V^{\mathsf H} \bar V)}{E} + \bar S \bigr] V^{\mathsf H} "
    r"+ (I - U U^{\mathsf H}) \bar U S^{-1} V^{\mathsf H} "
    r"+ U S^{-1} \bar V^{\mathsf H} (I - V V^{\mathsf H}), \; E_{jk} = S_k^2 - S_j^2",
)
def _(g, A_shape, U, S, Vh):
    rows, columns = A_shape[-2:]
    k = min(rows, columns)
    gU, gS, gVh = g[0][..., :k], g[1], g[2][..., :k, :]
    U, Vh = U[..., :k], Vh[..., :k, :]
    squares = S * S
    E = squares[..., None, :] - squares[..., :, None]
    inU, inV = mH(U) @ gU, Vh @ mH(gVh)
    inner = over(inU - mH(inU), E) * S[..., None, :] + S[..., :, None] * over(inV - mH(inV), E)
    inner = inner + on_diagonal(gS)
    if _complex(U):  # the phases of a pair (u, v) turn together
        inner = inner + on_diagonal(over(imag(diagonal_part(inU)), S) * 1j)
    result = U @ (inner @ Vh)
    if rows > k:
        rest = over(gU, S[..., None, :])
        result = result + (rest - U @ (mH(U) @ rest)) @ Vh
    if columns > k:
        rest = over(gVh, S[..., :, None])
        result = result + U @ (rest - (rest @ mH(Vh)) @ Vh)
    return result


@public(NOWHERE, aliases="linalg.svdvals")
@op(r"S = \sqrt{\lambda(A^{\mathsf H} A)}", keeps=("U", "Vh"), name="linalg_svdvals")
def svdvals(A, driver=None):
    """The singular values, the largest first; equal ones do no harm to the gradient."""
    check_matrices("linalg.svd", A)
    U, S, Vh = namespace(A).linalg.svd(A, False)
    return S, U, Vh


@svdvals.vjp("A", r"\bar A = U \operatorname{diag}(\bar S)\, V^{\mathsf H}")
def _(g, A, U, Vh):
    if U is None:
        U, _, Vh = svd(A, False)
    return (U * g[..., None, :]) @ Vh


# -------------------------------------------------------------------------------- eigenvalues
def _hermitian(name: str, A: Any, UPLO: str) -> None:
    check_square(name, A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")


@public(NOWHERE, aliases="linalg.eigh")
@op(
    r"A = V \operatorname{diag}(\lambda)\, V^{\mathsf H}",
    outputs=("eigenvalues", "eigenvectors"),
    name="linalg_eigh",
)
def eigh(A, UPLO="L"):
    """Of a Hermitian matrix: eigenvalues, the smallest first, and orthonormal eigenvectors."""
    _hermitian("linalg.eigh", A, UPLO)
    return tuple(namespace(A).linalg.eigh(A, UPLO.upper()))


@eigh.vjp(
    "A",
    r"\bar A = V \bigl( \operatorname{diag} \bar\lambda "
    r"+ \operatorname{herm} \tfrac{V^{\mathsf H} \bar V}{E} \bigr) V^{\mathsf H}, "
    r"\; E_{jk} = \lambda_k - \lambda_j, "
    r"\; \operatorname{herm} X = \tfrac{1}{2}(X + X^{\mathsf H})",
)
def _(g, eigenvalues, eigenvectors):
    E = eigenvalues[..., None, :] - eigenvalues[..., :, None]
    V = eigenvectors
    inner = over(mH(V) @ g[1], E)
    return V @ (on_diagonal(g[0]) + (inner + mH(inner)) * 0.5) @ mH(V)


@public(NOWHERE, aliases="linalg.eigvalsh")
@op(r"\lambda: \; A v = \lambda v", keeps=("V",), name="linalg_eigvalsh")
def eigvalsh(A, UPLO="L"):
    """Of a Hermitian matrix, the smallest first; equal ones do no harm to the gradient."""
    _hermitian("linalg.eigvalsh", A, UPLO)
    return tuple(namespace(A).linalg.eigh(A, UPLO.upper()))


@eigvalsh.vjp("A", r"\bar A = V \operatorname{diag}(\bar\lambda)\, V^{\mathsf H}")
def _(g, A, UPLO, V):
    V = eigh(A, UPLO)[1] if V is None else V
    return (V * g[..., None, :]) @ mH(V)


def _check_finite(name: str, A: Any) -> None:
    check_square(name, A)
    if not namespace(A).isfinite(A).all():
        raise RuntimeError(f"torch.{name}: input tensor should not contain infs or NaNs.")


@public(NOWHERE, aliases="linalg.eig")
@op(
    r"A V = V \operatorname{diag}(\lambda)",
    outputs=("eigenvalues", "eigenvectors"),
    name="linalg_eig",
)
def eig(A):
    """Eigenvalues, in no order, and eigenvectors of length 1; both complex."""
    _check_finite("linalg.eig", A)
    dtype = namespace(A).result_type(A.dtype, "complex64")
    return tuple(each.astype(dtype) for each in namespace(A).linalg.eig(A))


@eig.vjp(
    "A",
    r"\bar A = V^{-\mathsf H} \Bigl( \operatorname{diag} \bar\lambda + \tfrac{V^{\mathsf H} \bar V "
    r"- V^{\mathsf H} V \operatorname{diag} \operatorname{Re}(V^{\mathsf H} \bar V)}"
    r"{\bar E} \Bigr) V^{\mathsf H}, \; E_{jk} = \lambda_k - \lambda_j",
)
def _(g, A_dtype, eigenvalues, eigenvectors):
    L, V = eigenvalues, eigenvectors
    inner = mH(V) @ g[1]
    inner = inner - mH(V) @ V * diagonal_part(inner).real[..., None, :]
    E = conj(L[..., None, :] - L[..., :, None])
    return _back_through(V, on_diagonal(g[0]) + over(inner, E), A_dtype)


def _back_through(V: Any, inner: Any, dtype: Any) -> Any:
    """V^-H inner V^H, and of that the real part if the matrix was real."""
    from labtorch.ops.linalg import solve

    found = solve(mH(V), inner @ mH(V))
    return found if dtype.kind == "c" else found.real


@public(NOWHERE, aliases="linalg.eigvals")
@op(r"\lambda: \; A v = \lambda v", keeps=("V",), name="linalg_eigvals")
def eigvals(A):
    """The eigenvalues, complex, in no order."""
    _check_finite("linalg.eigvals", A)
    dtype = namespace(A).result_type(A.dtype, "complex64")
    return tuple(each.astype(dtype) for each in namespace(A).linalg.eig(A))


@eigvals.vjp("A", r"\bar A = V^{-\mathsf H} \operatorname{diag}(\bar\lambda)\, V^{\mathsf H}")
def _(g, A, A_dtype, V):
    V = eig(A)[1] if V is None else V
    return _back_through(V, on_diagonal(g), A_dtype)


# ----------------------------------------------------------------------------------------- LU
@public(NOWHERE, aliases="linalg.lu_factor_ex")
@op(r"P A = L U", outputs=("LU", "pivots", "info"), name="linalg_lu_factor_ex")
def lu_factor_ex(A, pivot=True, check_errors=False):
    """L below and U on and above the diagonal of one matrix; row i was swapped with pivots[i].

    Gaussian elimination with partial pivoting, the whole batch at once. Source: Golub, Van Loan,
    "Matrix Computations", algorithm 3.4.1. info is 0, or the place of the first pivot that is 0.
    """
    check_matrices("torch.lu_factor", A)
    lib, (rows, columns) = namespace(A), A.shape[-2:]
    small, batch = min(rows, columns), A.shape[:-2]
    LU = A.reshape(math.prod(batch), rows, columns).copy()
    every = lib.arange(len(LU))
    pivots = lib.zeros((len(LU), small), "int32")
    info = lib.zeros(len(LU), "int32")
    for k in range(small):
        best = k + abs(LU[:, k:, k]).argmax(1) if pivot else lib.full(len(LU), k)
        pivots[:, k] = best + 1
        LU[every, k], LU[every, best] = LU[every, best], LU[every, k]
        head = LU[:, k, k]
        info = lib.where((info == 0) & (head == 0), k + 1, info)
        LU[:, k + 1 :, k] /= lib.where(head == 0, 1, head)[:, None]
        LU[:, k + 1 :, k + 1 :] -= LU[:, k + 1 :, k, None] * LU[:, k, None, k + 1 :]
    if check_errors and info.any():
        at = int((info != 0).argmax())
        raise LinAlgError(
            f"torch.linalg.lu_factor: {f'(Batch element {at}): ' if batch else ''}U[{info[at]},"
            f"{info[at]}] is zero and using it on lu_solve would result in a division by zero."
        )
    return LU.reshape(A.shape), pivots.reshape(*batch, small), info.astype("int32").reshape(batch)


@lu_factor_ex.vjp(
    "A",
    r"\bar A = P^{\top} L^{-\mathsf H} \bigl[ \operatorname{tril}_{-1}(L^{\mathsf H} \bar L) "
    r"+ \operatorname{triu}(\bar U U^{\mathsf H}) \bigr] U^{-\mathsf H} \quad (m = n)",
)
def _(g, LU, pivots):
    """Of a tall or wide matrix, the square part so, and the rest as the product it is in."""
    from labtorch.ops.linalg import solve_triangular

    rows, columns = LU.shape[-2:]
    k, G = min(rows, columns), g[0]
    L = lower(LU[..., :k, :k], -1) + eye(k, LU)
    U = upper(LU[..., :k, :k])
    square = G[..., :k, :k]
    inL, inU = mH(L) @ lower(square, -1), upper(square) @ mH(U)
    if columns > k:
        inL = inL - G[..., k:] @ mH(LU[..., k:])
    if rows > k:
        inU = inU - mH(LU[..., k:, :]) @ G[..., k:, :]
    inner = solve_triangular(mH(L), lower(inL, -1) + upper(inU), True)
    result = solve_triangular(mH(U), inner, False, False)
    if columns > k:
        result = cat([result, solve_triangular(mH(L), G[..., k:], True)], -1)
    if rows > k:
        result = cat([result, solve_triangular(mH(U), G[..., k:, :], False, False)], -2)
    return matmul(permutation(pivots, rows, LU), result)


def permutation(pivots: Any, rows: int, like: Any) -> Any:
    """The matrix P of A = P L U, from the row swaps that elimination noted."""
    swaps = plain(pivots)
    lib = namespace(swaps)
    order = lib.broadcast_to(lib.arange(rows), (*swaps.shape[:-1], rows)).copy()
    several = math.prod(swaps.shape[:-1])
    flat, steps = order.reshape(several, rows), swaps.reshape(several, swaps.shape[-1])
    every = lib.arange(len(flat))
    for k in range(steps.shape[-1]):
        other = steps[:, k] - 1
        flat[every, k], flat[every, other] = flat[every, other], flat[every, k]
    return mT(lib.eye(rows, dtype=plain(like).dtype)[flat.reshape(order.shape)])
