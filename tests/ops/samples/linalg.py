"""Samples of linear algebra; decompositions get matrices that have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.samples.values import x, z

SQUARE = np.array([[2.0, 0.3, -0.5], [0.7, -1.5, 0.4], [0.1, 0.6, 1.1]])
BATCH = np.stack([SQUARE, SQUARE.T + 0.1])
COMPLEX = SQUARE + 0.7j * SQUARE[::-1]
POSITIVE = SQUARE @ SQUARE.T + np.eye(3)
TALL, WIDE = SQUARE[:, :2], SQUARE[:2]
DEFICIENT = np.outer([1.0, 2.0, -1.0], [0.5, 1.0])


def _hermitian(op: Any, A: Any, *rest: Any) -> Any:
    """Such an op reads one triangle; its gradient is that of a Hermitian matrix."""
    return op((A + A.mH) / 2, *rest)


def _positive(op: Any, A: Any, *rest: Any) -> Any:
    return _hermitian(op, A, *rest)[0]


def _phaseless(op: Any, A: Any, *rest: Any) -> Any:
    """Complex vectors count up to a phase."""
    found = op(A, *rest)
    return [
        each if i == (0 if len(found) == 2 else 1) else each.abs() for i, each in enumerate(found)
    ]


def _phaseless_if_complex(op: Any, A: Any, *rest: Any) -> Any:
    return _phaseless(op, A, *rest) if A.is_complex() else list(op(A, *rest))


def _first(op: Any, A: Any, *rest: Any) -> Any:
    return op(A, *rest)[0]


def _modulus_and_sign(op: Any, A: Any) -> Any:
    return list(op(A)) if A.is_complex() else op(A)[1]


THROUGH = {
    "decompositions.cholesky_ex": _positive,
    "decompositions.eigh": lambda op, A, *rest: _phaseless_if_complex(
        lambda A: _hermitian(op, A, *rest), A
    ),
    "decompositions.eigvalsh": _hermitian,
    "decompositions.eig": _phaseless,
    "decompositions.svd": _phaseless_if_complex,
    "decompositions.lu_factor_ex": _first,
    "linalg.slogdet": _modulus_and_sign,
}

SAMPLES = {
    "decompositions.cholesky_ex": [(POSITIVE,), (POSITIVE, True), (POSITIVE * (1 + 0j),)],
    "decompositions.qr": [(BATCH,), (TALL,), (WIDE,), (COMPLEX,), (WIDE, "complete")],
    "decompositions.svd": [(BATCH,), (TALL, False), (WIDE, False), (COMPLEX, False)],
    "decompositions.svdvals": [(BATCH,), (TALL,), (COMPLEX[:2],)],
    "decompositions.eigh": [(BATCH,), (SQUARE, "U"), (COMPLEX,)],
    "decompositions.eigvalsh": [(BATCH,), (COMPLEX,)],
    "decompositions.eig": [(SQUARE,), (COMPLEX,)],
    "decompositions.eigvals": [(BATCH,), (COMPLEX,)],
    "decompositions.lu_factor_ex": [(BATCH,), (TALL,), (WIDE,), (COMPLEX,), (SQUARE, False)],
    "ldl.ldl_solve": [
        (SQUARE, np.array([1, -3, -3]), x(3, 2)),
        (BATCH, np.array([3, 2, 3]), x(3, 1)),
    ],
    "linalg.inv": [(BATCH,), (COMPLEX,)],
    "linalg.solve": [
        *[(BATCH, x(3, 2)), (SQUARE, x(3)), (BATCH, x(2, 3)), (SQUARE, x(2, 3), False)],
        (COMPLEX, z(3, 2)),
    ],
    "linalg.solve_triangular": [
        *[(BATCH, x(3, 2), True), (SQUARE, x(2, 3), False, False), (COMPLEX, z(3, 2), True)],
        (SQUARE, x(3, 2), False, True, True),
    ],
    "linalg.det": [(BATCH,), (COMPLEX,)],
    "linalg.slogdet": [(BATCH,), (COMPLEX,)],
    "linalg.vector_norm": [
        *[(x(2, 3),), (x(2, 3), 1, 1), (x(2, 3), 3, 0, True), (x(3), 0.5), (z(3),), (z(3), 3)],
        *[(x(2, 3), float("inf"), 1), (x(3), -float("inf")), (x(3), 0)],
    ],
    "linalg.pseudoinverse": [(TALL,), (np.stack([WIDE, WIDE * 2 + 0.3]),), (COMPLEX[:2],)],
    "linalg.matrix_exp": [(BATCH,), (SQUARE * 9,), (COMPLEX,)],
}
