"""The backward pass: order, accumulation, depth, what is freed, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch as torch
from labtorch.autograd import grad
from tests.oracle import randn, same, same_error


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values if len(values) != 1 else values[0], requires_grad=True)


# ------------------------------------------------------------------------------------ the pass
@pytest.mark.oracle
@pytest.mark.parametrize(
    "expression",
    [
        lambda t, x: ((x + x) + (x + x)).sum(),
        lambda t, x: (x * x.sum() + x.exp() * x).mean(),
        lambda t, x: [y * y for y in (x.relu() + 1, x.tanh())],
        lambda t, x: x.max(1).values * x.min(0).values.sum(),
        lambda t, x: (lambda y: (y[0] * y[1] + y[2] * y[1]).sum())(x.split(1)),
        lambda t, x: x.sort(1).values[:, 0] + x.topk(2).values[:, 1],
        lambda t, x: t.stack([x, x * 2]).sum(0) / t.cat([x, x], 0)[:3],
        lambda t, x: x.detach() * x,
        lambda t, x: x.unbind(1)[1] * 2,
    ],
)
def test_gradients_meet_where_paths_meet(expression):
    same(expression, randn(3, 4))


def test_fan_out_counts_every_path():
    a = leaf(3.0)
    b = a + a
    c = b + b
    c.backward()
    assert a.grad.item() == 4.0


def test_each_node_runs_once_however_many_paths_lead_to_it():
    runs = []
    x = leaf(1.0)
    y = x * 1
    y.register_hook(lambda g: runs.append(g.item()))
    z = y
    for _ in range(50):  # 2 ** 50 paths
        z = z + z
    z.backward()
    assert runs == [2.0**50] and x.grad.item() == 2.0**50


def test_a_chain_of_100_000_ops_goes_backward_and_is_freed():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 0.0
    y.backward()
    assert x.grad.item() == 1.0
    del y


def test_a_chain_that_never_went_backward_is_freed_too():
    y = leaf(1.0, 2.0)
    for i in range(100_000):
        y = (y.view(2) if i % 2 else y.view(1, 2)) if i % 10 else y * 1.0
    del y


# -------------------------------------------------------------------------------- accumulation
def test_gradients_add_up_in_grad():
    x = leaf(1.0, 2.0)
    for n in (1, 2, 3):
        (x * x).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), n * 2 * x.detach().numpy())


def test_grads_of_two_leaves_share_no_memory():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).sum().backward()
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())
    x.grad.add_(1)
    assert y.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "route", [lambda x: x * 1, lambda x: x + 0, lambda x: x, lambda x: x.view(2)]
)
def test_grad_does_not_share_memory_with_the_users_gradient(route):
    x, g = leaf(1.0, 2.0), torch.ones(2)
    route(x).backward(g)
    g.fill_(7)
    assert x.grad.tolist() == [1.0, 1.0]


def test_grad_does_not_share_memory_with_what_a_rule_saved():
    x, y = leaf(1.0, 2.0), torch.tensor([3.0, 4.0])
    x.mul(y).backward(torch.ones(2))
    x.grad.zero_()
    assert y.tolist() == [3.0, 4.0]


def test_adding_to_a_grad_keeps_the_memory_it_had():
    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    held = x.grad
    (x * 2).sum().backward()
    assert held is x.grad and held.tolist() == [4.0, 4.0]


def test_backward_of_a_leaf_gives_it_the_cotangent():
    x = leaf(3.0)
    x.backward()
    assert x.grad.item() == 1.0


def test_inputs_limits_where_gradients_go():
    x, y = leaf(2.0), leaf(3.0)
    (x * y).backward(inputs=[x])
    assert x.grad.item() == 3.0 and y.grad is None


@pytest.mark.oracle
def test_gradients_have_the_dtype_of_their_leaf():
    same(lambda t, x, y: x * y, randn(3, dtype="float32"), randn(3))
    same(lambda t, x, y: x + y.sum(), randn(2, 3, dtype="float32"), randn(3), rtol=1e-5)
    same(lambda t, x: x.float() * 2, randn(3))


# --------------------------------------------------------------------------------------- grad()
def test_grad_touches_no_grad_attribute():
    x, y = leaf(2.0), leaf(3.0)
    gx, gy = grad(x * y, (x, y))
    assert (gx.item(), gy.item()) == (3.0, 2.0)
    assert x.grad is None and y.grad is None


def test_grad_of_a_tensor_inside_the_graph():
    x = leaf(2.0)
    y = x * x
    z = y * 3 + y
    assert grad(z, y)[0].item() == 4.0


def test_grad_with_respect_to_a_tensor_and_to_what_it_was_made_from():
    x = leaf(2.0)
    y = x * x
    gx, gy = grad(y * 3, (x, y))
    assert (gx.item(), gy.item()) == (12.0, 3.0)


@pytest.mark.oracle
def test_grad_of_several_outputs_is_the_sum():
    same(lambda t, x: t.autograd.grad([x.sum(), (x * x).sum()], [x]), randn(3))


@pytest.mark.oracle
def test_an_unused_input():
    def unused(t, x, **options):
        return t.autograd.grad((x * 2).sum(), [x, t.ones(3, requires_grad=True)], **options)

    def strict(t, x):
        return unused(t, x.requires_grad_())

    same_error(strict, randn(3), match="appears to not have been used in the graph")
    same(lambda t, x: unused(t, x, allow_unused=True), randn(3), gradients=True)
    same(lambda t, x: unused(t, x, materialize_grads=True), randn(3), gradients=True)


@pytest.mark.oracle
@pytest.mark.parametrize("order", [2, 3, 4])
def test_create_graph_again_and_again(order):
    def derivative(t, x):
        y = (x.sin() * x.exp() / (1 + x * x)).sum()
        for _ in range(order):
            (g,) = t.autograd.grad(y, x, create_graph=True)
            y = (g * g).sum()
        return y

    same(derivative, randn(3), rtol=1e-7)


@pytest.mark.oracle
def test_backward_with_create_graph_leaves_a_grad_that_can_be_differentiated():
    def twice(t, x):
        (x * x * x).sum().backward(create_graph=True)
        return t.autograd.grad(x.grad.sum(), x)[0]

    same(twice, randn(3), gradients=True)


@pytest.mark.oracle
def test_a_gradient_penalty_trains():
    def penalty(t, x, w):
        y = (x @ w).tanh()
        (g,) = t.autograd.grad(y.sum(), x, create_graph=True)
        return ((g.norm(2, 1) - 1) ** 2).mean()

    same(penalty, randn(5, 3), randn(3, 2, seed=1))


# ------------------------------------------------------------------------------------- refusals
@pytest.mark.oracle
def test_backward_of_a_non_scalar():
    error = same_error(
        lambda t, x: (x.requires_grad_() * 2).backward(),
        randn(2, 3),
        match="grad can be implicitly created only for scalar outputs",
    )
    assert "[2, 3]" in str(error) and ".mean().backward()" in str(error)
    assert "test_backward.py, line" in str(error)


@pytest.mark.oracle
def test_backward_twice():
    def twice(t, x):
        y = (x.requires_grad_() * x).sum()
        y.backward()
        y.backward()

    match = "Trying to backward through the graph a second time"
    error = same_error(twice, randn(2), match=match)
    assert "retain_graph=True" in str(error)


def test_backward_twice_with_retain_graph():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]


@pytest.mark.oracle
def test_backward_without_a_graph():
    same_error(
        lambda t, x: x.sum().backward(),
        randn(2),
        match="element 0 of tensors does not require grad and does not have a grad_fn",
    )


@pytest.mark.oracle
def test_a_gradient_of_the_wrong_shape():
    same_error(
        lambda t, x: (x.requires_grad_() * 2).backward(t.ones(3)),
        randn(2),
        match="Mismatch in shape",
    )


def test_an_error_in_a_rule_names_the_op():
    @torch.engine.op(r"y = x", name="thorny")
    def thorny(input):
        return input * 1

    @thorny.vjp("input", r"\bar x = \bar y")
    def _(g):
        raise FloatingPointError("no")

    with pytest.raises(FloatingPointError) as caught:
        thorny(leaf(1.0)).backward()
    assert any("thorny" in note for note in caught.value.__notes__)


def test_grad_mode_is_restored_after_a_rule_failed():
    @torch.engine.op(r"y = x", name="thorny")
    def thorny(input):
        return input * 1

    @thorny.vjp("input", r"\bar x = \bar y")
    def _(g):
        raise FloatingPointError("no")

    with pytest.raises(FloatingPointError):
        thorny(leaf(1.0)).backward()
    assert torch.is_grad_enabled()
