"""What belongs to a thread of work: its grad mode, its place in the modules, its watchers.

A model that trains in one thread and a learner who types in another never see each other's state.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

sequence = count(1).__next__  # identity of ops and tensors: monotone, never reused


node_class: Any = None  # set by labtorch.engine.node, which imports this file


class Thread:
    """The state of one thread; every thread starts recording gradients, unwatched."""

    __slots__ = (
        "grad_enabled",
        "inference",
        "anomaly",
        "scope",
        "function",
        "watchers",
        "leaving",
        "saved_hooks",
        "make_node",
        "before_backward",
        "after_backward",
    )

    def __init__(self) -> None:
        self.grad_enabled: bool = True
        self.inference: bool = False
        self.anomaly: str | None = None  # anomaly mode: "check" gradients, or only "trace" calls
        self.scope: tuple | None = None  # (outer scope, weak reference to the module, call number)
        self.function: str | None = None  # the outermost public function that is running
        self.watchers: tuple[Any, ...] = ()
        self.leaving: tuple[Any, ...] = ()  # watchers detached while they were being told something
        self.saved_hooks: tuple[Any, ...] = ()  # (pack, unpack) pairs, the innermost last;
        # or the message with which more of them are refused
        # what makes a node: the class itself, or, where saved tensors are packed or calls traced,
        # a function that does so too; ordinary calls pay nothing for either
        self.make_node: Any = node_class
        self.before_backward: tuple[Any, ...] = ()  # called with the roots of each pass to come
        self.after_backward: list[Any] | None = None  # called when the pass under way has ended


class _Local(threading.local):
    def __init__(self) -> None:  # runs once in every thread that asks
        self.thread = Thread()


local = _Local()


def saved_hooks(thread: Thread) -> Any:
    """The (pack, unpack) pair that applies to what is saved now; None where there is none."""
    last = thread.saved_hooks[-1] if thread.saved_hooks else None
    return None if isinstance(last, str) else last


def after_backward(thread: Thread, callback: Any) -> None:
    """Let `callback` be called when the backward pass under way has ended."""
    thread.after_backward = [*(thread.after_backward or ()), callback]


def current() -> Thread:
    """The state of the thread that asks."""
    return local.thread
