"""How many threads the BLAS behind NumPy uses."""

from __future__ import annotations

import os
import warnings

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
