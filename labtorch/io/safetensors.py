"""State dicts as safetensors: names, shapes and bytes, and nothing that could be run.

Source: the format's description, https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import Tensor

KINDS = {
    "BOOL": dtypes.bool,
    "U8": dtypes.uint8,
    "U16": dtypes.uint16,
    "U32": dtypes.uint32,
    "U64": dtypes.uint64,
    "I8": dtypes.int8,
    "I16": dtypes.int16,
    "I32": dtypes.int32,
    "I64": dtypes.int64,
    "F16": dtypes.float16,
    "F32": dtypes.float32,
    "F64": dtypes.float64,
    "C64": dtypes.complex64,
}
LARGEST_HEADER = 100_000_000  # bytes; the limit of the package, too
ORDER = "labtorch.order"  # in the metadata: the names as they were, for the format sorts them


def obstacle(obj: Any) -> str | None:
    """Why `obj` cannot be a safetensors file, or None."""
    if not isinstance(obj, Mapping):
        return f"it is a {type(obj).__name__}, not a dict of tensors"
    for name, value in obj.items():
        if not isinstance(name, str):
            return f"the key {name!r} is not a string"
        if name == "__metadata__":
            return "the format has taken the name '__metadata__' for itself"
        if not isinstance(value, Tensor):
            return f"'{name}' is a {type(value).__name__}, not a tensor"
        if value.dtype not in KINDS.values():
            return f"'{name}' is of {value.dtype}, which the format does not have"
    return None


def write(state: Mapping[str, Tensor], file: Any) -> None:
    """Write a dict of tensors; those that share memory are written once for each name."""
    from safetensors.numpy import save

    arrays = {
        name: np.ascontiguousarray(value.detach().cpu()._array).reshape(value.shape)
        for name, value in state.items()
    }
    file.write(save(arrays, {"format": "pt", ORDER: json.dumps(list(state))}))


def recognise(head: bytes) -> bool:
    """Do the first 9 bytes begin a safetensors file: the length of a header, then the header?"""
    length = int.from_bytes(head[:8], "little")
    return len(head) == 9 and head[8:] == b"{" and 2 <= length <= LARGEST_HEADER


def read(file: Any, place: Callable[[str], str]) -> dict[str, Tensor]:
    """The tensors of a file by name. bfloat16, which NumPy lacks, becomes float32: exactly."""
    from safetensors import SafetensorError, deserialize

    data = file.read()
    try:
        parts = dict(deserialize(data))
        names = _order(data, parts)
        arrays = {name: _array(name, parts.pop(name)) for name in names}
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise RuntimeError(f"load: the safetensors file is damaged or cut off: {error}") from None
    where = place("cpu")
    tensors = {name: wrap(array) for name, array in arrays.items()}
    return tensors if where == "cpu" else {n: t.to(where) for n, t in tensors.items()}


def _order(data: bytes, parts: Mapping[str, Any]) -> list[str]:
    """The names in the order in which they were saved, if the file says so."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    said = (header.get("__metadata__") or {}).get(ORDER)
    names = json.loads(said) if said else None
    if isinstance(names, list) and all(isinstance(each, str) for each in names):
        if sorted(names) == sorted(parts):
            return names
    return [name for name in header if name in parts]


def _array(name: str, part: Mapping[str, Any]) -> np.ndarray:
    kind, shape, data = part["dtype"], part["shape"], part["data"]
    if kind == "BF16":
        return widened(np.frombuffer(data, "<u2")).reshape(shape)
    if kind not in KINDS:
        raise ValueError(f"'{name}' is of dtype {kind}, which labtorch does not have")
    numpy = KINDS[kind].numpy
    return np.frombuffer(data, numpy.newbyteorder("<")).astype(numpy).reshape(shape)


def widened(halves: np.ndarray) -> np.ndarray:
    """bfloat16, given as its 16 bits, in float32: the upper half of the same number."""
    return (halves.astype(np.uint32) << 16).view(np.float32)
