"""Keep freed memory at hand, so that every step does not fault its pages in again.

glibc returns each large freed block to the system and asks for it anew at the next allocation; the
page faults of a training step then cost as much as its arithmetic. Raising the two thresholds of
mallopt(3) keeps blocks up to 1 GiB in the process for the next step.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory(limit: int = 1 << 30) -> bool:
    """Tell the C library to keep freed blocks; False where it has no such switch."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl, say
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, limit) and mallopt(M_TRIM_THRESHOLD, limit))
