"""A few numbers of every layer in every kept step, each step read once."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from .layers import Layer, Layers

PARAMETERS = ("grad", "relative", "update")
ACTIVATIONS = ("gradient", "zeros", "std")
MEAN, STD, MIN, MAX, NORM, ZEROS, NAN, INF = range(8)  # of a tuple of moments
COLUMNS = 240  # that a chart can tell apart, and that a message may hold
BINS = 96  # of a distribution, over both signs of the gradients' scale

Numbers = dict[str, tuple[float, ...]]  # by a layer's key; NaN: not finite, -1: not there


class History:
    """What the charts are drawn from, in the order of the steps."""

    def __init__(self, recording: Any) -> None:
        self.recording = recording
        self._layers: dict[str, Layers] = {}
        self._read: dict[int, tuple[Layers, Numbers, Numbers]] = {}

    def layers(self, graph: Any) -> Layers:
        """The rows of a graph; worked out once."""
        from labtorch.observe import doctor

        known = self._layers.get(graph["key"])
        if known is None:
            if len(self._layers) > 64:
                self._layers.clear()
            known = self._layers[graph["key"]] = Layers(graph, doctor.ACTIVATIONS)
        return known

    def catch_up(self, seconds: float = math.inf) -> bool:
        """Read the steps that are new, the newest first, for about `seconds`; is all read?"""
        kept = set(steps := self.recording.steps)
        for step in [step for step in self._read if step not in kept]:
            del self._read[step]
        until = time.perf_counter() + seconds
        for step in reversed(steps):
            if step in self._read:
                continue
            if time.perf_counter() > until:
                return False
            self._add(step)
        return True

    def _add(self, step: int) -> None:
        from labtorch.observe import series

        try:
            graph = self.recording.graph(step)
            moments = series.moments(self.recording, step)
        except LookupError:  # let go meanwhile
            return
        layers = self.layers(graph)
        if not moments["value"]:
            return
        self._read[step] = (
            layers,
            {layer.key: of_parameters(layer, moments) for layer in layers.parameters},
            {layer.key: of_output(layer, moments) for layer in layers.activations},
        )

    def series(self, statistic: str, window: int) -> dict[str, Any]:
        """A statistic of all layers over the last `window` steps (0: all), thinned to COLUMNS.

        `matrix` has a row a layer; -1 stands where a layer was not there or not measured. A column
        of several steps shows the largest value in them, so that no spike is lost.
        """
        activations = statistic in ACTIVATIONS
        which = (ACTIVATIONS if activations else PARAMETERS).index(statistic)
        steps = sorted(self._read)[-window:] if window else sorted(self._read)
        names: dict[str, str] = {}
        for step in steps[-8:]:  # a layer that is gone for long has no line
            layers = self._read[step][0]
            for layer in layers.activations if activations else layers.parameters:
                names.setdefault(layer.key, layer.name)
        matrix = np.full((len(names), len(steps)), -1.0, np.float32)
        rows = {key: row for row, key in enumerate(names)}
        for column, step in enumerate(steps):
            _, of_modules, of_ops = self._read[step]
            for key, numbers in (of_ops if activations else of_modules).items():
                if key in rows:
                    matrix[rows[key], column] = numbers[which]
        per = max(1, -(-len(steps) // COLUMNS))
        if per > 1:
            starts = range(0, len(steps), per)
            matrix = np.maximum.reduceat(matrix, starts, axis=1)
            steps = [steps[min(start + per, len(steps)) - 1] for start in starts]
        return {"keys": list(names), "names": list(names.values()), "steps": steps, "per": per,
                "matrix": matrix}  # fmt: skip

    def distribution(self, key: str, part: str, of: str, window: int) -> dict[str, Any] | None:
        """How a tensor's elements were spread in each step, on the gradients' scale, as shares."""
        from labtorch.observe import series

        from ..shared.colour import symlog

        steps = sorted(self._read)[-window:] if window else sorted(self._read)
        every = max(1, -(-len(steps) // (COLUMNS // 2)))
        chosen = steps[::-every][::-1]
        columns: list[np.ndarray] = []
        kept: list[int] = []
        for step in chosen:
            layers = self._read[step][0]
            layer = next((each for each in layers.parameters + layers.activations
                          if each.key == key and part in each.nodes), None)  # fmt: skip
            if layer is None:
                continue
            try:
                histogram = series.histogram(self.recording, step, layer.nodes[part], of)
            except LookupError:
                continue
            column = np.zeros(BINS, np.float32)
            if histogram is not None:
                edges = np.array([symlog(edge) for edge in histogram["edges"]])
                _spread(column, edges, np.array(histogram["counts"], float))
            columns.append(column)
            kept.append(step)
        if not columns:
            return None
        return {"steps": kept, "matrix": np.array(columns, np.float32).T}


def _spread(column: np.ndarray, edges: np.ndarray, counts: np.ndarray) -> None:
    """Put a histogram's shares into the bins of the scale from -1 to 1, evenly within each bin."""
    grid = np.linspace(-1, 1, BINS + 1)
    total = np.concatenate([[0.0], np.cumsum(counts)]) / max(1.0, counts.sum())
    column += np.diff(np.interp(grid, edges, total)).astype(np.float32)


def of_parameters(layer: Layer, moments: Any) -> tuple[float, float, float]:
    """|gradient|, |gradient| : |weights|, |update| : |weights| of a module's parameters."""
    sizes = {
        what: _together(moments[what][node] for node in layer.nodes.values())
        for what in ("grad", "value", "update")
    }
    weight = sizes["value"]
    return (
        sizes["grad"],
        _ratio(sizes["grad"], weight),
        _ratio(sizes["update"], weight),
    )


def of_output(layer: Layer, moments: Any) -> tuple[float, float, float]:
    """|gradient| at an op's output, the share of zeros in it, its standard deviation."""
    node = layer.nodes[""]
    value = moments["value"][node]
    if value is None:
        return _together([moments["grad"][node]]), -1.0, -1.0
    std = math.nan if value[STD] is None or value[NAN] or value[INF] else value[STD]
    return _together([moments["grad"][node]]), value[ZEROS], std


def _together(found: Any) -> float:
    """The norm of several tensors as one; NaN where one is not finite, -1 where there is none."""
    there = [each for each in found if each is not None]
    if not there:
        return -1.0
    if any(each[NAN] or each[INF] or each[NORM] is None for each in there):
        return math.nan
    return math.sqrt(sum(each[NORM] ** 2 for each in there))


def _ratio(above: float, below: float) -> float:
    if above < 0 or below < 0:
        return -1.0
    return above / below if below else -1.0
