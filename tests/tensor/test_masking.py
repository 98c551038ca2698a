"""Masked functions beside PyTorch; what is left out does not count, nor does its gradient."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch
from tests.oracle import randn, same, same_error

X = randn(3, 4)
MASK = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1]], bool)


@pytest.mark.oracle
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize(
    "name",
    ["sum", "prod", "cumsum", "cumprod", "amax", "amin", "mean", "median", "logsumexp", "norm"]
    + ["var", "std", "softmax", "log_softmax", "softmin", "argmax"],
)
def test_is_pytorchs_with_its_gradient(name, dim):
    same(lambda t, x, mask: getattr(t.masked, name)(x, dim=dim, mask=mask), X, MASK)


@pytest.mark.oracle
def test_functions_with_arguments_of_their_own_are_pytorchs():
    same(lambda t, x, m: t.masked.normalize(x, 2.0, 1, mask=m), X, MASK)
    same(lambda t, x, m: t.masked.logaddexp(x, x * 2, input_mask=m, other_mask=~m), X, MASK)
    same_error(lambda t, x, m: t.masked.sum(x[0], mask=m), X, MASK, match="broadcastable mask")


def test_nan_that_is_left_out_does_not_count():
    x = labtorch.tensor([1.0, float("nan"), 3.0], requires_grad=True)
    total = labtorch.masked.sum(x * x, mask=labtorch.tensor([True, False, True]))
    (gradient,) = labtorch.autograd.grad(total, x)
    assert total.item() == 10 and gradient[0] == 2 and gradient[2] == 6
