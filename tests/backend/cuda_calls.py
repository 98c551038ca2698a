"""A `cupy` of which only the calls to CUDA are there, and noted: what would be queued, in order.

Its arrays are NumPy's; it computes nothing of its own.
"""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np


class PinnedMemoryPointer(bytearray):
    """A buffer that NumPy knows as the owner of an array's memory."""


class OnDevice(np.ndarray):
    """An array of the pretended device; `set` is all that it does."""


class Fake:
    def __init__(self) -> None:
        self.calls: list[str] = []
        fake = self

        class Event:
            done = False

            def __init__(self, block=False, disable_timing=False, interprocess=False):
                pass

            def record(self, stream=None):
                fake.calls.append(f"record on {stream or fake.current}")

            def synchronize(self):
                fake.calls.append("wait for event")

        class Graph:
            def launch(self, stream=None):
                fake.calls.append("launch")

        class Stream:
            count = 0

            def __init__(self, null=False, non_blocking=False, ptds=False, *, priority=None):
                Stream.count += 1
                self.ptr, self.name = Stream.count, "null" if null else f"s{Stream.count}"
                self.capturing, self.before = False, []

            def __repr__(self):
                return self.name

            def __enter__(self):
                self.before.append(fake.current)
                fake.current = self
                return self

            def __exit__(self, *_):
                fake.current = self.before.pop()

            def use(self):
                fake.current = self

            def record(self, event=None):
                event = event or Event()
                event.record(self)
                return event

            def wait_event(self, event):
                fake.calls.append(f"{self} waits")

            def synchronize(self):
                fake.calls.append(f"wait for {self}")

            def is_capturing(self):
                return self.capturing

            def begin_capture(self, mode=None):
                self.capturing = True
                fake.calls.append(f"capture on {self}, mode {mode}, {fake.allocator}")

            def end_capture(self):
                self.capturing = False
                if fake.broken:
                    raise RuntimeError("cudaErrorStreamCaptureInvalidated")
                fake.calls.append("captured")
                return Graph()

        class MemoryPool:
            def malloc(self, size):
                raise AssertionError("nothing is allocated here")

            def free_all_blocks(self, stream=None):
                fake.calls.append("free blocks")

        @contextlib.contextmanager
        def using_allocator(allocator=None):
            fake.allocator = "own pool"
            yield
            fake.allocator = "shared pool"

        class Device:
            def __init__(self, device=None):
                pass

            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def synchronize(self):
                fake.calls.append("synchronize")

        self.broken, self.allocator = False, "shared pool"
        Stream.null = Stream(null=True)
        self.current = Stream.null
        self.ndarray = OnDevice
        self.get_default_memory_pool = MemoryPool
        self.cuda = SimpleNamespace(
            Event=Event,
            Stream=Stream,
            MemoryPool=MemoryPool,
            Device=Device,
            PinnedMemoryPointer=PinnedMemoryPointer,
            using_allocator=using_allocator,
            get_current_stream=lambda device_id=-1: fake.current,
            get_elapsed_time=lambda start, end: 1.0,
            runtime=SimpleNamespace(
                streamCaptureModeRelaxed=2,
                getDevice=lambda: 0,
                getDeviceCount=lambda: 1,
                getDeviceProperties=lambda device: {
                    "name": b"a GPU",
                    "major": 9,
                    "minor": 0,
                    "totalGlobalMem": 1 << 30,
                    "multiProcessorCount": 132,
                },
            ),
        )

    def empty(self, shape, dtype=float):
        fake = self

        class Made(OnDevice):
            def set(self, arr, stream=None):
                fake.calls.append(f"copy {arr.nbytes} bytes on {fake.current}")
                np.copyto(self, arr)

        return np.empty(shape, dtype).view(Made)

    @staticmethod
    def empty_pinned(shape, dtype=float):
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.ndarray(shape, dtype, PinnedMemoryPointer(nbytes))
