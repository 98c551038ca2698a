"""Computed parameters, and weights of a fixed norm."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import labtorch
from labtorch import nn
from labtorch.nn.utils import parametrize
from tests.oracle import randn, same_error

oracle = pytest.mark.oracle
X = randn(4, 3)


def _symmetric(t):
    class Symmetric(t.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).T

        def right_inverse(self, x):
            return x.triu()

    return Symmetric()


WRAPPED = {
    "symmetric": lambda t, m: t.nn.utils.parametrize.register_parametrization(
        m, "weight", _symmetric(t)
    ),
    "weight_norm": lambda t, m: t.nn.utils.parametrizations.weight_norm(m),
    "weight_norm_of_all": lambda t, m: t.nn.utils.parametrizations.weight_norm(m, dim=None),
    "spectral_norm": lambda t, m: t.nn.utils.parametrizations.spectral_norm(m),
    "older_weight_norm": lambda t, m: t.nn.utils.weight_norm(m),
    "older_spectral_norm": lambda t, m: t.nn.utils.spectral_norm(m),
}


@oracle
@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_a_wrapped_layer_trains_as_pytorchs(name):
    import torch

    models = {}
    for t in (torch, labtorch):
        models[t] = WRAPPED[name](t, t.nn.Linear(3, 3).double())
    state = {k: v.numpy() for k, v in models[torch].state_dict().items()}
    models[labtorch].load_state_dict({k: labtorch.tensor(v) for k, v in state.items()})

    def train(t):
        model = models[t]
        optimizer = t.optim.SGD(model.parameters(), lr=0.1)
        losses = []
        for step in range(6):
            model.train(step < 5)
            optimizer.zero_grad()
            loss = (model(t.from_numpy(X)) - 1).square().sum()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        final = {k: v.numpy().copy() for k, v in model.state_dict().items()}
        return repr(model), losses, final

    (text, losses, final), (expected_text, expected, truth) = train(labtorch), train(torch)
    assert text == expected_text and list(final) == list(truth)
    np.testing.assert_allclose(losses, expected, rtol=1e-7)
    for key in truth:
        np.testing.assert_allclose(final[key], truth[key], rtol=1e-6, atol=1e-9, err_msg=key)


def test_a_parametrisation_can_be_stacked_set_and_removed():
    layer = nn.Linear(3, 3)
    weight = layer.weight
    parametrize.register_parametrization(layer, "weight", _symmetric(labtorch))
    assert parametrize.is_parametrized(layer) and isinstance(layer, nn.Linear)
    assert layer.parametrizations.weight.original is weight  # an optimizer may know it
    layer.weight = labtorch.eye(3) * 2
    assert labtorch.equal(layer.weight, labtorch.eye(3) * 2)
    parametrize.register_parametrization(layer, "weight", nn.ReLU())
    assert len(layer.parametrizations.weight) == 2
    twin = copy.deepcopy(layer)
    assert labtorch.equal(twin.weight, layer.weight)
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and list(layer.state_dict()) == ["bias", "weight"]
    assert labtorch.equal(layer.weight, labtorch.eye(3) * 2) and layer.weight is weight
    assert parametrize.is_parametrized(twin)


def test_spectral_norm_brings_the_largest_singular_value_to_one():
    labtorch.manual_seed(0)
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(5, 4), n_power_iterations=20)
    layer(labtorch.ones(1, 5))
    assert abs(labtorch.linalg.svdvals(layer.weight.detach())[0].item() - 1) < 1e-3


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_the_older_norms_can_be_removed():
    for wrap, unwrap in (
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
    ):
        layer = wrap(nn.Linear(2, 3)).eval()
        before = layer(labtorch.ones(1, 2))
        assert list(unwrap(layer).state_dict()) == ["bias", "weight"]
        np.testing.assert_allclose(layer(labtorch.ones(1, 2)).detach(), before.detach(), rtol=1e-5)
        with pytest.raises(ValueError, match="not found"):
            unwrap(layer)


@oracle
@pytest.mark.parametrize(
    ("attempt", "match"),
    [
        (
            lambda t: t.nn.utils.parametrize.register_parametrization(
                t.nn.Linear(2, 2), "wait", t.nn.Identity()
            ),
            "does not have a parameter, a buffer",
        ),
        (
            lambda t: t.nn.utils.parametrize.register_parametrization(
                t.nn.Linear(2, 2), "weight", t.nn.Flatten(0)
            ),
            "may not change the shape of the tensor",
        ),
        (
            lambda t: t.nn.utils.parametrize.remove_parametrizations(t.nn.Linear(2, 2), "weight"),
            "does not have a parametrization on weight",
        ),
        (
            lambda t: setattr(
                t.nn.utils.parametrize.register_parametrization(
                    t.nn.Linear(2, 2), "weight", t.nn.Identity()
                ),
                "weight",
                t.ones(2, 2),
            ),
            "does not implement right_inverse",
        ),
    ],
)
def test_what_pytorch_refuses_is_refused(attempt, match):
    same_error(attempt, match=match)
