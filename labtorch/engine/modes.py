"""Grad modes: `no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`.

Each is a context manager and a decorator, and belongs to the thread that enters it.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from labtorch.engine.thread import current


class _GradMode:
    """Sets the thread's grad mode to `mode` inside a `with` block or a decorated function."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before: list[bool] = []

    def __enter__(self) -> None:
        thread = current()
        self.before.append(thread.grad_enabled)
        thread.grad_enabled = self.mode

    def __exit__(self, *_: Any) -> None:
        current().grad_enabled = self.before.pop()

    def __call__(self, function: Any) -> Any:
        make = self.clone
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generate(*args: Any, **kwargs: Any) -> Any:
                with make():
                    iterator = function(*args, **kwargs)
                while True:
                    with make():  # the mode holds inside the generator, not in its caller
                        try:
                            item = next(iterator)
                        except StopIteration as stop:
                            return stop.value
                    yield item

            return generate

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with make():
                return function(*args, **kwargs)

        return call

    def clone(self) -> _GradMode:
        return _GradMode(self.mode)


class no_grad(_GradMode):
    """Record nothing: results do not require gradients."""

    def __new__(cls, function: Any = None) -> Any:
        self = object.__new__(cls)
        _GradMode.__init__(self, False)
        return self if function is None else self(function)  # `@no_grad` without brackets

    def __init__(self, function: Any = None) -> None: ...


class enable_grad(_GradMode):
    """Record again inside a `no_grad` block."""

    def __new__(cls, function: Any = None) -> Any:
        self = object.__new__(cls)
        _GradMode.__init__(self, True)
        return self if function is None else self(function)

    def __init__(self, function: Any = None) -> None: ...


class set_grad_enabled(_GradMode):
    """Set the grad mode at once, as a function; as a context manager, restore it at the end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self.previous = current().grad_enabled
        current().grad_enabled = self.mode

    def __enter__(self) -> None:
        self.before.append(self.previous)
        current().grad_enabled = self.mode

    def __call__(self, function: Any) -> Any:
        current().grad_enabled = self.previous
        return super().__call__(function)


class inference_mode(_GradMode):
    """As `no_grad`; `inference_mode(False)` records."""

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if callable(mode):
            _GradMode.__init__(self, False)
            return self(mode)
        _GradMode.__init__(self, not mode)
        return self

    def __init__(self, mode: Any = True) -> None: ...


def is_grad_enabled() -> bool:
    """Does this thread record gradients now?"""
    return current().grad_enabled
