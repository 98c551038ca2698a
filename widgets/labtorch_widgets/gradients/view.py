"""The widget of the gradient flow."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import traitlets

from ..shared.cursor import TimeCursor
from ..shared.numbers import plain
from ..shared.view import View, bundle
from .history import ACTIVATIONS, PARAMETERS, History, of_output, of_parameters
from .layers import Layer
from .still import draw

MOST_ROWS = 200
READING = 0.03  # seconds of a frame that may go into reading older steps
BETWEEN = 0.3  # seconds between two charts, while it is live
MOMENTS = ("mean", "std", "min", "max", "norm", "zeros", "nan", "inf")
WINDOWS = (0, 200, 50)


class GradientsView(View):
    """Gradients by layer, now and over time: see `labtorch_widgets.gradients`."""

    _esm = bundle("gradients.js")
    _css = bundle("gradients.css")

    chart = traitlets.Dict().tag(sync=True)
    matrix = traitlets.Bytes(b"").tag(sync=True)  # float32, a row a layer
    spread: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    shares = traitlets.Bytes(b"").tag(sync=True)  # float32, a column a step

    def __init__(self, cursor: TimeCursor, *, lang: str | None = None) -> None:
        self.history = History(cursor.recording)
        self._what, self._statistic, self._window = "parameters", "grad", 0
        self._opened: tuple[str, str, str] | None = None  # layer, parameter, of
        self._charted = 0.0
        super().__init__(cursor, lang=lang)
        self.commands |= {
            "what": self.show,
            "statistic": self.choose,
            "window": self.look_back,
            "open": self.open_layer,
            "close": self.close_layer,
        }
        self.refresh(now=True)

    # What a learner does, also from Python

    def show(self, what: str) -> None:
        """Rows of "parameters" or of "activations"."""
        with self._lock:
            if what not in ("parameters", "activations"):
                raise ValueError(f'what must be "parameters" or "activations", not {what!r}')
            self._what = what
            self._statistic = (PARAMETERS if what == "parameters" else ACTIVATIONS)[0]
            self._opened = None
            self.refresh(now=True)

    def choose(self, statistic: str) -> None:
        """Which statistic is drawn over time: "grad", "relative" (gradient : weight) or "update"
        (: weight) of parameters; "gradient", "zeros" or "std" of activations."""
        with self._lock:
            if statistic not in PARAMETERS + ACTIVATIONS:
                raise ValueError(f"no statistic {statistic!r}: {PARAMETERS + ACTIVATIONS}")
            self._statistic = statistic
            self._what = "parameters" if statistic in PARAMETERS else "activations"
            self.refresh(now=True)

    def look_back(self, steps: int) -> None:
        """Draw the last `steps` kept steps (200 or 50), or all (0)."""
        with self._lock:
            if steps not in WINDOWS:
                raise ValueError(f"steps must be one of {WINDOWS}, not {steps!r}")
            self._window = int(steps)
            self.refresh(now=True)

    def open_layer(self, key: str, part: str = "", of: str = "grad") -> None:
        """Show the distribution over time of a layer's "grad", "value" or "update"."""
        with self._lock:
            if of not in ("grad", "value", "update"):
                raise ValueError(f"of must be grad, value or update, not {of!r}")
            self._opened = (str(key), str(part), of)
            self.refresh(now=True)

    def close_layer(self) -> None:
        """Put the distribution away."""
        with self._lock:
            self._opened = None
            self.spread = None

    # What the base asks for

    def refresh(self, *, now: bool = False) -> None:
        with self._lock:
            before = self._serial
            super().refresh(now=now)
            if self._serial == before:
                return
            complete = self.history.catch_up(READING)
            if now or time.monotonic() - self._charted > BETWEEN:
                self._chart()
            if not complete:  # the rest with the next frame, which the browser asks for
                self._shown, self._stale = None, True

    def make_frame(self) -> dict[str, Any]:
        span = self.cursor.span()
        common: dict[str, Any] = {"time": span, "what": self._what, "statistic": self._statistic}
        common |= {"window": self._window}
        found = self.cursor.look()
        if found is None:
            return common | {"rows": [], "measured": True, "hidden": 0}
        step, graph, snapshot = found
        layers = self.history.layers(graph)
        chosen = layers.parameters if self._what == "parameters" else layers.activations
        rows: Any = snapshot["rows"]
        moments = {what: [_moments(row[what]) for row in rows] for what in _OF}
        return common | {
            "time": span | {"shown": step},
            "measured": snapshot["measured"],
            "rows": [self._row(layer, rows, moments) for layer in chosen[:MOST_ROWS]],
            "hidden": max(0, len(chosen) - MOST_ROWS),
        }

    def still(self) -> str:
        with self._lock:
            self.history.catch_up()
            return draw(self.frame, self.history.series(self._statistic, 0), self.language)

    def summary(self) -> str:
        return "GradientsView()"

    # Inside

    def _row(self, layer: Layer, rows: Any, moments: Any) -> dict[str, Any]:
        ratios = of_parameters(layer, moments) if self._what == "parameters" else None
        parts = [
            {"name": name} | _part(rows[node], ratios is not None)
            for name, node in layer.nodes.items()
        ]
        whole = parts[0] if len(parts) == 1 else _whole(parts)
        numbers = ratios or of_output(layer, moments)
        row: dict[str, Any] = {
            "key": layer.key,
            "name": layer.name,
            "type": layer.type,
            "parts": parts,
        }
        row |= {"norm": numbers[0], "second": numbers[1], "third": numbers[2]}
        for name in ("norm", "second", "third"):
            if row[name] == -1:
                row[name] = None
        return plain(row | {key: whole[key] for key in _SHOWN})

    def _chart(self) -> None:
        self._charted = time.monotonic()
        data = self.history.series(self._statistic, self._window)
        matrix = data.pop("matrix")
        news: dict[str, Any] = {"chart": plain(data) | {"statistic": self._statistic}}
        news["matrix"] = matrix.astype("<f4").tobytes()
        if self._opened is not None:
            key, part, of = self._opened
            part = part or self._first_part(key)
            spread = self.history.distribution(key, part, of, self._window)
            shares = np.zeros((0, 0)) if spread is None else spread.pop("matrix")
            news["spread"] = (spread or {"steps": []}) | {"key": key, "part": part, "of": of}
            news["spread"]["bins"] = len(shares)
            news["shares"] = shares.astype("<f4").tobytes()
        self.update(**news)

    def _first_part(self, key: str) -> str:
        row = next((row for row in self.frame.get("rows", []) if row["key"] == key), None)
        return row["parts"][0]["name"] if row and row["parts"] else ""


_OF = ("value", "grad", "update")
_SHOWN = ("grad", "value", "update", "min", "max", "zeros", "nan", "inf", "histogram")


def _moments(summary: Any) -> Any:
    return None if summary is None else tuple(summary[name] for name in MOMENTS)


def _part(row: Any, parameter: bool) -> dict[str, Any]:
    """What is shown of one tensor: its gradient's range and distribution, and its own size."""
    grad, value = row["grad"], row["value"]
    return {
        "grad": None if grad is None else grad["norm"],
        "value": None if value is None else value["norm"],
        "update": None if row["update"] is None else row["update"]["norm"],
        "min": None if grad is None else grad["min"],
        "max": None if grad is None else grad["max"],
        "zeros": None if grad is None else grad["zeros"],
        "nan": 0 if grad is None else grad["nan"],
        "inf": 0 if grad is None else grad["inf"],
        "histogram": None if grad is None else grad["histogram"],
        "size": 0 if grad is None else math.prod(grad["shape"]),
    }


def _whole(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Several tensors as one; the histogram is that of the largest."""
    there = [part for part in parts if part["size"]]
    whole: dict[str, Any] = {"histogram": None, "zeros": None, "min": None, "max": None}
    for name in ("grad", "value", "update"):
        norms = [part[name] for part in parts if part[name] is not None]
        whole[name] = math.hypot(*norms) if norms else None
    whole |= {name: sum(part[name] for part in parts) for name in ("nan", "inf")}
    if there:
        size = sum(part["size"] for part in there)
        whole["zeros"] = sum(part["zeros"] * part["size"] for part in there) / size
        whole["histogram"] = max(there, key=lambda part: part["size"])["histogram"]
        finite = [part for part in there if part["min"] is not None]
        if finite:
            whole["min"] = min(part["min"] for part in finite)
            whole["max"] = max(part["max"] for part in finite)
    return whole
