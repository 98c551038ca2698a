"""The training panel: what a learner sees and steers while a model trains."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import ipywidgets

from ..graph.view import GraphView, culprit
from ..shared.cursor import TimeCursor, cursor_of
from ..shared.live import running_cell
from ..shared.numbers import number, plain
from ..shared.source import Recording
from ..shared.view import with_still
from ..shared.words import known
from . import drawn, fault, rate, still
from .comparison import ChartView
from .loop import ENDED, Session, TrainingLoop
from .parameters import Parameters
from .plan import Plan
from .run import Run


class PanelView(ChartView):
    """The lines and the controls of one training loop."""

    def __init__(self, loop: TrainingLoop, cursor: TimeCursor, lang: str | None) -> None:
        self._loop = loop
        self._refused: str | None = None
        self.others: list[Run] = []
        self.former: Run | None = None
        self._parameters = Parameters(cursor, loop.run, loop.tell)
        super().__init__(cursor, lang=lang, steps=loop.total)
        parameters = self._parameters
        self.commands |= {
            "pause": self._at_once(loop.pause),
            "resume": self._at_once(loop.resume),
            "step": self._at_once(loop.step_once),
            "op": self._at_once(loop.op_once),
            "stop": self._at_once(loop.stop),
            "pace": self._at_once(lambda name: setattr(loop, "pace_name", name)),
            "rate": self._at_once(self._on_rate),
            "choose": self._at_once(lambda name: parameters.choose(name)),
            "window": self._at_once(parameters.move),
            "edit": self._at_once(parameters.edit),
            "undo": self._at_once(parameters.undo),
        }
        self.refresh(now=True)

    def _at_once(self, act: Callable[..., Any]) -> Callable[..., None]:
        """`act`, seen without waiting for the publisher."""

        def acted(**values: Any) -> None:
            act(**values)
            self.refresh(now=True)

        return acted

    def make_frame(self) -> dict[str, Any]:
        loop = self._loop
        run = loop.run
        shown = [run, *self.others] + (
            [self.former] if self.former and self.former not in self.others else []
        )
        if loop.total != self.steps:
            self.steps = loop.total
        step = self.cursor.step
        at_step = None if self.cursor.live or step is None else step
        values, rate_then = ({}, None) if at_step is None else run.at(at_step)
        lasts = [(name, history.last) for name, history in [*run.training.items()]]
        newest = {name: last[1] for name, last in lasts if last is not None}
        read = newest if at_step is None else values
        return {
            "state": loop.state,
            "count": loop.count,
            "time": self.cursor.span(),
            "validating": loop.validating,
            "within": loop.within_step,
            "pace": loop.pace_name,
            "speed": number(loop.steps_per_second, 3),
            "left": number(loop.seconds_left, 3) if loop.state == "running" else None,
            "epochs": self._epochs(),
            "loss": number(newest.get("loss")),
            "lossShown": self._loss_shown(values),
            "readings": [
                {
                    "metric": name,
                    "value": number(read.get(name)),
                    "validation": self._validated(name, at_step),
                }
                for name in run.metrics
            ],
            "runs": drawn.runs(shown, run.first, self.language, self.former),
            "metrics": drawn.metrics(shown),
            "rate": number(loop.learning_rate, 6),
            "rateShown": number(rate_then, 6),
            "refused": self._refused,
            "edits": plain([asdict(edit) for edit in run.edits]),
            "parameters": self._parameters.frame(self.language) if self.drawer else None,
            "op": self._op(),
            "fault": fault.describe(loop.error) if loop.error is not None else None,
            "nonfinite": self._first_nonfinite() if loop.nonfinite else None,
        }

    def still(self) -> str:
        return still.draw([self._loop.run, *self.others], self.language)

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

    def _epochs(self) -> dict[str, Any]:
        loop = self._loop
        starts = drawn.boundaries(loop.run)
        if not loop.plan.in_epochs:
            return {"starts": starts, "epoch": None}
        between = loop.done_in_epoch == 0 and loop.epoch > 0  # the last epoch has just ended
        return {
            "starts": starts,
            "epoch": loop.epoch if between else loop.epoch + 1,
            "epochs": loop.plan.epochs,
            "done": loop.length if between else loop.done_in_epoch,
            "length": loop.length,
        }

    def _loss_shown(self, values: dict[str, float]) -> Any:
        """The loss of the step that the cursor points at."""
        if "loss" in values:
            return number(values["loss"])
        found = None if self.cursor.live else self.cursor.look()
        return number(found[2]["loss"]) if found else None

    def _validated(self, name: str, step: int | None) -> dict[str, Any] | None:
        """The newest validation up to `step`, and the best there is."""
        history = self._loop.run.validation.get(name)
        if history is None:
            return None
        point = history.last if step is None else history.until(step)
        best = self._loop.run.best(name, history)
        return plain({"value": point and point[1], "best": best and best[1]})

    def _op(self) -> dict[str, Any] | None:
        """Where the training stands that goes op by op."""
        present = self.cursor.recording.present
        if present is None or (at := present[1].get("current")) is None:
            return None
        graph, snapshot = present
        row = snapshot["rows"][at]
        backward = row["turn"] is not None
        return {
            "name": graph["nodes"][at]["name"],
            "kind": graph["nodes"][at]["kind"],
            "backward": backward,
        }

    def _first_nonfinite(self) -> dict[str, Any] | None:
        """The first op that made a NaN or infinity, in the unbroken run of steps that had one."""
        recording, first = self.cursor.recording, None
        for step in reversed(recording.steps):
            try:
                failure, graph = recording.snapshot(step)["failure"], recording.graph(step)
            except LookupError:  # let go meanwhile: a watched model's recording goes on
                break
            if failure is None or failure["kind"] != "nonfinite":
                break
            first = {
                "step": step,
                "op": culprit(graph, failure),
                "message": failure["message"],
            }
        return plain(first)


class TrainingPanel(ipywidgets.VBox):
    """A running training with its panel and, below it, the computation graph."""

    def __init__(
        self,
        step: Callable[..., Any],
        *,
        optimizer: Any = None,
        steps: int | None = None,
        batches: Iterable[Any] | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        validate: Callable[[], Any] | None = None,
        every: int | None = None,
        model: Any = None,
        name: str | None = None,
        start: bool = True,
        graph: bool = True,
        lang: str | None = None,
        session: Session | None = None,
    ) -> None:
        if not callable(step):
            what = "one argument, the batch" if batches is not None else "no arguments"
            raise TypeError(f"step must be a function of {what}, not {step!r}")
        plan = Plan(steps, batches, epochs, steps_per_epoch, validate, every)
        known(lang)
        execution = _execution()
        session = session or _session(model)
        self.cursor = cursor_of(model if model is not None else session.recording)
        self._loop = TrainingLoop(
            step,
            optimizer=optimizer,
            plan=plan,
            start=start,
            session=session,
            changed=self._news,
            stands=self._show_all,
            name=None if name is None else str(name)[:60],
        )
        _claim(session, self._loop)
        self._loop.begin()
        self.view = PanelView(self._loop, self.cursor, lang)
        self.view.former = _former(execution)
        self.graph = GraphView(self.cursor, lang=lang, timeline=False) if graph else None
        children = [self.view, self.graph] if self.graph is not None else [self.view]
        super().__init__(children, layout=ipywidgets.Layout(overflow="visible", width="100%"))
        self._news()
        if execution is not None:
            execution.loops.append(weakref.ref(self._loop))
            execution.runs.append(self._loop.run)

    def _news(self) -> None:
        if self.cursor.publisher is not None:
            self.cursor.publisher.news.set()

    def _show_all(self) -> None:
        """The training stands still: let every view see where, without waiting for its turn."""
        try:
            self.cursor.advance(now=True)
        except Exception:  # a view's, not the learner's: the training goes on
            logging.getLogger(__name__).exception("a view could not be drawn")

    # Steering

    def pause(self) -> None:
        """Freeze at the end of the step under way, or of the op where it goes op by op."""
        self._loop.pause()

    def resume(self) -> None:
        """Train on."""
        self._loop.resume()

    def step_once(self) -> None:
        """Do exactly one step, or the rest of one gone through op by op, and stay paused."""
        self._loop.step_once()

    def op_once(self) -> None:
        """Do exactly one op of the forward or backward pass, and stay paused."""
        self._loop.op_once()

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
        self.cursor.advance(now=True)
        if self._loop.error is not None:
            raise self._loop.error
        return self

    def compare(self, *others: TrainingPanel) -> TrainingPanel:
        """Draw the lines of other panels' trainings in this one's chart, too; returns this panel.

        They may still be running. Raises TypeError for what is no training panel.
        """
        for other in panels(others):
            run = other.view._loop.run
            if run is not self._loop.run and run not in self.view.others:
                self.view.others.append(run)
                other.cursor.watch(self.view.refresh)
        self.view.refresh(now=True)
        return self

    @property
    def pace(self) -> str:
        """How fast it goes: "full", "steps10" (a second), "step1", "ops4", or "op1" (each 1.25 s).

        Setting another acts at once; ValueError for one that there is not.
        """
        return self._loop.pace_name

    @pace.setter
    def pace(self, name: str) -> None:
        self._loop.pace_name = name

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
    def run(self) -> Run:
        """The lines of this training: `run.training["loss"].points()`, `run.validation`."""
        return self._loop.run

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


def panels(given: Iterable[Any]) -> list[TrainingPanel]:
    """`given`; TypeError where one of them is no training panel."""
    found = list(given)
    for each in found:
        if not isinstance(each, TrainingPanel):
            raise TypeError(
                f"cannot compare a {type(each).__name__}: give what lab.train(...) returned"
            )
    return found


def _session(model: Any) -> Session:
    """The session that watches `model`, or, without one, a new one for the training alone."""
    from labtorch import observe

    if model is not None:
        return observe.watching(model)
    # the beginning is where a learner looks back to: let a tenth of a second go for it
    return observe.Session(budget=0.03, head_start=0.1)


# The loop that fills each session, so that two threads never record into one at a time.
_filling: weakref.WeakKeyDictionary[Any, TrainingLoop] = weakref.WeakKeyDictionary()


def _claim(session: Session, loop: TrainingLoop) -> None:
    other = _filling.get(session)
    if other is not None and not other.ended.is_set():
        raise RuntimeError(
            "this model is being trained in another panel: stop that one first (panel.stop())"
        )
    _filling[session] = loop


class _Execution:
    """What one run of a notebook cell started: to be stopped, and compared with, by the next."""

    def __init__(self, message: str, former: list[Run]) -> None:
        self.message, self.former = message, former
        self.loops: list[weakref.ref[TrainingLoop]] = []
        self.runs: list[Run] = []


# Of each notebook cell the newest, so that running a cell again does not leave two threads stepping
# one model.
_executions: dict[str, _Execution] = {}


def _execution() -> _Execution | None:
    """That of the notebook cell that is running; what earlier ones started is stopped.

    None outside of a notebook.
    """
    running = running_cell()
    if running is None:
        return None
    cell, message = running
    before = _executions.get(cell)
    if before is not None and before.message == message:
        return before
    for reference in before.loops if before is not None else []:
        loop = reference()
        if loop is not None and loop.state not in ENDED:
            loop.stop()
            loop.ended.wait(5)
    _executions[cell] = _Execution(message, before.runs if before is not None else [])
    return _executions[cell]


def _former(execution: _Execution | None) -> Run | None:
    """What the same call started when the cell ran before."""
    if execution is None or len(execution.former) <= len(execution.runs):
        return None
    run = execution.former[len(execution.runs)]
    return run if run.count else None
