"""Convolutions and pooling against PyTorch, to the last option."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch
from labtorch.backend import threads
from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"padding": "same", "dilation": 2},
        {"padding": "valid", "groups": 2},
        {"stride": 3, "padding": 2, "dilation": 2, "groups": 2},
    ],
)
def test_convolution(n, options):
    groups = options.get("groups", 1)
    x, w, b = randn(2, 4, *(6,) * n), randn(6, 4 // groups, *(2,) * n, seed=1), randn(6, seed=2)
    call = lambda t, *a: getattr(t.nn.functional, f"conv{n}d")(*a, **options)  # noqa: E731
    same(call, x, w, b)
    same(call, x[0], w)
    same(call, x[:0], w, b)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1, "output_padding": 1},
        {"stride": 3, "dilation": 2, "groups": 2, "output_padding": 2},
        {"stride": 1, "dilation": 3, "output_padding": 2},
    ],
)
def test_transposed_convolution(n, options):
    groups = options.get("groups", 1)
    x, w = randn(2, 4, *(3,) * n), randn(4, 6 // groups, *(3,) * n, seed=1)
    call = lambda t, *a: getattr(t.nn.functional, f"conv_transpose{n}d")(*a, **options)  # noqa: E731
    same(call, x, w, randn(6, seed=2))
    same(call, x[0], w)


def test_integers_and_complex_numbers_convolve():
    x, w = np.arange(18).reshape(1, 2, 9), np.arange(12).reshape(3, 2, 2)
    same(lambda t, x, w: t.conv1d(x, w), x, w)
    z = randn(1, 2, 9) + 1j * randn(1, 2, 9, seed=1)
    same(lambda t, x, w: t.conv1d(x, w, stride=2), z, randn(3, 2, 2) + 2j)


def test_results_are_contiguous():
    x = labtorch.rand(2, 3, 8, 8)
    y = labtorch.conv2d(x, labtorch.rand(4, 3, 3, 3), padding=1)
    assert y.is_contiguous() and labtorch.max_pool2d(y, 2).is_contiguous()
    assert labtorch.nn.functional.avg_pool2d(y, 2).is_contiguous()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_work_split_over_threads_gives_the_same(count):
    """32 images are more than `MUCH` elements."""
    before = labtorch.get_num_threads()
    labtorch.set_num_threads(count)
    try:
        x, w = randn(32, 3, 32, 32, dtype="float32"), randn(8, 3, 3, 3, dtype="float32", seed=1)
        assert x.size >= threads.MUCH
        same(
            lambda t, x, w: t.max_pool2d(t.relu(t.conv2d(x, w, padding=1)), 2),
            x,
            w,
            rtol=1e-3,
            atol=2e-3,
        )
    finally:
        labtorch.set_num_threads(before)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2},
        {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1},
        {"kernel_size": 3, "stride": 2, "ceil_mode": True},
        {"kernel_size": 2, "dilation": 2, "padding": 1},
    ],
)
def test_max_pool(options):
    x = randn(2, 3, 8, 7)
    same(lambda t, x: t.nn.functional.max_pool2d(x, **options), x)
    same(lambda t, x: t.nn.functional.max_pool2d(x[0], return_indices=True, **options), x)


def test_max_pool_keeps_the_place_of_each_maximum():
    x = labtorch.tensor([[[1.0, 3.0, 5.0, 2.0]]], requires_grad=True)
    y = labtorch.max_pool1d(x, 2)
    assert y.grad_fn.saved["place"].tolist() == [[[1, 0]]]


def test_max_pool_of_nan_is_nan():
    x = randn(1, 1, 4, 4)
    x[0, 0, 1, 1] = np.nan
    same(lambda t, x: t.nn.functional.max_pool2d(x, 2, return_indices=True), x)


def test_unpool_undoes_pool():
    def expression(t, x):
        y, at = t.nn.functional.max_pool2d(x, 2, return_indices=True)
        return t.nn.functional.max_unpool2d(y, at, 2, output_size=x.shape)

    same(expression, randn(2, 3, 5, 4))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2},
        {"kernel_size": 3, "padding": 1, "count_include_pad": False, "ceil_mode": True},
        {"kernel_size": (3, 2), "stride": 1, "divisor_override": 5},
    ],
)
def test_average_pool(options):
    same(lambda t, x: t.nn.functional.avg_pool2d(x, **options), randn(2, 3, 8, 7))


@pytest.mark.parametrize("size", [1, 3, (5, None), (2, 9)])
def test_adaptive_pool(size):
    x = randn(2, 3, 8, 7)
    same(lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, size), x)
    same(lambda t, x: t.nn.functional.adaptive_max_pool2d(x, size, return_indices=True), x)


def test_fold_adds_up_what_unfold_takes_apart():
    options = {"kernel_size": (2, 3), "dilation": (1, 2), "padding": 1, "stride": (2, 1)}
    x = randn(2, 3, 6, 7)
    columns = same(lambda t, x: t.nn.functional.unfold(x, **options), x)
    same(lambda t, x: t.nn.functional.fold(x, (6, 7), **options), columns.detach().numpy())


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_mode(mode):
    def expression(t, x, w):
        layer = t.nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=mode).double()
        with t.no_grad():
            layer.weight.copy_(w)
            layer.bias.zero_()
        return layer(x)

    same(expression, randn(1, 2, 5, 6), randn(3, 2, 3, 3, seed=1))


def test_output_size_of_a_transposed_layer():
    for size in ([10, 11], [2, 3, 10, 11]):
        layer = labtorch.nn.ConvTranspose2d(4, 3, 3, stride=2)
        if len(size) == 2:
            assert layer(labtorch.rand(2, 4, 5, 5), output_size=[11, 12]).shape == (2, 3, 11, 12)
    same_error(
        lambda t, x: t.nn.ConvTranspose2d(4, 3, 3, stride=2).double()(x, [9, 9]),
        randn(2, 4, 5, 5),
        match="requested an output size of",
    )


def test_lazy_layer_becomes_an_ordinary_one():
    layer = labtorch.nn.LazyConv2d(4, 3, padding=1)
    assert layer(labtorch.rand(2, 3, 5, 5)).shape == (2, 4, 5, 5)
    assert type(layer) is labtorch.nn.Conv2d and layer.in_channels == 3
    assert layer.weight.shape == (4, 3, 3, 3)


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        (lambda t, x: t.conv2d(x, t.rand(2, 4, 3, 3).double()), "to have 4 channels, but got 3"),
        (lambda t, x: t.conv2d(x, t.rand(2, 3, 9, 9).double()), "Kernel size can't be greater"),
        (lambda t, x: t.conv2d(x, t.rand(2, 3, 3, 3).double(), t.rand(2)), "should be the same"),
        (lambda t, x: t.conv1d(x, t.rand(2, 3, 3).double()), "Expected 2D (unbatched) or 3D"),
        (lambda t, x: t.max_pool2d(x, 3, padding=2), "pad should be at most half"),
        (lambda t, x: t.nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups"),
    ],
)
def test_what_pytorch_refuses_is_refused(expression, match):
    same_error(expression, randn(1, 3, 5, 5), match=match)
