"""Distributions, with PyTorch as the oracle for densities and with large draws for the rest."""

from __future__ import annotations

import math

import numpy as np
import pytest

import labtorch
from tests.oracle import randn, same, same_error

oracle = pytest.mark.oracle

LOC, SCALE = randn(3), np.abs(randn(3, seed=1)) + 0.5
PROBS = np.abs(randn(2, 4, seed=2)) + 0.1
COVARIANCE = (lambda a: a @ a.swapaxes(-1, -2) + np.eye(3))(randn(2, 3, 3, seed=3))
CASES = {
    "normal": (lambda D, t, a, b: D.Normal(a, b), (LOC, SCALE), randn(4, 3)),
    "log_normal": (lambda D, t, a, b: D.LogNormal(a, b), (LOC, SCALE), SCALE),
    "laplace": (lambda D, t, a, b: D.Laplace(a, b), (LOC, SCALE), randn(4, 3)),
    "gumbel": (lambda D, t, a, b: D.Gumbel(a, b), (LOC, SCALE), randn(4, 3)),
    "uniform": (lambda D, t, a, b: D.Uniform(a, a + b), (LOC, SCALE), LOC + SCALE / 3),
    "exponential": (lambda D, t, a: D.Exponential(a), (SCALE,), SCALE),
    "bernoulli": (lambda D, t, a: D.Bernoulli(a), (PROBS / 3,), np.eye(2, 4)),
    "bernoulli_logits": (lambda D, t, a: D.Bernoulli(logits=a), (LOC,), np.eye(2, 3)),
    "categorical": (lambda D, t, a: D.Categorical(a), (PROBS,), np.array([[0, 3], [2, 1], [1, 1]])),
    "categorical_logits": (lambda D, t, a: D.Categorical(logits=a), (PROBS,), np.array([2, 0])),
    "one_hot": (lambda D, t, a: D.OneHotCategorical(a), (PROBS,), np.eye(4)[[3, 1]]),
    "geometric": (lambda D, t, a: D.Geometric(a), (PROBS / 4,), np.array([0.0, 1, 2, 5])),
    "independent": (
        lambda D, t, a, b: D.Independent(D.Normal(a, b), 1),
        (np.stack([LOC, LOC + 1]), SCALE),
        randn(5, 2, 3),
    ),
    "multivariate": (
        lambda D, t, a, c: D.MultivariateNormal(a, (c + c.mT) / 2),
        (LOC, COVARIANCE),
        randn(5, 2, 3),
    ),
    "multivariate_precision": (
        lambda D, t, a, c: D.MultivariateNormal(a, precision_matrix=(c + c.mT) / 2),
        (LOC, COVARIANCE),
        randn(2, 3),
    ),
    "multivariate_root": (
        lambda D, t, a, c: D.MultivariateNormal(a, scale_tril=t.linalg.cholesky((c + c.mT) / 2)),
        (LOC, COVARIANCE[0]),
        randn(3),
    ),
}


def _dist(t):
    import torch.distributions

    return labtorch.distributions if t is labtorch else torch.distributions


@oracle
@pytest.mark.parametrize("name", CASES)
def test_densities_and_moments_are_pytorchs(name):
    make, parameters, values = CASES[name]
    if values.dtype.kind != "f":
        fixed = values
    else:
        fixed = None

    def expression(t, *given):
        d = make(_dist(t), t, *given[: len(parameters)])
        value = t.from_numpy(fixed) if fixed is not None else given[-1].detach()
        found = [d.log_prob(value), d.entropy(), tuple(d.batch_shape), tuple(d.event_shape)]
        if not name.startswith("categorical"):
            found += [d.mean, d.variance, d.stddev]
        return found if name in ("log_normal", "one_hot", "geometric") else [*found, repr(d)]

    same(expression, *parameters, *([] if fixed is not None else [values]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("categorical")])
def test_draws_have_the_mean_and_variance(name):
    make, parameters, _ = CASES[name]
    labtorch.manual_seed(0)
    d = make(labtorch.distributions, labtorch, *map(labtorch.tensor, parameters))
    drawn = d.sample((40_000,))
    assert drawn.shape == (40_000, *d.batch_shape, *d.event_shape) and not drawn.requires_grad
    np.testing.assert_allclose(drawn.mean(0).numpy(), d.mean.numpy(), rtol=0.05, atol=0.05)
    far = 0.6 if name == "log_normal" else 0.15  # its tail is long
    np.testing.assert_allclose(drawn.var(0).numpy(), d.variance.numpy(), rtol=far, atol=0.05)


def test_classes_are_drawn_as_often_as_they_are_probable():
    labtorch.manual_seed(0)
    d = labtorch.distributions.Categorical(labtorch.tensor(PROBS))
    drawn = d.sample((20_000,))
    assert drawn.dtype is labtorch.int64 and drawn.shape == (20_000, 2)
    for i in range(2):
        often = labtorch.bincount(drawn[:, i], minlength=4) / 20_000
        np.testing.assert_allclose(often.numpy(), d.probs[i].numpy(), atol=0.02)


@pytest.mark.parametrize("name", ["normal", "laplace", "gumbel", "uniform", "multivariate"])
def test_gradients_flow_through_rsample(name):
    make, parameters, _ = CASES[name]
    leaves = [labtorch.tensor(each, requires_grad=True) for each in parameters]

    def draw(*given):
        labtorch.manual_seed(1)
        return make(labtorch.distributions, labtorch, *given).rsample((2,))

    assert labtorch.autograd.gradcheck(draw, leaves)


@oracle
@pytest.mark.parametrize("name", ["normal", "laplace", "uniform", "exponential", "bernoulli"])
def test_divergences_are_pytorchs(name):
    make, parameters, _ = CASES[name]

    def expression(t, *given):
        n = len(parameters)
        D = _dist(t)
        return D.kl_divergence(make(D, t, *given[:n]), make(D, t, *given[n:]))

    other = [each * 0.7 for each in parameters]
    same(expression, *parameters, *other)


@oracle
def test_divergences_of_classes_and_of_vectors_are_pytorchs():
    def classes(t, a, b):
        D = _dist(t)
        return D.kl_divergence(D.Categorical(a), D.Categorical(logits=b))

    def vectors(t, a, b):
        D = _dist(t)
        p, q = (D.Independent(D.Normal(x, 1.0), 1) for x in (a, b))
        return D.kl_divergence(p, q)

    same(classes, PROBS, PROBS - 1)
    same(vectors, LOC, LOC * 2)


@oracle
@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda D, t: D.Normal(0.0, -1.0), "Expected parameter scale"),
        (lambda D, t: D.Normal(t.zeros(2), 1.0).log_prob(t.tensor(math.nan)), "Expected value arg"),
        (lambda D, t: D.Normal(0.0, 1.0).log_prob(3.0), "The value argument to log_prob must be"),
        (lambda D, t: D.Normal(t.zeros(2), 1.0).log_prob(t.zeros(3)), "Value is not broadcastable"),
        (lambda D, t: D.Normal(t.zeros(2), t.ones(3)), ""),
        (lambda D, t: D.Categorical(t.tensor([-1.0, 2.0])), "satisfy the constraint Simplex()"),
        (lambda D, t: D.Categorical(t.ones(3)).log_prob(t.tensor(3)), "IntegerInterval(lower_bo"),
        (lambda D, t: D.Categorical(), "Either `probs` or `logits` must be specified"),
        (lambda D, t: D.Categorical(t.tensor(1.0)), "must be at least one-dimensional"),
        (lambda D, t: D.Bernoulli(probs=0.5, logits=0.2), "Either `probs` or `logits`"),
        (lambda D, t: D.Bernoulli(2.0), "Interval(lower_bound=0.0, upper_bound=1.0)"),
        (lambda D, t: D.Uniform(1.0, 0.0), "Expected parameter low"),
        (lambda D, t: D.Independent(D.Normal(0.0, 1.0), 1), "Expected reinterpreted_batch_ndims"),
        (lambda D, t: D.MultivariateNormal(t.zeros(2), -t.eye(2)), "PositiveDefinite()"),
        (lambda D, t: D.MultivariateNormal(t.zeros(2)), "Exactly one of covariance_matrix"),
        (lambda D, t: D.Categorical(t.ones(3)).rsample(), ""),
        (lambda D, t: D.Normal(0.0, 1.0).enumerate_support(), ""),
        (lambda D, t: D.kl_divergence(D.Uniform(0.0, 1.0), D.Bernoulli(0.5)), ""),
    ],
)
def test_what_is_no_distribution_is_refused(make, match):
    same_error(lambda t: make(_dist(t), t), match=match)


@oracle
def test_a_policy_gradient_and_a_variational_bound_are_pytorchs():
    def policy(t, logits, action):
        d = _dist(t).Categorical(logits=logits)
        return [-(d.log_prob(action) * 0.5).mean() - 0.01 * d.entropy().mean(), d.mode]

    def bound(t, mean, spread):
        D = _dist(t)
        posterior = D.Normal(mean, spread.exp())
        return D.kl_divergence(posterior, D.Normal(t.zeros_like(mean), 1.0)).sum()

    same(policy, PROBS, np.array([1, 2]))
    same(bound, LOC, SCALE)
    same(lambda t: _dist(t).Categorical(t.ones(2, 3)).enumerate_support())
    same(lambda t: _dist(t).Bernoulli(t.ones(2) / 2).enumerate_support())
    same(lambda t, x: _dist(t).Normal(0.5, 2.0).cdf(x), LOC)
