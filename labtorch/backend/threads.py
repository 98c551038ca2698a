"""How many threads the BLAS behind NumPy uses."""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_limiter = None


def get_num_threads() -> int:
    """Threads that a matrix product may use."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))
    counts = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
    return max(counts, default=1)


def set_num_threads(n: int) -> None:
    """Limit the BLAS to `n` threads (needs threadpoolctl, part of the `lab` extra)."""
    global _limiter
    if n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        warnings.warn(
            "set_num_threads needs threadpoolctl (`pip install threadpoolctl`); "
            "the number of threads stays as it is",
            stacklevel=2,
        )
        return
    _limiter = threadpool_limits(n, user_api="blas")


@functools.cache
def _libraries() -> list:
    """Handles of the BLAS libraries at work; none without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    return ThreadpoolController().select(user_api="blas").lib_controllers


_changing = threading.Lock()


@contextmanager
def one_thread(work: int) -> Iterator[None]:
    """Let a loop of small matrix products run on one thread of the BLAS.

    For products of less than 2^21 multiplications (`work` of one of them), waking the others costs
    as much as it saves, and on a busy machine far more. The number belongs to the whole process:
    whoever finds it changed already, in this thread of work or in another, leaves it alone.
    """
    libraries = _libraries() if work < 1 << 21 else []
    if not libraries or not _changing.acquire(blocking=False):
        yield
        return
    before = [each.num_threads for each in libraries]
    try:
        for each in libraries:
            each.set_num_threads(1)
        yield
    finally:
        for each, count in zip(libraries, before):
            each.set_num_threads(count)
        _changing.release()
