"""Threads: large work on arrays is split along its first dimension, one part for each thread.

NumPy lets go of the interpreter's lock while it computes. The BLAS keeps to one thread; see
`labtorch.backend.blas`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

_count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MUCH = 1 << 16  # elements: to go through fewer takes no longer than to wake a thread
PIECE = 1 << 19  # elements: what a thread works on at once stays in the processor's cache
_limiter: Any = None  # holds the BLAS to one thread
_pool: Any = None  # of _count - 1 threads: the caller is one, too


def get_num_threads() -> int:
    """How many threads large work is split over."""
    return _count


def set_num_threads(n: int) -> None:
    """Split large work over `n` threads."""
    global _count, _pool
    if n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    if n != _count:
        _count, old, _pool = n, _pool, None
        if old is not None:
            old.shutdown(wait=False)
    hold_blas()


def hold_blas() -> None:
    """Hold the BLAS to one thread, in case NumPy was loaded before labtorch.

    For small products, waking its other threads costs as much as it saves, and far more on a busy
    machine.
    """
    global _limiter
    if _limiter is None:
        try:
            from threadpoolctl import threadpool_limits
        except ImportError:
            _limiter = False
        else:
            _limiter = threadpool_limits(1, user_api="blas")


def _forget() -> None:
    """A forked process has its parent's pool without its threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _start() -> Any:
    """The pool of threads."""
    global _pool
    from concurrent.futures import ThreadPoolExecutor

    hold_blas()
    _pool = ThreadPoolExecutor(_count - 1, "labtorch")
    return _pool


def split(work: Callable[[slice], Any], array: Any, size: int) -> list[Any]:
    """`work` on slices that together are all of `array`, and what it returned for each.

    `size` is the number of elements that it goes through or needs room for: little work stays in
    one piece, and the pieces of much work fit into the processor's cache. A GPU gets one piece: it
    has threads of its own.
    """
    n = len(array)
    if size < MUCH or n < 2 or not isinstance(array, (np.ndarray, range)):
        return [work(slice(0, n))]
    threads = min(n, _count)
    parts = min(n, threads * -(-size // (threads * PIECE)))
    ends = [n * i // parts for i in range(parts + 1)]
    slices = [slice(a, b) for a, b in zip(ends, ends[1:])]

    def share(first: int) -> list[Any]:
        return [work(each) for each in slices[first::threads]]

    waiting = []
    if threads > 1:
        pool = _pool or _start()
        waiting = [pool.submit(share, i) for i in range(1, threads)]
    found = share(0)
    for each in waiting:
        found += each.result()
    return found
