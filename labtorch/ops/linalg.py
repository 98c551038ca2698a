"""Linear algebra: solving, determinants, norms, powers, and what is composed of them.

Sources of the rules: M. Giles, "An extended collection of matrix derivative results for forward
and reverse mode algorithmic differentiation" (2008), and what an op names itself.
"""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.composite import composite
from labtorch.engine.op import op
from labtorch.engine.public import FUNCTION, NOWHERE, public
from labtorch.engine.results import return_type
from labtorch.engine.variable import Variable, wrap
from labtorch.ops.arithmetic import abs, conj, imag, pow, where
from labtorch.ops.arrangement import roll
from labtorch.ops.decompositions import (
    cholesky_ex,
    lu_factor_ex,
    svdvals,
)
from labtorch.ops.linear import matmul
from labtorch.ops.matrices import (
    LinAlgError,
    attempt,
    check_floats,
    check_matrices,
    check_square,
    eye,
    lower,
    mH,
    over,
    plain,
    upper,
)
from labtorch.ops.reduction import amax, amin, axes, spread, sum, wrap_dim
from labtorch.ops.scan import cumprod
from labtorch.ops.shape import cast, cat, diagonal, expand, permute, unsqueeze
from labtorch.ops.trigonometry import sgn


# ------------------------------------------------------------------------------------ solving
@public(NOWHERE, aliases="linalg.inv")
@op(r"Y = A^{-1}", name="linalg_inv")
def inv(A):
    """The inverse of a square matrix, or of each in a batch."""
    check_square("linalg.inv", A)
    return attempt(
        "linalg.inv",
        lambda: namespace(A).linalg.inv(A),
        "A diagonal element of U is zero, the inversion could not be completed because the input "
        "matrix is singular.",
    )


@inv.vjp("A", r"\bar A = -Y^{\mathsf H} \bar Y Y^{\mathsf H}")
def _(g, output):
    return -(mH(output) @ g @ mH(output))


@public()
def inverse(input: Any) -> Any:
    """The inverse of a square matrix, or of each in a batch."""
    return inv(input)


def _is_vector(A: Any, B: Any) -> bool:
    """Is B a right-hand side of vectors? PyTorch's rule: one dimension, or A's batch of them."""
    return B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1]))


@public(NOWHERE, aliases="linalg.solve")
@op(r"A X = B", name="linalg_solve")
def solve(A, B, left=True):
    """X with A X = B (or X A = B, left=False); B holds matrices, or vectors of A's batch."""
    check_square("linalg.solve", A)
    check_floats("linalg.solve", A, B)
    vector = _is_vector(A, B)
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for "
            "left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    right = B[..., None] if vector else B
    if right.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A.shape[-2]}x{A.shape[-1]} and "
            f"{right.shape[-2]}x{right.shape[-1]})"
        )
    found = attempt(
        "torch.linalg.solve",
        lambda: _solved(A, right, left),
        "The solver failed because the input matrix is singular.",
    )
    return found[..., 0] if vector else found


def _solved(A: Any, B: Any, left: bool) -> Any:
    lib = namespace(A)
    if left:
        return lib.linalg.solve(A, B)
    return lib.linalg.solve(A.swapaxes(-1, -2), B.swapaxes(-1, -2)).swapaxes(-1, -2)


@solve.vjps(
    "A",
    "B",
    formula=r"\bar B = A^{-\mathsf H} \bar X, \quad \bar A = -\bar B X^{\mathsf H}",
)
def _(g, A, B, output, left, needs):
    from labtorch.ops.shape import sum_to

    vector = _is_vector(A, B)
    X, G = (output[..., None], g[..., None]) if vector else (output, g)
    gB = solve(mH(A), G, left)
    gA = -(gB @ mH(X) if left else mH(X) @ gB)
    gB = gB[..., 0] if vector else gB
    return [sum_to(gA, tuple(A.shape)), sum_to(gB, tuple(B.shape))]


@op(r"A X = B, \; A \text{ triangular}", name="linalg_solve_triangular")
def solve_triangular(A, B, upper, left=True, unitriangular=False):
    """X with A X = B (or X A = B), of A only one triangle, or also a diagonal of ones."""
    check_square("linalg.solve_triangular", A)
    check_matrices("linalg.solve_triangular", A, B)
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(
            f"linalg.solve_triangular: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A.shape[-2]}x{A.shape[-1]} and "
            f"{B.shape[-2]}x{B.shape[-1]})"
        )
    triangle = _triangle(A, upper, unitriangular)
    return attempt(
        "linalg.solve_triangular",
        lambda: _solved(triangle, B, left),
        "The input matrix is singular: an element of its diagonal is 0.",
    )


def _triangle(A: Any, above: bool, unit: bool) -> Any:
    part = upper if above else lower
    return part(A, 1 if above else -1) + eye(A.shape[-1], A) if unit else part(A)


@solve_triangular.vjps(
    "A",
    "B",
    formula=r"\bar B = A^{-\mathsf H} \bar X, \quad "
    r"\bar A = -\operatorname{triangle}(\bar B X^{\mathsf H})",
)
def _(g, A, B_shape, output, upper, left, unitriangular, needs):
    from labtorch.ops.matrices import upper as upper_part
    from labtorch.ops.shape import sum_to

    gB = solve_triangular(mH(A), g, not upper, left, unitriangular)
    gA = -(gB @ mH(output) if left else mH(output) @ gB)
    gA = (upper_part if upper else lower)(gA, (1 if upper else -1) if unitriangular else 0)
    return [sum_to(gA, tuple(A.shape)), sum_to(gB, B_shape)]


@public(NOWHERE, aliases="linalg.solve_triangular", out=True)
def _solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    """X with A X = B (or X A = B, left=False) for a triangular A."""
    return solve_triangular(A, B, upper, left, unitriangular)


InvEx = return_type("linalg_inv_ex", ("inverse", "info"))
SolveEx = return_type("linalg_solve_ex", ("result", "info"))


@public(NOWHERE, aliases="linalg.inv_ex", out=True)
def inv_ex(A: Any, *, check_errors: bool = False) -> Any:
    """(inverse, info): where info is not 0, the matrix is singular and its "inverse" NaN."""
    return InvEx(*_each_regular(A, inv, check_errors))


@public(NOWHERE, aliases="linalg.solve_ex", out=True)
def solve_ex(A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Any:
    """(result, info): where info is not 0, the matrix is singular and the result NaN."""
    return SolveEx(*_each_regular(A, lambda a: solve(a, B, left), check_errors))


def _each_regular(A: Any, compute: Any, check_errors: bool) -> tuple[Any, Any]:
    lib, batch = namespace(A._array), A._array.shape[:-2]
    try:
        return compute(A), wrap(lib.zeros(batch, "int32"))
    except LinAlgError:
        if check_errors:
            raise
    info = lu_factor_ex(A)[2]
    failed = wrap((info._array != 0)[..., None, None])
    result = compute(where(failed, eye(A.shape[-1], A), A))
    return where(failed, float("nan"), result) if result.ndim >= 2 else result, info


@public(aliases="linalg.cholesky", out=True)
def cholesky(input: Any, upper: bool = False) -> Any:
    """L, lower triangular, with L L^H = A; or its U = L^H."""
    return cholesky_ex(input, upper, True)[0]


@public(out=True)
@composite
def cholesky_solve(input: Any, L: Any, upper: bool = False) -> Any:
    """X with A X = input, from the Cholesky factor of A.

    As in PyTorch, the gradient is that of L L^H for any L, triangular or not.
    """
    check_matrices("cholesky_solve", plain(input), plain(L), argument="input")
    return solve(matmul(mH(L), L) if upper else matmul(L, mH(L)), input)


@public(out=True)
@composite
def cholesky_inverse(input: Any, upper: bool = False) -> Any:
    """The inverse of A, from its Cholesky factor."""
    check_square("cholesky_inverse", plain(input))
    return inv(matmul(mH(input), input) if upper else matmul(input, mH(input)))


# ------------------------------------------------------------------------------- determinants
@public(aliases="linalg.det")
@op(r"y = \det A")
def det(A):
    check_square("linalg.det", A)
    return namespace(A).asarray(namespace(A).linalg.det(A))


@det.vjp("A", r"\bar A = \bar y \operatorname{cof}(A)^{*} = \bar y\, y^{*} A^{-\mathsf H}")
def _(g, A, output):
    if isinstance(A, Variable):
        return (g * conj(output))[..., None, None] * mH(inv(A))
    # the cofactors from the singular values: they exist for a singular matrix, too
    lib = namespace(A)
    U, S, Vh = lib.linalg.svd(A)
    n = S.shape[-1]
    others = lib.where(lib.eye(n, dtype=bool), 1, S[..., None, :]).prod(-1)
    turn = conj(lib.linalg.det(U) * lib.linalg.det(Vh))
    return g[..., None, None] * turn[..., None, None] * ((U * others[..., None, :]) @ Vh)


@public(aliases="linalg.slogdet")
@op(r"y = \operatorname{sign} \det A, \; \ln |\det A|", outputs=("sign", "logabsdet"))
def slogdet(A):
    check_square("linalg.slogdet", A)
    lib = namespace(A)
    return tuple(lib.asarray(each) for each in lib.linalg.slogdet(A))


@slogdet.vjp(
    "A",
    r"\bar A = \bigl(\bar l - i \operatorname{Im}(\bar s^{*} s)\bigr) A^{-\mathsf H}, "
    r"\; s = \operatorname{sign}, \; l = \ln |\det A|",
)
def _(g, A, sign):
    scale = g[1]
    if plain(A).dtype.kind == "c":
        scale = scale - imag(conj(g[0]) * sign) * 1j
    return scale[..., None, None] * mH(inv(A))


@public()
@composite
def logdet(input: Any) -> Any:
    """ln det A; NaN where the determinant is negative."""
    sign, logarithm = slogdet(input)
    if plain(input).dtype.kind == "c":
        from labtorch.ops.arithmetic import log

        return logarithm + log(sign)
    return where(sign < 0, float("nan"), logarithm)


# -------------------------------------------------------------------------------------- norms
@public(NOWHERE, aliases="linalg.vector_norm")
@op(r"y = \bigl(\sum_i |x_i|^{p}\bigr)^{1/p}", name="linalg_vector_norm")
def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None):
    """The p-norm; ord=inf and -inf are the extremes, ord=0 counts what is not 0."""
    if x.dtype.kind not in "fc":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. "
            f"Got {x.dtype.name}"
        )
    if dtype is not None:
        if dtype.numpy.kind != x.dtype.kind and dtype.numpy.kind != "c":
            raise RuntimeError(
                "linalg.vector_norm: the dtype of the input should be convertible without "
                f"narrowing to the specified dtype ({dtype.name})"
            )
        x = x.astype(dtype.numpy)
    lib, where_to = namespace(x), _norm_axes(dim, x.ndim)
    size = lib.abs(x)
    if ord < 0 or ord == math.inf:
        counted = range(x.ndim) if where_to is None else where_to
        if any(not x.shape[i] for i in counted):
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {float(ord)} norm on an empty tensor "
                "because the operation does not have an identity"
            )
    if ord in (math.inf, -math.inf):
        return (size.max if ord > 0 else size.min)(axis=where_to, keepdims=keepdim)
    if ord == 0:
        return (size != 0).sum(axis=where_to, keepdims=keepdim).astype(size.dtype)
    if ord == 1:
        return size.sum(axis=where_to, keepdims=keepdim)
    if ord == 2:
        return lib.sqrt((size * size).sum(axis=where_to, keepdims=keepdim))
    total = (size**ord).sum(axis=where_to, keepdims=keepdim)
    return total ** size.dtype.type(1 / ord)


def _norm_axes(dim: Any, ndim: int) -> Any:
    """The dimensions to reduce; none named, or an empty list of them, means all."""
    whole = dim is None or dim in ((), []) or not ndim
    return None if whole else axes(dim, ndim)


@vector_norm.vjp("x", r"\bar x = \bar y\, \operatorname{sgn}(x) \odot \bigl(|x| / y\bigr)^{p - 1}")
def _(g, x, x_shape, x_dtype, output, ord, dim, keepdim):
    dim = _norm_axes(dim, len(x_shape))
    g, y = (spread(each, x_shape, dim, keepdim) for each in (g, output))
    size = abs(x)
    if ord == 0:
        grad = g * 0 * size
    elif ord in (math.inf, -math.inf):
        here = size == y
        ties = sum(where(here, 1.0, 0.0), dim, True)
        grad = sgn(x) * where(here, g / expand(ties, x_shape), 0.0)
    elif ord == 1:
        grad = sgn(x) * g
    elif ord == 2:
        grad = over(x * g, y)
    else:
        ratio = over(size, y)
        grad = sgn(x) * g * where(ratio == 0, 0.0, pow(where(ratio == 0, 1.0, ratio), ord - 1))
    return grad if plain(grad).dtype == x_dtype else cast(grad, x_dtype)


def _to(x: Any, dtype: Any) -> Any:
    return x if dtype is None else cast(x, dtype.numpy)


@public(NOWHERE, aliases="linalg.matrix_norm", out=True)
@composite
def matrix_norm(
    A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """The norm of matrices: "fro", "nuc" (sum of singular values), 1, -1, 2, -2, inf, -inf."""
    if A.ndim < 2:
        raise RuntimeError(
            "linalg.matrix_norm: The input tensor A must have at least 2 dimensions."
        )
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple. Got " + str(dim))
    row, column = (wrap_dim(d, A.ndim) for d in dim)
    if row == column:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got {tuple(dim)}")
    if ord == "fro":
        return vector_norm(A, 2, (row, column), keepdim, dtype)
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    check_floats("linalg.matrix_norm", plain(A))
    rest = [d for d in range(A.ndim) if d not in (row, column)]
    matrices = permute(_to(A, dtype), (*rest, row, column))
    if ord in ("nuc", 2, -2):
        values = svdvals(matrices)
        sums, extreme = values, sum if ord == "nuc" else amax if ord > 0 else amin
    else:
        sums = sum(abs(matrices), -2 if ord in (1, -1) else -1)
        extreme = amax if ord > 0 else amin
    result = extreme(sums, -1)
    if keepdim:
        for d in sorted((row, column)):
            result = unsqueeze(result, d)
    return result


@public(NOWHERE, aliases="linalg.norm", out=True)
@composite
def norm(
    A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """The norm of a vector or of matrices, by the number of dimensions that `dim` names."""
    if isinstance(dim, int):
        dim = (dim,)
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype)
    if dim is None and A.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. "
            f"Got {A.ndim}D."
        )
    if isinstance(ord, str) or (A.ndim if dim is None else len(dim)) == 2:
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if dim is not None and len(dim) != 1:
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2, {dim}")
    return vector_norm(A, ord, dim, keepdim, dtype)


@public(NOWHERE, aliases="linalg.cond", out=True)
@composite
def cond(A: Any, p: Any = None) -> Any:
    """||A|| ||A^-1||: how much solving with A may magnify errors; inf if A is singular."""
    check_matrices("linalg.cond", plain(A))
    if p is None or p in (2, -2):
        values = svdvals(A)
        if not values.shape[-1]:
            return wrap(namespace(plain(values)).zeros(values.shape[:-1], plain(values).dtype))
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    check_square("linalg.cond", plain(A))
    try:
        return matrix_norm(A, p) * matrix_norm(inv(A), p)
    except LinAlgError:
        inverse, info = inv_ex(A)
        singular = wrap(plain(info) != 0)
        return where(singular, math.inf, matrix_norm(A, p) * matrix_norm(inverse, p))


def _threshold(A: Any, largest: Any, atol: Any, rtol: Any) -> Any:
    """Up to where a singular value counts as 0: max(atol, rtol * the largest)."""
    lib, (atol, rtol) = namespace(A), (plain(atol), plain(rtol))
    if rtol is None:
        given = atol is not None and lib.any(lib.asarray(atol) > 0)
        rtol = 0.0 if given else max(A.shape[-2:]) * float(lib.finfo(A.dtype).eps)
    return lib.maximum(0.0 if atol is None else atol, rtol * largest)


@public(NOWHERE, aliases="linalg.matrix_rank", out=True)
def matrix_rank(
    A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Any:
    """How many singular values (of a Hermitian matrix: |eigenvalues|) are not taken for 0."""
    array = A._array
    check_matrices("linalg.matrix_rank", array)
    lib = namespace(array)
    if hermitian:
        check_square("linalg.matrix_rank", array)
        values = lib.abs(lib.linalg.eigvalsh(array))
    else:
        values = lib.linalg.svd(array, compute_uv=False)
    if not values.size:
        return wrap(lib.zeros(values.shape[:-1], "int64"))
    if tol is not None:
        atol, rtol = tol, 0.0
    limit = _threshold(array, values.max(-1), atol, rtol)
    return wrap(lib.asarray((values > lib.asarray(limit)[..., None]).sum(-1)))


@op(r"Y = A^{+}", name="linalg_pinv")
def pseudoinverse(A, atol=None, rtol=None, hermitian=False):
    check_matrices("linalg.pinv", A)
    if hermitian:
        check_square("linalg.pinv", A)
        A = lower(A) + mH(lower(A, -1))
    if not A.size:
        return A.swapaxes(-1, -2).copy()
    lib = namespace(A)
    U, S, Vh = lib.linalg.svd(A, False)
    limit = lib.asarray(_threshold(A, S[..., 0], atol, rtol))[..., None]
    inverse = lib.where(limit >= S, 0, 1 / lib.where(limit >= S, 1, S)).astype(S.dtype)
    return (mH(Vh) * inverse[..., None, :]) @ mH(U)


@pseudoinverse.vjp(
    "A",
    r"\bar A = -Y^{\mathsf H} \bar Y Y^{\mathsf H} + (I - A Y) \bar Y^{\mathsf H} Y Y^{\mathsf H} "
    r"+ Y^{\mathsf H} Y \bar Y^{\mathsf H} (I - Y A)",
)
def _(g, A, output):
    """Source: Golub, Pereyra, "The differentiation of pseudo-inverses ..." (1973)."""
    Y, YH, G = output, mH(output), mH(g)
    inner, outer = G @ (Y @ YH), (YH @ Y) @ G
    return inner - A @ (Y @ inner) + outer - (outer @ Y) @ A - YH @ g @ YH


@public(NOWHERE, aliases="linalg.pinv", out=True)
def pinv(
    A: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Any:
    """The Moore-Penrose pseudoinverse; singular values up to max(atol, rtol * largest) are 0."""
    return pseudoinverse(A, atol, rcond if rtol is None else rtol, hermitian)


@public()
def pinverse(input: Any, rcond: float = 1e-15) -> Any:
    """The Moore-Penrose pseudoinverse."""
    return pseudoinverse(input, None, rcond)


# --------------------------------------------------------------------------- powers, products
@public(aliases="linalg.matrix_power", out=True)
@composite
def matrix_power(A: Any, n: int) -> Any:
    """A multiplied n times (its inverse -n times), by repeated squaring."""
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            "linalg.matrix_power: A must be batches of square matrices, but they are of shape "
            f"{tuple(A.shape)}"
        )
    if n < 0:
        A, n = inv(A), -n
    if n == 0:
        return where(wrap(eye(A.shape[-1], A) >= 0), eye(A.shape[-1], A), A)  # A has gradient 0
    result = None
    while n:
        if n % 2:
            result = A if result is None else matmul(result, A)
        n //= 2
        A = matmul(A, A) if n else A
    return result


PADE = (  # the coefficients of the approximant's numerator, the lowest power first
    *(64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800),
    *(129060195264000, 10559470521600, 670442572800, 33522128640, 1323241920, 40840800),
    *(960960, 16380, 182, 1),
)


@public(aliases="linalg.matrix_exp")
@op(r"Y = e^{A}")
def matrix_exp(input):
    """The matrix exponential: scaling and squaring around a Pade approximant of degree 13.

    Source: N. J. Higham, "The scaling and squaring method for the matrix exponential revisited"
    (2005).
    """
    check_square("linalg.matrix_exp", input)
    lib, A = namespace(input), input
    if not A.size:
        return A.copy()
    size = lib.abs(A).sum(-2).max(-1)
    squarings = lib.ceil(lib.log2(lib.maximum(size / 5.37, 1.0)))
    A = A / (2.0**squarings).astype(size.dtype)[..., None, None]
    powers = [lib.broadcast_to(eye(A.shape[-1], A), A.shape), A @ A]
    powers += [powers[1] @ powers[1]]
    powers += [powers[2] @ powers[1]]  # A^0, A^2, A^4, A^6
    b = [A.dtype.type(each) for each in PADE]
    high_odd = b[13] * powers[3] + b[11] * powers[2] + b[9] * powers[1]
    high_even = b[12] * powers[3] + b[10] * powers[2] + b[8] * powers[1]
    U = A @ (powers[3] @ high_odd + _weighted(powers, b[1:8:2]))
    V = powers[3] @ high_even + _weighted(powers, b[0:8:2])
    Y = lib.linalg.solve(V - U, V + U)
    for k in range(int(squarings.max())):
        Y = lib.where((squarings > k)[..., None, None], Y @ Y, Y)
    return Y


def _weighted(powers: list, weights: list) -> Any:
    total = powers[0] * weights[0]
    for each, weight in zip(powers[1:], weights[1:]):
        total = total + weight * each
    return total


@matrix_exp.vjp(
    "input",
    r"\begin{pmatrix} \cdot & \bar A \\ 0 & \cdot \end{pmatrix} = \exp "
    r"\begin{pmatrix} A^{\mathsf H} & \bar Y \\ 0 & A^{\mathsf H} \end{pmatrix}",
)
def _(g, input):
    """The Frechet derivative as a block. Source: Al-Mohy, Higham (2009)."""
    A, n = mH(input), input.shape[-1]
    rows = [cat([A, g], -1), cat([g * 0, A], -1)]
    return matrix_exp(cat(rows, -2))[..., :n, n:]


@public(NOWHERE, aliases="linalg.multi_dot", out=True)
@composite
def multi_dot(tensors: Any) -> Any:
    """The product of several matrices, bracketed so that it takes the fewest multiplications.

    The first and the last may be vectors. Source: Cormen et al., "Introduction to Algorithms".
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError("multi_dot(): expected at least 2 tensors but got " + str(len(tensors)))
    for at, each in enumerate(tensors):
        ends = at in (0, len(tensors) - 1)
        if each.ndim not in ((1, 2) if ends else (2,)):
            raise RuntimeError(
                f"multi_dot(): tensor {at} must be {'1D or 2D' if ends else '2D'} but got "
                f"{each.ndim}D"
            )
    row, column = tensors[0].ndim == 1, tensors[-1].ndim == 1
    if row:
        tensors[0] = unsqueeze(tensors[0], 0)
    if column:
        tensors[-1] = unsqueeze(tensors[-1], -1)
    sizes = [each.shape[0] for each in tensors] + [tensors[-1].shape[1]]
    result = _bracketed(tensors, _cheapest(sizes), 0, len(tensors) - 1)
    if row:
        result = result[0]
    return result[..., 0] if column else result


def _cheapest(sizes: list) -> dict:
    """Where to split each run of matrices i..j; matrix i is sizes[i] x sizes[i + 1]."""
    n = len(sizes) - 1
    cost: dict = {(i, i): 0 for i in range(n)}
    split: dict = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )
    return split


def _bracketed(tensors: list, split: dict, i: int, j: int) -> Any:
    if i == j:
        return tensors[i]
    k = split[i, j]
    return matmul(_bracketed(tensors, split, i, k), _bracketed(tensors, split, k + 1, j))


@public(FUNCTION)
def chain_matmul(*matrices: Any) -> Any:
    """The product of several matrices; see linalg.multi_dot."""
    return multi_dot(matrices) if len(matrices) > 1 else matrices[0]


@public(NOWHERE, aliases="linalg.cross", out=True)
@composite
def linalg_cross(input: Any, other: Any, *, dim: int = -1) -> Any:
    """The vector product in three dimensions."""
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    d = wrap_dim(dim, input.ndim)
    if input.shape[d] != 3 or other.shape[d] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[d]} and "
            f"{other.shape[d]}"
        )

    def turned(x: Any, by: int) -> Any:
        return roll(x, (by,), (d,))

    return turned(input, -1) * turned(other, 1) - turned(input, 1) * turned(other, -1)


@public(out=True)
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The vector product along `dim`, by default the first dimension of size 3."""
    if dim is None:
        found = [d for d, size in enumerate(input.shape) if size == 3]
        if not found:
            raise RuntimeError("no dimension of size 3 in input")
        dim = found[0]
    return linalg_cross(input, other, dim=dim)


@public(NOWHERE, aliases="linalg.diagonal")
def linalg_diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The diagonals of matrices, as a view."""
    return diagonal(A, offset, dim1, dim2)


@public(NOWHERE, aliases="linalg.vecdot", out=True)
@composite
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The scalar products of the vectors along `dim`, x conjugated."""
    return sum(conj(x) * y, dim)


@public(NOWHERE, aliases="linalg.vander")
@composite
def vander(x: Any, N: int | None = None) -> Any:
    """The Vandermonde matrix: the powers 0 to N - 1 of each element, in a row."""
    x = x.reshape((1,)) if not x.ndim and N is not None else x
    n = x.shape[-1] if N is None else N
    if n < 1:
        raise RuntimeError("N must be greater than 1.")
    shape = tuple(x.shape)
    one = expand(unsqueeze(x * 0 + 1, -1), (*shape, 1))
    return cumprod(cat([one, expand(unsqueeze(x, -1), (*shape, n - 1))], -1), -1)


# ----------------------------------------------------------------- composed of decompositions
LSTSQ = return_type("linalg_lstsq", ("solution", "residuals", "rank", "singular_values"))


@public(NOWHERE, aliases="linalg.lstsq", out=True)
@composite
def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: str | None = None) -> Any:
    """The X that minimises ||A X - B||, of those the smallest: by the pseudoinverse of A."""
    check_matrices("torch.linalg.lstsq", plain(A))
    check_floats("torch.linalg.lstsq", plain(A), plain(B))
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    vector = _is_vector(A, B)
    if not vector and B.ndim < 2:
        raise RuntimeError("torch.linalg.lstsq: input.dim() must be greater or equal to 2")
    right = unsqueeze(B, -1) if vector else B
    if right.shape[-2] != A.shape[-2]:
        raise RuntimeError(
            "torch.linalg.lstsq: input.size(-2) should match other.size(-2), but they are "
            f"{A.shape[-2]} and {right.shape[-2]}"
        )
    lib, array = namespace(plain(A)), plain(A)
    solution = matmul(pseudoinverse(A, None, rcond), right)
    rank = matrix_rank(A, rtol=rcond)
    rows, columns = A.shape[-2:]
    empty = wrap(lib.empty(0, lib.abs(array[:0]).dtype))
    residuals = empty
    if rows > columns and driver != "gelsy" and (plain(rank) == columns).all():
        residuals = sum(pow(abs(matmul(A, solution) - right), 2), -2)
    values = wrap(plain(svdvals(A))) if driver in ("gelsd", "gelss") else empty
    return LSTSQ(
        solution[..., 0] if vector else solution,
        residuals,
        wrap(lib.empty(0, "int64")) if driver == "gels" else rank,
        values,
    )


@public(NOWHERE, aliases="linalg.tensorinv", out=True)
@composite
def tensorinv(A: Any, ind: int = 2) -> Any:
    """The inverse of A taken as a matrix from its last dimensions to its first `ind`."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    n = math.prod(first)
    if n != math.prod(last):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {math.prod(last)} != {n}"
        )
    return inv(A.reshape((n, n))).reshape((*last, *first))


@public(NOWHERE, aliases="linalg.tensorsolve", out=True)
@composite
def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """X with tensordot(A, X, X.ndim) = B; `dims` of A are moved to its end first."""
    if dims is not None:
        moved = [wrap_dim(d, A.ndim) for d in dims]
        A = permute(A, (*[d for d in range(A.ndim) if d not in moved], *moved))
    wanted = tuple(A.shape[B.ndim :])
    n = math.prod(B.shape)
    if n != math.prod(wanted):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {math.prod(wanted)} != {n}"
        )
    return solve(A.reshape((n, n)), B.reshape((n,))).reshape(wanted)
