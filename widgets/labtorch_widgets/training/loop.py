"""The training thread: steps, pauses, goes op by op, takes new learning rates; knows no widget."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..shared.source import Recording
from . import metrics, pace
from .plan import EPOCH_OVER, Plan
from .run import Run, State

ENDED = ("done", "stopped", "error")
SPEED_WINDOW = 3.0  # seconds over which steps per second are counted


class Session(Protocol):
    """What the loop needs of `labtorch.observe.Session`."""

    recording: Any

    def start(self, thread: Any = None) -> None: ...
    def stop(self) -> None: ...
    def end_step(self) -> None: ...
    def discard(self) -> None: ...


class TrainingLoop:
    """Calls `step` again and again in a daemon thread, under a session that records it.

    Controls only set flags, under one condition; the thread reads them between two steps, and,
    where it goes op by op, between two ops. So a pause holds from the end of the step (or op)
    under way, and a learning rate set before a step begins is that step's. `changed` is called,
    from the thread, after every step and change of state, and has to be quick; `stands` when the
    thread is about to wait, and may take its time.

    A session that recorded another thread before (a watched model's, the notebook's own) goes back
    to it when the training has ended.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        *,
        optimizer: Any,
        plan: Plan,
        start: bool,
        session: Session,
        changed: Callable[[], None],
        stands: Callable[[], None] = lambda: None,
        name: str | None = None,
    ) -> None:
        self._step, self._optimizer, self.plan = step, optimizer, plan
        self._session, self._changed, self._stands = session, changed, stands
        self._moved = False  # has anything happened since `stands` was called last?
        self.recording: Recording = session.recording
        self._home = session.recording.thread
        self._wake = threading.Condition()
        self._paused, self._granted, self._stopping = not start, 0, False
        self._by_op = False  # does the step under way stop after every op?
        self._ops_granted = 0
        self._pace = pace.FULL
        self._last_began = -math.inf
        self._attending = False  # has something to be done between steps been asked for?
        self._rate: float | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=4096)
        self._finished = False  # has everything planned been done?
        self._over = False
        self._validated = 0  # how many steps were done when it was last validated
        self._ready, self.ended = threading.Event(), threading.Event()
        self.run = Run(name)
        self.epoch = self.done_in_epoch = 0
        self.length = plan.length
        self.validating = False
        self.error: BaseException | None = None
        self.nonfinite = False
        self._thread = threading.Thread(target=self._run, name="labtorch-training", daemon=True)

    def begin(self) -> None:
        """Start the thread, and return once it records."""
        from labtorch import observe

        self._observe = observe
        self._session.stop()  # this thread leaves the session to the one that trains
        self._thread.start()
        self._ready.wait()

    # Controls, from any thread

    def pause(self) -> None:
        with self._wake:
            self._paused, self._granted, self._ops_granted = True, 0, 0
            self._recent.clear()
        self.tell()

    def resume(self) -> None:
        with self._wake:
            self._paused, self._granted, self._ops_granted = False, 0, 0
            self._by_op = self._by_op and self.pace.unit == "op"
            self._wake.notify_all()
        self.tell()

    def step_once(self) -> None:
        """Pause, and allow exactly one more step; where one is gone through by op, its rest."""
        with self._wake:
            if self._by_op:
                self._by_op, self._ops_granted = False, 0
            else:
                self._granted = self._granted + 1 if self._paused else 1
            self._paused = True
            self._wake.notify_all()
        self.tell()

    def op_once(self) -> None:
        """Pause, and allow exactly one more op, of the step that is gone through or the next."""
        with self._wake:
            self._ops_granted = self._ops_granted + 1 if self._paused else 1
            self._paused = True
            self._wake.notify_all()
        self.tell()

    def stop(self) -> None:
        """End the training with the step under way, which is finished at full speed."""
        with self._wake:
            self._stopping, self._by_op = True, False
            self._wake.notify_all()

    @property
    def pace(self) -> pace.Pace:
        return pace.PACES[self._pace]

    @property
    def pace_name(self) -> str:
        return self._pace

    @pace_name.setter
    def pace_name(self, name: str) -> None:
        with self._wake:
            self._pace = pace.known(name)
            if not self._paused:
                self._by_op = self._by_op and self.pace.unit == "op"
            self._recent.clear()
            self._wake.notify_all()
        self.tell()

    @property
    def learning_rate(self) -> float | None:
        """The one the next step will use."""
        if self._optimizer is None:
            return None
        rate = self._rate
        return rate if rate is not None else float(self._optimizer.param_groups[0]["lr"])

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        with self._wake:
            self._rate = rate
        self.tell()

    def tell(self) -> None:
        """There is news for the views."""
        self.run.state = self.state
        self._changed()

    # What is to be known

    @property
    def count(self) -> int:
        """Steps done."""
        return self.run.count

    @property
    def state(self) -> State:
        if self._over:
            if self.error is not None or self.nonfinite:
                return "error"
            return "done" if self._finished else "stopped"
        return "paused" if self._paused else "running"

    @property
    def within_step(self) -> bool:
        """Is a step gone through op by op at the moment?"""
        return self._by_op

    @property
    def total(self) -> int | None:
        """Steps in all, where that is known by now."""
        if self.plan.total is None and self.plan.epochs is not None and self.length is not None:
            return self.plan.epochs * self.length
        return self.plan.total

    @property
    def steps_per_second(self) -> float | None:
        recent = list(self._recent)
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return None
        return (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0])

    @property
    def seconds_left(self) -> float | None:
        speed, total = self.steps_per_second, self.total
        return (total - self.count) / speed if total is not None and speed else None

    # The thread

    def _run(self) -> None:
        unlisten = self.recording.listen(self._heard)
        try:
            self._session.start()
            self._ready.set()
            self._train()
        except BaseException as error:  # told in the panel, and raised by wait()
            self.error = error
        finally:
            unlisten()
            self._session.stop()
            if self._home is not None:
                self._session.start(self._home)
            self._over = True
            self._ready.set()
            self.tell()
            self.ended.set()

    def _train(self) -> None:
        feed = self.plan.feed()
        while (arguments := self._next(feed)) is not None:
            if arguments is EPOCH_OVER:
                self._end_epoch()
            elif not self._may_step():
                return
            else:
                self._do(arguments)
                if self.nonfinite:
                    return
                if self.plan.validates(self.count, False):
                    self._validate()
        if self.plan.validate is not None and self._validated != self.count:
            self._validate()
        self._finished = True

    def _next(self, feed: Any) -> Any:
        with (
            self._observe.unwatched()
        ):  # how a batch is put together is no part of the model's graph
            return next(feed, None)

    def _end_epoch(self) -> None:
        self.length = self.done_in_epoch
        self.epoch, self.done_in_epoch = self.epoch + 1, 0
        if self.plan.validates(self.count, True):
            self._validate()

    def _do(self, arguments: tuple) -> None:
        """One step: recorded as one, its metrics and rate noted."""
        before, rate = self.recording.step_count, self.learning_rate
        with self._stops_after_ops():
            result = self._step(*arguments)
        if self.recording.step_count == before:
            self._session.end_step()  # no optimizer did
        else:
            self._session.discard()  # what was worked out after the optimizer stepped
        values = metrics.numbers(result, "step()")
        recorded = self.recording.step_count
        step = recorded - 1 if recorded else self.count
        if self.plan.in_epochs and self.done_in_epoch == 0:
            self.run.epochs.append(step)
        self.run.add(step, values, rate)
        self.done_in_epoch += 1
        with self._wake:
            if self._by_op:  # the optimizer's step was the last of its ops
                self._by_op, self._ops_granted = False, max(0, self._ops_granted - 1)
        self._moved = True
        self._tick()
        self.nonfinite = not math.isfinite(values["loss"])
        self.tell()

    def _validate(self) -> None:
        assert self.plan.validate is not None
        self.validating = True
        self.tell()
        try:
            with self._observe.unwatched():
                values = metrics.numbers(self.plan.validate(), "validate()")
        finally:
            self.validating = False
        recorded = self.recording.step_count
        self.run.validated(recorded - 1 if recorded else self.count - 1, values)
        self._validated = self.count
        self.tell()

    def _may_step(self) -> bool:
        """Wait until a step is allowed and set its learning rate; False when training is over."""
        if self._moved and (self._paused or self.pace.seconds > 0):
            self._moved = False
            self._stands()
        while not self._allowed():
            self.recording.attend()  # what was asked for meanwhile: an edit, a look
        with self._wake:
            if self._stopping:
                return False
            self._by_op = not self._granted and (
                bool(self._ops_granted) if self._paused else self.pace.unit == "op"
            )
            last = self.total is not None and self.count + 1 == self.total
            if self._paused or last or self.pace.seconds > 0:
                self.recording.measure_next()  # a step that somebody will look at
            self._granted = max(0, self._granted - 1)
            self._last_began = time.monotonic()
            rate, self._rate = self._rate, None
            if rate is not None:
                for group in self._optimizer.param_groups:
                    group["lr"] = rate
        return True

    def _allowed(self) -> bool:
        """Wait for a grant, the pace, or the end (True), or for something to attend to (False)."""
        with self._wake:
            while not self._stopping:
                if self._attending:
                    self._attending = False
                    return False
                if self._paused:
                    if self._granted or self._ops_granted:
                        break
                    self._wake.wait()
                    continue
                pause = self.pace.seconds if self.pace.unit == "step" else 0.0
                left = self._last_began + pause - time.monotonic()
                if left <= 0:
                    break
                self._wake.wait(left)
        return True

    def _heard(self) -> None:
        """There is news of the recording; where the thread waits, it may have to act on it."""
        if threading.current_thread() is not self._thread:
            with self._wake:
                self._attending = True
                self._wake.notify_all()

    def _stops_after_ops(self) -> AbstractContextManager[Any]:
        if not self._by_op:
            return contextlib.nullcontext()
        return self._observe.op_by_op(self._session, self._hold)  # type: ignore[arg-type]

    def _hold(self) -> None:
        """After an op: wait for the next grant, or for as long as the pace says."""
        due = time.monotonic() + self.pace.seconds
        with self._wake:
            self._ops_granted = max(0, self._ops_granted - 1)
            waits = self._by_op and not self._ops_granted
        if waits:
            self._stands()
        with self._wake:
            while self._by_op and not self._ops_granted:
                left = None if self._paused else due - time.monotonic()
                if left is not None and left <= 0:
                    return
                self._wake.wait(left)

    def _tick(self) -> None:
        now = time.monotonic()
        self._recent.append((now, self.count))
        while self._recent and now - self._recent[0][0] > SPEED_WINDOW:
            self._recent.popleft()
