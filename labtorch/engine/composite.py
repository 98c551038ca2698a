"""Public functions made of several ops: their nodes know the function, so views can fold them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from labtorch.engine.thread import local

F = TypeVar("F", bound=Callable[..., Any])


def composite(function: F) -> F:
    """Let the ops called by `function` carry its name; of nested ones, the outermost counts."""
    name = function.__name__

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        thread = local.thread
        if thread.function is not None:
            return function(*args, **kwargs)
        thread.function = name
        try:
            return function(*args, **kwargs)
        finally:
            thread.function = None

    return call  # type: ignore[return-value]  # the same signature
