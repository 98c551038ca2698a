"""Sequences and mappings of modules and parameters."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import labtorch
from labtorch import nn


def layers(n):
    return [nn.Linear(i + 1, i + 2) for i in range(n)]


def test_sequential_applies_its_modules_in_turn():
    net = nn.Sequential(nn.Linear(2, 3), nn.Flatten(0))
    assert net(labtorch.ones(4, 2)).shape == (12,)


def test_sequential_slices_appends_inserts_and_pops():
    net = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh(), c=nn.Sigmoid()))
    assert list(net[1:].state_dict()) == [] and [n for n, _ in net[1:].named_children()] == [
        "b",
        "c",
    ]
    assert net[-1] is net.c
    plain = nn.Sequential(nn.ReLU()).append(nn.Tanh()).extend([nn.Sigmoid()])
    plain.insert(0, nn.GELU())
    assert [type(m).__name__ for m in plain] == ["GELU", "ReLU", "Tanh", "Sigmoid"]
    assert isinstance(plain.pop(1), nn.ReLU) and len(plain) == 3
    del plain[0]
    assert [n for n, _ in plain.named_children()] == ["0", "1"]


def test_sequentials_add_up():
    assert len(nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh(), nn.Tanh())) == 3
    assert len(nn.Sequential(nn.ReLU(), nn.Tanh()) * 3) == 6


def test_module_list_is_a_list():
    made = layers(3)
    modules = nn.ModuleList(made)
    assert modules[-1] is made[2] and list(modules[:2]) == made[:2] and len(modules) == 3
    modules[0] = nn.ReLU()
    modules += [nn.Tanh()]
    del modules[1]
    assert [type(m).__name__ for m in modules] == ["ReLU", "Linear", "Tanh"]
    assert [name for name, _ in modules.named_children()] == ["0", "1", "2"]
    with pytest.raises(NotImplementedError, match="forward"):
        modules(1)


def test_module_dict_is_a_dict_in_order():
    modules = nn.ModuleDict([["b", nn.ReLU()], ["a", nn.Tanh()]])
    modules["c"] = nn.Identity()
    assert list(modules) == ["b", "a", "c"] and "a" in modules
    assert isinstance(modules.pop("b"), nn.ReLU) and list(modules.keys()) == ["a", "c"]


def test_parameter_list_makes_parameters_of_tensors():
    parameters = nn.ParameterList([labtorch.ones(2), nn.Parameter(labtorch.zeros(3))])
    parameters.append(labtorch.ones(1))
    assert all(isinstance(p, nn.Parameter) for p in parameters) and len(parameters) == 3
    assert list(parameters.state_dict()) == ["0", "1", "2"]
    assert [p.numel() for p in parameters[1:]] == [3, 1]


def test_parameter_dict_keeps_parameters_by_name():
    parameters = nn.ParameterDict({"b": labtorch.ones(2)})
    parameters["a"] = nn.Parameter(labtorch.zeros(1))
    assert list(parameters.keys()) == ["b", "a"] and set(parameters.state_dict()) == {"a", "b"}
    assert parameters.pop("b").numel() == 2 and "b" not in parameters
