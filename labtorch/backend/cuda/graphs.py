"""Work captured as a CUDA graph: recorded once, then started as a whole.

What is captured runs on the same memory at each start. So what it allocates comes from a pool of
its own, which nothing else takes memory from, and which lives as long as the graph.
"""

from __future__ import annotations

from typing import Any

from labtorch.backend import devices


def is_capturing() -> bool:
    """Is work recorded for a graph now, on the current stream?"""
    return bool(devices.library("cuda").cuda.get_current_stream().is_capturing())


class Capture:
    """From `begin` to `end`, what is queued on the current stream is recorded instead of run."""

    def __init__(self, pool: Any = None) -> None:
        self.cupy = devices.library("cuda")
        self.pool = self.cupy.cuda.MemoryPool() if pool is None else pool
        self.graph: Any = None

    def begin(self) -> None:
        self.stream = self.cupy.cuda.get_current_stream()
        self._allocator = self.cupy.cuda.using_allocator(self.pool.malloc)
        self._allocator.__enter__()
        try:
            # relaxed: the pool may have to ask the GPU for memory, which is no part of the graph
            self.stream.begin_capture(self.cupy.cuda.runtime.streamCaptureModeRelaxed)
        except BaseException:
            self._allocator.__exit__(None, None, None)
            raise

    def end(self) -> None:
        try:
            self.graph = self.stream.end_capture()
        finally:
            self._allocator.__exit__(None, None, None)
