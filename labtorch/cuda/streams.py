"""The order of work on a GPU: queues, marks in them, and what waits for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labtorch.backend import devices


def _cuda() -> Any:
    return devices.library("cuda").cuda


class Event:
    """A mark in the work of a GPU, to wait for and to measure times between."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        if interprocess:
            raise NotImplementedError("events between processes: synchronize, then tell the other")
        self._event = _cuda().Event(block=blocking, disable_timing=not enable_timing)

    def record(self, stream: Stream | None = None) -> None:
        """Mark the end of what is queued by now, on `stream` or the current one."""
        self._event.record(*(() if stream is None else (stream._stream,)))

    def wait(self, stream: Stream | None = None) -> None:
        """Have the work queued from now on wait for the mark; the program goes on."""
        (current_stream() if stream is None else stream).wait_event(self)

    def synchronize(self) -> None:
        """Wait until the mark is passed."""
        self._event.synchronize()

    def query(self) -> bool:
        """Is the mark passed?"""
        return bool(self._event.done)

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from here to there."""
        return _cuda().get_elapsed_time(self._event, end_event._event)


class Stream:
    """A queue of work on a GPU. `with stream(s):` queues there; work of two queues may overlap."""

    def __init__(self, device: Any = None, priority: int = 0, *, _stream: Any = None) -> None:
        if isinstance(device, int):
            device = devices.device("cuda", device)
        where = None if device is None else devices.device(device)
        self.device = devices.device("cuda", devices.index(where))
        if _stream is None:
            with devices.entered(self.device):
                _stream = _cuda().Stream(non_blocking=True, priority=priority)
        self._stream = _stream
        self.priority = priority

    @property
    def cuda_stream(self) -> int:
        """The address by which CUDA knows it."""
        return int(self._stream.ptr)

    def wait_event(self, event: Event) -> None:
        """Have the work queued here from now on wait for a mark."""
        self._stream.wait_event(event._event)

    def wait_stream(self, stream: Stream) -> None:
        """Have the work queued here from now on wait for what is queued there by now."""
        self.wait_event(stream.record_event())

    def record_event(self, event: Event | None = None) -> Event:
        """Mark the end of what is queued here by now."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def query(self) -> bool:
        """Is all that is queued here done?"""
        return bool(self._stream.done)

    def synchronize(self) -> None:
        """Wait until all that is queued here is done."""
        self._stream.synchronize()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and (self.device, self.cuda_stream) == (
            other.device,
            other.cuda_stream,
        )

    def __hash__(self) -> int:
        return hash((self.device, self.cuda_stream))

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


def current_stream(device: Any = None) -> Stream:
    """The queue that work goes to now."""
    index = devices.index(device)
    return Stream(index, _stream=_cuda().get_current_stream(index))


def default_stream(device: Any = None) -> Stream:
    """The queue that work goes to where none is chosen."""
    return Stream(devices.index(device), _stream=_cuda().Stream.null)


def set_stream(stream: Stream | None) -> None:
    """Queue work there from now on; prefer `with stream(s):`."""
    if stream is not None:
        stream._stream.use()


@contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """Queue work there; None is no stream, and changes nothing."""
    if stream is None:
        yield
        return
    with devices.entered(stream.device), stream._stream:
        yield
