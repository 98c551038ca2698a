"""The GPU, through CuPy. Without one, questions are answered and orders raise, as in PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from labtorch.backend.devices import OutOfMemoryError
from labtorch.backend.devices import cuda_is_available as is_available
from labtorch.backend.devices import device as _device
from labtorch.backend.devices import library as _library
from labtorch.cuda import amp, nvtx
from labtorch.cuda.graphs import (
    CUDAGraph,
    graph,
    graph_pool_handle,
    is_current_stream_capturing,
    make_graphed_callables,
)
from labtorch.cuda.memory import (
    empty_cache,
    max_memory_allocated,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    memory_stats,
    memory_summary,
    reset_peak_memory_stats,
    set_per_process_memory_fraction,
)
from labtorch.cuda.streams import (
    Event,
    Stream,
    current_stream,
    default_stream,
    set_stream,
    stream,
)
from labtorch.tensor import random as _random
from labtorch.tensor.tensor import Tensor
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
    """Compute on this GPU where none is named, for a while; a negative number changes nothing."""
    if device is None or (isinstance(device, int) and device < 0):
        yield
        return
    with _library("cuda").cuda.Device(_index(device)):
        yield


def device_of(obj: Tensor) -> Any:
    """Compute on the GPU that holds a tensor; where it is on the CPU, nothing changes."""
    return device(obj.device.index if obj.device.type == "cuda" else None)


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done all that it was told to do."""
    _library("cuda").cuda.Device(_index(device)).synchronize()


def get_device_name(device: Any = None) -> str:
    return _library("cuda").cuda.runtime.getDeviceProperties(_index(device))["name"].decode()


class Properties(NamedTuple):
    """What a GPU is: its name, bytes of memory, compute capability and number of processors."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int


def get_device_properties(device: Any = None) -> Properties:
    """What a GPU is."""
    found = _library("cuda").cuda.runtime.getDeviceProperties(_index(device))
    return Properties(
        found["name"].decode(),
        *(found[key] for key in ("major", "minor", "totalGlobalMem", "multiProcessorCount")),
    )


def get_device_capability(device: Any = None) -> tuple[int, int]:
    capability = _library("cuda").cuda.Device(_index(device)).compute_capability
    return int(capability[:-1]), int(capability[-1])


def is_bf16_supported(including_emulation: bool = True) -> bool:
    return False  # NumPy and CuPy know no bfloat16


# ---------------------------------------------------------------- random numbers
def manual_seed(seed: int) -> None:
    """Seed the stream of the current GPU; without one, nothing is left to do, as in PyTorch."""
    if is_available():
        _random.device_generator().manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed the streams of all GPUs."""
    for index in range(device_count()):
        _random.device_generator(index).manual_seed(seed)


def seed() -> None:
    """Seed the stream of the current GPU from the system's entropy."""
    if is_available():
        _random.device_generator().seed()


def seed_all() -> None:
    """Seed the streams of all GPUs from the system's entropy, with one number."""
    if is_available():
        manual_seed_all(_random.device_generator().seed())


def initial_seed() -> int:
    return _random.device_generator().initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """Where the stream of a GPU is: 16 bytes, its key and its counter."""
    return _random.device_generator(device).get_state()


def get_rng_state_all() -> list[Tensor]:
    return [get_rng_state(index) for index in range(device_count())]


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Go on from there."""
    _random.device_generator(device).set_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    for index, state in enumerate(new_states):
        set_rng_state(state, index)
