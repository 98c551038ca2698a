"""Graphs are freed by reference counting alone: with the garbage collector off, nothing is left."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import labtorch
from tests.ops.test_gradients import CASES, _arguments


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def _reachable(roots: list[Any]) -> list[weakref.ref]:
    """Weak references to the tensors `roots` and to every node of their graph."""
    seen: dict[int, Any] = {}
    stack = [x.grad_fn for x in roots if x.grad_fn is not None]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            stack += [each for each in node.inputs if isinstance(each, labtorch.engine.Node)]
    return [weakref.ref(each) for each in (*roots, *seen.values())]


def _alive(references: list[weakref.ref]) -> list[Any]:
    return [each() for each in references if each() is not None]


@pytest.mark.parametrize(("op", "args"), CASES)
@pytest.mark.parametrize("create_graph", [False, True])
def test_an_ops_graph_is_freed(op: Any, args: tuple, create_graph: bool):
    def run() -> list[weakref.ref]:
        given = _arguments(op, args)
        leaves = [x for x in given if isinstance(x, labtorch.Tensor) and x.requires_grad]
        middle = [x * 1 if isinstance(x, labtorch.Tensor) and x.requires_grad else x for x in given]
        result = op(*middle)
        outputs = [y for y in (result if op.many else [result]) if y.requires_grad]
        cotangents = [labtorch.ones_like(y) for y in outputs]
        found = labtorch.autograd.grad(
            outputs, leaves, cotangents, create_graph=create_graph, allow_unused=True
        )
        return _reachable([*outputs, *(g for g in found if g is not None)])

    assert not _alive(run())


@pytest.mark.parametrize(
    "program",
    [
        lambda x: x.mul_(2),
        lambda x: x.add_(1).exp_(),
        lambda x: x.sin_().mul_(x * 1),
        lambda x: x[0].mul_(2),
        lambda x: x.transpose(0, 1)[1].sin_(),
        lambda x: x.view(-1)[2:].add_(1)[0].exp_(),
        lambda x: x.__setitem__(0, x[1].clone() * 2),
        lambda x: x.__setitem__(x > 0, 0.0),
        lambda x: [row.mul_(i) for i, row in enumerate(x.unbind(0))],
        lambda x: x.zero_(),
        lambda x: x[0].copy_(x[1].clone()),
        lambda x: x.masked_fill_(x > 0, 1.0),
        lambda x: x.retain_grad(),
        lambda x: x.register_hook(lambda g: g * 2),
    ],
)
@pytest.mark.parametrize("backward", [True, False])
def test_a_graph_with_in_place_ops_is_freed(program: Any, backward: bool):
    def run() -> list[weakref.ref]:
        leaf = labtorch.randn(3, 4, requires_grad=True)
        x = leaf * 1
        program(x)
        loss = (x * x).sum()
        references = _reachable([x, loss])
        if backward:
            loss.backward()
        return references

    assert not _alive(run())


@pytest.mark.parametrize(
    "program",
    [
        lambda b, w: b.add_(b * w),
        lambda b, w: b.mul_((b * w).sin() @ w),
        lambda b, w: b[0].add_(b[1] * w[0]),
        lambda b, w: b.__setitem__(1, b[0] * w[0]),
        lambda b, w: [b.add_((b @ w).tanh()) for _ in range(5)],
    ],
)
@pytest.mark.parametrize("leaf", [True, False])
def test_a_graph_that_saved_what_was_overwritten_is_freed(program: Any, leaf: bool):
    def run() -> list[weakref.ref]:
        w = labtorch.randn(3, 3, requires_grad=True)
        b = labtorch.randn(3, 3) if leaf else labtorch.randn(3, 3, requires_grad=True) * 1
        program(b, w)
        loss = (b * b).sum()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward(retain_graph=True)
        return _reachable([b, loss])

    assert not _alive(run())


def test_an_intermediates_memory_goes_with_the_last_node_that_saved_it():
    x = labtorch.randn(1000, requires_grad=True)
    hidden = x * 2
    array = weakref.ref(hidden._array)
    loss = (hidden * hidden).sum()
    del hidden
    assert array() is not None
    loss.backward()
    assert array() is None, "a backward pass frees what the graph saved"


def test_retain_graph_keeps_what_was_saved():
    x = labtorch.randn(1000, requires_grad=True)
    hidden = x * 2
    array = weakref.ref(hidden._array)
    loss = (hidden * hidden).sum()
    del hidden
    loss.backward(retain_graph=True)
    assert array() is not None
    del loss
    assert array() is None


def test_what_no_rule_names_is_not_kept():
    x = labtorch.randn(1000, requires_grad=True)
    hidden = x * 2
    array = weakref.ref(hidden._array)
    total = hidden.sum() + 1
    del hidden
    assert array() is None and total.requires_grad


def test_a_graph_of_a_failed_op_is_freed():
    def run() -> weakref.ref:
        y = labtorch.randn(3, requires_grad=True) * 2
        node = weakref.ref(y.grad_fn)
        with pytest.raises(RuntimeError):
            y + labtorch.ones(4)
        return node

    assert run()() is None


def test_memory_is_flat_over_many_steps():
    import tracemalloc

    w = labtorch.randn(20, 20, requires_grad=True)
    x = labtorch.randn(10, 20)

    def step() -> None:
        loss = ((x @ w.t()).relu()[:, :5].reshape(-1) ** 2).mean()
        loss.backward()
        with labtorch.no_grad():
            w.sub_(w.grad * 0.01)
        w.grad = None

    for _ in range(50):
        step()
    tracemalloc.start()
    for _ in range(20):
        step()
    gc.collect()  # empties Python's own lists of spare tuples and floats, which are no leak
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        step()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000
    assert np.isfinite(w.detach().numpy()).all()
