"""Any objects between ranks: pickled, and sent as bytes.

Ranks of one job run one program and trust each other; a pickle from elsewhere may run anything.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from labtorch.distributed import mpi
from labtorch.distributed.collectives import _root, agree
from labtorch.distributed.groups import ProcessGroup, chosen


def _packed(obj: Any) -> np.ndarray:
    return np.frombuffer(pickle.dumps(obj), np.uint8)


def exchanged(group: ProcessGroup, obj: Any, what: str) -> list[Any]:
    """The objects of all ranks, on every rank."""
    mine = _packed(obj)
    sizes = np.empty(group.size(), np.int64)
    group.wait(group.comm.Iallgather(np.array([mine.size], np.int64), sizes), what)
    every = np.empty(int(sizes.sum()), np.uint8)
    into = [every, (sizes.tolist(), None), mpi.library().BYTE]
    group.wait(group.comm.Iallgatherv(mpi.bytes_of(mine), into), what)
    return [pickle.loads(part.tobytes()) for part in np.split(every, np.cumsum(sizes)[:-1])]


def _from_root(group: ProcessGroup, root: int, obj: Any, what: str) -> Any:
    mine = _packed(obj) if group.rank() == root else np.empty(0, np.uint8)
    size = np.array([mine.size], np.int64)
    group.wait(group.comm.Ibcast(size, root), what)
    if group.rank() != root:
        mine = np.empty(int(size[0]), np.uint8)
    group.wait(group.comm.Ibcast([mine, mpi.library().BYTE], root), what)
    return pickle.loads(mine.tobytes())


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Fill `object_list` on every rank with the objects of all ranks."""
    group = chosen(group, "all_gather_object")
    if len(object_list) != group.size():
        raise ValueError(f"all_gather_object: object_list needs {group.size()} places")
    agree(group, "all_gather_object")
    object_list[:] = exchanged(group, obj, "all_gather_object")


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: Any = None,
    group_dst: int | None = None,
) -> None:
    """Fill `object_gather_list` on rank `dst` with the objects of all ranks."""
    group = chosen(group, "gather_object")
    root = _root(group, dst, group_dst, "dst")
    if group.rank() == root and len(object_gather_list or ()) != group.size():
        raise ValueError(f"gather_object: object_gather_list needs {group.size()} places")
    agree(group, "gather_object", root)
    every = exchanged(group, obj, "gather_object")
    if group.rank() == root and object_gather_list is not None:
        object_gather_list[:] = every


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
) -> None:
    """Give `object_list` on every rank the objects that it has on rank `src`."""
    group = chosen(group, "broadcast_object_list")
    root = _root(group, src, group_src, "src")
    agree(group, "broadcast_object_list", root, len(object_list))
    object_list[:] = _from_root(group, root, object_list, "broadcast_object_list")


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: Any = None,
    group_src: int | None = None,
) -> None:
    """Put into the first place of the output list this rank's object of the list on rank `src`."""
    group = chosen(group, "scatter_object_list")
    root = _root(group, src, group_src, "src")
    given = scatter_object_input_list
    if group.rank() == root and len(given or ()) != group.size():
        raise ValueError(f"scatter_object_list: the input list needs {group.size()} objects")
    if not scatter_object_output_list:
        raise ValueError("scatter_object_list: the output list needs a first place")
    agree(group, "scatter_object_list", root)
    every = _from_root(group, root, given, "scatter_object_list")
    scatter_object_output_list[0] = every[group.rank()]


def send_object_list(
    object_list: list[Any],
    dst: int | None = None,
    group: Any = None,
    device: Any = None,
    group_dst: int | None = None,
) -> None:
    """Send objects to rank `dst`, which calls `recv_object_list`."""
    group = chosen(group, "send_object_list")
    to = _root(group, dst, group_dst, "dst")
    numbers = _packed(object_list)
    for part in (np.array([numbers.size], np.int64), numbers):
        group.wait(group.comm.Isend(mpi.bytes_of(part), to), "send_object_list")


def recv_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: Any = None,
    device: Any = None,
    group_src: int | None = None,
) -> int:
    """Receive objects into `object_list` from rank `src`, or from any, and tell from whom."""
    group = chosen(group, "recv_object_list")
    anyone = src is None and group_src is None
    place = mpi.library().ANY_SOURCE if anyone else _root(group, src, group_src, "src")
    size = np.empty(1, np.int64)
    status = group.wait(group.comm.Irecv(mpi.bytes_of(size), place), "recv_object_list")
    sender = status.Get_source()
    numbers = np.empty(int(size[0]), np.uint8)
    group.wait(group.comm.Irecv(mpi.bytes_of(numbers), sender), "recv_object_list")
    given = pickle.loads(numbers.tobytes())
    if len(given) != len(object_list):
        raise ValueError(f"recv_object_list: {len(given)} objects came for {len(object_list)}")
    object_list[:] = given
    return group.ranks[sender]
