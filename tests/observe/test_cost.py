"""Floating-point operations by shape: against hand counts, and against PyTorch's own counter."""

import math

import pytest

import labtorch as torch
import labtorch.nn.functional as F
from labtorch import nn, observe


def counted(act):
    """The operations of all ops that `act()` calls, by the op's name."""
    with observe.record(budget=1e9) as recording:
        act()
    found: dict[str, int | None] = {}
    for node in recording.graph()["nodes"]:
        if node["kind"] == "op":
            before = found.get(node["name"], 0)
            found[node["name"]] = (
                None if node["flops"] is None or before is None else before + node["flops"]
            )
    return found


r = torch.randn
HAND = {
    "linear": (lambda: F.linear(r(5, 3), r(4, 3), r(4)), 2 * 5 * 4 * 3 + 5 * 4),
    "matmul": (lambda: r(7, 1, 2, 3) @ r(4, 3, 5), 2 * 7 * 4 * 2 * 5 * 3),
    "a vector with a matrix": (lambda: r(3) @ r(3, 5), 2 * 5 * 3),
    "a dot product": (lambda: r(6) @ r(6), 2 * 6),
    "conv2d": (
        lambda: F.conv2d(r(2, 4, 9, 9), r(6, 4, 3, 3), r(6), padding=1),
        2 * (2 * 6 * 81) * (4 * 9) + 2 * 6 * 81,
    ),
    "conv2d of groups": (
        lambda: F.conv2d(r(2, 4, 9, 9), r(6, 2, 3, 3), None, groups=2, stride=2),
        2 * (2 * 6 * 16) * (2 * 9),
    ),
    "conv_transpose2d": (
        lambda: F.conv_transpose2d(r(2, 4, 5, 5), r(4, 3, 3, 3), r(3), stride=2),
        2 * (2 * 4 * 25) * (3 * 9) + 2 * 3 * 121,
    ),
    "max_pool2d": (lambda: F.max_pool2d(r(2, 3, 8, 8), 2), 2 * 3 * 16 * 4),
    "avg_pool1d": (lambda: F.avg_pool1d(r(2, 3, 8), 4), 2 * 3 * 2 * 4),
    "adaptive_avg_pool2d": (lambda: F.adaptive_avg_pool2d(r(2, 3, 8, 8), 1), 2 * 3 * 64),
    "layer_norm": (lambda: F.layer_norm(r(4, 8), (8,), r(8), r(8)), 8 * 32),
    "batch_norm": (lambda: F.batch_norm(r(4, 5), None, None, r(5), r(5), training=True), 8 * 20),
    "batch_norm in evaluation": (lambda: nn.BatchNorm1d(5).eval()(r(4, 5)), 2 * 20),
    "softmax": (lambda: F.softmax(r(4, 8), -1), 5 * 32),
    "cross_entropy": (lambda: F.cross_entropy(r(4, 8), torch.tensor([1, 0, 3, 2])), 5 * 32),
    "mse_loss": (lambda: F.mse_loss(r(4, 8), r(4, 8)), 3 * 32),
    "embedding": (lambda: F.embedding(torch.tensor([[1, 2]]), r(9, 4)), 0),
    "reshape and transpose": (lambda: r(4, 6).reshape(6, 4).transpose(0, 1), 0),
    "a broadcast sum": (lambda: r(4, 1) + r(1, 6), 24),
    "a reduction": (lambda: r(4, 6).sum(0), 24),
    "relu": (lambda: torch.relu(r(4, 6)), 24),
    "einsum": (lambda: torch.einsum("bij,bjk->bik", r(2, 3, 4), r(2, 4, 5)), 2 * 2 * 3 * 4 * 5),
    "an inverse": (lambda: torch.linalg.inv(torch.eye(6)), 2 * 6**3),
    "attention": (
        lambda: F.scaled_dot_product_attention(r(2, 3, 5, 4), r(2, 3, 7, 4), r(2, 3, 7, 6)),
        2 * (2 * 3 * 5 * 7) * (4 + 6) + 6 * (2 * 3 * 5 * 7),
    ),
    "lstm": (
        lambda: nn.LSTM(3, 4, num_layers=2)(r(5, 2, 3)),
        10 * (2 * 16 * (3 + 4) + 2 * 16 * (4 + 4) + 4 * 16 + 2 * 13 * 4),
    ),
    "gru in two directions": (
        lambda: nn.GRU(3, 4, bidirectional=True, batch_first=True)(r(2, 5, 3)),
        10 * 2 * (2 * 12 * (3 + 4) + 2 * 12 + 11 * 4),
    ),
    "rnn": (lambda: nn.RNN(3, 4)(r(5, 2, 3)), 10 * (2 * 4 * (3 + 4) + 2 * 4 + 2 * 4)),
}


@pytest.mark.parametrize("name", HAND)
def test_operations_are_those_counted_by_hand(name):
    act, expected = HAND[name]
    assert sum(counted(act).values()) == expected


def test_what_is_not_known_is_not_guessed():
    assert counted(lambda: torch.linalg.svd(r(4, 4)))["linalg_svd"] is None


def products(t):
    """Calls whose cost is in products alone, which is what PyTorch's counter counts."""
    g = t.Generator().manual_seed(0)

    def r(*shape):
        return t.randn(*shape, generator=g)

    f = t.nn.functional
    return {
        "linear": lambda: f.linear(r(5, 3), r(4, 3)),
        "bmm": lambda: t.bmm(r(3, 2, 4), r(3, 4, 5)),
        "broadcast matmul": lambda: r(6, 1, 2, 4) @ r(3, 4, 5),
        "conv1d": lambda: f.conv1d(r(2, 4, 11), r(6, 4, 3), stride=2),
        "conv2d": lambda: f.conv2d(r(2, 4, 9, 9), r(6, 2, 3, 3), groups=2, padding=1),
        "dilated conv2d": lambda: f.conv2d(r(2, 4, 9, 9), r(6, 4, 3, 3), dilation=2),
        "conv3d": lambda: f.conv3d(r(1, 2, 5, 6, 7), r(3, 2, 2, 3, 2)),
        "conv_transpose2d": lambda: f.conv_transpose2d(r(2, 4, 5, 5), r(4, 3, 3, 3), stride=2),
        "grouped conv_transpose1d": lambda: f.conv_transpose1d(r(2, 4, 5), r(4, 3, 3), groups=2),
    }


@pytest.mark.oracle
@pytest.mark.parametrize("name", products(torch))
def test_products_are_counted_as_pytorch_does(name):
    import torch as oracle
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        products(oracle)[name]()
    assert sum(counted(products(torch)[name]).values()) == counter.get_total_flops() > 0


@pytest.mark.oracle
def test_attention_is_pytorchs_count_and_its_softmax():
    import torch as oracle
    from torch.utils.flop_counter import sdpa_flop_count

    q, k, v = (2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6)
    ours = counted(lambda: F.scaled_dot_product_attention(r(*q), r(*k), r(*v)))
    assert oracle.__version__
    assert sum(ours.values()) == sdpa_flop_count(q, k, v) + 6 * math.prod((2, 3, 5, 7))
