"""The training thread: steps, pauses, takes new learning rates; knows no widget."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

from ..shared.source import Recording
from .history import LossHistory

State = Literal["running", "paused", "done", "stopped", "error"]
ENDED = ("done", "stopped", "error")
SPEED_WINDOW = 3.0  # seconds over which steps per second are counted


class TrainingLoop:
    """Calls `step` again and again in a daemon thread, under a recording.

    Controls only set flags, under one condition; the thread reads them between two steps. So a
    pause holds from the end of the step under way, and a learning rate set before a step begins
    is that step's. `changed` is called, from the thread, after every step and change of state,
    and has to be quick.
    """

    def __init__(
        self,
        step: Callable[[], Any],
        *,
        optimizer: Any,
        steps: int | None,
        start: bool,
        record: Callable[[], AbstractContextManager[Recording]],
        changed: Callable[[], None],
    ) -> None:
        self._step, self._optimizer, self.steps = step, optimizer, steps
        self._record, self._changed = record, changed
        self._wake = threading.Condition()
        self._paused, self._granted, self._stopping = not start, 0, False
        self._rate: float | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=4096)
        self._ready, self.ended = threading.Event(), threading.Event()
        self.count = 0
        self.history = LossHistory()
        self.recording: Recording | None = None
        self.error: BaseException | None = None
        self.nonfinite = False
        self._thread = threading.Thread(target=self._run, name="labtorch-training", daemon=True)

    def begin(self) -> None:
        """Start the thread, and return once it records."""
        self._thread.start()
        self._ready.wait()
        if self.recording is None and self.error is not None:
            raise self.error

    # Controls, from any thread

    def pause(self) -> None:
        with self._wake:
            self._paused, self._granted = True, 0
            self._recent.clear()
        self._changed()

    def resume(self) -> None:
        with self._wake:
            self._paused, self._granted = False, 0
            self._wake.notify_all()
        self._changed()

    def step_once(self) -> None:
        """Pause, and allow exactly one more step."""
        with self._wake:
            self._granted = self._granted + 1 if self._paused else 1
            self._paused = True
            self._wake.notify_all()
        self._changed()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify_all()

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
        self._changed()

    # What is to be known

    @property
    def state(self) -> State:
        if self.ended.is_set():
            if self.error is not None or self.nonfinite:
                return "error"
            done = self.steps is not None and self.count >= self.steps
            return "done" if done else "stopped"
        return "paused" if self._paused else "running"

    @property
    def steps_per_second(self) -> float | None:
        recent = list(self._recent)
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return None
        return (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0])

    @property
    def seconds_left(self) -> float | None:
        speed = self.steps_per_second
        if self.steps is None or not speed:
            return None
        return (self.steps - self.count) / speed

    # The thread

    def _run(self) -> None:
        try:
            with self._record() as recording:
                self.recording = recording
                self._ready.set()
                self._train()
        except BaseException as error:  # told in the panel, and raised by wait()
            self.error = error
        finally:
            self._ready.set()
            self.ended.set()
            self._changed()

    def _train(self) -> None:
        while self._may_step():
            loss = self._step()
            loss = float(loss.item() if hasattr(loss, "item") else loss)
            recorded = self.recording.step_count if self.recording is not None else 0
            self.history.append(recorded - 1 if recorded else self.count, loss)
            self.count += 1
            self._tick()
            if not math.isfinite(loss):
                self.nonfinite = True
                return
            self._changed()

    def _may_step(self) -> bool:
        """Wait until a step is allowed and set its learning rate; False when training is over."""
        with self._wake:
            while not self._stopping and self._paused and not self._granted:
                self._wake.wait()
            if self._stopping or (self.steps is not None and self.count >= self.steps):
                return False
            last = self.steps is not None and self.count + 1 == self.steps
            if (self._paused or last) and self.recording is not None:
                self.recording.measure_next()  # a step that somebody will look at
            if self._paused:
                self._granted -= 1
            rate, self._rate = self._rate, None
            if rate is not None:
                for group in self._optimizer.param_groups:
                    group["lr"] = rate
        return True

    def _tick(self) -> None:
        now = time.monotonic()
        self._recent.append((now, self.count))
        while self._recent and now - self._recent[0][0] > SPEED_WINDOW:
            self._recent.popleft()
