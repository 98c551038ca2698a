"""Every optimiser's rule, and the cyclic schedules, against PyTorch's."""

import numpy as np
import pytest

import labtorch
from tests.oracle import randn

pytestmark = pytest.mark.oracle

RULES = [
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adagrad", {"weight_decay": 0.1, "maximize": True}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "momentum_decay": 0.01}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Rprop", {"lr": 0.05, "etas": (0.4, 1.3)}),
    ("ASGD", {"lr": 0.05, "t0": 2, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1}),
    ("LBFGS", {"lr": 0.5, "max_iter": 4}),
    ("LBFGS", {"line_search_fn": "strong_wolfe", "history_size": 3}),
]


def _descend(t, name, options, steps=8):
    """The parameters after each step down a bent valley, and the state dict at the end."""
    w = t.tensor(randn(3, 2), requires_grad=True)
    b = t.tensor(randn(2, seed=1), requires_grad=True)
    x, y = t.tensor(randn(20, 3, seed=2)), t.tensor(randn(20, 2, seed=3))
    optimizer = getattr(t.optim, name)([w, b], **options)

    def closure():
        optimizer.zero_grad()
        loss = ((t.tanh(x @ w + b) - y) ** 2).mean()
        loss.backward()
        return loss

    trace = []
    for _ in range(steps):
        optimizer.step(closure)
        trace += [w.detach().numpy().copy(), b.detach().numpy().copy()]
    return trace, optimizer


@pytest.mark.parametrize(("name", "options"), RULES)
def test_steps_are_pytorchs(name, options):
    import torch

    ours, mine = _descend(labtorch, name, options)
    theirs, other = _descend(torch, name, options)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    state, reference = mine.state_dict(), other.state_dict()
    assert set(state["state"]) == set(reference["state"])
    kept = set(reference["state"][0]) - {"al"}  # a scratch list of LBFGS
    assert set(state["state"][0]) == kept
    assert [set(g) for g in state["param_groups"]] == [set(g) for g in reference["param_groups"]]


SCHEDULES = [
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 3, "step_size_down": 2}),
    (
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2, "mode": "exp_range", "gamma": 0.9},
    ),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2, "mode": "triangular2"}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 12}),
    (
        "OneCycleLR",
        {
            "max_lr": 0.3,
            "epochs": 3,
            "steps_per_epoch": 4,
            "anneal_strategy": "linear",
            "three_phase": True,
        },
    ),
]


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_cycles_are_pytorchs(name, options):
    import torch

    traces = []
    for t in (labtorch, torch):
        optimizer = t.optim.SGD([t.ones(1, requires_grad=True)], lr=0.1, momentum=0.9)
        schedule = getattr(t.optim.lr_scheduler, name)(optimizer, **options)
        trace = [(optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"])]
        for _ in range(11):
            optimizer.step()
            schedule.step()
            trace.append((schedule.get_last_lr()[0], optimizer.param_groups[0]["momentum"]))
        traces.append(trace)
    np.testing.assert_allclose(*traces, rtol=1e-12)


def test_lbfgs_finds_the_minimum_of_rosenbrocks_valley():
    x = labtorch.tensor([-1.2, 1.0], dtype=labtorch.float64, requires_grad=True)
    optimizer = labtorch.optim.LBFGS([x], line_search_fn="strong_wolfe", max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(x.detach().numpy(), [1, 1], atol=1e-4)
