"""The opened node, looked into: its arrays, an element of each with its numbers, its gradient
checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labtorch.observe.check import check

from ..shared.arrays import Wish, slab
from ..shared.formula import mathml, pieces
from ..shared.numbers import plain
from . import substitution
from .evidence import Evidence, gather

LIMIT = 1 << 18  # bytes of each array: many steps of them have to fit into the recording
VALUE, GRADIENT = "value", "grad"  # and, by its name, each argument that a gradient went back to


class Inspection:
    """A lens on one node, windows on its arrays, and the element of each that was picked."""

    def __init__(self, recording: Any, step: int | None, node: int) -> None:
        self._recording = recording
        self._lens: Any = None
        if step is not None:
            try:
                self._lens = recording.look_into(node=node, step=step, limit=LIMIT)
            except LookupError:  # the step is under way, or was let go
                pass
            else:
                recording.measure_next()
        self._wishes: dict[str, Wish] = {}
        self._picked: dict[str, list[int]] = {}
        self._shown: set[str] = set()  # arguments whose gradient is to be seen, too
        self._lines: tuple[Any, dict[str, Any]] = (None, {})
        self._asked = False
        self._checked: dict[str, Any] | None = None

    def close(self) -> None:
        """Have no more arrays kept."""
        if self._lens is not None:
            self._lens.close()
            self._lens = None

    # What a learner does

    def window(self, of: str, at: Any, row: Any, column: Any) -> None:
        self._wishes[str(of)] = Wish.of(at, row, column)

    def pick(self, of: str, index: Any) -> None:
        if not isinstance(index, list | tuple) or len(index) > 64:
            raise TypeError(f"index is a list of numbers, not {index!r:.60}")
        self._picked[str(of)] = [int(i) for i in index]
        self._lines = (None, {})

    def show(self, of: str, shown: Any) -> None:
        (self._shown.add if shown else self._shown.discard)(str(of))

    def ask(self) -> None:
        """Check the gradient, now or as soon as the arrays are there."""
        self._asked, self._checked = True, None
        self._recording.measure_next()

    # What is to be seen

    def frame(self, step: int, graph: Any, snapshot: Any, node: int) -> dict[str, Any]:
        given = gather(self._recording, step, graph, snapshot, node)
        shape = graph["nodes"][node]["shape"]
        sent = {
            name: self._slab(name, array, given.shapes.get(name))
            for name, array in given.gradients.items()
            if name in self._shown
        }
        return {
            "arrays": {
                VALUE: self._slab(VALUE, given.output, shape),
                GRADIENT: self._slab(GRADIENT, given.cotangent, shape),
                **sent,
            },
            "picks": {name: list(at) for name, at in self._picks(given).items()},
            "lines": self._numbers(step, graph["key"], graph["nodes"][node]["name"], given),
            "sent": list(given.gradients),
            "whole": given.captured is not None,
            "check": self._check(step, given),
        }

    def _slab(self, of: str, array: Any, shape: Any) -> dict[str, Any] | None:
        return None if array is None else slab(array, self._wishes.get(of), shape)

    def _picks(self, given: Evidence) -> dict[str, Sequence[int]]:
        """The element picked of each array; the first one where none was, or it is not there."""
        arrays = {VALUE: given.output, **given.gradients}
        picks: dict[str, Sequence[int]] = {}
        for name, array in arrays.items():
            if array is None or not array.size:
                continue
            at = self._picked.get(name, [])
            fits = len(at) == array.ndim and all(0 <= i < n for i, n in zip(at, array.shape))
            picks[name] = at if fits else [0] * array.ndim
        return picks

    def _numbers(self, step: int, key: str, op: str, given: Evidence) -> dict[str, Any]:
        """The formulas with numbers, by what they are of; made anew only after a change."""
        picks = self._picks(given)
        marker = (step, key, str(picks), given.cotangent is None, given.captured is None)
        if self._lines[0] != marker:
            lines = {
                name: _written(
                    substitution.forward(op, given, at)
                    if name == VALUE
                    else substitution.backward(op, given, name, at)
                )
                for name, at in picks.items()
            }
            self._lines = (marker, {name: line for name, line in lines.items() if line})
        return self._lines[1]

    def _check(self, step: int, given: Evidence) -> dict[str, Any] | None:
        """What checking found, or why there is nothing yet."""
        ready = given.captured is not None and bool(given.gradients)
        if self._asked and ready:
            self._asked = False
            self._checked = {"step": step, "inputs": plain(check(given.captured, given.shapes))}
        if self._asked:
            return {"step": step, "inputs": None, "over": self._recording.thread is None}
        return self._checked


def _written(line: dict[str, Any] | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return line | {
        "value": plain(line["value"], 9),
        # a sign that begins a line stands between two things all the same
        "pieces": [mathml("{} " * (i > 0) + it) for i, it in enumerate(pieces(line["latex"]))],
    }
