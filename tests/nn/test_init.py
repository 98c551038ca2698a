"""Initial values and helpers of nn.utils."""

from __future__ import annotations

import math

import numpy as np
import pytest

import labtorch
from labtorch import nn
from tests.oracle import randn, same, same_error


def test_a_seed_fixes_the_initial_values():
    labtorch.manual_seed(3)
    first = nn.Linear(4, 5).weight
    labtorch.manual_seed(3)
    assert (nn.Linear(4, 5).weight == first).all()


def test_linear_starts_within_one_over_root_of_its_inputs():
    layer = nn.Linear(100, 400)
    for parameter in layer.parameters():
        assert (
            parameter.abs().max() <= 0.1 and abs(parameter.std().item() - 0.1 / math.sqrt(3)) < 0.01
        )


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda w: nn.init.xavier_uniform_(w), math.sqrt(2 / 700)),
        (lambda w: nn.init.xavier_normal_(w, 2.0), 2 * math.sqrt(2 / 700)),
        (lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"), math.sqrt(2 / 400)),
        (lambda w: nn.init.kaiming_normal_(w, mode="fan_out"), math.sqrt(2 / 300)),
        (lambda w: nn.init.trunc_normal_(w, std=5.0, a=-0.1, b=0.1), 0.1 / math.sqrt(3)),
        (lambda w: nn.init.normal_(w, 1.0, 2.0), 2.0),
        (lambda w: nn.init.uniform_(w, -1.0, 1.0), 1 / math.sqrt(3)),
    ],
)
def test_the_spread_of_random_initial_values(fill, std):
    w = nn.Parameter(labtorch.empty(300, 400))
    assert fill(w) is w and w.grad_fn is None
    assert abs(w.std().item() / std - 1) < 0.02


def test_orthogonal_rows_are_orthonormal():
    w = nn.init.orthogonal_(labtorch.empty(5, 8)).numpy()
    assert np.allclose(w @ w.T, np.eye(5), atol=1e-5)


@pytest.mark.oracle
def test_gains_and_refusals_are_pytorchs():
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        same(lambda t, name=name: float(t.nn.init.calculate_gain(name)))
    same(lambda t: t.nn.init.calculate_gain("leaky_relu", 0.2))
    same_error(lambda t: t.nn.init.calculate_gain("step"))
    same_error(lambda t: t.nn.init.kaiming_uniform_(t.empty(3)))
    same_error(lambda t: t.nn.init.kaiming_uniform_(t.empty(3, 3), mode="fan"))
    same_error(lambda t: t.nn.init.eye_(t.empty(3)))


@pytest.mark.oracle
@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
def test_clipping_by_norm_and_by_value(norm_type):
    def expression(t, *gradients):
        parameters = [t.nn.Parameter(g * 0) for g in gradients]
        for p, g in zip(parameters, gradients):
            p.grad = g.clone()
        total = t.nn.utils.clip_grad_norm_(parameters, 1.5, norm_type)
        clipped = [p.grad.clone() for p in parameters]
        t.nn.utils.clip_grad_value_(parameters, 0.1)
        return [total, *clipped, *(p.grad for p in parameters)]

    arrays = [randn(3, 4, dtype="float32"), randn(5, dtype="float32", seed=1)]
    same(expression, *arrays, gradients=False)


def test_a_norm_that_is_not_finite_is_refused_when_asked():
    p = nn.Parameter(labtorch.ones(2))
    p.grad = labtorch.tensor([float("nan"), 1.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)


def test_parameters_go_to_a_vector_and_back():
    net = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(net.parameters())
    nn.utils.vector_to_parameters(vector.detach() * 2, net.parameters())
    assert (nn.utils.parameters_to_vector(net.parameters()) == vector * 2).all()
