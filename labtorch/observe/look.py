"""A tensor as plain data: its shape, how it lies in memory, and with whom it shares that memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, TypedDict

import numpy as np

from labtorch.engine.variable import Variable

DEEPEST = 4  # levels of containers that are looked into
MOST = 64  # tensors


class Look(TypedDict):
    """What a tensor says of itself; strides and offset count elements, not bytes."""

    name: str
    shape: list[int]
    strides: list[int]
    offset: int
    dtype: str
    itemsize: int
    nbytes: int
    device: str
    contiguous: bool
    requires_grad: bool
    is_leaf: bool
    made_by: str  # the op that made it, where it is part of a graph
    version: int  # in-place changes of its memory so far
    storage: int  # the same for tensors that share their memory, else different
    storage_size: int  # in elements of this dtype


class Aligned(TypedDict):
    """One shape under the result that it is broadcast to, aligned from the right."""

    shape: list[int]
    sizes: list[int | None]  # per axis of the result; None where the shape has no such axis
    stretched: list[bool]  # is the axis repeated?


class Broadcast(TypedDict):
    shapes: list[Aligned]
    result: list[int | None]  # None at axes that do not fit
    faults: list[int]  # axes of the result, counted from the front, that do not fit
    fits: bool
    remedy: Remedy | None  # what would make it fit, where one more axis of size 1 does


class Remedy(TypedDict):
    operand: int
    dim: int  # as for unsqueeze
    shape: list[int]


def tensors(things: Any, name: str = "") -> list[tuple[str, Any]]:
    """The tensors in a tensor, a sequence, a mapping or a dataclass, with paths for names."""
    return list(_walk(things, name, 0))[:MOST]


def _walk(thing: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, Variable):
        yield name, thing
        return
    if depth >= DEEPEST:
        return
    if isinstance(thing, Mapping):
        parts = [(f"{name}[{key!r}]" if name else str(key), each) for key, each in thing.items()]
    elif isinstance(thing, list | tuple):
        parts = [(f"{name}[{i}]", each) for i, each in enumerate(thing)]
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = dataclasses.fields(thing)
        parts = [(f"{name}.{f.name}".lstrip("."), getattr(thing, f.name)) for f in fields]
    else:
        return
    for path, each in parts:
        yield from _walk(each, path, depth + 1)


def look(named: list[tuple[str, Any]]) -> list[Look]:
    """Each tensor, as it is now; those that share memory have the same `storage`."""
    numbers: dict[int, int] = {}  # address of the memory -> number of the storage
    found: list[Look] = []
    for name, tensor in named:
        array = tensor._array
        itemsize = array.itemsize
        storage = tensor.untyped_storage() if isinstance(array, np.ndarray) else None
        address = storage.data_ptr() if storage is not None else tensor.data_ptr()
        nbytes = storage.nbytes() if storage is not None else array.nbytes
        counter = tensor._counter
        found.append(
            {
                "name": name,
                "shape": list(array.shape),
                "strides": [stride // itemsize for stride in array.strides],
                "offset": tensor.storage_offset(),
                "dtype": array.dtype.name,
                "itemsize": itemsize,
                "nbytes": array.nbytes,
                "device": str(tensor.device),
                "contiguous": tensor.is_contiguous(),
                "requires_grad": bool(tensor._requires_grad),
                "is_leaf": tensor._node is None,
                "made_by": "" if tensor._node is None else tensor._node.op.name,
                "version": 0 if counter is None or tensor.is_inference() else counter.count,
                "storage": numbers.setdefault(address, len(numbers)),
                "storage_size": nbytes // itemsize,
            }
        )
    return found


def values(tensor: Any) -> np.ndarray:
    """The tensor's elements on the host: the memory itself where it lies there, to be read only."""
    array = tensor._array
    return array if isinstance(array, np.ndarray) else array.get()


def memory(tensor: Any, start: int, stop: int) -> np.ndarray:
    """The elements from `start` to `stop` of the memory behind a tensor, as they lie there."""
    array = tensor._array
    if not isinstance(array, np.ndarray):
        return array.ravel()[start:stop].get()
    flat = tensor.untyped_storage().elements.view(array.dtype)
    return flat[start:stop].copy()


def broadcast(*shapes: Any) -> Broadcast:
    """How shapes are broadcast: aligned from the right, an axis of size 1 or none is repeated.

    >>> broadcast((3, 1), (4,))["result"]
    [3, 4]
    >>> broadcast((3, 2), (4,))["faults"]
    [1]
    """
    given = [[int(n) for n in shape] for shape in shapes]
    rank = max(map(len, given), default=0)
    padded: list[list[int | None]] = [[None] * (rank - len(s)) + s for s in given]
    result: list[int | None] = []
    faults: list[int] = []
    for axis in range(rank):
        sizes = {s[axis] for s in padded if s[axis] not in (None, 1)}
        if len(sizes) > 1:
            faults.append(axis)
        result.append(None if len(sizes) > 1 else sizes.pop() if sizes else 1)
    return {
        "shapes": [
            {
                "shape": shape,
                "sizes": sizes,
                "stretched": [
                    result[axis] is not None and result[axis] != 1 and n in (None, 1)
                    for axis, n in enumerate(sizes)
                ],
            }
            for shape, sizes in zip(given, padded)
        ],
        "result": result,
        "faults": faults,
        "fits": not faults,
        "remedy": _remedy(given) if faults else None,
    }


def _remedy(shapes: list[list[int]]) -> Remedy | None:
    """One `unsqueeze` after which the shapes fit: of the shortest, and at its end, if that does."""
    for operand, shape in sorted(enumerate(shapes), key=lambda each: len(each[1])):
        for dim in reversed(range(len(shape) + 1)):
            longer = [*shape[:dim], 1, *shape[dim:]]
            if _fit([*shapes[:operand], longer, *shapes[operand + 1 :]]):
                return {"operand": operand, "dim": dim, "shape": longer}
    return None


def _fit(shapes: list[list[int]]) -> bool:
    ends = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return all(len({n for n in sizes if n != 1}) <= 1 for sizes in ends)
