"""Every optimiser does on a GPU what it does on the CPU, and waits there for no number."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, optim
from tests.gpu import standin as stand_in
from tests.oracle import randn

SHAPES = [(4, 3), (1, 1), (5,), ()]
RULES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "maximize": True, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "capturable": True}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "capturable": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
    ("ASGD", {"lr": 0.1, "t0": 2, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.01}),
    ("Adafactor", {"lr": 0.01, "weight_decay": 0.1}),
]


def loss_of(parameters):
    return sum(((p - 0.5) ** 2).sum() + 0.1 * (p**4).sum() for p in parameters)


def start(rule, options, device):
    """Parameters and their optimiser."""
    options = dict(options)
    if device == "cpu":
        options.pop("capturable", None)
    starts = [0.3 * randn(*shape, seed=i).astype("float32") for i, shape in enumerate(SHAPES)]
    parameters = [nn.Parameter(torch.from_numpy(np.array(x)).to(device)) for x in starts]
    return parameters, getattr(optim, rule)(parameters, **options)


def take(optimizer, parameters, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(parameters).backward()
        optimizer.step()


def assert_same(mine, theirs):
    for p, q in zip(mine, theirs):
        assert p.is_cuda and not q.is_cuda
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), 2e-5, 2e-6)


@pytest.fixture
def standin_crossings(standin):
    return stand_in.crossings


@pytest.mark.parametrize(("rule", "options"), RULES)
def test_steps_are_the_cpus(gpu, rule, options):
    here, there = start(rule, options, "cpu"), start(rule, options, gpu)
    for parameters, optimizer in (here, there):
        take(optimizer, parameters, 8)
    assert_same(there[0], here[0])


@pytest.mark.parametrize(("rule", "options"), RULES)
def test_a_step_crosses_to_the_host_nowhere(standin_crossings, rule, options):
    parameters, optimizer = start(rule, options, "cuda")
    take(optimizer, parameters, 1)
    standin_crossings.clear()
    take(optimizer, parameters, 2)
    assert not standin_crossings, dict(stand_in.places)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_is_the_cpus(gpu, search):
    ends = []
    for device in ("cpu", gpu):
        parameters, optimizer = start("LBFGS", {"lr": 0.5, "line_search_fn": search}, device)

        def closure(parameters=parameters, optimizer=optimizer):
            optimizer.zero_grad()
            loss = loss_of(parameters)
            loss.backward()
            return loss

        for _ in range(3):
            optimizer.step(closure)
        ends.append(parameters)
    for p, q in zip(*ends):
        np.testing.assert_allclose(q.detach().cpu().numpy(), p.detach().numpy(), 1e-3, 1e-4)


@pytest.mark.parametrize(("rule", "options"), [r for r in RULES if "capturable" not in r[1]])
def test_a_state_from_the_cpu_goes_on_at_the_gpu(gpu, rule, options):
    parameters, optimizer = start(rule, options, "cpu")
    take(optimizer, parameters, 3)
    moved, other = start(rule, options, gpu)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    with torch.no_grad():
        for p, q in zip(moved, parameters):
            p.copy_(q)
    take(optimizer, parameters, 3)
    take(other, moved, 3)
    assert_same(moved, parameters)


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
def test_gradients_are_clipped_there(gpu, norm):
    totals = []
    for device in ("cpu", gpu):
        parameters, _ = start("SGD", {}, device)
        loss_of(parameters).backward()
        total = nn.utils.clip_grad_norm_(parameters, 0.1, norm)
        nn.utils.clip_grad_value_(parameters, 0.03)
        totals.append([total, *(p.grad for p in parameters)])
    for here, there in zip(*totals):
        np.testing.assert_allclose(there.cpu().numpy(), here.numpy(), 1e-5, 1e-7)


def test_clipping_waits_for_nothing(standin_crossings):
    parameters, _ = start("SGD", {}, "cuda")
    loss_of(parameters).backward()
    standin_crossings.clear()
    nn.utils.clip_grad_norm_(parameters, 0.1)
    nn.utils.clip_grad_value_(parameters, 0.03)
    assert not standin_crossings, dict(stand_in.places)
