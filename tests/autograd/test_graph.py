"""autograd.graph: saved-tensor hooks, hooks on several tensors, edges; batches of cotangents."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import labtorch as torch
from tests.oracle import randn, same, same_error


@pytest.mark.oracle
def test_what_is_saved_goes_through_the_hooks():
    def program(t, x):
        x.requires_grad_()
        packed, unpacked = [], []

        def pack(tensor):
            packed.append(tensor.detach().clone())
            return len(packed) - 1

        def unpack(index):
            unpacked.append(index)
            return packed[index] * 10

        with t.autograd.graph.saved_tensors_hooks(pack, unpack):
            y = x.exp()
            z = y * y
        before = list(unpacked)
        z.sum().backward()
        return before, sorted(unpacked), [p.detach() for p in packed], x.grad

    same(program, randn(3), gradients=False)


@pytest.mark.oracle
def test_packed_tensors_keep_their_places_in_the_graph():
    def program(t, x):
        with t.autograd.graph.saved_tensors_hooks(lambda a: (a, 1), lambda p: p[0]):
            y = x.exp() * x.sin() / (1 + x * x)
        (g,) = t.autograd.grad(y.sum(), x, create_graph=True)
        return g

    same(program, randn(3))


@pytest.mark.oracle
def test_packing_and_in_place_ops():
    def program(t, x):
        with t.autograd.graph.saved_tensors_hooks(lambda a: a, lambda a: a):
            y = x * 1
            y.mul_(x)
            y.exp_()
            y[0] = 2.0
            return y * y

    same(program, randn(3))


def test_packed_graphs_are_freed_and_hold_no_tensor():
    gc.disable()
    try:
        x = torch.randn(100, requires_grad=True) * 1
        array = weakref.ref(x._array)
        with torch.autograd.graph.saved_tensors_hooks(lambda a: a.tolist(), torch.tensor):
            y = x.exp() * x
        node = weakref.ref(y.grad_fn)
        del x
        assert array() is None
        del y
        assert node() is None
    finally:
        gc.enable()


def test_a_function_of_the_users_packs_too():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    x = torch.ones(2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda a: a, lambda a: a * 5):
        y = Square.apply(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    assert g.tolist() == [10.0, 10.0]


@pytest.mark.oracle
def test_save_on_cpu_and_hooks_that_are_refused():
    def program(t, x):
        with t.autograd.graph.save_on_cpu():
            return x.exp() * x

    same(program, randn(3))

    def refused(t, x):
        with t.autograd.graph.disable_saved_tensors_hooks("not here"):
            with t.autograd.graph.saved_tensors_hooks(lambda a: a, lambda a: a):
                pass

    same_error(refused, randn(3), match="not here")
    with torch.autograd.graph.disable_saved_tensors_hooks("not here"):
        assert (torch.ones(1, requires_grad=True) ** 2).requires_grad


@pytest.mark.oracle
def test_what_is_saved_may_be_written_to_where_that_is_allowed():
    def program(t, x):
        with t.autograd.graph.allow_mutation_on_saved_tensors():
            y = x * 1
            z = y * y
            y.sin_()
            (z + y).sum().backward()
        return x.grad

    same(lambda t, x: program(t, x.requires_grad_()), randn(3), gradients=False)


@pytest.mark.oracle
@pytest.mark.parametrize("mode", ["all", "any"])
def test_hooks_on_several_tensors(mode):
    def program(t, x):
        x.requires_grad_()
        seen = []
        a, b, c = x * 2, x * 3, x * 4
        handle = t.autograd.graph.register_multi_grad_hook((a, b, c), seen.append, mode=mode)
        (a * b).sum().backward(retain_graph=True)
        (b + c).sum().backward()
        handle.remove()
        (x * 2).sum().backward()
        return seen if mode == "all" else len(seen)

    same(program, randn(3), gradients=False)


@pytest.mark.oracle
def test_an_edge_stands_for_a_tensor():
    def program(t, x):
        y = x.exp()
        edges = [t.autograd.graph.get_gradient_edge(each) for each in (x, y)]
        assert edges[1].node is y.grad_fn and edges[1].output_nr == 0
        return t.autograd.grad((y * y).sum(), edges)

    same(lambda t, x: program(t, x.requires_grad_()), randn(3), gradients=False)


@pytest.mark.oracle
def test_a_batch_of_cotangents():
    def program(t, x):
        x.requires_grad_()
        y = x.exp()
        (rows,) = t.autograd.grad(y, x, t.eye(3, dtype=x.dtype), is_grads_batched=True)
        return rows

    same(program, randn(3), gradients=False)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("program", "match"),
    [
        (lambda t, x: t.autograd.backward([x.sum(), x.detach().sum()]), "element 1 of tensors"),
        (lambda t, x: (x * 2).backward(t.ones(4)), "Mismatch in shape: grad_output[0] has a shape"),
        (lambda t, x: x.sum().backward(inputs=[]), "argument to `backward()` cannot be empty"),
        (lambda t, x: t.autograd.backward(x.sum(), inputs=[]), "cannot be empty"),
        (lambda t, x: t.autograd.grad(x.sum(), []), "argument to `grad()` cannot be empty"),
        (
            lambda t, x: t.autograd.grad(x.sum(), x, materialize_grads=True, allow_unused=False),
            "Expected allow_unused to be True or not passed when materialize_grads=True",
        ),
        (
            lambda t, x: t.autograd.grad(x.sum(), (x * 2)),
            "The differentiated Tensor at index 0 appears to not have been used in the graph",
        ),
    ],
)
def test_what_backward_and_grad_refuse(program, match):
    same_error(lambda t, x: program(t, x.requires_grad_()), randn(3), match=match)


@pytest.mark.oracle
def test_several_roots_and_chosen_inputs():
    def program(t, x, w):
        y, z = x * w, (x * w * w).sum()
        t.autograd.backward([y, z], [t.ones(3, dtype=x.dtype), None], inputs=[w])
        unused = t.autograd.grad(x.sum(), [x, w], allow_unused=True)
        zeros = t.autograd.grad(x.sum(), [x, w], materialize_grads=True)
        return x.grad, w.grad, *unused, *zeros

    tracked = lambda t, x, w: program(t, x.requires_grad_(), w.requires_grad_())  # noqa: E731
    same(tracked, randn(3), randn(3, seed=1), gradients=False)


def test_versions_can_be_counted_by_hand():
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    torch.autograd.graph.increment_version(y)
    with pytest.raises(RuntimeError, match=r"changed last by increment_version\(\)"):
        y.sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), np.e, rtol=1e-6)


SAVE_NOTHING = [
    lambda x: x + 1,
    lambda x: -x,
    lambda x: x.sum(),
    lambda x: x.mean(0),
    lambda x: x.view(-1),
    lambda x: x.t(),
    lambda x: x[0],
    lambda x: x[1:],
    lambda x: x.clone(),
    lambda x: x.double(),
    lambda x: x.expand(2, 2, 2),
]
SAVE = [lambda x: x * 2, lambda x: x.exp(), lambda x: x**2, lambda x: x @ x.detach()]


@pytest.mark.oracle
@pytest.mark.parametrize("program", SAVE_NOTHING)
def test_a_graph_that_saved_no_tensor_can_be_walked_again(program):
    def twice(t, x):
        y = program(x.requires_grad_())
        y.backward(t.ones_like(y))
        y.backward(t.ones_like(y))
        return x.grad

    same(twice, randn(2, 2, dtype="float32"), gradients=False)


@pytest.mark.oracle
@pytest.mark.parametrize("program", SAVE)
def test_a_graph_that_saved_one_is_freed(program):
    def twice(t, x):
        y = program(x.requires_grad_())
        y.backward(t.ones_like(y))
        y.backward(t.ones_like(y))

    same_error(twice, randn(2, 2), match="Trying to backward through the graph a second time")


def test_dual_numbers_name_what_there_is():
    with pytest.raises(NotImplementedError, match="labtorch.func.jvp"):
        torch.autograd.forward_ad.make_dual(torch.ones(1), torch.ones(1))
