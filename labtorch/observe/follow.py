"""A model run on inputs of somebody's choice, after each kept step of its training."""

from __future__ import annotations

import weakref
from typing import Any

from labtorch.engine import events
from labtorch.engine.thread import current
from labtorch.observe.recorder import Recorder
from labtorch.observe.recording import Recording
from labtorch.random import fork_rng


class Following:
    """`recording` holds one step, of the same number, for each kept step of the training.

    The model runs in evaluation mode, without gradients, in the thread that trains it, between two
    of its steps; its modes and the random generators are put back, so that the training computes
    the same numbers as without it. `lens`, what `Recording.look_into` takes by name, asks for whole
    arrays from the first run on.
    """

    def __init__(
        self,
        training: Recording,
        model: Any,
        *inputs: Any,
        cap: int = 64 << 20,
        lens: dict[str, Any] | None = None,
    ) -> None:
        self.recording = Recording(keep=training.keep, cap=cap)
        if lens is not None:
            self.recording.look_into(**lens)
        self._model, self._inputs = weakref.ref(model), inputs
        self._recorder = Recorder(self.recording, budget=1.0, head_start=0.0)
        self._training = training
        self._end = training.after_kept_steps(self.run)
        self.error: Exception | None = None  # what the model raised on these inputs
        self.first = training.between_steps(lambda: self.run(max(0, training.step_count - 1)))

    def run(self, step: int) -> None:
        """Run the model now and keep what it computed as `step`."""
        model = self._model()
        if model is None:
            return self.close()
        recording, thread = self.recording, current()
        recording.step_count = step
        recording.measure_next()
        trained = [module for module in model.modules() if module.training]
        before = thread.grad_enabled, thread.scope, thread.watchers
        with fork_rng():
            try:
                for module in trained:
                    module.training = False
                thread.grad_enabled, thread.scope, thread.watchers = False, None, ()
                with events.watch(self._recorder):
                    self.compute(model, self._inputs)
                self.error = None
            except Exception as error:
                self.error = _without_frames(error)
            finally:
                thread.grad_enabled, thread.scope, thread.watchers = before
                for module in trained:
                    module.training = True
                self._recorder.step_marked()

    def compute(self, model: Any, inputs: tuple) -> None:
        """What is recorded at a step."""
        model(*inputs)

    def close(self) -> None:
        """Run the model no more; what was recorded stays."""
        self._end()


def _without_frames(error: Exception) -> Exception:
    """The error and those it came from, without tracebacks: their frames would keep the model."""
    each: BaseException | None = error
    while each is not None:
        each.__traceback__ = None
        each = each.__cause__ or each.__context__
    return error
