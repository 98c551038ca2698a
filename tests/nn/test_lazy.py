"""Layers that take the size of their input from the first one they see."""

from __future__ import annotations

import copy

import pytest

import labtorch
from labtorch import nn
from labtorch.nn.parameter import is_lazy


def _model():
    return nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(2, bias=False))


@pytest.mark.oracle
def test_lazy_layers_print_and_become_as_pytorchs():
    import torch

    def steps(t):
        model = t.nn.Sequential(t.nn.LazyLinear(3), t.nn.ReLU(), t.nn.LazyLinear(2, bias=False))
        before = repr(model), list(model.state_dict()), repr(model[0].weight)
        with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized"):
            model[0].weight.shape
        with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter"):
            model[0].weight + 1
        model(t.ones(4, 5))
        shapes = [tuple(p.shape) for p in model.parameters()]
        return before, repr(model), shapes, type(model[0]).__name__

    assert steps(labtorch) == steps(torch)


def test_a_state_gives_the_shapes_and_an_empty_one_is_refused():
    trained, fresh = _model(), _model()
    trained(labtorch.ones(4, 5))
    fresh.load_state_dict(trained.state_dict())
    x = labtorch.rand(2, 5)
    assert labtorch.equal(fresh(x), trained(x))
    with pytest.raises(RuntimeError, match="size mismatch"):
        nn.Linear(5, 3).load_state_dict(nn.LazyLinear(3).state_dict())


def test_lazy_layers_can_be_copied_cast_and_trained():
    model = copy.deepcopy(_model()).double()
    optimizer = labtorch.optim.SGD(model.parameters(), lr=0.1)
    before = model(labtorch.ones(4, 5, dtype=labtorch.float64))
    assert before.dtype is labtorch.float64 and not any(map(is_lazy, model.parameters()))
    before.sum().backward()
    optimizer.step()
    assert not labtorch.equal(before, model(labtorch.ones(4, 5, dtype=labtorch.float64)))


def test_a_module_can_be_emptied():
    layer = nn.Linear(2, 3).to_empty(device="cpu")
    assert layer.weight.shape == (3, 2) and isinstance(layer.weight, nn.Parameter)
