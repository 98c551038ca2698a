"""What belongs to a thread of work: its grad mode, its place in the modules, its watchers.

A model that trains in one thread and a learner who types in another never see each other's state.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

sequence = count(1).__next__  # identity of ops and tensors: monotone, never reused


class Thread:
    """The state of one thread; every thread starts recording gradients, unwatched."""

    __slots__ = ("grad_enabled", "inference", "scope", "function", "watchers", "saved_hooks")

    def __init__(self) -> None:
        self.grad_enabled: bool = True
        self.inference: bool = False
        self.scope: tuple | None = None  # (outer scope, weak reference to the module, call number)
        self.function: str | None = None  # the outermost public function that is running
        self.watchers: tuple[Any, ...] = ()
        self.saved_hooks: tuple[Any, ...] = ()


class _Local(threading.local):
    def __init__(self) -> None:  # runs once in every thread that asks
        self.thread = Thread()


local = _Local()


def current() -> Thread:
    """The state of the thread that asks."""
    return local.thread
