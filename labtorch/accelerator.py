"""The device beside the CPU, if there is one, whatever its kind."""

from __future__ import annotations

from labtorch import cuda
from labtorch.backend import devices
from labtorch.cuda import current_device as current_device_index
from labtorch.cuda import set_device as set_device_index

current_device_idx, set_device_idx = current_device_index, set_device_index


def current_accelerator(check_available: bool = False) -> devices.device | None:
    """`device("cuda")`, or None on a machine that has the CPU only."""
    return devices.device("cuda") if cuda.is_available() else None
