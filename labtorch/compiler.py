"""`compile` and its relatives: accepted, and the model runs as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compile(
    model: Callable | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = None,
    mode: str | None = None,
    options: dict | None = None,
    disable: bool = False,
) -> Any:
    """The model or function itself: every op still runs one by one, so that each can be seen."""
    return (lambda function: function) if model is None else model


def disable(
    fn: Callable | None = None, recursive: bool = True, *, reason: str | None = None
) -> Any:
    """The function itself, or a decorator that changes nothing."""
    return (lambda function: function) if fn is None else fn


def allow_in_graph(fn: Callable) -> Callable:
    return fn


assume_constant_result = allow_in_graph


def is_compiling() -> bool:
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Nothing was compiled."""


def cudagraph_mark_step_begin() -> None: ...
