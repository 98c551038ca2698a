"""TorchScript's names. Python code stays Python code: nothing is translated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def script(obj: Any, *args: Any, **options: Any) -> Any:
    """The function, class or module itself, unchanged."""
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **options: Any) -> Any:
    """The function or module itself: what it does may still depend on its inputs."""
    return func


freeze = optimize_for_inference = export = script_method = interface = script_if_tracing = script


def ignore(drop: Any = False, **options: Any) -> Any:
    """A decorator that changes nothing."""
    return drop if callable(drop) else lambda function: function


def unused(function: Callable) -> Callable:
    return function


def is_scripting() -> bool:
    return False


is_tracing = is_scripting


def annotate(the_type: Any, the_value: Any) -> Any:
    return the_value


def save(*args: Any, **options: Any) -> None:
    raise NotImplementedError(
        "jit.save stores a program, which labtorch does not make: store model.state_dict()"
    )


def load(*args: Any, **options: Any) -> None:
    raise NotImplementedError(
        "jit.load reads programs, which labtorch does not run: build the model in Python and give "
        "its load_state_dict() the weights"
    )
