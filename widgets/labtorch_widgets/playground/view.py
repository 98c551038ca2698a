"""The widget of the playground."""

from __future__ import annotations

import base64
import contextlib
import time
import weakref
from typing import Any

import numpy as np
import traitlets

from ..shared.cursor import TimeCursor
from ..shared.live import Publisher, running_cell
from ..shared.numbers import plain
from ..shared.source import Recording
from ..shared.view import View, bundle
from ..training.history import History
from . import program
from .choices import DATA, Choices
from .run import Picture, Run, sample
from .still import draw

SPEEDS = (2, 20, 100, 0)  # steps a second; 0: as many as there can be
EVERY = 0.2  # seconds between two pictures of a training under way, at least
SHARE = 0.1  # of the time that pictures may take
POINTS = 160  # of the loss line
LOSSES = ("train", "test")


class PlaygroundView(View):
    """The playground: see `labtorch_widgets.playground`."""

    _esm = bundle("playground.js")
    _css = bundle("playground.css")
    each_step = True

    choices = traitlets.Dict().tag(sync=True)
    lines: Any = traitlets.List().tag(sync=True)  # [line, part]
    points: Any = traitlets.List().tag(sync=True)  # [x1, x2, label, tested on?]
    inputs = traitlets.Dict().tag(sync=True)  # the features over the plane
    samples = traitlets.Dict().tag(sync=True)  # a few points of each data set
    engine = traitlets.Enum(program.ENGINES, "torch").tag(sync=True)
    speed = traitlets.Int(100).tag(sync=True)
    keep = traitlets.Bool(False).tag(sync=True)  # do layers keep their weights?

    _live: Picture | None = None  # the newest, and that of the step rewound to
    _past: Picture | None = None
    _due = 0.0  # when the next picture of a training under way may be made

    def __init__(self, choices: Choices, *, start: bool = False, lang: str | None = None) -> None:
        self._choices = choices
        _end_what_this_cell_started()
        self._publisher: Publisher | None = None
        self._run = Run(self._choices, self._news, speed=100)
        self._begin_anew()
        super().__init__(TimeCursor(self._run.recording), lang=lang, samples=_samples())
        self.commands |= {
            "choose": lambda changes: self.choose(**changes),
            "play": self.play,
            "pause": self.pause,
            "step": self.step,
            "reset": self.reset,
            "weight": self.set_weight,
            "pace": self._on_pace,
            "keep": self._on_keep,
            "engine": self._on_engine,
        }
        self._show_run()
        _remember(self)
        if start:
            self.play()

    # What a learner does, also from Python

    def choose(self, **changes: Any) -> PlaygroundView:
        """Change some of the choices, as `labtorch_widgets.playground` takes them.

        A learning rate acts with the next step; all else starts the training anew, which goes on
        if it was going on. Raises ValueError for a choice that is not possible.
        """
        with self._lock:
            choices = self._choices.changed(changes)
            if choices == self._choices:
                return self
            self._choices, before = choices, self._choices
            if set(changes) == {"lr"} and not self._run.loop.ended.is_set():
                self._run.loop.learning_rate = choices.lr
                self._run.choices = choices
                if self._run.done:
                    self._notes["rate"] = {"step": self._run.done, "value": choices.lr}
                self._write()
                self.refresh(now=True)
            elif _ran_by(choices) != _ran_by(before):
                self._restart(play=self._run.loop.state == "running")
            else:
                self._write()
        return self

    def play(self) -> None:
        """Train on; after an end (a loss that is no number), from the beginning."""
        with self._lock:
            if self._run.loop.ended.is_set():
                self._restart(play=True)
            elif self._run.trainable:
                self._run.loop.resume()

    def pause(self) -> None:
        """Freeze at the end of the step under way."""
        self._run.loop.pause()
        self._run.hurry()

    def step(self) -> None:
        """Do exactly one step, and pause."""
        with self._lock:
            if self._run.loop.ended.is_set():
                self._restart(play=False)
            if self._run.trainable:
                self._run.loop.step_once()
                self._run.hurry()

    def reset(self) -> None:
        """Run the program from its beginning, and wait to train."""
        self._restart(play=False)

    def set_weight(self, layer: int, unit: int, source: int | None, value: float) -> None:
        """Write one weight between two steps: from `source` to `unit` of a layer, counted from 0.

        `source` None is the bias. Raises IndexError for a weight that is not there, ValueError for
        a value that is no finite number.
        """
        numbers = (layer, unit, *(() if source is None else (source,)))
        if any(isinstance(each, bool) or not isinstance(each, int) for each in numbers):
            raise IndexError(f"layers, units and weights are counted, not {numbers}")
        if isinstance(value, bool) or not abs(float(value)) < 1e6:
            raise ValueError(f"a weight is a number within a million of zero, not {value!r}")
        with self._lock:
            self._run.write(layer, unit, source, float(value))
            self._notes["edits"] = {"count": self._notes.get("edits", {"count": 0})["count"] + 1}
            self._live = None
            self.refresh(now=True)

    def close(self) -> None:
        self._run.end()
        super().close()

    # What is to be known

    @property
    def code(self) -> str:
        """The program that is shown, as PyTorch runs it."""
        return program.text(program.write(self._choices))

    @property
    def state(self) -> str:
        """The choices as one line, which `labtorch_widgets.playground(state=...)` takes back."""
        return self._choices.text()

    @property
    def model(self) -> Any:
        """The model that trains now: another one after each change of what it is made of."""
        return self._run.model

    @property
    def recording(self) -> Recording:
        """Everything kept of the training so far."""
        return self._run.recording

    @property
    def losses(self) -> dict[str, float | None]:
        """The loss over all points to train on, and over those to test on, of what is shown."""
        picture, _ = self._picture(now=True)
        return dict(zip(LOSSES, picture.losses))

    @property
    def step_count(self) -> int:
        """How many steps have been done."""
        return self._run.done

    @property
    def training(self) -> str:
        """ "running", "paused", "stopped" or "error" (which a loss that is no number is, too)."""
        return self._run.loop.state

    # What the browser draws

    def make_frame(self) -> dict[str, Any]:
        run, loop = self._run, self._run.loop
        picture, missing = self._picture()
        return plain(
            {
                "state": loop.state,
                "trainable": run.trainable,
                "count": run.done,
                "shown": picture.step,
                "missing": missing,
                "time": self.cursor.span(),
                "speed": loop.steps_per_second if loop.state == "running" else None,
                "losses": dict(zip(LOSSES, picture.losses)),
                "accuracies": dict(zip(LOSSES, picture.accuracies)),
                "history": [history.points(POINTS) for history in self._history],
                "layers": [
                    {"weights": weights.tolist(), "biases": biases.tolist()}
                    for weights, biases in zip(picture.weights, picture.biases)
                ],
                "units": [
                    {"maps": coded(units), "limit": limit(units), "dead": dead.tolist()}
                    for units, dead in zip(picture.units, picture.dead)
                ],
                "output": coded(picture.output, 1.0)
                if self._choices.regression
                else coded(np.tanh(picture.output / 2), 1.0),
                "alarm": self._alarm(),
                "notes": self._notes,
            },
            digits=4,
        )

    def still(self) -> str:
        picture, _ = self._picture(now=True)
        return draw(picture, self.points, self._choices, self.code, self.language)

    def summary(self) -> str:
        return f"Playground({self.state!r})"

    def _picture(self, *, now: bool = False) -> tuple[Picture, bool]:
        """The network at the cursor's step, and whether its weights were missing there.

        Of a training under way a picture is made again only after a while, unless `now`.
        """
        with self._lock:
            if not self.cursor.live and (step := self.cursor.step) is not None:
                if self._past is None or self._past.step != step:
                    with contextlib.suppress(LookupError):
                        if (parameters := self._run.recorded(step)) is not None:
                            self._past = self._run.picture(step, parameters)
                if self._past is not None and self._past.step == step:
                    return self._past, False
                return self._present(now), True
            return self._present(now), False

    def _present(self, now: bool) -> Picture:
        run, live = self._run, self._live
        if live is not None and live.step == run.done and run.loop.state != "running":
            return live
        begun = time.monotonic()
        if live is None or now or begun >= self._due or run.loop.state != "running":
            live = self._live = run.picture(*run.parameters())
            finished = time.monotonic()
            self._due = begun + max(EVERY, (finished - begun) / SHARE)
            for history, loss in zip(self._history, live.losses):
                if loss is not None and (history.last is None or history.last[0] < live.step):
                    history.append(live.step, loss)
        return live

    def _alarm(self) -> dict[str, Any] | None:
        loop = self._run.loop
        if loop.error is not None:
            error = loop.error
            return {"kind": "fault", "message": f"{type(error).__name__}: {error}"}
        if loop.nonfinite:
            return {"kind": "diverged", "step": self._run.done}
        return None

    # From one run to the next

    def _restart(self, *, play: bool) -> None:
        with self._lock:
            old = self._run
            old.end()
            self._run = Run(
                self._choices,
                self._news,
                speed=self.speed or None,
                previous=old if self.keep else None,
            )
            self._begin_anew()
            if self._run.kept:
                self._notes["kept"] = {"count": self._run.kept}
            self.cursor.recording = self._run.recording
            self._show_run()
            self.cursor.move(None)
            if play and self._run.trainable:
                self._run.loop.resume()

    def _begin_anew(self) -> None:
        self._history = (History(), History())
        self._notes: dict[str, dict[str, Any]] = {}  # what happened that the program does not say
        self._live = self._past = None
        self._due = 0.0

    def _show_run(self) -> None:
        features = self._run.inputs()
        limits = [limit(each) for each in features]
        self._write()
        self.update(
            points=self._run.points(),
            inputs={"names": list(self._choices.features), "maps": coded(features, limits)},
        )
        self.refresh(now=True)
        self._publisher = Publisher(self.cursor, self._run.loop.ended.is_set)

    def _write(self) -> None:
        self.update(
            choices=plain(self._choices.plain(), digits=7) | {"text": self.state},
            lines=[list(line) for line in program.write(self._choices, self.engine)],
        )

    def _news(self) -> None:
        if self._publisher is not None:
            self._publisher.news.set()

    # Messages from the browser

    def _on_pace(self, speed: int) -> None:
        if speed not in SPEEDS:
            raise ValueError(f"there are {SPEEDS} steps a second, not {speed!r}")
        self.update(speed=speed)
        self._run.speed = speed or None
        self._run.hurry()

    def _on_keep(self, on: bool) -> None:
        self.update(keep=on is True)

    def _on_engine(self, name: str) -> None:
        self.update(engine=name)
        self._write()


def _ran_by(choices: Choices) -> Choices:
    """The choices that the program is made of: unused points and penalties make no difference."""
    if choices.data != "drawn":
        choices = choices.changed({"points": ()})
    else:
        choices = choices.changed({"noise": 0})
    return choices.changed({"strength": 0}) if choices.penalty == "none" else choices


def _samples() -> dict[str, list[list[float]]]:
    """A few points of each data set that is generated, to choose by."""
    made = {name: sample(Choices(data=name)) for name in DATA if name not in program.UNSAMPLED}
    return {name: points[:: max(1, len(points) // 60)] for name, points in made.items()}


def limit(values: np.ndarray) -> float:
    """The largest finite magnitude; 1 where there is none."""
    sizes = np.abs(values[np.isfinite(values)])
    return float(sizes.max()) if sizes.size and sizes.max() > 0 else 1.0


def coded(values: np.ndarray, most: float | list[float] | None = None) -> str:
    """A byte each, in base64: -127 to 127 for minus to plus the limit, -128 for no number."""
    top = np.asarray(limit(values) if most is None else most, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        share = values / top.reshape(-1, *[1] * (values.ndim - 1)) if top.ndim else values / top
        levels = np.where(np.isnan(values), -128, np.clip(np.round(share * 127), -127, 127))
    return base64.b64encode(levels.astype(np.int8).tobytes()).decode()


# Which playground each cell showed, so that a cell that runs again leaves no thread behind.
_started: dict[str, weakref.ref[PlaygroundView]] = {}


def _end_what_this_cell_started() -> None:
    cell, _ = running_cell() or (None, None)
    view = _started[cell]() if cell in _started else None
    if view is not None:
        view._run.end()


def _remember(view: PlaygroundView) -> None:
    cell, _ = running_cell() or (None, None)
    if cell is not None:
        _started[cell] = weakref.ref(view)
