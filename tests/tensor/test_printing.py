"""Tensors print as PyTorch prints them, character for character."""

from __future__ import annotations

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labtorch
from tests.oracle import randn

pytestmark = pytest.mark.oracle

PROGRAMS = {
    "float scalar": lambda t: t.tensor(3.14159),
    "integral float scalar": lambda t: t.tensor(2.0),
    "int scalar": lambda t: t.tensor(-7),
    "bool scalar": lambda t: t.tensor(True),
    "floats": lambda t: t.tensor([1.5, -2.25, 3.0]),
    "integral floats": lambda t: t.tensor([1.0, 200.0, -3.0]),
    "ints": lambda t: t.tensor([[1, -20], [300, 4]]),
    "bools": lambda t: t.tensor([[True, False], [False, True]]),
    "nan and inf": lambda t: t.tensor([1.5, float("nan"), float("inf"), -float("inf")]),
    "integral with nan": lambda t: t.tensor([1.0, float("nan"), 20.0]),
    "only nan": lambda t: t.tensor([float("nan"), float("inf")]),
    "zeros": lambda t: t.zeros(2, 3),
    "zero and small": lambda t: t.tensor([0.0, 1e-5]),
    "wide range": lambda t: t.tensor([1e-3, 1.0, 5000.0]),
    "large": lambda t: t.tensor([1e9, 2e9]),
    "large scalar": lambda t: t.tensor(123456789.0),
    "small scalar": lambda t: t.tensor(1.5e-7),
    "double": lambda t: t.tensor([1.5, 2.0], dtype=t.float64),
    "half": lambda t: t.tensor([1.5, 2.0], dtype=t.float16),
    "int32": lambda t: t.tensor([1, 2], dtype=t.int32),
    "uint8": lambda t: t.tensor(200, dtype=t.uint8),
    "complex": lambda t: t.tensor([1 + 2j, -0.5 - 1.25j]),
    "complex scalar": lambda t: t.tensor(1 - 2j),
    "complex double": lambda t: t.tensor([1 + 2j], dtype=t.complex128),
    "empty": lambda t: t.tensor([]),
    "empty ints": lambda t: t.empty(0, dtype=t.int64),
    "empty matrix": lambda t: t.zeros(2, 0),
    "empty cube": lambda t: t.zeros(0, 3, 4, dtype=t.float64),
    "cube": lambda t: t.arange(24.0).reshape(2, 3, 4),
    "four dimensions": lambda t: t.arange(16).reshape(2, 2, 2, 2),
    "wrapped line": lambda t: t.arange(40),
    "wrapped floats": lambda t: t.arange(30) / 7,
    "wrapped rows": lambda t: t.arange(60.0).reshape(2, 30) / 3,
    "999": lambda t: t.arange(999),
    "1000": lambda t: t.arange(1000),
    "abridged vector": lambda t: t.arange(1001),
    "abridged floats": lambda t: t.arange(2000) / 3,
    "abridged matrix": lambda t: t.arange(10000.0).reshape(100, 100),
    "abridged tall": lambda t: t.arange(3000).reshape(1000, 3),
    "abridged wide": lambda t: t.arange(3000).reshape(3, 1000),
    "abridged cube": lambda t: t.zeros(20, 20, 20),
    "requires grad": lambda t: t.ones(2, requires_grad=True),
    "requires grad, double": lambda t: t.ones(2, dtype=t.float64, requires_grad=True),
    "grad_fn": lambda t: t.ones(2, requires_grad=True) * 2,
    "grad_fn of a sum": lambda t: t.ones(2, requires_grad=True).sum(),
    "grad_fn of a mean": lambda t: t.ones(2, requires_grad=True).mean(),
    "grad_fn of a power": lambda t: t.ones(2, requires_grad=True) ** 2,
    "grad_fn of exp": lambda t: t.ones(2, requires_grad=True).exp(),
    "grad_fn of relu": lambda t: t.ones(2, requires_grad=True).relu(),
    "grad_fn of a view": lambda t: t.ones(2, 2, requires_grad=True).view(4),
    "grad_fn of a loss": lambda t: t.nn.functional.mse_loss(
        t.ones(2, requires_grad=True), t.zeros(2)
    ),
    "grad_fn, long line": lambda t: t.arange(20.0).requires_grad_() / 3,
    "shape": lambda t: t.zeros(2, 3).shape,
    "no shape": lambda t: t.tensor(1.0).size(),
    "dtype": lambda t: t.float32,
    "device": lambda t: t.device("cpu"),
    "named pair": lambda t: t.tensor([[1.0, 2.0]]).max(1),
    "sorted": lambda t: t.tensor([2.0, 1.0]).sort(),
    "top": lambda t: t.tensor([2.0, 1.0]).topk(1),
    "parameter": lambda t: t.nn.Parameter(t.ones(2, 2)),
    "tuple": lambda t: (t.ones(1), t.zeros(1, dtype=t.int32)),
    "expanded": lambda t: t.ones(1, 3).expand(2, 3),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_as_pytorch(name):
    import torch

    assert repr(PROGRAMS[name](labtorch)) == repr(PROGRAMS[name](torch))


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.int8, np.bool_]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
    )
)
def test_any_array_prints_as_pytorch(array):
    import torch

    assert repr(labtorch.from_numpy(array.copy())) == repr(torch.from_numpy(array.copy()))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 50.0, 1e4, 1e7])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (12, 12), (40, 40)])
def test_draws_of_every_size_print_as_pytorch(scale, shape):
    import torch

    array = np.asarray(randn(*shape, dtype="float32") * np.float32(scale))
    assert repr(labtorch.from_numpy(array)) == repr(torch.from_numpy(array))


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"threshold": 5},
        {"edgeitems": 1, "threshold": 3},
        {"linewidth": 40},
        {"sci_mode": True},
        {"sci_mode": False},
        {"profile": "short"},
        {"profile": "full"},
    ],
)
def test_print_options(options):
    import torch

    array = randn(9, 9, dtype="float32") * 3000
    try:
        for module in (labtorch, torch):
            module.set_printoptions(**options)
        assert repr(labtorch.from_numpy(array)) == repr(torch.from_numpy(array))
    finally:
        for module in (labtorch, torch):
            module.set_printoptions(profile="default", sci_mode=None)


def test_format():
    import torch

    for module in (labtorch, torch):
        assert f"{module.tensor(3.14159):.2f}" == "3.14"
        assert f"{module.tensor(7):>4d}" == "   7"
        assert f"{module.tensor([1.5])}" == "tensor([1.5000])"
