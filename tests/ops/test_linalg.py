"""Linear algebra beside PyTorch, and what must hold of it."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch
from tests.oracle import randn, same, same_error

A = randn(2, 3, 3)
POSITIVE = A @ A.swapaxes(-1, -2) + np.eye(3)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "expression",
    [
        lambda t, a: t.linalg.inv(a),
        lambda t, a: a.inverse(),
        lambda t, a: t.det(a),
        lambda t, a: t.logdet(a @ a.mH),
        lambda t, a: t.linalg.slogdet(a),
        lambda t, a: t.linalg.solve(a, a[..., :2]),
        lambda t, a: t.linalg.cholesky(a @ a.mH + t.eye(3, dtype=a.dtype)),
        lambda t, a: t.linalg.qr(a),
        lambda t, a: t.linalg.svdvals(a),
        lambda t, a: t.linalg.eigvalsh(a + a.mH),
        lambda t, a: t.linalg.lu_factor(a),
        lambda t, a: t.linalg.lu(a),
        lambda t, a: t.linalg.pinv(a[..., :2]),
        lambda t, a: t.linalg.matrix_exp(a),
        lambda t, a: t.linalg.matrix_power(a, -3),
        lambda t, a: t.linalg.matrix_norm(a, "nuc"),
        lambda t, a: t.linalg.matrix_norm(a, float("inf")),
        lambda t, a: t.linalg.cross(a, a.mT),
        lambda t, a: t.linalg.vecdot(a, a.mT),
        lambda t, a: t.geqrf(a.detach())[0],
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_is_pytorchs_with_its_gradient(expression, dtype):
    a = A if dtype == "float64" else A + 1j * randn(2, 3, 3, seed=5)
    same(expression, a)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("expression", "phrase"),
    [
        (lambda t, a: t.linalg.inv(a * 0), "matrix is singular"),
        (lambda t, a: t.linalg.solve(a * 0, a), "The solver failed because the input matrix is"),
        (lambda t, a: t.linalg.cholesky(a[0] * 0 - 1), "the leading minor of order 1 is not"),
        (lambda t, a: t.linalg.inv(a[..., :2]), "must be batches of square matrices, but they are"),
        (lambda t, a: t.det(a.long()), "Expected a floating point or complex tensor"),
        (lambda t, a: t.linalg.svd(a[0, 0]), "must have at least 2 dimensions"),
    ],
)
def test_refuses_as_pytorch(expression, phrase):
    raised = same_error(expression, A, match=phrase, parent=RuntimeError)
    if "singular" in phrase:
        assert isinstance(raised, labtorch.linalg.LinAlgError)


def test_results_are_named():
    found = labtorch.linalg.svd(labtorch.tensor(A))
    assert found.S is found[1]
    assert labtorch.linalg.eigh(labtorch.tensor(POSITIVE)).eigenvalues.shape == (2, 3)


def test_determinant_of_a_singular_matrix_has_its_gradient():
    a = labtorch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=labtorch.float64, requires_grad=True)
    labtorch.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)


def test_equal_singular_values_do_no_harm_to_the_nuclear_norm():
    a = labtorch.eye(3).requires_grad_()
    labtorch.linalg.norm(a, "nuc").backward()
    np.testing.assert_allclose(a.grad.numpy(), np.eye(3), atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5), (2, 4, 3)])
def test_lu_multiplies_back(shape):
    a = labtorch.tensor(randn(*shape))
    P, L, U = labtorch.linalg.lu(a)
    np.testing.assert_allclose((P @ L @ U).numpy(), a.numpy(), atol=1e-12)


def test_multi_dot_takes_the_cheapest_order():
    from labtorch.ops.linalg import _cheapest

    assert _cheapest([10, 100, 5, 50])[0, 2] == 1
    assert _cheapest([50, 5, 100, 10])[0, 2] == 0


@pytest.mark.parametrize("hermitian", [False, True])
def test_ldl_solves_what_is_not_positive(hermitian):
    a = randn(6, 5, 5) + 1j * randn(6, 5, 5, seed=3)
    a = a + (a.conj() if hermitian else a).swapaxes(-1, -2)
    a[0] -= np.diag(np.diag(a[0]))  # zeros on the diagonal: blocks of 2
    A, B = labtorch.tensor(a), labtorch.tensor(randn(6, 5, 2) + 0j)
    LD, pivots = labtorch.linalg.ldl_factor(A, hermitian=hermitian)
    assert (pivots < 0).any()
    X = labtorch.linalg.ldl_solve(LD, pivots, B, hermitian=hermitian)
    np.testing.assert_allclose((A @ X).numpy(), B.numpy(), atol=1e-10)


@pytest.mark.oracle
def test_ldl_factors_are_pytorchs():
    a = randn(8, 5, 5)
    same(lambda t, a: t.linalg.ldl_factor(a + a.mT), a, gradients=False)
