"""The memory of a GPU, as CuPy's pool counts it."""

from __future__ import annotations

from typing import Any

from labtorch.backend import devices
from labtorch.backend.devices import cuda_is_available as _there


def _count(of: str, device: Any) -> int:
    if not _there():
        return 0
    with devices.entered(devices.device("cuda", devices.index(device))):
        return int(getattr(devices.library("cuda").get_default_memory_pool(), of)())


def memory_allocated(device: Any = None) -> int:
    """Bytes in use on the GPU; 0 without one."""
    return _count("used_bytes", device)


def memory_reserved(device: Any = None) -> int:
    """Bytes that were taken from the GPU, in use or ready for use; 0 without one."""
    return _count("total_bytes", device)


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that were in use at once, at most: CuPy counts no peak, but what is reserved
    has been in use at some time. `reset_peak_memory_stats` gives back what is not in use now."""
    return memory_reserved(device)


max_memory_allocated = max_memory_reserved


def memory_stats(device: Any = None) -> dict[str, int]:
    """The counts that CuPy keeps, under PyTorch's keys; the peaks are upper bounds."""
    allocated, reserved = memory_allocated(device), memory_reserved(device)
    return {
        "allocated_bytes.all.current": allocated,
        "allocated_bytes.all.peak": reserved,
        "reserved_bytes.all.current": reserved,
        "reserved_bytes.all.peak": reserved,
    }


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """The counts of `memory_stats`, a line each."""
    rows = memory_stats(device).items()
    return "\n".join(f"{name:32} {value:16,d} bytes" for name, value in rows)


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Free and total bytes of the GPU."""
    return devices.library("cuda").cuda.Device(devices.index(device)).mem_info


def empty_cache() -> None:
    """Give back memory that is ready for use."""
    if _there():
        devices.library("cuda").get_default_memory_pool().free_all_blocks()


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count the peak from here: give back what is not in use."""
    empty_cache()


def set_per_process_memory_fraction(fraction: float, device: Any = None) -> None:
    """Take at most this share of the GPU's memory."""
    if not 0 <= fraction <= 1:
        raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
    cupy = devices.library("cuda")
    with devices.entered(devices.device("cuda", devices.index(device))):
        cupy.get_default_memory_pool().set_limit(fraction=fraction)
