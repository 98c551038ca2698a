"""Recorded gradients against finite differences: right, wrong, at a kink, and not to be told."""

import itertools

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe
from labtorch.autograd import Function
from labtorch.nn import functional as F
from labtorch.observe.check import check


def checked(op, call, *shapes, limit=1 << 20, inputs=None):
    torch.manual_seed(0)
    inputs = inputs or [torch.randn(*shape, requires_grad=True) for shape in shapes]
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={op}, limit=limit)
        y = call(*inputs)
        (y * torch.randn(*y.shape)).sum().backward()
    graph = recording.graph()
    node = next(n["id"] for n in graph["nodes"] if n["name"] == op)
    shapes = {e["argument"]: e["shape"] for e in graph["edges"] if e["target"] == node}
    return {each["input"]: each for each in check(recording.arrays(node), shapes)}


@pytest.mark.parametrize(
    "op, call, shapes",
    [
        ("linear", F.linear, ((8, 3), (4, 3), (4,))),
        ("linear", F.linear, ((64, 30), (40, 30), (40,))),
        ("tanh", torch.tanh, ((3, 4),)),
        ("mul", torch.mul, ((3, 4), (4,))),
        ("add", torch.add, ((30, 40), (1, 40))),
        ("relu", torch.relu, ((30, 40),)),
        ("softmax", lambda x: F.softmax(x, 1), ((6, 5),)),
        ("cross_entropy", lambda x: F.cross_entropy(x, torch.tensor([1, 0])), ((2, 3),)),
        ("mse_loss", F.mse_loss, ((4, 3), (4, 3))),
        ("conv2d", F.conv2d, ((2, 2, 6, 6), (3, 2, 3, 3), (3,))),
        ("max_pool2d", lambda x: F.max_pool2d(x, 2), ((2, 2, 6, 6),)),
        ("layer_norm", lambda x, w, b: F.layer_norm(x, (4,), w, b), ((3, 4), (4,), (4,))),
        ("batch_norm", nn.BatchNorm1d(4), ((6, 4),)),
        ("cat", lambda a, b: torch.cat([a, b]), ((2, 3), (1, 3))),
        ("lstm", lambda x: nn.LSTM(3, 2)(x)[0], ((4, 2, 3),)),
        ("dropout", lambda x: F.dropout(x, 0.5), ((5, 5),)),
    ],
)
def test_the_engines_own_rules_are_right(op, call, shapes):
    found = checked(op, call, *shapes)
    assert len(found) >= len(shapes)
    for each in found.values():
        assert (each["verdict"], each["kinks"]) == ("ok", 0) and each["error"] < 1e-3, each


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x**2


class WrongCube(Cube):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x


class NearlyRightCube(Cube):
    """Wrong in one element only."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        right = g * 3 * x**2
        right[1, 2] += 0.5
        return right


class Noisy(Cube):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.rand(*x.shape)


def test_a_users_function_is_checked_and_a_wrong_backward_caught():
    (right,) = checked("Cube", Cube.apply, (3, 4)).values()
    assert right["verdict"] == "ok" and right["directions"] == 12
    (wrong,) = checked("WrongCube", WrongCube.apply, (3, 4)).values()
    assert wrong["verdict"] == "wrong" and wrong["error"] > 0.05
    (large,) = checked("WrongCube", WrongCube.apply, (30, 40)).values()
    assert large["verdict"] == "wrong" and large["index"] is None


def test_the_element_that_is_wrong_is_named_with_both_numbers():
    (found,) = checked("NearlyRightCube", NearlyRightCube.apply, (3, 4)).values()
    assert found["verdict"] == "wrong" and found["index"] == [1, 2]
    assert found["recorded"] - found["difference"] == pytest.approx(0.5, rel=1e-3)


def test_where_there_is_no_derivative_it_is_said():
    at_zero = torch.tensor([0.0, 1.0, -2.0], requires_grad=True)
    (relu,) = checked("relu", torch.relu, inputs=[at_zero]).values()
    assert (relu["verdict"], relu["kinks"], relu["index"]) == ("kink", 1, [0])
    tie = torch.tensor([2.0, 1.0, 2.0], requires_grad=True)
    (most,) = checked("amax", lambda x: x.amax(0), inputs=[tie]).values()
    assert (most["verdict"], most["kinks"]) == ("kink", 2)


def test_what_cannot_be_checked_is_said_to_be_so():
    (random,) = checked("Noisy", Noisy.apply, (3, 4)).values()
    assert (random["verdict"], random["reason"]) == ("unknown", "random")
    cut = checked("linear", F.linear, (100, 3), (2, 3), limit=400)
    assert {each["reason"] for each in cut.values()} == {"cut"}


def test_checking_draws_no_random_number_and_changes_no_array():
    before = torch.get_rng_state()
    x = torch.randn(5, 4, requires_grad=True)
    norm = nn.BatchNorm1d(4)
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"batch_norm"})
        norm(x).square().sum().backward()
    node = next(n["id"] for n in recording.graph()["nodes"] if n["name"] == "batch_norm")
    captured = recording.arrays(node)
    kept = {name: array.copy() for name, array in captured.arguments.items()}
    torch.set_rng_state(before)
    expected = torch.rand(3).tolist()
    torch.set_rng_state(before)
    check(captured)
    assert torch.rand(3).tolist() == expected
    for name, array in itertools.chain(captured.arguments.items()):
        np.testing.assert_array_equal(array, kept[name])
