"""The device beside the CPU, if there is one, whatever its kind."""

from __future__ import annotations

from labtorch import cuda
from labtorch.backend import devices

is_available, device_count = cuda.is_available, cuda.device_count
current_device_index = current_device_idx = cuda.current_device
set_device_index = set_device_idx = cuda.set_device
synchronize, current_stream, empty_cache = cuda.synchronize, cuda.current_stream, cuda.empty_cache
memory_allocated, memory_reserved = cuda.memory_allocated, cuda.memory_reserved
max_memory_allocated, max_memory_reserved = cuda.max_memory_allocated, cuda.max_memory_reserved
reset_peak_memory_stats = cuda.reset_peak_memory_stats


def current_accelerator(check_available: bool = False) -> devices.device | None:
    """`device("cuda")`, or None on a machine that has the CPU only."""
    return devices.device("cuda") if cuda.is_available() else None
