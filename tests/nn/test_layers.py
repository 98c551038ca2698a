"""Layers, activations and losses against PyTorch: values, gradients, errors, warnings."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import labtorch
from labtorch import nn
from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle

X = randn(4, 6, dtype="float64") * 2


@pytest.mark.parametrize(
    "activation",
    "relu relu6 leaky_relu elu selu celu gelu silu mish sigmoid tanh softplus softsign tanhshrink "
    "hardtanh hardswish hardsigmoid hardshrink softshrink logsigmoid".split(),
)
def test_activations_and_their_gradients(activation):
    # PyTorch's hardsigmoid has 1/6 in single precision
    same(lambda t, x: getattr(t.nn.functional, activation)(x), X, rtol=1e-7)
    same(lambda t, x: getattr(t.nn.functional, activation)(x), X.astype("float32"), atol=1e-5)


@pytest.mark.parametrize(
    "expression",
    [
        lambda f, x: f.leaky_relu(x, 0.3),
        lambda f, x: f.elu(x, 0.5),
        lambda f, x: f.celu(x, 0.5),
        lambda f, x: f.gelu(x, approximate="tanh"),
        lambda f, x: f.softplus(x, 2.0, 1.0),
        lambda f, x: f.hardtanh(x, -0.5, 0.2),
        lambda f, x: f.threshold(x, 0.1, 5.0),
        lambda f, x: f.glu(x, 1),
        lambda f, x: f.softmin(x, 0),
        lambda f, x: f.softmax(x, 1),
        lambda f, x: f.log_softmax(x, 0),
        lambda f, x: f.rrelu(x, 0.2, 0.4),
        lambda f, x: f.layer_norm(x, (6,)),
        lambda f, x: f.rms_norm(x, (6,)),
        lambda f, x: f.normalize(x),
        lambda f, x: f.dropout(x, 0.5, training=False),
        lambda f, x: f.relu(x * 1, inplace=True),
    ],
)
def test_functions_with_options(expression):
    same(lambda t, x: expression(t.nn.functional, x), X)


def test_layers_with_parameters():
    w, b, x = randn(3, 6, seed=1), randn(3, seed=2), randn(2, 5, 6)
    same(lambda t, x, w, b: t.nn.functional.linear(x, w, b), x, w, b)
    same(
        lambda t, x, w, b: t.nn.functional.layer_norm(x, (6,), w, b), x, randn(6), randn(6, seed=3)
    )
    same(lambda t, x, y, w: t.nn.functional.bilinear(x, y, w), x, randn(2, 5, 4), randn(3, 6, 4))
    same(lambda t, x, a: t.nn.functional.prelu(x, a), x, randn(5))


def test_embedding_looks_up_rows_and_spares_the_padding():
    index = np.array([[0, 2, 2], [1, 0, 4]])
    same(lambda t, i, w: t.nn.functional.embedding(i, w, padding_idx=0), index, randn(5, 3))
    same(
        lambda t, i, w: t.nn.functional.embedding(i, w, scale_grad_by_freq=True), index, randn(5, 3)
    )
    with pytest.raises(IndexError, match="5 is not in 0..4"):
        nn.Embedding(5, 3)(labtorch.tensor([5]))


TARGET = randn(4, 6, seed=5)
CLASSES = np.array([1, 0, 5, 2])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("mse_loss", TARGET),
        ("l1_loss", TARGET),
        ("smooth_l1_loss", TARGET),
        ("huber_loss", TARGET),
        ("poisson_nll_loss", np.abs(TARGET)),
        ("soft_margin_loss", np.sign(TARGET)),
        ("hinge_embedding_loss", np.sign(TARGET)),
        ("binary_cross_entropy_with_logits", (TARGET > 0).astype("float64")),
        ("cross_entropy", CLASSES),
        ("nll_loss", CLASSES),
    ],
)
def test_losses_and_their_gradients(loss, target, reduction):
    differentiable = loss in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
    fixed = target if differentiable else None

    def expression(t, x, *targets):
        given = targets[0] if targets else t.from_numpy(np.array(target))
        return getattr(t.nn.functional, loss)(x, given, reduction=reduction)

    same(expression, X, *([] if fixed is None else [fixed]))


def test_losses_with_options():
    probabilities = 1 / (1 + np.exp(-X))
    labels = (TARGET > 0).astype("float64")
    shares = np.exp(TARGET) / np.exp(TARGET).sum(1, keepdims=True)
    weight = np.abs(randn(6))
    f = "functional"
    same(lambda t, p, y: getattr(t.nn, f).binary_cross_entropy(p, y), probabilities, labels)
    same(
        lambda t, x: t.nn.functional.cross_entropy(
            x, t.tensor(CLASSES), t.tensor(weight), label_smoothing=0.1, ignore_index=5
        ),
        X,
    )
    same(lambda t, x, y: t.nn.functional.cross_entropy(x, y), X, shares)
    same(lambda t, x, y: t.nn.functional.kl_div(x, y, reduction="batchmean"), X, shares)
    same(lambda t, x, y: t.nn.functional.kl_div(x, y, reduction="sum", log_target=True), X, TARGET)
    same(lambda t, x, y: t.nn.functional.huber_loss(x, y, delta=0.3), X, TARGET)
    same(lambda t, x, y: t.nn.functional.cosine_similarity(x, y), X, TARGET)
    same(
        lambda t, x, y, z: t.nn.functional.triplet_margin_loss(x, y, z),
        X,
        TARGET,
        randn(4, 6, seed=9),
    )
    same(
        lambda t, x, y: t.nn.functional.gaussian_nll_loss(x, t.ones_like(x), y),
        X,
        np.abs(TARGET) + 1,
    )


def test_mse_says_that_sizes_differ():
    def expression(t):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            t.nn.functional.mse_loss(t.ones(3, 1), t.ones(3))
        return [str(each.message) for each in said]

    same(expression)


def test_the_warning_about_sizes_names_the_users_line():
    with pytest.warns(UserWarning, match="target size") as said:
        nn.MSELoss()(labtorch.ones(3, 1), labtorch.ones(3))
    assert said[0].filename == __file__


@pytest.mark.parametrize(
    "attempt",
    [
        lambda t: t.nn.Dropout(1.5),
        lambda t: t.nn.functional.dropout(t.ones(2), -0.1),
        lambda t: t.nn.functional.mse_loss(t.ones(2), t.ones(2), reduction="average"),
        lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 3])),
        lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0, 1, 2])),
        lambda t: t.nn.functional.binary_cross_entropy(t.ones(2), t.ones(3)),
        lambda t: t.nn.functional.layer_norm(t.ones(2, 3), (2,)),
        lambda t: t.nn.functional.glu(t.ones(2, 3)),
        lambda t: t.nn.Linear(3, 2)(t.ones(2, 4)),
        lambda t: t.nn.Linear(3, 2)(t.ones(2, 3, dtype=t.float64)),
        lambda t: t.nn.Embedding(3, 2)(t.ones(2)),
        lambda t: t.nn.Embedding(3, 2, padding_idx=3),
        lambda t: t.nn.Unflatten(1, "x"),
    ],
)
def test_bad_input_is_refused_with_pytorchs_error(attempt):
    same_error(attempt)


def test_dropout_keeps_the_mean_drops_the_share_and_is_fixed_by_the_seed():
    x = labtorch.ones(100, 100)
    labtorch.manual_seed(1)
    y = nn.Dropout(0.3)(x)
    kept = (y != 0).float().mean().item()
    assert abs(kept - 0.7) < 0.02 and np.allclose(y.numpy()[y.numpy() != 0], 1 / 0.7)
    labtorch.manual_seed(1)
    assert (nn.Dropout(0.3)(x) == y).all()
    assert nn.Dropout(0.3).eval()(x) is x
    dropped = nn.Dropout1d(0.5)(labtorch.ones(8, 16, 5)).numpy()
    assert (dropped.min(2) == dropped.max(2)).all()


@pytest.mark.parametrize(
    "expression",
    [
        lambda f, x: f.gelu(x),
        lambda f, x: f.mish(x),
        lambda f, x: f.selu(x),
        lambda f, x: f.softsign(x),
        lambda f, x: f.logsigmoid(x),
        lambda f, x: f.layer_norm(x, (6,)),
        lambda f, x: f.rms_norm(x, (6,)),
        lambda f, x: f.huber_loss(x, x.detach() * 0, delta=0.7),
        lambda f, x: f.cosine_similarity(x, x.detach() + 1),
    ],
)
def test_second_order_gradients(expression):
    def second(t, x):
        y = expression(t.nn.functional, x)
        (g,) = t.autograd.grad((y * y).sum(), x, create_graph=True)
        return (g * g).sum()

    same(second, X)
