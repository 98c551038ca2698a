"""Recording a thread of work: for the length of a block, or of a model's life in a notebook."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labtorch.engine.events import detach
from labtorch.engine.thread import current
from labtorch.observe.recorder import Recorder
from labtorch.observe.recording import Recording


class Session:
    """A recording with the watcher that fills it, on one thread at a time."""

    def __init__(
        self,
        model: Any = None,
        *,
        budget: float = 0.05,
        head_start: float = 0.0,
        keep: int = 512,
        cap: int = 64 << 20,
    ) -> None:
        if not (budget >= 0 and head_start >= 0):
            raise ValueError(
                "budget is the share of time that measuring may take (0.05) and head_start a "
                f"number of seconds, not {budget} and {head_start}"
            )
        self.recording = Recording(keep, cap)
        self.recorder = Recorder(self.recording, budget, head_start, model)
        self.recording._under_way = lambda: not self.recorder.waiting

    def start(self, thread: Any = None) -> None:
        """Record this thread (or `thread`, one that is not computing now) from now on.

        A session that recorded another leaves that one.
        """
        self.stop()
        thread = self.recording.thread = thread or current()
        thread.watchers = (*thread.watchers, self.recorder)

    def stop(self) -> None:
        """End the step under way and record no more."""
        if self.recording.thread is not None:
            self._leave()
            self.recorder.step_marked()
        self.recording.attend()
        self.recording._tell()

    def _leave(self) -> None:
        thread, self.recording.thread = self.recording.thread, None
        if thread is not None:
            detach(thread, self.recorder)

    def end_step(self) -> None:
        """End the step under way, where no optimizer does: at the end of a notebook cell.

        A step that another thread is in the middle of is that thread's to end.
        """
        if self.recording.thread is current() and not self.recorder.waiting:
            self.recorder.step_marked()

    def discard(self) -> None:
        """Forget what this thread computed since the last step ended."""
        if self.recording.thread is current() and not self.recorder.waiting:
            self.recorder._begin()

    def show_partial(self, sequence: int | None = None) -> bool:
        """Let views see the step under way as it is now; to be called by the thread recorded.

        `sequence` is the number of the op, node or leaf just done; is it part of what is shown?
        """
        self.recording.present = self.recorder.partial(sequence)
        present = self.recording.present
        return present is not None and present[1]["current"] is not None


@contextmanager
def record(
    *, budget: float = 0.05, head_start: float = 0.0, keep: int = 512, cap: int = 64 << 20
) -> Iterator[Recording]:
    """Record what this thread computes inside the block.

    A step ends at every `optimizer.step()`, at `observe.mark_step()`, and with the block. The first
    three steps are measured; after that, measuring takes at most the share `budget` of the time,
    and `head_start` seconds that are given once, for the beginning, where training changes most.
    The last `keep` measured steps and a sample of the earlier ones stay, within `cap` bytes.
    """
    session = Session(budget=budget, head_start=head_start, keep=keep, cap=cap)
    session.start()
    try:
        yield session.recording
    finally:
        session.stop()


_sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def watching(model: Any, **options: Any) -> Session:
    """The session that records what `model` does, started on this thread if there is none yet.

    It lasts until `stop()` or as long as the model. What the thread computes apart from the model
    is left out; a step ends at `optimizer.step()`, `mark_step()` or `Session.end_step()`.
    """
    session = _sessions.get(model)
    if session is None:
        options = {"budget": 0.03, "head_start": 0.1} | options
        session = _sessions[model] = Session(model, **options)
        session.start()
        # no more than that: a model may be collected at any moment, in the middle of an event too
        weakref.finalize(model, session._leave)
    return session
