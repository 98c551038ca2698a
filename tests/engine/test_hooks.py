"""Hooks on tensors: they see gradients, may replace them, and can be taken away."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch as torch
from tests.oracle import randn, same


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values if len(values) != 1 else values[0], requires_grad=True)


def test_a_hook_sees_the_whole_gradient_once():
    seen = []
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4).backward()
    assert seen == [7.0]


@pytest.mark.oracle
def test_hooks_replace_the_gradient_in_order_of_registration():
    def hooked(t, x):
        y = x * 2
        y.register_hook(lambda g: g + 1)
        y.register_hook(lambda g: g * 10)
        y.register_hook(lambda g: None)
        return y * y

    same(hooked, randn(3))


@pytest.mark.oracle
def test_a_leafs_hook_replaces_what_is_accumulated():
    def hooked(t, x):
        leaf = x.detach().requires_grad_()
        leaf.register_hook(lambda g: g.clamp(-0.5, 0.5))
        (leaf * leaf).sum().backward()
        return leaf.grad

    same(hooked, randn(4))


@pytest.mark.oracle
def test_hooks_of_one_result_of_several():
    def hooked(t, x):
        values, _ = x.max(1)
        values.register_hook(lambda g: g * 100)
        return values * 2

    same(hooked, randn(3, 4))


def test_a_removed_hook_is_silent():
    x = leaf(1.0)
    y = x * 2
    handle = y.register_hook(lambda g: g * 100)
    handle.remove()
    handle.remove()
    y.backward()
    assert x.grad.item() == 2.0


def test_hooks_run_when_the_graph_is_recorded_and_are_part_of_it():
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = torch.autograd.grad(y, x, create_graph=True)  # 2 x * x
    assert g.item() == 18.0
    assert torch.autograd.grad(g, x)[0].item() == 12.0


def test_retain_grad_keeps_the_gradient_of_an_intermediate():
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * 3).backward()
    assert y.grad.item() == 3.0


@pytest.mark.oracle
def test_retain_grad_is_what_pytorch_retains():
    def retained(t, x):
        y = x * 2
        y.retain_grad()
        z = y * y
        z.sum().backward(retain_graph=True)
        z.sum().backward()
        return y.grad

    same(lambda t, x: retained(t, x.requires_grad_()), randn(3), gradients=False)


def test_post_accumulate_hook_sees_the_grad_that_was_added_to():
    seen = []
    x = leaf(1.0, 2.0)
    x.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    for _ in range(2):
        (x * x).sum().backward()
    assert seen == [[2.0, 4.0], [4.0, 8.0]]


def test_post_accumulate_hook_may_drop_the_grad():
    x = leaf(1.0, 2.0)

    def step(p):
        with torch.no_grad():
            p.sub_(p.grad)
        p.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * x).sum().backward()
    assert x.grad is None and x.tolist() == [-1.0, -2.0]


def test_post_accumulate_hook_is_for_leaves():
    with pytest.raises(RuntimeError, match="cannot be registered on non-leaf"):
        (leaf(1.0) * 2).register_post_accumulate_grad_hook(print)


def test_a_hook_needs_a_tensor_that_requires_a_gradient():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        torch.ones(2).register_hook(print)


def test_a_hook_does_not_hold_the_graph():
    import gc
    import weakref

    gc.disable()
    try:
        y = leaf(1.0) * 2
        y.retain_grad()
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_a_hook_gets_a_gradient_of_its_own_shape_even_of_a_broadcast_input():
    x, shapes = leaf(1.0, 2.0), []
    y = x * 1
    y.register_hook(lambda g: shapes.append(tuple(g.shape)))
    (y + torch.zeros(3, 2)).sum().backward()
    assert shapes == [(2,)]
    np.testing.assert_array_equal(x.grad.numpy(), [3.0, 3.0])
