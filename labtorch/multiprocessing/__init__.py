"""Python's multiprocessing under PyTorch's name, and `spawn`, whose processes are ranks of MPI.

A tensor that is sent to another process arrives as a copy; memory is not shared.
"""

from multiprocessing import *  # noqa: F403
from multiprocessing import __all__ as _pythons

from labtorch.backend.absent import explains as _explains
from labtorch.multiprocessing.ranks import (
    ProcessContext,
    ProcessException,
    ProcessExitedException,
    ProcessRaisedException,
    spawn,
    start_processes,
)

__all__ = [
    *_pythons,
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]


def get_all_sharing_strategies() -> set[str]:
    """How tensors can reach another process; a copy, whatever the name."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    return "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted, and without effect."""
    if new_strategy not in get_all_sharing_strategies():
        raise ValueError(f"there is no sharing strategy {new_strategy!r}")


__getattr__ = _explains("multiprocessing", globals())
