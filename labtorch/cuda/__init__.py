"""The GPU, through CuPy. Without one, questions are answered and orders raise, as in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labtorch.backend.devices import cuda_is_available as is_available
from labtorch.backend.devices import device as _device
from labtorch.backend.devices import library as _library
from labtorch.cuda import amp
from labtorch.tensor import random as _random
from labtorch.tensor.typed import cuda_types as _cuda_types

globals().update(_cuda_types())


def _index(device: Any = None) -> int:
    if device is None:
        return current_device()
    return _device(device).index or 0


def device_count() -> int:
    """How many GPUs there are."""
    return _library("cuda").cuda.runtime.getDeviceCount() if is_available() else 0


def is_initialized() -> bool:
    return is_available()


def current_device() -> int:
    return _library("cuda").cuda.runtime.getDevice()


def set_device(device: Any) -> None:
    """Compute on this GPU where none is named."""
    _library("cuda").cuda.Device(_index(device)).use()


@contextmanager
def device(device: Any) -> Iterator[None]:
    """Compute on this GPU where none is named, for a while."""
    with _library("cuda").cuda.Device(_index(device)):
        yield


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done all that it was told to do."""
    _library("cuda").cuda.Device(_index(device)).synchronize()


def get_device_name(device: Any = None) -> str:
    return _library("cuda").cuda.runtime.getDeviceProperties(_index(device))["name"].decode()


def get_device_capability(device: Any = None) -> tuple[int, int]:
    capability = _library("cuda").cuda.Device(_index(device)).compute_capability
    return int(capability[:-1]), int(capability[-1])


def is_bf16_supported(including_emulation: bool = True) -> bool:
    return False  # NumPy and CuPy know no bfloat16


# ---------------------------------------------------------------- random numbers
def manual_seed(seed: int) -> None:
    """As `labtorch.manual_seed`: one stream of random numbers serves all devices."""
    _random.manual_seed(seed)


manual_seed_all = manual_seed


# ---------------------------------------------------------------- memory
def memory_allocated(device: Any = None) -> int:
    """Bytes in use on the GPU; 0 without one."""
    return _library("cuda").get_default_memory_pool().used_bytes() if is_available() else 0


def memory_reserved(device: Any = None) -> int:
    """Bytes that were taken from the GPU, in use or ready for use; 0 without one."""
    return _library("cuda").get_default_memory_pool().total_bytes() if is_available() else 0


# CuPy counts no peak: what is reserved has been in use at some time
max_memory_allocated = max_memory_reserved = memory_reserved


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Free and total bytes of the GPU."""
    return _library("cuda").cuda.Device(_index(device)).mem_info


def empty_cache() -> None:
    """Give back memory that is ready for use."""
    if is_available():
        _library("cuda").get_default_memory_pool().free_all_blocks()


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count the peak from here: free what is not in use."""
    empty_cache()


# ---------------------------------------------------------------- order of work
class Event:
    """A mark in the work of the GPU, to wait for and to measure times between."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        self._event = _library("cuda").cuda.Event(block=blocking, disable_timing=not enable_timing)

    def record(self, stream: Any = None) -> None:
        self._event.record()

    def synchronize(self) -> None:
        self._event.synchronize()

    def query(self) -> bool:
        return self._event.done

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from here to there."""
        return _library("cuda").cuda.get_elapsed_time(self._event, end_event._event)


def Stream(device: Any = None, priority: int = 0) -> Any:
    """A queue of work beside others: CuPy's."""
    return _library("cuda").cuda.Stream(non_blocking=True)


def current_stream(device: Any = None) -> Any:
    return _library("cuda").cuda.get_current_stream()


@contextmanager
def stream(stream: Any) -> Iterator[None]:
    """Queue work there; None is no stream, and changes nothing."""
    if stream is None:
        yield
        return
    with stream:
        yield
