"""Optimisers against PyTorch, step by step, and what surrounds the rule."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import labtorch
from labtorch import nn, optim
from labtorch.engine import events
from tests.oracle import randn, same, same_error

SHAPES = [(4, 3), (1, 1), (5,), ()]
RULES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "maximize": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
]


def run(t, rule, options, starts, steps=50, dtype="float32", after=None):
    """Parameters after each of some steps on a quartic bowl."""
    parameters = [t.nn.Parameter(t.from_numpy(np.array(x, dtype))) for x in starts]
    optimizer = getattr(t.optim, rule)(parameters, **options)
    trail = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = sum(((p - 0.5) ** 2).sum() + 0.1 * (p**4).sum() for p in parameters)
        loss.backward()
        optimizer.step()
        if after is not None:
            optimizer = after(t, step, optimizer, parameters) or optimizer
        trail.append([p.detach().clone() for p in parameters])
    return trail


@pytest.mark.oracle
@pytest.mark.parametrize(("rule", "options"), RULES)
def test_fifty_steps_are_pytorchs(rule, options):
    starts = [randn(*shape, seed=i) for i, shape in enumerate(SHAPES)]
    if options.get("maximize"):  # uphill on a quartic: a few steps, or it overflows
        starts, steps = [x * 0.1 for x in starts], 5
    else:
        steps = 50
    same(lambda t: run(t, rule, options, starts, steps), gradients=False, rtol=1e-4, atol=1e-5)
    same(
        lambda t: run(t, rule, options, starts, steps, "float64"),
        gradients=False,
        rtol=1e-7,
        atol=1e-9,
    )


@pytest.mark.oracle
@pytest.mark.parametrize(("rule", "options"), RULES[:1] + RULES[1:2] + RULES[4:6])
def test_a_saved_state_continues_where_it_was(rule, options):
    starts = [randn(3, 2)]

    def change(t, step, optimizer, parameters):
        if step != 5:
            return None
        fresh = getattr(t.optim, rule)(parameters, lr=9.0)
        fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        return fresh

    same(
        lambda t: run(t, rule, options, starts, 12, after=change),
        gradients=False,
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.oracle
@pytest.mark.parametrize(("rule", "options"), RULES)
def test_state_dicts_have_pytorchs_names_and_prints_are_pytorchs(rule, options):
    def expression(t):
        p = t.nn.Parameter(t.ones(2))
        optimizer = getattr(t.optim, rule)([p], **options)
        p.grad = t.ones(2)
        optimizer.step()
        state = optimizer.state_dict()
        return [
            repr(optimizer),
            sorted(state["state"].get(0, {})),
            sorted(state["param_groups"][0]),
        ]

    same(expression)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "attempt",
    [
        lambda t, p: t.optim.SGD([], lr=0.1),
        lambda t, p: t.optim.SGD(p, lr=0.1),
        lambda t, p: t.optim.SGD([3], lr=0.1),
        lambda t, p: t.optim.SGD([p * 2], lr=0.1),
        lambda t, p: t.optim.SGD([p], lr=-1.0),
        lambda t, p: t.optim.SGD([p], momentum=-1.0),
        lambda t, p: t.optim.SGD([p], nesterov=True),
        lambda t, p: t.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1),
        lambda t, p: t.optim.SGD([{"params": {p}}], lr=0.1),
        lambda t, p: t.optim.SGD([p], lr=0.1).add_param_group([p]),
        lambda t, p: t.optim.Adam([p], betas=(1.0, 0.9)),
        lambda t, p: t.optim.Adam([p], betas=(0.9, -0.1)),
        lambda t, p: t.optim.Adam([p], eps=-1.0),
        lambda t, p: t.optim.AdamW([p], weight_decay=-1.0),
        lambda t, p: t.optim.Adam([p]).load_state_dict({"state": {}, "param_groups": []}),
        lambda t, p: t.optim.Adam([p]).load_state_dict(
            {"state": {}, "param_groups": [{"params": []}]}
        ),
    ],
)
def test_wrong_use_is_refused_with_pytorchs_error_and_words(attempt):
    ours = same_error(lambda t: attempt(t, t.nn.Parameter(t.ones(2))))
    try:
        import torch

        attempt(torch, torch.nn.Parameter(torch.ones(2)))
    except Exception as theirs:
        assert str(ours) == str(theirs)


def test_groups_have_options_of_their_own_and_the_learning_rate_is_read_at_each_step():
    a, b = nn.Parameter(labtorch.ones(2)), nn.Parameter(labtorch.ones(2))
    optimizer = optim.SGD([{"params": [a]}, {"params": [b], "lr": 1.0}], lr=0.5)
    a.grad = b.grad = labtorch.ones(2)
    optimizer.step()
    assert a.tolist() == [0.5, 0.5] and b.tolist() == [0.0, 0.0]
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert a.tolist() == [0.25, 0.25]


def test_a_parameter_without_gradient_stays():
    a, b = nn.Parameter(labtorch.ones(2)), nn.Parameter(labtorch.ones(2))
    optimizer = optim.Adam([a, b])
    b.grad = labtorch.ones(2)
    optimizer.step()
    assert a.tolist() == [1.0, 1.0] and b.tolist() != [1.0, 1.0] and a not in optimizer.state


def test_a_step_writes_into_the_parameters_own_memory():
    p = nn.Parameter(labtorch.ones(3))
    shown = p.detach()
    p.grad = labtorch.ones(3)
    optim.SGD([p], lr=1.0).step()
    assert shown.tolist() == [0.0, 0.0, 0.0]


def test_a_step_between_forward_and_backward_is_noticed():
    p = nn.Parameter(labtorch.ones(3))
    loss = (p * p).sum()
    p.grad = labtorch.ones(3)
    optim.SGD([p], lr=1.0).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_step_calls_its_closure_with_gradients_on_and_returns_the_loss():
    p = nn.Parameter(labtorch.ones(1))
    optimizer = optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with labtorch.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert p.item() == pytest.approx(0.8)


def test_zero_grad_drops_or_fills():
    p = nn.Parameter(labtorch.ones(2))
    optimizer = optim.SGD([p])
    p.grad = labtorch.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_watchers_hear_of_steps_and_hooks_run_around_them():
    p, heard = nn.Parameter(labtorch.ones(1)), []
    optimizer = optim.SGD([p])

    class Ear(events.Watcher):
        def parameters_stepped(self, stepped):
            heard.append(stepped)

    optimizer.register_step_pre_hook(lambda o, args, kwargs: heard.append("before"))
    handle = optimizer.register_step_post_hook(lambda o, args, kwargs: heard.append("after"))
    with events.watch(Ear()):
        optimizer.step()
    handle.remove()
    optimizer.step()
    assert heard == ["before", "after", optimizer, "before"]


def test_named_parameters_keep_their_names():
    layer = nn.Linear(1, 1)
    optimizer = optim.SGD(layer.named_parameters(), lr=0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_an_optimiser_survives_pickling():
    p = nn.Parameter(labtorch.ones(2))
    optimizer = optim.Adam([p], lr=0.5)
    p.grad = labtorch.ones(2)
    optimizer.step()
    twin = pickle.loads(pickle.dumps(optimizer))
    q = twin.param_groups[0]["params"][0]
    for each, o in ((p, optimizer), (q, twin)):
        each.grad = labtorch.ones(2)
        o.step()
    assert p.tolist() == q.tolist()
