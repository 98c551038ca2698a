"""One model in labtorch and in PyTorch: the same weights, the same grids, or nearly."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

import labtorch


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def carried(obj: Any, writer: Any, reader: Any) -> Any:
    """Saved by one library, loaded by the other, from memory."""
    file = io.BytesIO()
    writer.save(obj, file)
    file.seek(0)
    return reader.load(file)


def pair(make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """`make(torch)` here and in PyTorch, with PyTorch's random weights in both."""
    import torch

    torch.manual_seed(0)
    theirs, ours = make(torch), make(labtorch)
    ours.load_state_dict(carried(theirs.state_dict(), torch, labtorch))
    return ours.train(theirs.training), theirs


def quanta(ours: Any, theirs: Any) -> int:
    """By how many quanta two quantized tensors differ at most; their grids are the same."""
    assert (ours.q_zero_point(), tuple(ours.shape)) == (theirs.q_zero_point(), tuple(theirs.shape))
    np.testing.assert_allclose(ours.q_scale(), theirs.q_scale(), rtol=1e-6)
    assert str(ours.dtype) == str(theirs.dtype)
    a, b = (each.int_repr().numpy().astype(int) for each in (ours, theirs))
    return int(abs(a - b).max(initial=0))
