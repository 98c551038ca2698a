"""The training panel: what a learner sees and steers while a model trains."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast

import ipywidgets
import traitlets

from ..graph.view import GraphView, culprit
from ..shared.cursor import TimeCursor, cursor_of
from ..shared.live import Publisher
from ..shared.numbers import number, plain
from ..shared.source import Recording
from ..shared.view import View, bundle, with_still
from ..shared.words import known
from . import fault, rate
from .loop import ENDED, TrainingLoop
from .still import draw


class PanelView(View):
    """The loss line and the controls of one training loop."""

    _esm = bundle("training.js")
    _css = bundle("training.css")
    each_step = True

    steps = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, loop: TrainingLoop, cursor: TimeCursor, lang: str | None) -> None:
        self._loop = loop
        self._refused: str | None = None
        super().__init__(cursor, lang=lang, steps=loop.steps)
        self.commands |= {
            "pause": loop.pause,
            "resume": loop.resume,
            "step": loop.step_once,
            "stop": loop.stop,
            "rate": self._on_rate,
        }
        self.refresh(now=True)

    def make_frame(self) -> dict[str, Any]:
        loop = self._loop
        last = loop.history.last
        return {
            "state": loop.state,
            "count": loop.count,
            "time": self.cursor.span(),
            "loss": number(last[1]) if last else None,
            "losses": [[step, number(loss)] for step, loss in loop.history.points()],
            "lossShown": self._loss_shown(),
            "speed": number(loop.steps_per_second, 3),
            "left": number(loop.seconds_left, 3) if loop.state == "running" else None,
            "rate": number(loop.learning_rate, 6),
            "refused": self._refused,
            "fault": fault.describe(loop.error) if loop.error is not None else None,
            "nonfinite": self._first_nonfinite() if loop.nonfinite else None,
        }

    def still(self) -> str:
        return draw(self._loop.history.points(), self.language)

    def summary(self) -> str:
        return "TrainingPanel()" if self.steps is None else f"TrainingPanel(steps={self.steps})"

    def _on_rate(self, value: Any) -> None:
        """A learning rate from the browser, as typed; one that will not do is answered there."""
        try:
            if isinstance(value, str):
                value = value.strip()
            self._loop.learning_rate = rate.parse(value, self.language)
            self._refused = None
        except ValueError as refusal:
            self._refused = str(refusal)
        self.refresh(now=True)

    def _loss_shown(self) -> Any:
        """The loss of the step that the cursor points at."""
        found = None if self.cursor.live else self.cursor.look()
        return number(found[2]["loss"]) if found else None

    def _first_nonfinite(self) -> dict[str, Any] | None:
        """The first op that made a NaN or infinity, in the unbroken run of steps that had one."""
        recording, first = self.cursor.recording, None
        for step in reversed(recording.steps):  # the training has ended: none is let go any more
            failure = recording.snapshot(step)["failure"]
            if failure is None or failure["kind"] != "nonfinite":
                break
            first = {
                "step": step,
                "op": culprit(recording.graph(step), failure),
                "message": failure["message"],
            }
        return plain(first)


class TrainingPanel(ipywidgets.VBox):
    """A running training with its panel and, below it, the computation graph."""

    def __init__(
        self,
        step: Callable[[], Any],
        *,
        optimizer: Any = None,
        steps: int | None = None,
        start: bool = True,
        graph: bool = True,
        lang: str | None = None,
        record: Callable[[], contextlib.AbstractContextManager[Recording]] | None = None,
    ) -> None:
        if not callable(step):
            raise TypeError(f"step must be a function of no arguments, not {step!r}")
        if steps is not None and (isinstance(steps, bool) or int(steps) < 1):
            raise ValueError(f"steps must be a positive number or None, not {steps!r}")
        known(lang)
        _stop_what_this_cell_started()
        self._publisher: Publisher | None = None
        self._loop = TrainingLoop(
            step,
            optimizer=optimizer,
            steps=steps,
            start=start,
            record=record or _record,
            changed=self._news,
        )
        self._loop.begin()
        assert self._loop.recording is not None
        self.cursor = cursor_of(self._loop.recording)
        self.view = PanelView(self._loop, self.cursor, lang)
        self.graph = GraphView(self.cursor, lang=lang, timeline=False) if graph else None
        children = [self.view, self.graph] if self.graph is not None else [self.view]
        super().__init__(children, layout=ipywidgets.Layout(overflow="visible", width="100%"))
        self._publisher = Publisher(self.cursor, self._loop.ended.is_set)
        self._publisher.news.set()
        _remember(self._loop)

    def _news(self) -> None:
        if self._publisher is not None:
            self._publisher.news.set()

    # Steering

    def pause(self) -> None:
        """Freeze at the end of the step under way."""
        self._loop.pause()

    def resume(self) -> None:
        """Train on."""
        self._loop.resume()

    def step_once(self) -> None:
        """Do exactly one step and stay paused."""
        self._loop.step_once()

    def stop(self) -> None:
        """End the training; what was recorded stays to be looked at."""
        self._loop.stop()

    def wait(self, timeout: float | None = None) -> TrainingPanel:
        """Block until the training has ended; raise what `step()` raised.

        Raises TimeoutError when it has not ended after `timeout` seconds. Interrupting the kernel
        meanwhile pauses the training.
        """
        try:
            if not self._loop.ended.wait(timeout):
                raise TimeoutError(f"still training after {timeout} s (step {self.step_count})")
        except KeyboardInterrupt:
            self.pause()
            raise
        assert self._publisher is not None
        self._publisher.join()
        if self._loop.error is not None:
            raise self._loop.error
        return self

    @property
    def learning_rate(self) -> float | None:
        """The one the next step will use; None without an optimizer."""
        return self._loop.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if self._loop.learning_rate is None:
            raise AttributeError("no learning rate to set: train(...) was given no optimizer")
        self._loop.learning_rate = rate.parse(value)

    # What is to be known

    @property
    def state(self) -> str:
        """ "running", "paused", "done", "stopped" or "error" (which a NaN loss is, too)."""
        return self._loop.state

    @property
    def step_count(self) -> int:
        """How many steps have been done."""
        return self._loop.count

    @property
    def recording(self) -> Recording:
        """Everything kept of the training so far."""
        return self.cursor.recording

    @property
    def error(self) -> BaseException | None:
        """What `step()` raised, if it did."""
        return self._loop.error

    def __repr__(self) -> str:
        return self.view.summary()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return with_still(super()._repr_mimebundle_(**kwargs), repr(self), self.view.still())


def _record() -> contextlib.AbstractContextManager[Recording]:
    from labtorch import observe

    # the beginning is where a learner looks back to: let a quarter of a second go for it
    return observe.record(head_start=0.25)


# Which training each notebook cell started, so that running a cell again does not leave two
# threads stepping one model.
_started: dict[str, weakref.ref[TrainingLoop]] = {}


def _cell() -> Iterator[str]:
    """The id of the notebook cell that is running, if one is."""
    with contextlib.suppress(ImportError, AttributeError):
        from IPython.core.getipython import get_ipython

        parent = cast(Any, get_ipython()).kernel.get_parent()
        if cell := parent["metadata"].get("cellId"):
            yield cell


def _stop_what_this_cell_started() -> None:
    for cell in _cell():
        reference = _started.get(cell)
        loop = reference() if reference else None
        if loop is not None and loop.state not in ENDED:
            loop.stop()
            loop.ended.wait(5)


def _remember(loop: TrainingLoop) -> None:
    for cell in _cell():
        _started[cell] = weakref.ref(loop)
