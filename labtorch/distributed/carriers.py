"""What carries numbers between ranks: MPI between computers' memories, NCCL between GPUs.

Both take contiguous arrays of their own kind and begin an operation; what they return
has `Test()`, as MPI's requests do, and is waited for by `World.wait`, which also listens for ranks
that fail.
"""

from __future__ import annotations

import functools
import platform
from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.distributed import mpi


class Host:
    """Numbers in the computer's memory, sent by MPI."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm

    @staticmethod
    def own(array: Any) -> np.ndarray:
        """`array` as this carrier takes it: itself, where it can be."""
        return np.ascontiguousarray(devices.move(array, devices.CPU))

    def zeros(self, shape: Any, dtype: Any) -> np.ndarray:
        return np.zeros(shape, dtype)

    def all_reduce(self, numbers: np.ndarray, op: str) -> Any:
        return self.comm.Iallreduce(mpi.library().IN_PLACE, numbers, mpi.operation(op))

    def reduce(self, numbers: np.ndarray, result: np.ndarray, op: str, root: int) -> Any:
        return self.comm.Ireduce(numbers, result, mpi.operation(op), root)

    def broadcast(self, numbers: np.ndarray, root: int) -> Any:
        return self.comm.Ibcast(mpi.bytes_of(numbers), root)

    def all_gather(self, numbers: np.ndarray, every: np.ndarray) -> Any:
        return self.comm.Iallgather(mpi.bytes_of(numbers), mpi.bytes_of(every))

    def reduce_scatter(self, numbers: np.ndarray, result: np.ndarray, op: str) -> Any:
        return self.comm.Ireduce_scatter_block(numbers, result, mpi.operation(op))


class Begun:
    """An operation on a stream: done when the event after it is."""

    def __init__(self, event: Any, kept: tuple) -> None:
        self.event, self.kept = event, kept

    def Test(self, status: Any = None) -> bool:
        return self.event.done


class GPU:
    """Numbers in the memory of a GPU, sent by NCCL on a stream of its own.

    Source: CuPy's binding, cupy.cuda.nccl.NcclCommunicator.
    """

    def __init__(self, size: int, rank: int, secret: bytes, device: devices.device) -> None:
        self.cupy = devices.library(device)
        self.nccl = nccl()
        self.device = device
        with self._here():
            self.comm = self.nccl.NcclCommunicator(size, secret, rank)
            self.stream = self.cupy.cuda.Stream(non_blocking=True)

    def _here(self) -> Any:
        return self.cupy.cuda.Device(self.device.index or 0)

    def own(self, array: Any) -> Any:
        return self.cupy.ascontiguousarray(devices.move(array, self.device))

    def zeros(self, shape: Any, dtype: Any) -> Any:
        with self._here():
            return self.cupy.zeros(shape, dtype)

    def all_reduce(self, numbers: Any, op: str) -> Begun:
        return self._begin("allReduce", numbers, numbers, numbers.size, self._op(op))

    def reduce(self, numbers: Any, result: Any, op: str, root: int) -> Begun:
        return self._begin("reduce", numbers, result, numbers.size, self._op(op), root)

    def broadcast(self, numbers: Any, root: int) -> Begun:
        return self._begin("broadcast", numbers, numbers, numbers.size, root)

    def all_gather(self, numbers: Any, every: Any) -> Begun:
        return self._begin("allGather", numbers, every, numbers.size)

    def reduce_scatter(self, numbers: Any, result: Any, op: str) -> Begun:
        return self._begin("reduceScatter", numbers, result, result.size, self._op(op))

    def _begin(self, what: str, source: Any, target: Any, count: int, *more: int) -> Begun:
        """Call NCCL after what the current stream has to do first."""
        with self._here():
            self.stream.wait_event(self.cupy.cuda.get_current_stream().record())
            kind = getattr(self.nccl, f"NCCL_{KINDS[source.dtype.char]}")
            places = source.data.ptr, target.data.ptr
            getattr(self.comm, what)(*places, count, kind, *more, self.stream.ptr)
            return Begun(self.stream.record(), (source, target))

    def _op(self, op: str) -> int:
        return getattr(self.nccl, f"NCCL_{OPERATIONS[op]}")


OPERATIONS = {"SUM": "SUM", "AVG": "SUM", "PRODUCT": "PROD", "MIN": "MIN", "MAX": "MAX"}
KINDS = {"b": "INT8", "B": "UINT8", "?": "UINT8", "i": "INT32", "q": "INT64", "l": "INT64"}
KINDS |= {"e": "FLOAT16", "f": "FLOAT32", "d": "FLOAT64"}


@functools.cache
def nccl() -> Any:
    """CuPy's binding of NCCL; None where it is not."""
    if not devices.cuda_is_available():
        return None
    try:
        from cupy.cuda import nccl as found
    except ImportError:
        return None
    return found if found.available else None


def suits(dtype: Any, op: str) -> bool:
    """Can NCCL carry numbers of this kind, and reduce them so?"""
    return dtype.char in KINDS and op in OPERATIONS


def whereabouts(device: devices.device) -> tuple[str, str]:
    """Which GPU of which computer: two ranks on one GPU cannot use NCCL."""
    return platform.node(), devices.library(device).cuda.Device(device.index or 0).pci_bus_id
