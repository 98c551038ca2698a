"""The profiler's names: marks are accepted, and `labtorch.observe` is what measures here."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

HERE = (
    "labtorch has no torch.profiler.profile; `with labtorch.observe.record() as recording:` tells "
    "of every op, and Python's cProfile of every function"
)


class ProfilerActivity(enum.Enum):
    CPU = 0
    CUDA = 1


class record_function:
    """A name for a part of the program; nothing reads it here."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def __call__(self, function: Callable) -> Callable:
        return function


def profile(*args: Any, **options: Any) -> Any:
    raise NotImplementedError(HERE)


def schedule(*args: Any, **options: Any) -> Any:
    raise NotImplementedError(HERE)


def tensorboard_trace_handler(*args: Any, **options: Any) -> Any:
    raise NotImplementedError(HERE)
