"""Ops of the user's own: autograd.Function as PyTorch has it, one node a call."""

from __future__ import annotations

import gc
import weakref

import pytest

import labtorch as torch
from labtorch.engine.events import Watcher, watch
from labtorch.observe import record
from tests.oracle import randn, same, same_error


def function(t, **parts):
    """A Function of module `t` with these static methods."""
    return type("Own", (t.autograd.Function,), {k: staticmethod(v) for k, v in parts.items()})


def cube(t):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x

    return function(t, forward=forward, backward=backward)


@pytest.mark.oracle
def test_forward_backward_and_the_nodes_name():
    same(lambda t, x: cube(t).apply(x), randn(3))
    same(lambda t, x: cube(t).apply(x.exp()).sum(), randn(3))
    y = cube(torch).apply(torch.ones(1, requires_grad=True))
    assert repr(y) == "tensor([1.], grad_fn=<OwnBackward>)"
    assert repr(y.grad_fn).startswith("<OwnBackward object at")
    assert y.grad_fn.saved_tensors[0].tolist() == [1.0]


@pytest.mark.oracle
def test_a_backward_is_differentiated_again():
    def second(t, x):
        (g,) = t.autograd.grad(cube(t).apply(x).sum(), x, create_graph=True)
        (h,) = t.autograd.grad((g * g).sum(), x, create_graph=True)
        return g, h

    same(second, randn(3))
    x = torch.from_numpy(randn(3)).requires_grad_()
    assert torch.autograd.gradcheck(cube(torch).apply, (x,))
    assert torch.autograd.gradgradcheck(cube(torch).apply, (x,))


@pytest.mark.oracle
def test_a_saved_output_is_differentiated_again():
    def exp(t):
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        return function(t, forward=forward, backward=lambda ctx, g: g * ctx.saved_tensors[0])

    def second(t, x):
        (g,) = t.autograd.grad(exp(t).apply(x).sum(), x, create_graph=True)
        return g

    same(second, randn(3))


@pytest.mark.oracle
def test_forward_with_a_setup_context_and_keywords():
    def own(t):
        def setup_context(ctx, inputs, output):
            assert ctx.needs_input_grad == (True, False)
            ctx.factor = inputs[1]
            ctx.save_for_backward(output)

        return function(
            t,
            forward=lambda x, factor: (x * factor).sin(),
            setup_context=setup_context,
            backward=lambda ctx, g: (g * ctx.factor * (1 - ctx.saved_tensors[0] ** 2) ** 0.5, None),
        )

    same(lambda t, x: own(t).apply(x, 0.1), randn(3))
    same(lambda t, x: own(t).apply(x, factor=0.1), randn(3))


@pytest.mark.oracle
@pytest.mark.parametrize("materialize", [True, False])
def test_several_results_and_those_that_nothing_used(materialize):
    def own(t, seen):
        def forward(ctx, x, y):
            ctx.set_materialize_grads(materialize)
            return x * 2, "text", x * y

        def backward(ctx, g, none, h):
            seen.extend([g, none, h])
            return g * 2, None

        return function(t, forward=forward, backward=backward)

    def program(t, x, y):
        seen = []
        a, text, b = own(t, seen).apply(x, y)
        (g,) = t.autograd.grad(a.sum(), x)
        return g, text, b.requires_grad, *seen

    same(
        lambda t, x, y: program(t, x.requires_grad_(), y.requires_grad_()),
        randn(3),
        randn(3),
        gradients=False,
    )


@pytest.mark.oracle
def test_what_is_marked():
    def constant(t):
        def forward(ctx, x):
            where = x > 0
            part = x * where
            ctx.mark_non_differentiable(part)
            return x * 2, part, where

        return function(t, forward=forward, backward=lambda ctx, g, h, w: g * 2)

    same(lambda t, x: constant(t).apply(x), randn(3))

    def dirty(t):
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        return function(t, forward=forward, backward=lambda ctx, g: g * 20)

    def program(t, x):
        y = x * 3
        z = dirty(t).apply(y)
        assert z is y
        return z * z

    same(program, randn(3))
    same_error(lambda t, x: dirty(t).apply(x.requires_grad_()), randn(3), match="a leaf Variable")


@pytest.mark.oracle
def test_an_input_that_is_returned_is_another_tensor():
    def program(t, x):
        own = function(t, forward=lambda ctx, x: x, backward=lambda ctx, g: -g)
        y = own.apply(x)
        assert y is not x and y.data_ptr() == x.data_ptr()
        return y

    same(program, randn(3))


@pytest.mark.oracle
def test_gradients_are_fitted_to_their_inputs():
    def own(t, g):
        return function(t, forward=lambda ctx, x: x * 2, backward=lambda ctx, _: g)

    same(lambda t, x: own(t, t.ones(2, 3)).apply(x), randn(3))
    same(lambda t, x: own(t, t.ones(2, 3)).apply(x), randn(1, 3))
    same(lambda t, x: own(t, (t.ones(3), None, None)).apply(x), randn(3))


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("backward", "match"),
    [
        (lambda ctx, g: (g, g), "returned an incorrect number of gradients (expected 1, got 2)"),
        (lambda ctx, g: (), "returned an incorrect number of gradients (expected 1, got 0)"),
        (lambda ctx, g: 3.0, "expected Variable or None (got float)"),
        (lambda ctx, g: g[:2], "got [2] but expected shape compatible with [3]"),
        (None, "You must implement either the backward or vjp method"),
    ],
)
def test_errors_of_a_backward(backward, match):
    def program(t, x):
        parts = {} if backward is None else {"backward": backward}
        own = function(t, forward=lambda ctx, x: x * 2, **parts)
        own.apply(x.requires_grad_()).sum().backward()

    same_error(program, randn(3), match=match)


@pytest.mark.oracle
def test_errors_of_a_forward():
    same_error(lambda t, x: function(t).apply(x), randn(3), match="must implement the forward")

    def fails(t, x):
        function(t, forward=lambda ctx, x: 1 / 0).apply(x)

    same_error(fails, randn(3), match="division by zero")

    def saves_a_number(t, x):
        function(t, forward=lambda ctx, x: (ctx.save_for_backward(3), x)[1]).apply(x)

    same_error(lambda t, x: saves_a_number(t, x.requires_grad_()), randn(3), match="can only save")


@pytest.mark.oracle
def test_a_stale_saved_tensor_and_a_freed_graph():
    def stale(t, x):
        y = x.requires_grad_() * 1
        z = cube(t).apply(y)
        y.add_(1)
        z.sum().backward()

    error = same_error(stale, randn(3), match="modified by an inplace operation")
    assert "OwnBackward saved" in str(error) and "changed last by add_" in str(error)

    def twice(t, x):
        y = cube(t).apply(x.requires_grad_()).sum()
        y.backward()
        y.backward()

    same_error(twice, randn(3), match="backward through the graph a second time")


@pytest.mark.oracle
def test_once_differentiable():
    def own(t):
        backward = t.autograd.function.once_differentiable(lambda ctx, g: g * 2)
        return function(t, forward=lambda ctx, x: x * 2, backward=backward)

    same(lambda t, x: own(t).apply(x), randn(3))

    def twice(t, x, g):
        y = own(t).apply(x.requires_grad_())
        (h,) = t.autograd.grad(y, x, g.requires_grad_(), create_graph=True)
        h.sum().backward()

    same_error(twice, randn(3), randn(3), match="trying to differentiate twice")


@pytest.mark.oracle
def test_without_a_graph():
    def program(t, x):
        with t.no_grad():
            return cube(t).apply(x), cube(t).apply(x.detach())

    same(program, randn(3), gradients=False)


def test_a_watcher_sees_one_op_and_one_node():
    heard = []

    class Ear(Watcher):
        def op_ended(self, call, outputs):
            heard.append(call.op.name)

        def node_ended(self, node, gradients):
            heard.append(node.name())

    x = torch.ones(3, requires_grad=True)
    with watch(Ear()):
        cube(torch).apply(x).sum().backward()
    assert heard == ["Own", "sum", "SumBackward0", "OwnBackward"]
    with record() as recording:
        cube(torch).apply(x).sum().backward()
    assert [n["name"] for n in recording.graph(0)["nodes"] if n["kind"] == "op"] == ["Own", "sum"]


def test_a_graph_with_functions_is_freed():
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(x, y)
        return y

    own = function(torch, forward=forward, backward=lambda ctx, g: g * ctx.saved_tensors[1])
    gc.disable()
    try:
        x = torch.ones(3, requires_grad=True) * 1
        y = own.apply(x)
        alive = [weakref.ref(each) for each in (x, y, y.grad_fn)]
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        del x, y, g
        assert [each() for each in alive] == [None] * 3
    finally:
        gc.enable()


def test_a_function_cannot_be_made_an_object():
    with pytest.raises(RuntimeError, match="Legacy autograd function"):
        cube(torch)()
