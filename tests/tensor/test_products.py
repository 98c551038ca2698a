"""Products of matrices, vectors and sets beside PyTorch."""

from __future__ import annotations

import pytest

from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle
M, N, V = randn(3, 3), randn(3, 3, seed=1), randn(3, seed=2)


@pytest.mark.parametrize(
    "expression",
    [
        lambda t, m, n, v: t.addmm(v, m, n, beta=0.5, alpha=2),
        lambda t, m, n, v: v.addmv(m, v),
        lambda t, m, n, v: t.addr(m, v, n[0]),
        lambda t, m, n, v: t.baddbmm(v, m[None], n[None], beta=2),
        lambda t, m, n, v: t.addbmm(m, m.expand(2, 3, 3), n.expand(2, 3, 3)),
        lambda t, m, n, v: t.mv(m, v) + t.outer(v, v) + t.inner(m, n) + t.vdot(v, v),
        lambda t, m, n, v: t.kron(m, v),
        lambda t, m, n, v: t.tensordot(m, n, dims=([0], [1])),
        lambda t, m, n, v: t.trace(m) * t.cdist(m, n, p=3.0),
        lambda t, m, n, v: t.cartesian_prod(v, m[0]),
        lambda t, m, n, v: t.combinations(v, 2, True),
        lambda t, m, n, v: t.block_diag(m, v, v[0]),
        lambda t, m, n, v: t.linalg.multi_dot([v, m, n, v]),
    ],
)
def test_is_pytorchs_with_its_gradient(expression):
    same(expression, M, N, V)


@pytest.mark.parametrize(
    ("expression", "phrase"),
    [
        (lambda t, m, v: t.mv(m, v[:2]), "size mismatch, got input (3), mat (3x3), vec (2)"),
        (lambda t, m, v: t.outer(m, v), "Expected 1-D argument self, but got 2-D"),
        (lambda t, m, v: t.inner(m, v[:2]), "the last dimension must match on both input tensors"),
        (lambda t, m, v: t.trace(v), "expected a matrix, but got tensor with dim 1"),
        (lambda t, m, v: t.cdist(m, m[:, :2]), "must have the same number of columns"),
        (lambda t, m, v: t.addmm(m, v, m), "mat1 must be a matrix"),
    ],
)
def test_refuses_as_pytorch(expression, phrase):
    same_error(expression, M, V, match=phrase)
