"""How many kernels an op and its rule launch on a GPU: what is elementwise is one of them."""

from __future__ import annotations

import pytest

import labtorch as torch
import labtorch.nn.functional as F
from labtorch import nn
from tests.gpu import standin as stand_in


def launches(op, *shape, inputs=1):
    """Of the op, and of its backward pass from a cotangent that is there."""
    if isinstance(op, nn.Module):
        op = op.to("cuda")
    given = [torch.rand(shape, device="cuda").requires_grad_() for _ in range(inputs)]
    stand_in.launches.clear()
    y = op(*given)
    y = y[0] if isinstance(y, tuple) else y
    forward = stand_in.launches.total()
    g = torch.ones(y.shape, device="cuda")
    stand_in.launches.clear()
    y.backward(g)
    return forward, stand_in.launches.total()


ACTIVATIONS = (
    "relu tanh sigmoid silu gelu softplus mish elu selu celu hardsigmoid hardswish "
    "leaky_relu softsign logsigmoid"
)


@pytest.mark.parametrize("name", ACTIVATIONS.split())
def test_an_activation_is_one_kernel_and_so_is_its_rule(standin, name):
    assert launches(getattr(F, name), 4, 3) == (1, 1)


@pytest.mark.parametrize(
    ("op", "forward", "backward"),
    [
        (lambda x: F.gelu(x, approximate="tanh"), 1, 1),
        (lambda x: F.softmax(x, -1), 4, 2),  # max, exp, sum, divide
        (lambda x: F.log_softmax(x, -1), 5, 1),
        (lambda x: F.dropout(x), 8, 1),  # 6 of them draw the numbers
        (lambda x: F.binary_cross_entropy_with_logits(x, x.detach(), reduction="none"), 1, 1),
        (lambda x: F.binary_cross_entropy(x, x.detach(), reduction="none"), 1, 1),
        (lambda x: F.huber_loss(x, x.detach(), reduction="none"), 1, 1),
        (lambda x: F.mse_loss(x, x.detach()), 3, 3),
        (nn.LayerNorm(3), 6, 8),
        (nn.LayerNorm(3, elementwise_affine=False), 6, 4),
        (nn.BatchNorm1d(3), 13, 8),
        (nn.GroupNorm(1, 3), 7, 7),
    ],
)
def test_a_chain_beside_reductions_is_one_kernel(standin, op, forward, backward):
    assert launches(op, 4, 3) == (forward, backward)


@pytest.mark.parametrize(
    ("kind", "forward", "backward"),
    [
        (nn.LSTM, 2, 4),  # a product and the states; the rule adds what comes from above, too
        (nn.GRU, 3, 3),  # a bias stands apart from the reset gate
        (nn.RNN, 2, 2),
    ],
)
def test_a_step_of_time_is_a_product_and_a_kernel(standin, kind, forward, backward):
    """However many there are: what a call does once is not counted."""
    short, long = launches(kind(3, 4), 5, 2, 3), launches(kind(3, 4), 6, 2, 3)
    assert (long[0] - short[0], long[1] - short[1]) == (forward, backward)


def test_clipping_is_a_kernel_for_each_gradient(standin):
    def clipped(count):
        parameters = [torch.ones(3, device="cuda", requires_grad=True) for _ in range(count)]
        sum(p.sum() for p in parameters).backward()
        total = nn.utils.get_total_norm([p.grad for p in parameters])
        stand_in.launches.clear()
        nn.utils.clip_grads_with_norm_(parameters, 0.1, total)
        return stand_in.launches.total()

    assert clipped(3) == 3
