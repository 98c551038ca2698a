"""The drawer of parameters: their numbers as they are now, and edits of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..shared.cursor import TimeCursor
from ..shared.numbers import number
from ..shared.words import word
from .run import Edit, Run

SIDE = 32  # rows and columns shown at a time


class Parameters:
    """One parameter or buffer of the newest graph, a window of at most SIDE x SIDE of it.

    Numbers are copied, and edits written, between two steps, in the thread that trains; `told` is
    called when they are there.
    """

    def __init__(self, cursor: TimeCursor, run: Run, told: Callable[[], None]) -> None:
        self._cursor, self._run, self._told = cursor, run, told
        self._lock = threading.Lock()
        self.chosen: str | None = None
        self._corner = (0, 0)
        self._lead: tuple[int, ...] = ()
        self._seen: Any = None  # what the numbers below were read for
        self._asked: Any = None
        self._values: list[list[Any]] | None = None
        self._undoable: list[Edit] = []
        self.refused: tuple[str, dict[str, Any]] | None = None  # a word's key, and its values
        self.awaited = 0  # edits that wait for the end of a step

    # What a learner does

    def choose(self, name: str) -> None:
        """Show the parameter `name`, from its first row and column."""
        self.chosen, self._lead, self._corner, self.refused = str(name), (), (0, 0), None

    def move(self, lead: list[int], row: int, column: int) -> None:
        """Show the window that begins at `row` and `column` of the matrix at `lead`."""
        self._lead, self._corner = tuple(int(i) for i in lead), (int(row), int(column))

    def edit(self, index: list[int], value: Any) -> None:
        """Write `value`, as typed, at `index` of the chosen parameter between two steps."""
        node = self._node()
        self.refused = None
        try:
            if node is None:
                raise _Refusal("edit.gone", name=self.chosen or "")
            self._write(node, _position(index, node["shape"]), parse(value, node["dtype"]))
        except _Refusal as refusal:
            self.refused = refusal.key, refusal.values

    def undo(self) -> None:
        """Write back what the last edit replaced."""
        node = None
        with self._lock:
            if self._undoable:
                last = self._undoable.pop()
                node = next((n for n in self._nodes() if n["name"] == last.name), None)
        if node is not None:
            self._write(node, last.index, last.before, undoes=True)

    # What there is to draw

    def frame(self, lang: str) -> dict[str, Any]:
        nodes = self._nodes()
        names = [n["name"] for n in nodes]
        if self.chosen not in names:
            self.chosen, self._lead, self._corner = (names[0] if names else None), (), (0, 0)
        node = self._node()
        drawn: dict[str, Any] = {
            "names": [
                {"name": n["name"], "shape": n["shape"], "dtype": n["dtype"], "kind": n["kind"]}
                for n in nodes
            ],
            "chosen": self.chosen,
            "undo": bool(self._undoable),
            "awaited": self.awaited,
            "refused": word(self.refused[0], lang, **self.refused[1]) if self.refused else None,
        }
        if node is None:
            return drawn | {"values": None, "live": True, "row": 0, "column": 0, "lead": []}
        lead, row, column, rows, columns = self._window(node["shape"])
        live = self._cursor.live
        self._ask(node, (*lead,), (row, column, rows, columns))
        return drawn | {
            "values": self._values if live else self._of_step(),
            "live": live,
            "lead": list(lead),
            "row": row,
            "column": column,
        }

    # Inside

    def _nodes(self) -> list[Any]:
        try:
            nodes = self._cursor.recording.graph(-1)["nodes"]
        except LookupError:  # nothing is recorded yet
            return []
        found = {n["name"]: n for n in nodes if n["kind"] in ("parameter", "buffer") and n["name"]}
        return [*found.values()]

    def _node(self) -> Any:
        return next((n for n in self._nodes() if n["name"] == self.chosen), None)

    def _window(self, shape: list[int]) -> tuple[list[int], int, int, int, int]:
        """The window, moved and cut to what the shape has room for."""
        height, width = ([1, 1] + list(shape))[-2:]
        outer = list(shape[:-2])
        lead = [min(max(i, 0), n - 1) for i, n in zip(self._lead, outer)]
        lead += [0] * (len(outer) - len(lead))
        row = min(max(self._corner[0], 0), max(height - SIDE, 0))
        column = min(max(self._corner[1], 0), max(width - SIDE, 0))
        return lead, row, column, min(SIDE, height), min(SIDE, width)

    def _ask(self, node: Any, lead: tuple[int, ...], window: tuple[int, int, int, int]) -> None:
        """Have the numbers read, unless nothing has happened since they were."""
        recording = self._cursor.recording
        wanted = (node["name"], lead, window, recording.step_count, len(self._run.edits))
        if wanted == self._asked:
            return
        if self._seen is None or wanted[:3] != self._seen[:3]:
            self._values = None
        self._asked = wanted
        row, column, rows, columns = window
        matrix = slice(row, row + rows), slice(column, column + columns)
        whole: tuple[int | slice, ...] = (*lead, *matrix)
        index = whole[len(whole) - len(node["shape"]) :]

        def read(future: Any) -> None:
            if not future.exception() and future.result() is not None:
                values = np.reshape(future.result(), (rows, columns)).tolist()
                self._values = [[_shown(value) for value in line] for line in values]
                self._seen = wanted
                self._told()

        try:
            recording.read(node["id"], index).add_done_callback(read)
        except LookupError:  # gone, or of a recording that is only looked at
            self._values = self._of_step()

    def _of_step(self) -> list[list[Any]] | None:
        """The numbers that the step looked at used, where its thumbnail has all of them."""
        found = self._cursor.look()
        if found is None:
            return None
        _, graph, snapshot = found
        at = next((n["id"] for n in graph["nodes"] if n["name"] == self.chosen), None)
        value = snapshot["rows"][at]["value"] if at is not None else None
        picture = value["thumbnail"] if value is not None else None
        if value is None or picture is None or not picture["exact"] or len(value["shape"]) > 2:
            return None
        glyphs = {(row, column): glyph for row, column, glyph in picture["glyphs"]}
        return [
            [glyphs.get((i, j), number(each, 6)) for j, each in enumerate(line)]
            for i, line in enumerate(picture["values"])
        ]

    def _write(
        self, node: Any, index: tuple[int, ...], value: Any, *, undoes: bool = False
    ) -> None:
        recording = self._cursor.recording
        try:
            future = recording.edit(node["id"], index, value)
        except LookupError:  # IndexError is one, too: the tensor has another shape by now
            self.refused = ("edit.gone", {"name": node["name"]})
            return
        self.awaited += 1

        def written(future: Any) -> None:
            self.awaited -= 1
            if error := future.exception():
                self.refused = ("edit.failed", {"reason": str(error)})
            else:
                before = float(future.result())
                edit = Edit(recording.step_count, node["name"], index, before, float(value), undoes)
                self._run.edited(edit)
                if not undoes:
                    with self._lock:
                        self._undoable.append(edit)
            self._told()

        future.add_done_callback(written)


class _Refusal(ValueError):
    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(word(key, "en", **values))
        self.key, self.values = key, values


def parse(value: Any, dtype: str) -> float | int | bool:
    """`value`, as typed, for a tensor of `dtype`.

    Raises ValueError, in words for the learner, for what is no number, is not finite, or does not
    fit: a fraction into integers, a number beyond the dtype's range.
    """
    said = str(value).strip().replace("−", "-")[:40]
    try:
        if isinstance(value, bool):
            raise ValueError
        parsed = float(said)
    except ValueError:
        raise _Refusal("edit.not_a_number", value=said) from None
    if not math.isfinite(parsed):
        raise _Refusal("edit.not_finite", value=said)
    if dtype.startswith(("int", "uint", "bool")):
        low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if parsed != int(parsed):
            raise _Refusal("edit.not_whole", value=said, dtype=dtype)
        if not low <= int(parsed) <= high:
            raise _Refusal("edit.too_large", value=said, dtype=dtype)
        return int(parsed)
    if dtype in ("float16", "float32") and abs(parsed) > float(np.finfo(dtype).max):
        raise _Refusal("edit.too_large", value=said, dtype=dtype)
    return parsed


def _position(index: Any, shape: list[int]) -> tuple[int, ...]:
    whole = isinstance(index, list | tuple) and all(type(i) is int for i in index)
    inside = whole and len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape))
    if not inside:
        raise _Refusal("edit.outside", index=str(index)[:40], shape=str(list(shape)))
    return tuple(index)


def _shown(value: Any) -> Any:
    if isinstance(value, bool | int):
        return int(value)
    return number(value, 6) if isinstance(value, float) else str(value)
