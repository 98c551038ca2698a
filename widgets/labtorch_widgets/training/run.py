"""What is known of one training, apart from the training itself: its lines, epochs and edits.

It outlives the model and the recording, so that a later training can be compared with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from .history import History
from .metrics import MOST, falls

State = Literal["running", "paused", "done", "stopped", "error"]
EXACT = 4096  # steps whose numbers are kept as they were
EDITS = 50

_number = count(1).__next__


@dataclass(frozen=True)
class Edit:
    """A number of a parameter that the learner changed; `step` is the first to use it."""

    step: int
    name: str
    index: tuple[int, ...]
    before: float
    after: float
    undoes: bool


class Run:
    """The lines of one training; its thread writes, views read."""

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.key = f"run{_number()}"
        self.state: State = "running"
        self.count = 0  # steps done
        self.first = 0  # the number that the recording gave the first of them
        self.training: dict[str, History] = {}
        self.validation: dict[str, History] = {}
        self.epochs: list[int] = []  # the step that each epoch began with
        self.edits: list[Edit] = []
        self._exact: dict[int, tuple[dict[str, float], float | None]] = {}

    def add(self, step: int, values: dict[str, float], rate: float | None) -> None:
        """Step `step` of the recording had these metrics, and this learning rate."""
        if self.count == 0:
            self.first = step
        self._write(self.training, step, values)
        self._exact[step] = (values, rate)
        if len(self._exact) > EXACT:
            # every second one of the older half goes: a rewound cursor still finds one close by
            old = list(self._exact)[: EXACT // 2]
            for each in old[1::2]:
                del self._exact[each]
        self.count += 1

    def validated(self, step: int, values: dict[str, float]) -> None:
        """After step `step` the validation had these metrics."""
        self._write(self.validation, step, values)

    @staticmethod
    def _write(lines: dict[str, History], step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            if name in lines or len(lines) < MOST:
                lines.setdefault(name, History()).append(step, value)

    def edited(self, edit: Edit) -> None:
        self.edits = [*self.edits, edit][-EDITS:]

    def at(self, step: int) -> tuple[dict[str, float], float | None]:
        """The metrics of `step` and its learning rate; none where they are not kept any more."""
        return self._exact.get(step, ({}, None))

    @property
    def metrics(self) -> list[str]:
        """Their names, the loss first."""
        return [*dict.fromkeys([*self.training, *self.validation])]

    def lines(self) -> Iterator[tuple[str, Literal["training", "validation"], History]]:
        for name, history in [*self.training.items()]:
            yield name, "training", history
        for name, history in [*self.validation.items()]:
            yield name, "validation", history

    def best(self, name: str, history: History) -> tuple[int, float] | None:
        return history.lowest if falls(name) else history.highest

    def table(self) -> list[dict[str, Any]]:
        """Final and best value of every line."""
        return [
            {
                "metric": name,
                "part": part,
                "final": history.last,
                "best": self.best(name, history),
            }
            for name, part, history in self.lines()
        ]
