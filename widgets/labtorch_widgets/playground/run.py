"""One run of a playground's program: its training, and what its network makes of the plane."""

from __future__ import annotations

import copy
import importlib
import itertools
import linecache
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..shared.source import Recording
from ..training.loop import TrainingLoop
from ..training.plan import Plan
from . import program
from .choices import HALF, Choices

FINE, COARSE = 75, 25  # cells along the plane's side: of the output, of each unit
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Picture:
    """What a network is and does with the weights of one moment."""

    step: int  # updates made so far
    weights: list[np.ndarray]  # per layer: [units, inputs]
    biases: list[np.ndarray]
    units: list[np.ndarray]  # per hidden layer: [units, COARSE, COARSE]; row 0 is the top, x2 = 6
    dead: list[np.ndarray]  # per hidden layer: is the unit 0 at every training point?
    output: np.ndarray  # [FINE, FINE]
    losses: tuple[float | None, float | None]  # over all points to train and to test on
    accuracies: tuple[float | None, float | None]  # None for a regression


class Run:
    """Executes the program's text as it stands (but for the name of the engine) and trains it.

    The program's `step()` is called by a TrainingLoop; whoever wants to read or write the
    weights meanwhile does it inside `between_steps()`. Pictures are computed by a copy of the model
    in the thread that asks: the training waits for a copy of the weights, no more.
    """

    def __init__(
        self,
        choices: Choices,
        changed: Callable[[], None],
        *,
        speed: float | None = None,
        previous: Run | None = None,
    ) -> None:
        from labtorch import observe

        self.choices = choices
        self.namespace = _execute(program.text(program.write(choices, "labtorch")))
        self.model: Any = self.namespace["model"]
        self.kept = _take_over(self.model, previous.model) if previous is not None else 0
        self._shadow = copy.deepcopy(self.model)
        self._turn, self._door, self._guests = threading.RLock(), threading.Lock(), 0
        self._wake = threading.Event()
        self._due = 0.0
        self.speed = speed  # steps a second; None: as many as there can be
        self.done = 0  # updates made
        # the beginning is where a learner looks back to: let a tenth of a second go for it
        session = observe.Session(budget=0.03, head_start=0.1)
        self.recording: Recording = session.recording
        self.recording.look_into(parameters=True)
        self.loop = TrainingLoop(
            self._step,
            optimizer=self.namespace["optimizer"],
            plan=Plan(),
            start=False,
            session=session,
            changed=changed,
        )
        self.loop.begin()
        self._inputs = self._features(_plane(FINE)), self._features(_plane(COARSE))

    @property
    def trainable(self) -> bool:
        """Is there a point to learn from?"""
        return len(self.namespace["train"]) > 0

    def hurry(self) -> None:
        """Wait no longer for the next step's time."""
        self._wake.set()

    def end(self) -> None:
        """Stop training for good."""
        self.loop.stop()
        self.hurry()
        self.loop.ended.wait(5)

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """No step is under way inside."""
        with self._door:
            self._guests += 1  # the training, which is always at the turn first, stands back
        try:
            with self._turn:
                yield
        finally:
            with self._door:
                self._guests -= 1

    def write(self, layer: int, unit: int, source: int | None, value: float) -> None:
        """Set one weight of a layer, or (source None) its bias. Raises IndexError for none."""
        if min(layer, unit, source or 0) < 0:
            raise IndexError("layers, units and weights count from 0")
        linear = _linears(self.model)[layer]
        with self.between_steps():
            if source is None:
                linear.bias.detach().numpy()[unit] = value
            else:
                linear.weight.detach().numpy()[unit, source] = value

    def parameters(self) -> tuple[int, dict[str, np.ndarray]]:
        """The updates made, and copies of the parameters of exactly then."""
        with self.between_steps():
            return self.done, {
                name: parameter.detach().numpy().copy()
                for name, parameter in self.model.named_parameters()
            }

    def recorded(self, step: int) -> dict[str, np.ndarray] | None:
        """The parameters that `step` began with, where they were recorded."""
        found = {}
        for node in self.recording.graph(step)["nodes"]:
            if node["kind"] == "parameter":
                captured = self.recording.arrays(node["id"], step)
                if captured is not None and captured.outputs[0] is not None:
                    found[node["name"]] = captured.outputs[0]
        names = [name for name, _ in self.model.named_parameters()]
        return {name: found[name] for name in names} if set(names) <= set(found) else None

    def picture(self, step: int, parameters: dict[str, np.ndarray]) -> Picture:
        """What the network with these parameters makes of the plane and of the points."""
        from labtorch import observe

        torch, space = self.namespace["torch"], self.namespace
        with observe.unwatched(), torch.no_grad(), np.errstate(all="ignore"):
            for name, parameter in self._shadow.named_parameters():
                parameter.copy_(torch.tensor(parameters[name]))
            fine, coarse = (self._layers(inputs) for inputs in self._inputs)
            parts = [self._layers(space["x"][space[part]]) for part in ("train", "test")]
            outputs = [part[-1] for part in parts]
            wanted = [space["labels"][space[part]] for part in ("train", "test")]
            losses = [
                space["criterion"](output, labels).item() if len(labels) else None
                for output, labels in zip(outputs, wanted)
            ]
            right = [
                ((output > 0) == (labels > 0.5)).float().mean().item() if len(labels) else None
                for output, labels in zip(outputs, wanted)
            ]
        linears = _linears(self._shadow)
        relu = self.choices.activation == "ReLU"
        seen = [np.asarray(each.numpy()) for each in parts[0][:-1]]
        return Picture(
            step=step,
            weights=[linear.weight.detach().numpy().copy() for linear in linears],
            biases=[linear.bias.detach().numpy().copy() for linear in linears],
            units=[each.numpy().T.reshape(-1, COARSE, COARSE) for each in coarse[:-1]],
            dead=[relu & (len(each) > 0) & (each == 0).all(0) for each in seen],
            output=fine[-1].numpy().reshape(FINE, FINE),
            losses=(losses[0], losses[1]),
            accuracies=(None, None) if self.choices.regression else (right[0], right[1]),
        )

    def inputs(self) -> np.ndarray:
        """The features over the plane: [features, COARSE, COARSE]."""
        return self._inputs[1].numpy().T.reshape(-1, COARSE, COARSE)

    def points(self) -> list[list[float]]:
        """[x1, x2, label, 1 if it is tested on] per point."""
        space = self.namespace
        tested = np.zeros(len(space["points"]))
        tested[space["test"].numpy()] = 1
        table = np.concatenate([space["points"].numpy(), space["labels"].numpy()], 1)
        return np.round(np.column_stack([table, tested]), 3).tolist()

    def _features(self, points: np.ndarray) -> Any:
        tensor = self.namespace["torch"].tensor(points)
        features = self.namespace.get("features")
        return tensor if features is None else features(tensor)

    def _layers(self, inputs: Any) -> list[Any]:
        """What each layer hands on: the activations of the hidden ones, then the output."""
        found: list[Any] = []
        for module in self._shadow:
            inputs = module(inputs)
            if hasattr(module, "weight"):
                found.append(inputs)
            else:
                found[-1] = inputs
        return found

    def _step(self) -> Any:
        """The program's step, in its time, with the turn taken."""
        if self.speed is not None and self._due > (now := time.monotonic()):
            self._wake.wait(self._due - now)
        self._wake.clear()
        while self._guests:
            time.sleep(2e-4)
        with self._turn:
            loss = self.namespace["step"]()
            self.done += 1
        if self.speed is not None:
            now = time.monotonic()
            self._due = max(self._due, now - 0.1) + 1 / self.speed
        return loss


def sample(choices: Choices) -> list[list[float]]:
    """The points of a data set, without training anything."""
    lines = [
        line
        for line, part in program.write(choices, "labtorch")
        if part in ("engine", "seed", "data", "noise")
    ]
    space = _execute("\n".join(lines))
    table = np.concatenate([space["points"].numpy(), space["labels"].numpy()], 1)
    return np.round(table, 2).tolist()


def _execute(text: str) -> dict[str, Any]:
    """Run the text as a module of its own, without touching the learner's random numbers.

    Its lines can be looked up, so that other views show the line behind an op.
    """
    from labtorch import observe

    name = f"playground-{next(_numbers)}.py"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "playground"}
    # the engine by the name that the text imports it by: views know nothing else of it
    with observe.unwatched(), importlib.import_module("labtorch").random.fork_rng():
        exec(compile(text, name, "exec"), namespace)
    return namespace


def _linears(model: Any) -> list[Any]:
    return [module for module in model if hasattr(module, "weight")]


def _take_over(model: Any, previous: Any) -> int:
    """Give the layers the weights that the same layers of `previous` have; how many there were."""
    kept = 0
    for new, old in zip(_linears(model), _linears(previous)):
        arrays = [
            (getattr(new, n).detach().numpy(), getattr(old, n).detach().numpy()) for n in PAIR
        ]
        if all(a.shape == b.shape and np.isfinite(b).all() for a, b in arrays):
            for mine, theirs in arrays:
                mine[...] = theirs
            kept += 1
    return kept


PAIR = ("weight", "bias")


def _plane(cells: int) -> np.ndarray:
    """The middles of the plane's cells, row by row from the top left."""
    places = (np.arange(cells, dtype=np.float32) + 0.5) / cells * 2 * HALF - HALF
    x1, x2 = np.meshgrid(places, -places)
    return np.stack([x1.ravel(), x2.ravel()], 1)
