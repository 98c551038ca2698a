"""How OpenBLAS starts: to be said before NumPy loads it.

It takes its kernels from a table of processors. One that it does not know, behind the masked name
of a virtual machine, say, gets those for AVX2 although it has AVX-512: half the speed.

And it gets one thread. Its own wait in a busy loop for each other, which costs small products more
than it gains, and far more where other programs run. `labtorch.backend.threads` splits large work.
"""

from __future__ import annotations

import os
import sys

SKYLAKE = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


def prepare() -> None:
    """Say it by the environment, where the user has not, while NumPy loads."""
    if "numpy" in sys.modules:
        return
    wanted = {"OPENBLAS_NUM_THREADS": "1"}
    if SKYLAKE <= _flags():
        wanted["OPENBLAS_CORETYPE"] = "SkylakeX"
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    import numpy  # noqa: F401 - OpenBLAS reads the environment now

    for name in ours:  # programs that this one starts decide for themselves
        del os.environ[name]


def _flags() -> set[str]:
    """What the first processor can do, where /proc tells."""
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("flags"):
                    return set(line.split())
    except OSError:
        pass
    return set()
