"""Factors of matrices put to use, and decompositions under PyTorch's older names."""

from __future__ import annotations

from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.composite import composite
from labtorch.engine.op import op
from labtorch.engine.public import FUNCTION, NOWHERE, public
from labtorch.engine.results import return_type
from labtorch.engine.variable import wrap
from labtorch.ops import decompositions
from labtorch.ops.arithmetic import conj
from labtorch.ops.decompositions import lu_factor_ex, permutation
from labtorch.ops.linalg import solve_triangular
from labtorch.ops.linear import matmul
from labtorch.ops.matrices import check_matrices, lower, mH, mT, plain, upper
from labtorch.ops.shape import expand, narrow

LUFactor = return_type("linalg_lu_factor", ("LU", "pivots"))
LUPivots = return_type("lu", ("LU", "pivots"))
LUInfo = return_type("lu", ("LU", "pivots", "info"))
LU = return_type("linalg_lu", ("P", "L", "U"))
Unpacked = return_type("lu_unpack", ("P", "L", "U"))
QR = return_type("qr", ("Q", "R"))
SVD = return_type("svd", ("U", "S", "V"))
Triangular = return_type("triangular_solve", ("solution", "cloned_coefficient"))


# ----------------------------------------------------------------------------------------- LU
@public(NOWHERE, aliases="linalg.lu_factor", out=True)
def lu_factor(A: Any, *, pivot: bool = True) -> Any:
    """(LU, pivots): L and U in one matrix, and the row swaps."""
    return LUFactor(*lu_factor_ex(A, pivot)[:2])


@public()
def lu(A: Any, pivot: bool = True, get_infos: bool = False) -> Any:
    """(LU, pivots), and with get_infos a third result: where a pivot was 0."""
    found = lu_factor_ex(A, pivot)
    return LUInfo(*found) if get_infos else LUPivots(*found[:2])


@public(FUNCTION, out=True)
@composite
def lu_unpack(
    LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """P, L and U with P L U = A, from what `lu_factor` gives."""
    lib, array = namespace(plain(LU_data)), plain(LU_data)
    if unpack_pivots and plain(LU_pivots).dtype != "int32":
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype."
        )
    none = wrap(lib.empty(0, array.dtype))
    rows, columns = LU_data.shape[-2:]
    k = min(rows, columns)
    P = wrap(permutation(LU_pivots, rows, LU_data)) if unpack_pivots else none
    if not unpack_data:
        return Unpacked(P, none, none)
    L = lower(narrow(LU_data, -1, 0, k), -1) + lib.eye(rows, k, dtype=array.dtype)
    return Unpacked(P, L, upper(narrow(LU_data, -2, 0, k)))


@public(NOWHERE, aliases="linalg.lu", out=True)
@composite
def linalg_lu(A: Any, *, pivot: bool = True) -> Any:
    """P, L, U with P L U = A, by elimination with row swaps (P is empty without)."""
    found = lu_factor_ex(A, pivot)
    P, L, U = lu_unpack(found[0], found[1])
    return LU(P if pivot else wrap(plain(P)[..., :0, 0].reshape(-1)[:0]), L, U)


@public(NOWHERE, aliases="linalg.lu_solve", out=True)
@composite
def linalg_lu_solve(
    LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False
) -> Any:
    """X with A X = B (left=False: X A = B; adjoint: with A^H), from the factors of A."""
    if not left:  # X A = B is A^H X^H = B^H
        return mH(linalg_lu_solve(LU, pivots, mH(B), adjoint=not adjoint))
    P = permutation(pivots, LU.shape[-1], LU)
    if adjoint:
        half = solve_triangular(mH(LU), B, False)
        return matmul(wrap(P), solve_triangular(mH(LU), half, True, True, True))
    half = solve_triangular(LU, matmul(wrap(mT(P)), B), False, True, True)
    return solve_triangular(LU, half, True)


@public(out=True)
def lu_solve(b: Any, LU_data: Any, LU_pivots: Any) -> Any:
    """X with A X = b, from the factors of A."""
    return linalg_lu_solve(LU_data, LU_pivots, b)


@public(out=True)
@composite
def triangular_solve(
    b: Any, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """(X, A) with A X = b (or A^T X = b) for a triangular A."""
    if b.ndim < 2 or A.ndim < 2:
        raise RuntimeError(
            "torch.triangular_solve: Expected b and A to have at least 2 dimensions, but they "
            f"have {b.ndim} and {A.ndim} dimensions"
        )
    matrix, above = (mT(A), not upper) if transpose else (A, upper)
    return Triangular(solve_triangular(matrix, b, above, True, unitriangular), A * 1)


# ------------------------------------------------------------------------ QR and Householder's
@public(out=True)
def qr(input: Any, some: bool = True) -> Any:
    """Q with orthonormal columns (some=False: square) and R upper triangular."""
    return QR(*decompositions.qr(input, "reduced" if some else "complete"))


@public(aliases="Tensor.geqrf")
@op(r"A = H_1 \cdots H_k R, \; H_i = I - \tau_i v_i v_i^{\mathsf H}", outputs=("a", "tau"))
def geqrf(input):
    """R on and above the diagonal, Householder's vectors v below it, and their factors tau."""
    check_matrices("geqrf", input)
    reflectors, tau = namespace(input).linalg.qr(input, "raw")
    return reflectors.swapaxes(-1, -2), tau


@public(aliases="linalg.householder_product", out=True)
@composite
def orgqr(input: Any, tau: Any) -> Any:
    """The first columns of H_1 ... H_k, from Householder's vectors below the diagonal."""
    check_matrices("torch.linalg.householder_product", plain(input), argument="input")
    rows, columns = input.shape[-2:]
    if rows < columns:
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to "
            "input.shape[-1]"
        )
    if tau.shape[-1] > columns:
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-1] must be greater than or equal to "
            "tau.shape[-1]"
        )
    if tau.ndim != input.ndim - 1 or tuple(tau.shape[:-1]) != tuple(input.shape[:-2]):
        raise RuntimeError(
            "torch.linalg.householder_product: Expected batch dimensions of tau to be equal to "
            f"input.shape[:-2], but got {list(tau.shape[:-1])}"
        )
    array = plain(input)
    first = namespace(array).eye(rows, columns, dtype=array.dtype)
    Q = expand(wrap(first), tuple(input.shape)) + input[..., :0].sum()  # also without a tau
    return _reflected(input, tau, Q, reversed(range(tau.shape[-1])))


def _reflected(input: Any, tau: Any, C: Any, order: Any, adjoint: bool = False) -> Any:
    """The reflections (or their adjoints) applied to C, one after the other."""
    vectors = lower(input, -1) + namespace(plain(input)).eye(
        *input.shape[-2:], dtype=plain(input).dtype
    )
    for i in order:
        v = narrow(vectors, -1, i, 1)
        factor = tau[..., i, None, None]
        C = C - (conj(factor) if adjoint else factor) * (v @ (mH(v) @ C))
    return C


@public(out=True)
@composite
def ormqr(input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False) -> Any:
    """Q C (or C Q; transpose: with Q^H), Q from Householder's vectors, never formed."""
    check_matrices("ormqr", plain(input), plain(other), argument="input")
    side = other.shape[-2 if left else -1]
    if tau.shape[-1] > input.shape[-1] or input.shape[-2] != side:
        raise RuntimeError(
            f"torch.ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2] "
            f"and greater than or equal to tau.shape[-1], got {side} and {input.shape[-2]}"
        )
    if not left:  # C Q = (Q^H C^H)^H
        return mH(ormqr(input, tau, mH(other), True, not transpose))
    order = range(tau.shape[-1])
    return _reflected(input, tau, other, order if transpose else reversed(order), transpose)


# ------------------------------------------------------------------------------------ singular
@public(out=True)
@composite
def svd(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """U, S, V with U diag(S) V^H = input; compute_uv=False leaves U and V 0."""
    if not compute_uv:
        lib, array = namespace(plain(input)), plain(input)
        rows, columns = array.shape[-2:]
        square = [lib.zeros((*array.shape[:-2], n, n), array.dtype) for n in (rows, columns)]
        return SVD(wrap(square[0]), decompositions.svdvals(input), wrap(square[1]))
    U, S, Vh = decompositions.svd(input, not some)
    return SVD(U, S, mH(Vh))
