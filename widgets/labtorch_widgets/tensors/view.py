"""The widget that shows tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.observe import look

from ..shared.arrays import Wish, slab
from ..shared.cursor import TimeCursor
from ..shared.live import at_the_end_of_cells
from ..shared.numbers import number
from ..shared.source import Finished
from ..shared.view import View, bundle
from .still import draw

CELLS = 96  # of one memory that are shown at once
MOST_PLACED = 1 << 18  # elements: of a larger tensor the places in memory are not listed


class _NoSteps(Finished):
    """The recording behind a view of tensors: there is none."""

    steps: list[int] = []
    losses: list[tuple[int, float]] = []
    step_count = 0

    def graph(self, step: int = -1) -> Any:
        raise LookupError("tensors have no steps")

    snapshot = graph


class TensorsView(View):
    """Tensors, or the broadcasting of shapes: see `labtorch_widgets.tensors` and `broadcast`."""

    _esm = bundle("tensors.js")
    _css = bundle("tensors.css")

    def __init__(
        self,
        named: list[tuple[str, Any]] | None = None,
        *,
        shapes: list[tuple[str, list[int]]] | None = None,
        lang: str | None = None,
    ) -> None:
        self._named, self._shapes = named or [], shapes or []
        self._wishes: dict[int, Wish] = {}
        self._starts: dict[int, int] = {}  # of each memory, the first cell shown
        super().__init__(TimeCursor(_NoSteps()), lang=lang)
        self.commands |= {"window": self._on_window, "strip": self._on_strip}
        self.refresh(now=True)
        at_the_end_of_cells(self.read_again)

    def read_again(self) -> None:
        """Show the tensors as they are now."""
        self.refresh(now=True)

    def make_frame(self) -> dict[str, Any]:
        seen = look.look(self._named)
        tensors = [
            {**each, "slab": slab(look.values(tensor), self._wishes.get(at))}
            for at, (each, (_, tensor)) in enumerate(zip(seen, self._named))
        ]
        return {
            "time": self.cursor.span(),
            "tensors": tensors,
            "memories": [self._memory(storage, seen) for storage in _storages(seen)],
            "broadcast": self._broadcast(),
        }

    def still(self) -> str:
        with self._lock:
            return draw(self.frame, self.language)

    def summary(self) -> str:
        names = [name for name, _ in (*self._named, *self._shapes)]
        return f"TensorsView({', '.join(names)})"

    # Inside

    def _memory(self, storage: int, seen: list[look.Look]) -> dict[str, Any]:
        """A window on the memory that some tensors lie in, and where they lie there."""
        members = [at for at, each in enumerate(seen) if each["storage"] == storage]
        size = max(seen[at]["storage_size"] for at in members)
        start = max(0, min(self._starts.get(storage, 0), size - CELLS))
        stop = min(size, start + CELLS)
        first = members[0]
        cells = look.memory(self._named[first][1], start, stop)
        return {
            "storage": storage,
            "size": size,
            "dtype": seen[first]["dtype"],
            "nbytes": size * seen[first]["itemsize"],
            "start": start,
            "stop": stop,
            "cells": [_cell(value) for value in cells],
            "members": members,
            "places": [_places(seen[at], start, stop) for at in members],
        }

    def _broadcast(self) -> dict[str, Any] | None:
        if not self._shapes:
            return None
        found = look.broadcast(*(shape for _, shape in self._shapes))
        return {**found, "names": [name for name, _ in self._shapes]}

    def _on_window(self, of: int, at: Any, row: Any, column: Any) -> None:
        with self._lock:
            if 0 <= int(of) < len(self._named):
                self._wishes[int(of)] = Wish.of(at, row, column)
                self.refresh(now=True)

    def _on_strip(self, storage: int, start: int) -> None:
        with self._lock:
            self._starts[int(storage)] = int(start)
            self.refresh(now=True)


def _storages(seen: list[look.Look]) -> list[int]:
    return sorted({each["storage"] for each in seen})


def _cell(value: Any) -> Any:
    if isinstance(value, np.bool_ | np.integer):
        return int(value)
    return number(float(abs(value) if isinstance(value, np.complexfloating) else value), 4)


def _places(seen: look.Look, start: int, stop: int) -> list[list[int]] | None:
    """Of the cells from `start` to `stop` that the tensor shows: [cell, first element, how many].

    Elements are counted in the tensor's own order, row by row.
    """
    if int(np.prod(seen["shape"], dtype=np.int64)) > MOST_PLACED:
        return None
    places = np.full(seen["shape"], seen["offset"], np.int64)
    for axis, (size, stride) in enumerate(zip(seen["shape"], seen["strides"])):
        along = [-1 if d == axis else 1 for d in range(len(seen["shape"]))]
        places += (np.arange(size) * stride).reshape(along)
    flat = places.ravel()
    cells, first, count = np.unique(flat, return_index=True, return_counts=True)
    inside = (cells >= start) & (cells < stop)
    return np.stack([cells, first, count], axis=1)[inside].tolist()
