"""Quantized tensors and fake quantization, with PyTorch as the oracle."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labtorch
from labtorch.autograd import gradcheck
from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle
DTYPES = ("quint8", "qint8", "qint32")


@pytest.fixture(autouse=True)
def _no_deprecations():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated")
        yield


def per_tensor(t: Any, x: Any, scale: float = 0.05, zero: int = 3, dtype: str = "quint8") -> Any:
    return t.quantize_per_tensor(x, scale, zero, getattr(t, dtype))


def per_channel(t: Any, x: Any, axis: int = 1, dtype: str = "qint8", zeros: Any = None) -> Any:
    n = x.shape[axis]
    scales = t.linspace(0.01, 0.1, n, dtype=t.float64)
    zeros = t.arange(n) - n // 2 if zeros is None else t.tensor(zeros)
    return t.quantize_per_channel(x, scales, zeros, axis, getattr(t, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_codes_and_numbers_are_pytorchs(dtype):
    x = randn(5, 7, dtype="float32") * 4
    same(lambda t, x: per_tensor(t, x, dtype=dtype).int_repr(), x, gradients=False)
    same(lambda t, x: per_tensor(t, x, dtype=dtype).dequantize(), x, gradients=False)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_channels_have_grids_of_their_own(axis):
    x = randn(4, 3, 5, dtype="float32")
    same(lambda t, x: per_channel(t, x, axis).int_repr(), x, gradients=False)
    same(lambda t, x: per_channel(t, x, axis).dequantize(), x, gradients=False)
    same(lambda t, x: per_channel(t, x, axis).q_per_channel_scales(), x, gradients=False)
    same(lambda t, x: per_channel(t, x, axis).q_per_channel_zero_points(), x, gradients=False)
    same(lambda t, x: per_channel(t, x, axis).q_per_channel_axis(), x, gradients=False)


@pytest.mark.parametrize("index", [0, 2, -1])
def test_a_channel_is_a_tensor_with_one_scale(index):
    x = randn(3, 4, dtype="float32")
    for read in (
        lambda q: q.dequantize(),
        lambda q: q.int_repr(),
        lambda q: q.q_scale(),
        lambda q: q.q_zero_point(),
    ):
        same(lambda t, x, read=read: read(per_channel(t, x, 0)[index]), x, gradients=False)
    same_error(lambda t: per_channel(t, t.ones(3, 4), 0)[3])
    ours = per_channel(labtorch, labtorch.ones(3, 4), 0)
    assert [row.q_scale() for row in ours] == ours.q_per_channel_scales().tolist()


def test_zero_points_may_be_floats():
    zeros = np.array([0.25, 3.5, 100.0], "float32")

    def asked(t, x):
        q = per_channel(t, x, 1, "quint8", zeros)
        return q.int_repr(), q.dequantize(), str(q.qscheme())

    same(asked, randn(4, 3, dtype="float32"), gradients=False, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=8),
    st.floats(1e-4, 100),
    st.integers(0, 255),
)
def test_any_numbers_on_any_grid(values, scale, zero):
    x = np.array(values, "float32")
    codes = same(lambda t, x: per_tensor(t, x, scale, zero).int_repr(), x, gradients=False)
    back = labtorch.quantize_per_tensor(labtorch.tensor(x), scale, zero, labtorch.quint8)
    again = labtorch.quantize_per_tensor(back.dequantize(), scale, zero, labtorch.quint8)
    assert (again.int_repr() == codes).all(), "what lies on the grid stays where it is"


@pytest.mark.parametrize("reduce_range", [False, True])
@pytest.mark.parametrize("shift", [-10.0, 0.0, 0.3, 10.0])
def test_dynamic_grids_are_pytorchs(reduce_range, shift):
    x = randn(6, 6, dtype="float32") + np.float32(shift)

    def grid(t, x):
        q = t.quantize_per_tensor_dynamic(x, t.quint8, reduce_range)
        return q.q_scale(), q.q_zero_point(), q.int_repr()

    same(grid, x, gradients=False)


MOVES = {
    "view": lambda t, q: q.view(-1, 2),
    "reshape": lambda t, q: q.reshape(3, -1),
    "flatten": lambda t, q: q.flatten(1),
    "index": lambda t, q: q[1:, 0],
    "transpose": lambda t, q: q.transpose(0, 1),
    "permute": lambda t, q: q.permute(3, 1, 0, 2),
    "cat": lambda t, q: t.cat([q, q], 1),
    "clone": lambda t, q: q.clone(),
    "relu": lambda t, q: q.relu(),
    "F.relu": lambda t, q: t.nn.functional.relu(q),
    "clamp": lambda t, q: q.clamp(-0.2, 0.3),
    "max_pool2d": lambda t, q: t.nn.functional.max_pool2d(q, 2, 2),
    "avg_pool2d": lambda t, q: t.nn.functional.avg_pool2d(q, 2, 2),
    "adaptive_avg_pool2d": lambda t, q: t.nn.functional.adaptive_avg_pool2d(q, 1),
    "mean": lambda t, q: q.mean([2, 3]),
    "mean, keepdim": lambda t, q: q.mean(-1, keepdim=True),
    "max": lambda t, q: q.max(),
    "min": lambda t, q: q.min(),
    "values of max": lambda t, q: q.max(1)[0],
    "values of min": lambda t, q: q.min(-1, keepdim=True).values,
    "flip": lambda t, q: q.flip(2),
    "index_select": lambda t, q: q.index_select(1, t.tensor([3, 0])),
    "pad": lambda t, q: t.nn.functional.pad(q, (1, 2, 0, 1)),
    "nearest": lambda t, q: t.nn.functional.interpolate(q, scale_factor=2),
    "bilinear": lambda t, q: t.nn.functional.interpolate(
        q, scale_factor=2, mode="bilinear", align_corners=False
    ),
    "gelu": lambda t, q: t.nn.functional.gelu(q),
    "hardsigmoid": lambda t, q: t.nn.functional.hardsigmoid(q),
    "sigmoid": lambda t, q: t.sigmoid(q),
    "tanh": lambda t, q: t.tanh(q),
    "leaky_relu": lambda t, q: t.nn.functional.leaky_relu(q, 0.1),
}


ROUNDED = ("avg_pool2d", "adaptive_avg_pool2d", "mean", "mean, keepdim", "bilinear", "gelu")
ROUNDED += ("hardsigmoid", "sigmoid", "tanh", "leaky_relu")


@pytest.mark.parametrize("name", MOVES)
def test_ops_on_codes_are_pytorchs_to_a_quantum(name):
    x = randn(2, 4, 4, 6, dtype="float32")
    made = {}

    def run(t, x):
        q = MOVES[name](t, per_tensor(t, x, 0.02, 120))
        made[t.__name__] = q
        return q.q_scale(), q.q_zero_point()

    same(run, x, gradients=False)
    ours, theirs = (made[n].int_repr().numpy().astype(int) for n in ("labtorch", "torch"))
    assert ours.shape == theirs.shape
    # PyTorch's averages and tanh round their own way; what moves or compares is exact
    assert abs(ours - theirs).max() <= (name in ROUNDED)


COMPARISONS = {
    "two": lambda t, a, b: [a == b, a != b, a < b, a <= b, a > b, a >= b],
    "a number": lambda t, a, b: [a > 0, a == 0, a <= 0.1],
    "truth": lambda t, a, b: [t.tensor(bool(a[0, 0])), t.tensor(bool(b[0, 0]))],
}


@pytest.mark.parametrize("what", COMPARISONS)
def test_comparisons_are_those_of_the_numbers(what):
    def compared(t, x):
        a = per_tensor(t, x, 0.02, 120)
        return COMPARISONS[what](t, a, per_tensor(t, x.flip(0), 0.02, 120))

    same(compared, randn(4, 6, dtype="float32"), gradients=False)


def test_where_the_largest_is_comes_with_it():
    q = per_tensor(labtorch, labtorch.tensor([[0.1, 0.5, 0.2], [0.9, 0.0, 0.3]]), 0.1, 0)
    values, indices = q.max(1)
    assert indices.tolist() == [1, 0]
    assert values.is_quantized and values.int_repr().tolist() == [5, 9]


@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_text_is_pytorchs(per):
    import torch

    make = per_tensor if per == "tensor" else per_channel
    x = randn(2, 3, dtype="float32")
    ours, theirs = (make(t, t.from_numpy(x)) for t in (labtorch, torch))
    assert repr(ours).split() == repr(theirs).split()
    assert ours.is_quantized and str(ours.dtype) == str(theirs.dtype)
    assert ours.element_size() == 1 and ours.numel() == 6
    assert str(ours.qscheme()) == str(theirs.qscheme())


# ---------------------------------------------------------------- fake quantization
def test_fake_quantization_passes_gradients_straight_through():
    x = randn(6, 5, dtype="float32") * 3
    same(lambda t, x: t.fake_quantize_per_tensor_affine(x, 0.03, 10, 0, 127), x)
    same(
        lambda t, x: t.fake_quantize_per_channel_affine(
            x, t.linspace(0.01, 0.1, 5), t.arange(5, dtype=t.int32), 1, -8, 7
        ),
        x,
    )


def test_grids_may_be_tensors():
    x = randn(4, dtype="float32")
    same(
        lambda t, x: t.fake_quantize_per_tensor_affine(
            x, t.tensor([0.1]), t.tensor([3], dtype=t.int32), 0, 255
        ),
        x,
    )


def test_straight_through_is_one_inside_and_none_outside():
    x = labtorch.tensor([-1.0, 0.01, 0.5, 9.0], requires_grad=True)
    labtorch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 15).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]


def test_a_second_derivative_of_what_is_straight_is_none():
    x = labtorch.tensor([0.3, 0.5], requires_grad=True)
    y = labtorch.fake_quantize_per_tensor_affine(x * x, 0.1, 0, 0, 15).sum()
    (first,) = labtorch.autograd.grad(y, x, create_graph=True)
    (second,) = labtorch.autograd.grad(first.sum(), x)
    assert second.tolist() == [2, 2], "that of x * x alone"
    smooth = labtorch.tensor([0.5], requires_grad=True, dtype=labtorch.float64)
    assert gradcheck(lambda x: x * x, smooth)


# ---------------------------------------------------------------- bad input
BAD = {
    "integers": lambda t, x: per_tensor(t, x.int()),
    "zero_point above": lambda t, x: per_tensor(t, x, 0.1, 256),
    "zero_point below": lambda t, x: per_tensor(t, x, 0.1, -1),
    "an ordinary dtype": lambda t, x: per_tensor(t, x, dtype="uint8"),
    "axis": lambda t, x: t.quantize_per_channel(x, t.ones(3), t.zeros(3).long(), 5, t.qint8),
    "too few scales": lambda t, x: t.quantize_per_channel(
        x, t.ones(2), t.zeros(2).long(), 1, t.qint8
    ),
    "q_scale of floats": lambda t, x: x.q_scale(),
    "scales of one scale": lambda t, x: per_tensor(t, x).q_per_channel_scales(),
    "adding": lambda t, x: per_tensor(t, x) + per_tensor(t, x),
    "multiplying": lambda t, x: t.nn.functional.linear(per_tensor(t, x), per_tensor(t, x)),
    "fake axis": lambda t, x: t.fake_quantize_per_channel_affine(
        x, t.ones(3), t.zeros(3, dtype=t.int32), 7, 0, 255
    ),
    "fake zero_point": lambda t, x: t.fake_quantize_per_tensor_affine(x, 0.1, 300, 0, 255),
    "fake levels": lambda t, x: t.fake_quantize_per_tensor_affine(x, 0.1, 0, 5, 2),
}


@pytest.mark.parametrize("what", BAD)
def test_what_pytorch_refuses_is_refused(what):
    same_error(BAD[what], randn(2, 3, dtype="float32"), parent=Exception)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_is_positive(scale):
    with pytest.raises(RuntimeError, match="scale is a positive number"):
        labtorch.quantize_per_tensor(labtorch.ones(2), scale, 0, labtorch.qint8)


def test_nan_has_no_code():
    x = labtorch.tensor([1.0, float("nan")])
    with pytest.raises(RuntimeError, match="NaN"):
        labtorch.quantize_per_tensor(x, 0.1, 0, labtorch.qint8)
    with pytest.raises(RuntimeError, match="NaN or infinity"):
        labtorch.quantize_per_tensor_dynamic(x, labtorch.quint8, False)


def test_messages_say_what_would_have_worked():
    q = labtorch.quantize_per_tensor(labtorch.ones(2), 0.1, 0, labtorch.qint8)
    for attempt, hint in (
        (lambda: q + 1, r"x\.dequantize\(\)"),
        (lambda: q.numpy(), "int_repr"),
        (lambda: q.requires_grad_(), "fake_quantize_per_tensor_affine"),
        (lambda: labtorch.zeros(2, dtype=labtorch.qint8), "quantize_per_tensor"),
        (lambda: labtorch.quantize_per_tensor(labtorch.ones(2).int(), 1.0, 0, labtorch.qint8),
         r"x\.float\(\)"),
    ):  # fmt: skip
        with pytest.raises((NotImplementedError, RuntimeError, TypeError), match=hint):
            attempt()
