"""Training steps captured as CUDA graphs, by PyTorch's names.

    for _ in range(3):  # on a side stream, so that kernels are compiled and memory is warm
        step()
    g = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(g):
        loss = step()
    x.copy_(batch)
    g.replay()  # the same step, on what x holds now

A captured step allocates, computes and draws random numbers on the GPU alone: nothing in it may ask
for a number (`item`, a branch on values) or copy from or to the host, and an optimiser has to be
made with `capturable=True`. No op is announced at a replay: watchers see the capture's step not at
all, and are refused.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from labtorch.backend import devices
from labtorch.backend.cuda.graphs import Capture, is_capturing
from labtorch.cuda import streams
from labtorch.engine.thread import current


def is_current_stream_capturing() -> bool:
    """Is work recorded for a graph now? False without a GPU."""
    return devices.cuda_is_available() and is_capturing()


def graph_pool_handle() -> Any:
    """Memory for graphs that share it, where they are replayed in the order of their capture."""
    return devices.library("cuda").cuda.MemoryPool()


class CUDAGraph:
    """Work that is recorded once and started as a whole; see `graph`."""

    def __init__(self, keep_graph: bool = False) -> None:
        devices.library("cuda")
        self._capture: Capture | None = None

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "global") -> None:
        """Record from here, on a stream other than the default one; prefer `with graph(g):`."""
        if capture_error_mode not in ("global", "thread_local", "relaxed"):
            raise RuntimeError(
                "Unknown capture error mode. Expected `global`, `thread_local`, or `relaxed`, got "
                f"{capture_error_mode}"
            )
        if current().watchers:
            raise RuntimeError(
                "this thread is watched, and a watcher reads numbers while the step runs, which a "
                "captured step cannot give: capture it outside of observe.record() or lab.watch()"
            )
        self._capture = Capture(pool)
        self._capture.begin()

    def capture_end(self) -> None:
        if self._capture is None:
            raise RuntimeError("capture_end() without capture_begin()")
        try:
            self._capture.end()
        except BaseException:
            self._capture = None
            raise

    def replay(self) -> None:
        """Do it all again, on the current stream."""
        if self._capture is None or self._capture.graph is None:
            raise RuntimeError(
                "Called CUDAGraph::replay without a preceding successful capture: capture first, "
                "with torch.cuda.graph(g)"
            )
        self._capture.graph.launch()

    def reset(self) -> None:
        """Let the graph and its memory go."""
        self._capture = None

    def pool(self) -> Any:
        """The memory that it works in, for another graph to share."""
        if self._capture is None:
            raise RuntimeError("Called CUDAGraph::pool() without a preceding successful capture.")
        return self._capture.pool


class graph:
    """`with graph(g): ...` records what the block does on the GPU; `g.replay()` does it again."""

    default_capture_stream: streams.Stream | None = None

    def __init__(
        self,
        cuda_graph: CUDAGraph,
        pool: Any = None,
        stream: streams.Stream | None = None,
        capture_error_mode: str = "global",
    ) -> None:
        if stream is None:
            if graph.default_capture_stream is None:
                graph.default_capture_stream = streams.Stream()
            stream = graph.default_capture_stream
        self.cuda_graph, self.pool, self.mode = cuda_graph, pool, capture_error_mode
        self.stream = stream
        self._queue = streams.stream(stream)

    def __enter__(self) -> None:
        gc.collect()  # nothing freed in the capture by chance
        cupy = devices.library("cuda")
        cupy.cuda.Device().synchronize()
        cupy.get_default_memory_pool().free_all_blocks()
        self._queue.__enter__()
        try:
            self.cuda_graph.capture_begin(self.pool, self.mode)
        except BaseException:
            self._queue.__exit__(None, None, None)
            raise

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self.cuda_graph.capture_end()
        except Exception as failed:
            if error is None:  # else the error in the block says more
                raise RuntimeError(
                    "the work could not be captured: something in it waited for the GPU or copied "
                    f"from or to the host ({failed})"
                ) from failed
        finally:
            if error is not None:
                self.cuda_graph.reset()
            self._queue.__exit__(None, None, None)


def make_graphed_callables(*args: Any, **kwargs: Any) -> Callable:
    """Not here: a graph of one module alone would have to replay its backward pass apart."""
    raise NotImplementedError(
        "make_graphed_callables: capture the whole step (forward, backward, optimizer) with "
        "torch.cuda.graph(g) and replay it"
    )
