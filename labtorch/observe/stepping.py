"""Going through a step op by op, and computing unwatched in a thread that is watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from labtorch.engine import events
from labtorch.engine.events import Call, Watcher
from labtorch.engine.node import Node
from labtorch.engine.thread import current
from labtorch.engine.variable import Variable
from labtorch.observe.session import Session


class OpByOp(Watcher):
    """Shows the step under way after each of its ops, forward and backward, and then waits.

    `hold()` waits, in the thread that computes. What is no part of the model's graph (an accuracy
    worked out after the optimizer has stepped) is let through.
    """

    def __init__(self, session: Session, hold: Callable[[], None]) -> None:
        self._session, self._hold = session, hold
        self._stepped = False  # has a step ended since this watcher came?

    def op_ended(self, call: Call, outputs: tuple[Variable, ...]) -> None:
        if not self._stepped or outputs[0]._requires_grad:
            self._done(call.sequence)

    def node_ended(self, node: Node, gradients: list) -> None:
        self._done(node.sequence)

    def leaf_accumulated(self, leaf: Variable, gradient: Any) -> None:
        self._done(events.identity(leaf))

    def parameters_stepped(self, optimizer: Any) -> None:
        self._stepped = True

    def step_marked(self) -> None:
        self._stepped = True

    def _done(self, sequence: int) -> None:
        if self._session.show_partial(sequence):
            self._hold()


def op_by_op(session: Session, hold: Callable[[], None]) -> Any:
    """Within the block, call `hold()` after every op of this thread that `session` records."""
    return events.watch(OpByOp(session, hold))


@contextmanager
def unwatched() -> Iterator[None]:
    """Within the block, what this thread computes is announced to nobody."""
    thread = current()
    watchers, thread.watchers = thread.watchers, ()
    try:
        yield
    finally:
        thread.watchers = watchers
