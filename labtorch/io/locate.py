"""`map_location`: to which device a tensor goes that was saved on another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.engine.variable import wrap


def placer(map_location: Any) -> Callable[[str], str]:
    """A function from the tag of a device in a file to the device where its tensors go."""

    def place(tag: str) -> str:
        where = map_location
        if isinstance(where, dict):
            where = where.get(tag)
        elif callable(where):
            placed = where(wrap(np.zeros(0, np.float32)), tag)
            where = None if placed is None else str(placed.device)
        target = str(tag if where is None else where)
        if target.startswith("cuda") and not devices.cuda_is_available():
            raise RuntimeError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() "
                "is False. If you are running on a CPU-only machine, please use load with "
                "map_location='cpu' to map your storages to the CPU."
            )
        if target.partition(":")[0] not in ("cpu", "cuda", "meta"):
            if where is not None:
                raise RuntimeError(
                    f"load: map_location names the device '{target[:80]}', which labtorch does not "
                    "have: 'cpu' or 'cuda'"
                )
            raise RuntimeError(
                f"load: the file's tensors are from the device '{target[:80]}', which labtorch "
                "does not have; load(..., map_location='cpu') takes them to the CPU"
            )
        return target

    return place
