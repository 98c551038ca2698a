"""Numbers that wait on a GPU for the end of the step, and then come over in one copy.

To fetch a number, the host waits for all that the GPU was told to do before. So what a step is to
be told about is reduced there, and fetched once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.backend.arrays import namespace


class Ferry:
    """Arrays on the way from a GPU, and who waits for them."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, Callable[[np.ndarray], None]]] = []

    def later(self, array: Any, receive: Callable[[np.ndarray], None]) -> None:
        """Call `receive` with what `array`, which must not change any more, holds."""
        self.waiting.append((array, receive))

    def fetch(self) -> None:
        """Bring over what waits: one copy from each GPU."""
        if not self.waiting:
            return
        waiting, self.waiting = self.waiting, []
        by_device: dict[int, list] = {}
        for array, receive in waiting:
            by_device.setdefault(array.device.id, []).append((array, receive))
        for items in by_device.values():
            self._bring(items)

    @staticmethod
    def _bring(items: list[tuple[Any, Callable[[np.ndarray], None]]]) -> None:
        lib = namespace(items[0][0])
        with devices.entered(devices.of_array(items[0][0])):
            packed = [lib.ascontiguousarray(a).reshape(-1).view(np.uint8) for a, _ in items]
            landed = lib.concatenate(packed).get()
        at = 0
        for array, receive in items:
            part = landed[at : at + array.nbytes]
            at += array.nbytes
            # a copy: it may not lie where its dtype wants it, nor hold all the others
            receive(np.frombuffer(part.tobytes(), array.dtype).reshape(array.shape))
