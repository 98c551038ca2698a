"""Checkpointing: the same gradients bit for bit, and nothing kept in between."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn
from labtorch.engine.events import Watcher, watch
from labtorch.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)
    )


def gradients(net, run):
    torch.manual_seed(1)
    x = torch.randn(5, 4, requires_grad=True)
    out = run(x)
    drawn = torch.rand(3)
    net.zero_grad()
    (out * out).sum().backward()
    return [out, drawn, torch.rand(3), x.grad, *(p.grad for p in net.parameters())]


@pytest.mark.parametrize("use_reentrant", [True, False, None])
def test_gradients_are_bitwise_the_same(use_reentrant):
    net = model()
    plain = gradients(net, net)
    kept = gradients(net, lambda x: checkpoint(net, x, use_reentrant=use_reentrant))
    parts = gradients(net, lambda x: checkpoint_sequential(net, 3, x, use_reentrant=use_reentrant))
    for a, b, c in zip(plain, kept, parts):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
        np.testing.assert_array_equal(a.detach().numpy(), c.detach().numpy())


def test_second_order_and_a_retained_graph():
    x = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    f = lambda a, scale: (a.exp() * a.sin() * scale).tanh()  # noqa: E731

    def orders(y):
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x, retain_graph=True)
        (again,) = torch.autograd.grad(g.sum(), x)
        return g, h, again

    plain = orders(f(x, 2.0))
    kept = orders(checkpoint(f, x, scale=2.0, use_reentrant=False))
    for a, b in zip(plain, kept):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_nothing_is_kept_and_the_graph_is_freed():
    arrays = []

    def f(x):
        y = x.exp()
        arrays.append(weakref.ref(y._array))
        return (y * y).sum()

    gc.disable()
    try:
        x = torch.randn(100, requires_grad=True)
        loss = checkpoint(f, x, use_reentrant=False)
        assert arrays[0]() is None
        node = weakref.ref(loss.grad_fn)
        loss.backward()
        assert len(arrays) == 2 and arrays[1]() is None
        del loss
        assert node() is None
    finally:
        gc.enable()


def test_without_gradients_it_is_a_call():
    calls = []
    with torch.no_grad():
        checkpoint(lambda x: calls.append(1) or x * 2, torch.ones(2))
    assert calls == [1]


def test_a_function_that_does_not_do_the_same_again():
    calls = []

    def fickle(x):
        calls.append(1)
        return (x.exp() if len(calls) == 1 else x.exp().exp()).sum()

    y = checkpoint(fickle, torch.ones(2, requires_grad=True), use_reentrant=False)
    with pytest.raises(CheckpointError, match="A different number of tensors was saved"):
        y.backward()


def test_watchers_see_each_op_once():
    heard = []

    class Ear(Watcher):
        def op_ended(self, call, outputs):
            heard.append(call.op.name)

    with watch(Ear()):
        checkpoint(lambda x: x.exp().sum(), torch.ones(2, requires_grad=True)).backward()
    assert heard == ["exp", "sum"]
