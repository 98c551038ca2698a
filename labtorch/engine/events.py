"""What the engine announces. Watchers listen; neither side knows who the other is.

A watcher subclasses `Watcher` and overrides what it wants to hear. It is attached to a thread with
`watch(watcher)`. Arrays reachable from an event are borrowed: a watcher that wants to keep one
copies it before it returns. A watcher that raises is detached with a warning; the work goes on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labtorch.engine.op import Op
from labtorch.engine.thread import Thread, current, sequence
from labtorch.engine.variable import Variable


class Call:
    """One call of an op, as watchers see it; `sequence` is its identity and that of its node."""

    __slots__ = ("sequence", "op", "args", "arrays", "scope", "function", "kept", "note")

    def __init__(self, op: Op, args: tuple, arrays: list, thread: Thread) -> None:
        self.sequence = sequence()
        self.op, self.args, self.arrays = op, args, arrays
        self.scope, self.function = thread.scope, thread.function
        self.kept: dict[str, Any] = {}  # by name, what the forward keeps: attention's weights
        self.note: Any = None  # the watcher's own


class Watcher:
    """Hears everything and does nothing: override what you want to hear."""

    follows_writes = False  # should writes that no gradient flows through be op calls, too?

    def op_begun(self, call: Call) -> None: ...
    def op_ended(self, call: Call, outputs: tuple[Variable, ...]) -> None: ...
    def op_failed(self, call: Call, error: Exception) -> None: ...
    def scope_entered(self, scope: tuple) -> None: ...
    def scope_left(self, scope: tuple) -> None: ...
    def backward_begun(self, roots: list[Variable]) -> None: ...
    def node_begun(self, node: Any, cotangents: list) -> None:
        """The gradient of `node`'s outputs is complete; its rules run next."""

    def node_ended(self, node: Any, gradients: list) -> None: ...
    def backward_ended(self) -> None: ...
    def leaf_accumulated(self, leaf: Variable, gradient: Any) -> None: ...
    def mutated(self, tensor: Variable) -> None: ...
    def parameters_stepped(self, optimizer: Any) -> None: ...
    def step_marked(self) -> None: ...


def emit(thread: Thread, event: str, *details: Any) -> None:
    """Tell every watcher of the thread; detach one that raises."""
    watchers = thread.watchers
    thread.watchers = ()  # what a watcher computes is not an event
    try:
        for watcher in watchers:
            try:
                getattr(watcher, event)(*details)
            except Exception as error:
                watchers = tuple(w for w in watchers if w is not watcher)
                warnings.warn(
                    f"{type(watcher).__name__} failed on {event} and stops watching: "
                    f"{type(error).__name__}: {error}",
                    RuntimeWarning,
                    stacklevel=3,
                )
    finally:
        if thread.leaving:
            watchers = tuple(w for w in watchers if w not in thread.leaving)
            thread.leaving = ()
        thread.watchers = watchers


def detach(thread: Thread, watcher: Watcher) -> None:
    """Tell `watcher` no more, also from inside of what it is being told."""
    if watcher in thread.watchers:
        thread.watchers = tuple(w for w in thread.watchers if w is not watcher)
    else:
        thread.leaving = (*thread.leaving, watcher)


def op_begun(thread: Thread, op: Op, args: tuple, arrays: list) -> Call:
    call = Call(op, args, arrays, thread)
    emit(thread, "op_begun", call)
    return call


def op_ended(thread: Thread, call: Call, outputs: tuple[Variable, ...]) -> None:
    emit(thread, "op_ended", call, outputs)


def op_failed(thread: Thread, call: Call, error: Exception) -> None:
    emit(thread, "op_failed", call, error)


def writes_are_followed(thread: Thread) -> bool:
    """Does a watcher want to hear which op computed what is written into a tensor?"""
    return any(watcher.follows_writes for watcher in thread.watchers)


def mutated(thread: Thread, tensor: Variable) -> None:
    emit(thread, "mutated", tensor)


def identity(tensor: Variable) -> int:
    """The tensor's sequence number, given when first asked for."""
    if tensor._identity is None:
        tensor._identity = sequence()
    return tensor._identity


@contextmanager
def watch(watcher: Watcher) -> Iterator[Watcher]:
    """Attach `watcher` to the thread that enters, for the length of the block."""
    thread = current()
    thread.watchers = (*thread.watchers, watcher)
    try:
        yield watcher
    finally:
        detach(thread, watcher)


def mark_step() -> None:
    """Announce the end of a training step, where no optimizer does."""
    thread = current()
    if thread.watchers:
        emit(thread, "step_marked")
