"""What tests of export share: onnxruntime's outputs against labtorch's, for several sizes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import labtorch as torch

TOLERANCE = 1e-5


def floats(*shape: int, seed: int = 0) -> Any:
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


def integers(high: int, *shape: int, seed: int = 0) -> Any:
    return torch.tensor(np.random.default_rng(seed).integers(0, high, shape))


def tensors(result: Any) -> list[Any]:
    """The tensors of a result in nested tuples, lists and dicts."""
    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, (tuple, list)):
        return [each for part in result for each in tensors(part)]
    return []


def same(program: Any, model: Any, args: tuple, tolerance: float = TOLERANCE) -> None:
    """onnxruntime gives what the model gives: shapes, dtypes, values."""
    with torch.no_grad():
        expected = [each.numpy() for each in tensors(model(*args))]
    found = [each.numpy() for each in program(*args)]
    assert len(found) == len(expected)
    for got, want in zip(found, expected):
        assert got.shape == want.shape and got.dtype == want.dtype
        if want.dtype.kind == "f":
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(got, want)


def exported(
    model: Any, args: tuple, dynamic: Iterable[tuple[int, int]] = (), **options: Any
) -> Any:
    """The program of a model in eval mode; `dynamic` are (input, dimension), all of one size."""
    model.eval()
    names = [f"input_{i}" for i in range(len(args))]
    axes: dict[str, dict[int, str]] = {}
    for number, dim in dynamic:
        axes.setdefault(names[number], {})[dim] = "batch"
    return torch.onnx.export(model, args, input_names=names, dynamic_axes=axes, **options)


def nodes(program: Any) -> list[str]:
    return [node.name for node in program.model_proto.graph.node]


def weights(program: Any) -> list[str]:
    return [each.name for each in program.model_proto.graph.initializer]
