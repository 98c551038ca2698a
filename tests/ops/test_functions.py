"""Public functions made of several ops, or with spellings of their own, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle

EINSUM = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,jk": [(2, 3), (3, 4)],
    "bij,bjk->bik": [(2, 3, 4), (2, 4, 2)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "i,j->ij": [(2,), (3,)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "...ij,...jk->...ik": [(2, 1, 2, 3), (4, 3, 2)],
    "b...,b...->b": [(2, 3, 4), (2, 3, 4)],
    "bhid,bhjd->bhij": [(2, 2, 3, 4), (2, 2, 5, 4)],
    "ij,ij,ij->i": [(2, 3), (2, 3), (2, 3)],
    "i j , j -> i": [(2, 3), (3,)],
    "iij,jk->k": [(2, 2, 3), (3, 2)],
    "ij,kj->ik": [(1, 3), (4, 3)],
    "bn,anm,bm->ba": [(2, 3), (4, 3, 5), (2, 5)],
}


@pytest.mark.parametrize("equation", EINSUM)
def test_einsum(equation):
    arrays = [randn(*shape, seed=i) for i, shape in enumerate(EINSUM[equation])]
    same(lambda t, *x: t.einsum(equation, *x), *arrays)
    same(lambda t, *x: t.einsum(equation, list(x)), *arrays)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("ij->ik", [(2, 3)]),
        ("ij", [(2, 3, 4)]),
        ("ij,jk->ik", [(2, 3)]),
        ("ii->i", [(2, 3)]),
        ("ij->ii", [(2, 3)]),
        ("i1->i", [(2, 3)]),
    ],
)
def test_einsum_refuses(equation, shapes):
    same_error(lambda t, *x: t.einsum(equation, *x), *(randn(*s) for s in shapes))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pad", [(1, 2), (2, 0, 1, 1), (-1, 2, 0, -1)])
def test_pad(mode, pad):
    shape = (2, 5, 4) if len(pad) == 2 else (1, 2, 5, 4)
    same(lambda t, x: t.nn.functional.pad(x, pad, mode), randn(*shape))


def test_pad_with_a_value():
    same(lambda t, x: t.nn.functional.pad(x, (1, 1, 2, 0), value=3.5), randn(3, 4))
    same(lambda t, x: t.nn.functional.pad(x, (1, 0)), np.arange(3), gradients=False)


INDEX = np.array([[0, 2, 1], [2, 0, 0]])


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_scatter(dim):
    def scatter(t, x, source, index):
        index = index if dim else index.t().contiguous()
        return x.scatter(dim, index, source)

    distinct = np.array([[0, 2, 1], [2, 0, 1]])
    if dim:
        same(scatter, randn(2, 3), randn(2, 3, seed=1), distinct)
    same(lambda t, x, i: x.scatter(dim, i, 1.5), randn(3, 3), INDEX)
    same(lambda t, x, s, i: x.scatter_add(dim, i, s), randn(3, 3), randn(2, 3, seed=1), INDEX)
    same(lambda t, x, s, i: (x * 1).scatter_add_(dim, i, s), randn(3, 3), randn(2, 3), INDEX)


def test_index_put():
    rows, columns = np.array([0, 2, 2]), np.array([1, 1, 1])
    for accumulate in (False, True):
        same(
            lambda t, x, v, r, c, add=accumulate: t.index_put(x, (r, c), v, add),
            randn(3, 4),
            randn(1, seed=1),
            rows,
            columns,
            gradients=accumulate,
        )


@pytest.mark.parametrize("p", ["fro", 1, 2, 3, 0.5, float("inf")])
def test_norm(p):
    same(lambda t, x: [x.norm(p), x.norm(p, 1), x.norm(p, 0, True)], randn(3, 4))


@pytest.mark.parametrize(
    "expression",
    [
        lambda t, x: t.clamp(x, x.mean(), x.max(1, True).values),
        lambda t, x: t.clamp(x, max=x.mean(0)),
        lambda t, x: t.sort(x, 0, descending=True),
        lambda t, x: t.topk(x, 2, 1, largest=False),
        lambda t, x: t.unique((x * 2).round().detach()),
        lambda t, x: t.unique((x * 2).round().detach(), return_counts=True, return_inverse=True),
        lambda t, x: t.fill(x, 3.0),
        lambda t, x: t.tril(x, 1) + t.triu(x),
        lambda t, x: t.cumsum(x, 1) * t.cumsum(x, 0),
        lambda t, x: t.std(x, 1, unbiased=False) + t.var(x),
        lambda t, x: t.abs(x) ** x,
        lambda t, x: x.mm(x.t()) @ x,
        lambda t, x: t.where(x > 0)[0],
        lambda t, x: t.allclose(x, x + 1e-9),
        lambda t, x: t.logsumexp(x, (0, 1)),
    ],
)
def test_functions_of_a_matrix(expression):
    same(expression, randn(3, 4))
