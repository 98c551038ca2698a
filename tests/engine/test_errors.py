"""Errors: PyTorch's type and key phrase; the op, shapes, the user's line, what would fit."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch as torch
from tests.oracle import randn, same_error

pytestmark = pytest.mark.oracle

CASES = {
    "broadcast": (
        lambda t, a, b: a + b,
        (randn(2, 3), randn(4)),
        "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1",
        ["add", "(2, 3)", "(4,)", "float64"],
    ),
    "broadcast, leading dimension": (
        lambda t, a, b: a * b,
        (randn(3, 1, 2), randn(4, 1, 1)),
        "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0",
        ["mul", "(3, 1, 2)", "(4, 1, 1)"],
    ),
    "matmul": (
        lambda t, a, b: a @ b,
        (randn(2, 3), randn(4, 5)),
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
        ["matmul", "(2, 3)", "(4, 5)"],
    ),
    "linear": (
        lambda t, a, w: t.nn.functional.linear(a, w),
        (randn(2, 3), randn(5, 4)),
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
        ["linear", "(2, 3)", "(5, 4)", "(..., 4)"],
    ),
    "matmul of two dtypes": (
        lambda t, a, b: a @ b,
        (randn(2, 3), randn(3, 2, dtype="float32")),
        "same dtype",
        ["matmul", "float32", "float64", ".float()"],
    ),
    "mean of integers": (
        lambda t, a: a.mean(),
        (np.arange(3),),
        "mean(): could not infer output dtype",
        ["int64", ".float()"],
    ),
    "label out of range": (
        lambda t, a, y: t.nn.functional.cross_entropy(a, y),
        (randn(2, 3), np.array([0, 3])),
        "Target 3 is out of bounds",
        ["cross_entropy", "(2, 3)", "0 to 2"],
    ),
    "dimension out of range": (
        lambda t, a: a.sum(2),
        (randn(2, 3),),
        "Dimension out of range (expected to be in range of [-2, 1], but got 2)",
        ["sum", "(2, 3)"],
    ),
    "view": (
        lambda t, a: a.view(5),
        (randn(2, 3),),
        "shape '[5]' is invalid for input of size 6",
        ["view", "(2, 3)"],
    ),
    "view of scattered memory": (
        lambda t, a: a.t().view(6),
        (randn(2, 3),),
        "view size is not compatible with input tensor's size and stride",
        ["view", "reshape"],
    ),
    "cat": (
        lambda t, a, b: t.cat([a, b]),
        (randn(2, 3), randn(2, 4)),
        "Sizes of tensors must match except in dimension 0",
        ["cat", "(2, 3)", "(2, 4)"],
    ),
    "index out of range": (
        lambda t, a: a[5],
        (randn(2, 3),),
        "out of bounds for dimension 0 with size 2",
        ["getitem", "(2, 3)"],
    ),
    "truth of several": (
        lambda t, a: bool(a),
        (randn(2),),
        "Boolean value of Tensor with more than one value is ambiguous",
        [".any()"],
    ),
    "item of several": (
        lambda t, a: a.item(),
        (randn(2),),
        "a Tensor with 2 elements cannot be converted to Scalar",
        [],
    ),
    "numpy of a tensor in a graph": (
        lambda t, a: a.requires_grad_().numpy(),
        (randn(2),),
        "Can't call numpy() on Tensor that requires grad",
        [".detach()"],
    ),
    "ragged data": (lambda t: t.tensor([[1, 2], [3]]), (), "expected sequence of", []),
    "negative size": (lambda t: t.zeros(2, -1), (), "", ["negative dimension -1", "[2, -1]"]),
    "negative of a bool": (lambda t, a: -a, (np.array([True]),), "Negation", ["logical_not"]),
    "expand": (
        lambda t, a: a.expand(2, 4),
        (randn(2, 3),),
        "must match the existing size (3) at non-singleton dimension 1",
        ["expand"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_as_pytorch_refuses_and_says_what_would_fit(name):
    expression, inputs, phrase, also = CASES[name]
    message = str(same_error(expression, *inputs, match=phrase))
    for each in also:
        assert each in message, f"{each!r} is not in {message!r}"


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if "(2, 3)" in case[3]])
def test_the_users_line_is_named(name):
    expression, inputs, phrase, _ = CASES[name]
    message = str(same_error(expression, *inputs, match=phrase))
    assert "test_errors.py, line" in message


def test_cuda_without_cupy():
    if torch.backend.devices.cuda_is_available():
        pytest.skip("there is a GPU here")
    error = same_error(
        lambda t: t.ones(2, device="cuda"), match="Torch not compiled with CUDA enabled"
    )
    assert "pip install" in str(error) and "device='cpu'" in str(error)
    same_error(lambda t, x: x.to("cuda"), randn(2), match="Torch not compiled with CUDA enabled")


def test_an_unknown_device():
    same_error(lambda t: t.ones(2, device="tpu"), match="at start of device string: tpu")
