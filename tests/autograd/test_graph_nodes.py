"""Nodes of the graph as PyTorch shows them: names, edges, what they saved, and their hooks."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

import labtorch as torch
from tests.oracle import randn, same, same_error

F = torch.nn.functional

NAMED = [
    lambda t, x: t.nn.functional.linear(x, x, x[:, 0]),
    lambda t, x: t.nn.functional.linear(x, x),
    lambda t, x: t.nn.functional.linear(x[None], x),
    lambda t, x: x @ x,
    lambda t, x: x @ x[0],
    lambda t, x: x[0] @ x[1],
    lambda t, x: x + 1,
    lambda t, x: x * x,
    lambda t, x: x / 2,
    lambda t, x: x**2,
    lambda t, x: x.exp(),
    lambda t, x: x.abs().log1p(),
    lambda t, x: x.sum(),
    lambda t, x: x.sum(0),
    lambda t, x: x.mean(),
    lambda t, x: x.mean(1),
    lambda t, x: x.view(9),
    lambda t, x: x.reshape(9),
    lambda t, x: x.flatten(),
    lambda t, x: x.transpose(0, 1),
    lambda t, x: x.t(),
    lambda t, x: x.permute(1, 0),
    lambda t, x: x.unsqueeze(0),
    lambda t, x: x[0].expand(2, 3),
    lambda t, x: x[0],
    lambda t, x: x[:, 1],
    lambda t, x: x[1:],
    lambda t, x: x[None],
    lambda t, x: x[x > 0],
    lambda t, x: x[t.tensor([0, 1])],
    lambda t, x: t.cat([x, x]),
    lambda t, x: x.clone(),
    lambda t, x: x.float(),
    lambda t, x: x.relu(),
    lambda t, x: x.sigmoid(),
    lambda t, x: x.softmax(-1),
    lambda t, x: x.log_softmax(-1),
    lambda t, x: t.nn.functional.gelu(x),
    lambda t, x: t.nn.functional.mse_loss(x, x.detach()),
    lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([0, 1, 2])),
    lambda t, x: t.nn.functional.nll_loss(x, t.tensor([0, 1, 2])),
    lambda t, x: t.nn.functional.layer_norm(x, (3,)),
    lambda t, x: t.nn.functional.conv2d(x[None, None], x[None, None]),
    lambda t, x: t.nn.functional.avg_pool2d(x[None], 2),
    lambda t, x: t.nn.functional.max_pool2d(x[None], 2),
    lambda t, x: t.nn.functional.batch_norm(x, None, None, training=True),
]


@pytest.mark.oracle
@pytest.mark.parametrize("program", NAMED)
def test_a_node_has_pytorchs_name(program):
    def name(t, x):
        return program(t, x.requires_grad_()).grad_fn.name()

    found = same(name, randn(3, 3), gradients=False)
    assert repr(program(torch, torch.from_numpy(randn(3, 3)).requires_grad_()).grad_fn).startswith(
        f"<{found} object at 0x"
    )


@pytest.mark.oracle
def test_edges_lead_to_nodes_and_leaves():
    def edges(t, x):
        x.requires_grad_()
        fn = (x.exp() * 2).grad_fn
        (exp, index), constant = fn.next_functions
        (leaf, zero) = exp.next_functions[0]
        return exp.name(), index, constant, leaf.name().split("::")[-1], zero, leaf.variable is x

    same(edges, randn(3), gradients=False)


def test_a_leaf_has_one_accumulator_while_somebody_holds_it():
    x = torch.ones(2, requires_grad=True)
    first = (x * 2).grad_fn.next_functions[0][0]
    assert (x + 1).grad_fn.next_functions[0][0] is first
    gone = weakref.ref(first)
    del first
    assert gone() is None


@pytest.mark.oracle
def test_what_a_node_saved_has_pytorchs_names():
    def saved(t, x):
        x.requires_grad_()
        power, exp = (x**3).grad_fn, x.exp().grad_fn
        product = (x * x.exp()).grad_fn
        return power._saved_self, power._saved_exponent, exp._saved_result, product._saved_other

    same(saved, randn(3), gradients=False)
    node = F.linear(torch.ones(1, 2), torch.ones(3, 2, requires_grad=True)).grad_fn
    assert list(node.saved) == ["input"] and node.saved["input"].shape == (1, 2)
    with pytest.raises(AttributeError, match="no attribute '_saved_other'"):
        node._saved_other


def test_what_was_saved_cannot_be_read_once_it_is_freed():
    y = torch.ones(2, requires_grad=True).exp()
    node = y.grad_fn
    y.sum().backward()
    with pytest.raises(RuntimeError, match="after they have already been freed"):
        node.saved
    with pytest.raises(RuntimeError, match="after they have already been freed"):
        node._saved_result
    assert node.name() == "ExpBackward0"


def test_metadata_is_the_nodes_own():
    a, b = ((torch.ones(1, requires_grad=True) * 2).grad_fn for _ in range(2))
    a.metadata["note"] = 1
    assert a.metadata == {"note": 1} and b.metadata == {}


# ----------------------------------------------------------------------------------------- hooks
@pytest.mark.oracle
def test_hooks_of_a_node_see_and_replace_gradients():
    def hooked(t, x):
        y = x.exp()
        z = (y * 2).sum()
        seen = []
        y.grad_fn.register_prehook(lambda g: (seen.append(g[0].clone()), (g[0] * 10,))[1])
        y.grad_fn.register_hook(lambda i, o: (seen.extend([*i, *o]), (i[0] + 1,))[1])
        z.backward()
        return *seen, x.grad

    same(lambda t, x: hooked(t, x.requires_grad_()), randn(3), gradients=False)


@pytest.mark.oracle
def test_the_order_of_all_hooks():
    def order(t, x):
        x.requires_grad_()
        seen = []
        y = x.exp()
        node, leaf = y.grad_fn, y.grad_fn.next_functions[0][0]
        node.register_hook(lambda i, o: seen.append("after"))
        node.register_prehook(lambda o: seen.append("before"))
        y.retain_grad()
        y.register_hook(lambda g: (seen.append("tensor"), g * 2)[1])
        x.register_hook(lambda g: seen.append("leaf"))
        leaf.register_prehook(lambda g: seen.append("before leaf"))
        leaf.register_hook(lambda i, o: seen.append(f"after leaf {len(i)} {x.grad is None}"))
        x.register_post_accumulate_grad_hook(lambda p: seen.append("accumulated"))
        y.sum().backward()
        return sorted(seen[-2:]) + seen[:-2], y.grad

    same(order, randn(3), gradients=False)


@pytest.mark.oracle
def test_a_removed_hook_of_a_node_is_silent():
    def removed(t, x):
        y = x * 2
        handles = [
            y.grad_fn.register_hook(lambda i, o: tuple(g and g * 0 for g in i)),
            y.grad_fn.register_prehook(lambda o: (o[0] * 0,)),
        ]
        for handle in handles:
            handle.remove()
        return y

    same(removed, randn(3))


def test_hooks_see_a_recorded_pass_in_the_graph():
    x = torch.tensor(3.0, requires_grad=True)
    y = x * x
    y.grad_fn.register_prehook(lambda g: (g[0] * x,))
    (g,) = torch.autograd.grad(y, x, create_graph=True)  # 2 x * x
    assert torch.autograd.grad(g, x)[0].item() == 12.0


@pytest.mark.oracle
def test_a_hook_that_returns_nonsense():
    def wrong(value):
        def program(t, x):
            y = x.requires_grad_() * 2
            y.register_hook(lambda g: value)
            y.sum().backward()

        return program

    same_error(wrong("text"), randn(2), match="expected Variable, but hook returned")
    same_error(
        lambda t, x: wrong(t.ones(5, dtype=x.dtype))(t, x),
        randn(2),
        match="has changed the size of value",
    )


# ------------------------------------------------------------------------------------- in place
@pytest.mark.oracle
def test_retain_grad_follows_an_in_place_op_and_hooks_stay():
    def program(t, x):
        x.requires_grad_()
        seen = []
        y = x * 2
        y.retain_grad()
        y.register_hook(lambda g: seen.append(g))
        y.mul_(3)
        y.register_hook(lambda g: seen.append(g))
        (y * y).sum().backward()
        return y.grad, *seen, x.grad

    same(program, randn(3), gradients=False)


@pytest.mark.oracle
def test_retain_grad_of_a_view_follows_a_write_to_its_base():
    def program(t, x):
        x.requires_grad_()
        y = x * 2
        part = y[0]
        y.retain_grad(), part.retain_grad()
        y.mul_(3)
        (y.sum() + (part * part).sum()).backward()
        return y.grad, part.grad, x.grad

    same(program, randn(2, 3), gradients=False)


def test_a_stale_tensor_says_who_changed_it_and_where():
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    y.mul_(2)  # this line
    with pytest.raises(RuntimeError, match=r"exp saved.*changed last by mul_ at .*# this line"):
        y.sum().backward()
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    torch.optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match=r"mul saved.*changed last by SGD.step\(\)"):
        loss.backward()
    np.testing.assert_allclose(w.detach().numpy(), 0.8, rtol=1e-6)


def test_the_class_of_a_node_has_its_name():
    x = torch.ones(2, requires_grad=True)
    y = (x + 1).exp()
    assert type(y.grad_fn).__name__ == "ExpBackward0"
    assert type(y.grad_fn.next_functions[0][0]).__name__ == "AddBackward0"
    assert type(y.grad_fn) is type(x.exp().grad_fn)
    y.sum().backward()
    assert x.grad.shape == (2,)
