"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labtorch.ops.shape import stack
from labtorch.tensor.creation import as_tensor, tensor
from labtorch.tensor.tensor import Tensor

MESSAGE = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def default_collate(batch: Any) -> Any:
    """Tensors are stacked, numbers become tensors; dicts, tuples and lists keep their form.

    >>> default_collate([(1, 2.0), (3, 4.0)])
    [tensor([1, 3]), tensor([2., 4.], dtype=torch.float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch, 0)
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind in "SUO":
            raise TypeError(MESSAGE.format(first.dtype))
        if isinstance(first, np.ndarray) and first.ndim:
            return stack([as_tensor(each) for each in batch], 0)
        return as_tensor(np.asarray(batch))
    if isinstance(first, float):
        return tensor(np.asarray(batch, np.float64))
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        gathered = {key: default_collate([each[key] for each in batch]) for key in first}
        try:
            return type(first)(gathered)  # type: ignore[call-arg]
        except TypeError:  # a mapping that cannot be made from one
            return gathered
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(each) for each in zip(*batch)))
    if isinstance(first, Sequence):
        if any(len(each) != len(first) for each in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(list(each)) for each in zip(*batch)]
        return columns
    raise TypeError(MESSAGE.format(type(first)))


def default_convert(data: Any) -> Any:
    """A single sample: arrays become tensors, all else stays."""
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind not in "SUO":
        return as_tensor(data)
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(each) for each in data))
    if isinstance(data, (tuple, list)):
        return [default_convert(each) for each in data]
    return data


def pin_memory(data: Any) -> Any:
    """Tensors in memory that a GPU fetches by itself; containers keep their form, and what has a
    `pin_memory` of its own is asked for it."""
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, Mapping):
        return {key: pin_memory(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(pin_memory(each) for each in data))
    if isinstance(data, (tuple, list)):
        return type(data)(pin_memory(each) for each in data)
    return data
