"""Grad modes: `no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`; anomaly mode.

Each is a context manager and a decorator, and belongs to the thread that enters it.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any

from labtorch.engine.node import choose_node
from labtorch.engine.thread import current
from labtorch.engine.variable import Variable


class _GradMode:
    """Sets the thread's grad mode to `mode` inside a `with` block or a decorated function."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before: list[bool] = []

    def __enter__(self) -> None:
        thread = current()
        self.before.append(thread.grad_enabled)
        thread.grad_enabled = self.mode and not thread.inference

    def __exit__(self, *_: Any) -> None:
        current().grad_enabled = self.before.pop()

    def __call__(self, function: Any) -> Any:
        make = self.clone
        if inspect.isclass(function):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You "
                "should only decorate functions or methods.",
                FutureWarning,
                stacklevel=2,
            )
        if inspect.isgeneratorfunction(function):
            return _in_mode_while_running(function, make)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with make():
                return function(*args, **kwargs)

        return call

    def clone(self) -> _GradMode:
        return _GradMode(self.mode)


def _in_mode_while_running(function: Any, make: Any) -> Any:
    """A generator function whose mode holds inside the generator, not in its caller."""

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Any:
        with make():
            iterator = function(*args, **kwargs)
        resume = functools.partial(next, iterator)
        try:
            while True:
                with make():
                    item = resume()
                try:
                    sent = yield item
                except GeneratorExit:
                    with make():
                        iterator.close()
                    raise
                except BaseException as error:
                    resume = functools.partial(iterator.throw, error)
                else:
                    resume = functools.partial(iterator.send, sent)
        except StopIteration as stop:
            return stop.value

    return generate


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
        current().grad_enabled = self.mode and not current().inference

    def __enter__(self) -> None:
        self.before.append(self.previous)
        current().grad_enabled = self.mode and not current().inference

    def __call__(self, function: Any) -> Any:
        current().grad_enabled = self.previous
        return super().__call__(function)


class inference_mode(_GradMode):
    """As `no_grad`, for good: what is made here can never take part in a graph.

    Its results are inference tensors, which have no version. `inference_mode(False)` records.
    """

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if callable(mode):
            inference_mode._set(self, True)
            return self(mode)
        inference_mode._set(self, mode)
        return self

    def __init__(self, mode: Any = True) -> None: ...

    def _set(self, on: bool) -> None:
        _GradMode.__init__(self, not on)
        self.on = bool(on)
        self.outer: list[bool] = []

    def __enter__(self) -> None:
        thread = current()
        self.outer.append(thread.inference)
        thread.inference = self.on
        super().__enter__()

    def __exit__(self, *_: Any) -> None:
        super().__exit__()
        current().inference = self.outer.pop()

    def clone(self) -> _GradMode:
        return inference_mode(self.on)


class set_detect_anomaly:
    """Anomaly mode: a gradient that is NaN raises and names the op and your line that called it.

    Nodes know your line only where the forward pass, too, runs in this mode. It costs time: use it
    to look for a NaN. With `check_nan=False`, lines are noted and errors of the backward pass name
    them, but gradients are not checked. As a function it sets the mode; as a block, restores it.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        thread = current()
        self.before = thread.anomaly
        thread.anomaly = ("check" if check_nan else "trace") if mode else None
        choose_node(thread)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None:
        thread = current()
        thread.anomaly = self.before
        choose_node(thread)


class detect_anomaly:
    """`set_detect_anomaly(True)` for the length of a block."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self.mode = set_detect_anomaly(True, self.check_nan)

    def __exit__(self, *_: Any) -> None:
        self.mode.__exit__()


class set_multithreading_enabled:
    """Accepted, as a function and as a block: a backward pass runs in the thread that asks."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None: ...


def is_anomaly_enabled() -> bool:
    """Is this thread in anomaly mode?"""
    return current().anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Does this thread check gradients for NaN?"""
    return current().anomaly == "check"


def is_inference_mode_enabled() -> bool:
    """Is this thread in inference mode?"""
    return current().inference


def is_inference(input: Variable) -> bool:
    """Was the tensor made in inference mode?"""
    return input.is_inference()


def is_grad_enabled() -> bool:
    """Does this thread record gradients now?"""
    return current().grad_enabled
