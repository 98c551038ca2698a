"""One output pixel: the window it was computed from, the products, and their sum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .geometry import Axis, Placing, bins, placing_of
from .layers import MAXIMA, Layer

SHOWN = 16  # input channels whose window and kernel are told in full, at a time


def explain(
    layer: Layer, captured: Any, sample: int, channel: int, row: int, column: int, first: int = 0
) -> dict[str, Any]:
    """What made the output pixel, all numbers as the engine had them; "missing" says what is not
    kept of it."""
    arguments = dict(zip(captured.op.parameters, captured.args, strict=False))
    x = layer.maps(captured.arguments.get("input"), sample)
    y = layer.output(captured, sample)
    assert y is not None
    told: dict[str, Any] = {"row": row, "column": column, "output": float(y[channel, row, column])}
    if x is None:
        return told | {"kind": "point", "missing": "input", "inputs": []}
    if layer.kind == "convolution":
        return told | _convolution(layer, arguments, x, channel, row, column, first)
    if layer.kind == "pooling":
        place = layer.maps(captured.states.get("place"), sample)
        return told | _pooling(layer, arguments, x, y, place, channel, row, column)
    if layer.op == "batch_norm":
        return told | _normalization(captured, arguments, x, channel, row, column)
    return told | _point(layer, captured, sample, y.shape, channel, row, column)


def inputs_of(layer: Layer, weight: Any, channels: int, groups: int, channel: int) -> range:
    """The input channels that the output channel is made of: those of its group."""
    outputs = weight.shape[1] * groups if "transpose" in layer.op else layer.shape[0]
    group = channel // (outputs // groups)
    size = channels // groups
    return range(group * size, (group + 1) * size)


def kernels_of(layer: Layer, weight: Any, inputs: range, groups: int, channel: int) -> Any:
    """The kernels (inputs, rows, columns) of an output channel; None where they are not kept."""
    if weight is None:
        return None
    if "transpose" in layer.op:
        if inputs.stop > len(weight):
            return None
        kernels = weight[inputs.start : inputs.stop, channel % weight.shape[1]]
    elif channel < len(weight):
        kernels = weight[channel]
    else:
        return None
    return kernels[:, None, :] if layer.line else kernels


def _convolution(
    layer: Layer, arguments: dict[str, Any], x: Any, channel: int, row: int, column: int, first: int
) -> dict[str, Any]:
    weight, bias, groups = arguments["weight"], arguments.get("bias"), arguments["groups"]
    if weight is None:
        return {"kind": "convolution", "missing": "weight"}
    inputs = inputs_of(layer, weight, len(x), groups, channel)
    kernels = kernels_of(layer, weight, inputs, groups, channel)
    if kernels is None:
        return {"kind": "convolution", "missing": "weight"}
    rows, columns = placing_of(layer.op, arguments).window(row, column)
    seen = _values(x[inputs.start : inputs.stop], rows, columns)
    met = np.nan_to_num(seen, nan=0.0) if _gaps(rows, columns) else seen
    sums = (met.astype(np.float64) * kernels).sum((1, 2))
    constant = None if bias is None else float(bias[channel])
    first = max(0, min(first, len(inputs) - 1)) // SHOWN * SHOWN
    part = slice(first, first + SHOWN)
    return {
        "kind": "convolution",
        **_place(rows, columns),
        "inputs": list(inputs),
        "first": first,
        "windows": [_told(window, rows, columns) for window in seen[part]],
        "kernels": [kernel.tolist() for kernel in kernels[part]],
        "sums": sums.tolist(),
        "bias": constant,
        "total": float(sums.sum()) + (constant or 0.0),
        "groups": groups,
    }


def _pooling(
    layer: Layer,
    arguments: dict[str, Any],
    x: Any,
    y: Any,
    place: Any,
    channel: int,
    row: int,
    column: int,
) -> dict[str, Any]:
    placing: Placing | None = None
    if layer.op.startswith("adaptive"):
        rows: Axis = [*bins(x.shape[1], y.shape[1], row)]
        columns: Axis = [*bins(x.shape[2], y.shape[2], column)]
    else:
        placing = placing_of(layer.op, arguments)
        rows, columns = placing.window(row, column)
    seen = _values(x[channel : channel + 1], rows, columns)[0]
    told: dict[str, Any] = {
        "kind": "pooling",
        **_place(rows, columns),
        "window": _told(seen, rows, columns),
        "mode": "max" if layer.op in MAXIMA else "mean",
    }
    if layer.op in MAXIMA:
        inside = _inside(x.shape[1:], rows, columns)
        best = np.where(inside, seen, -np.inf)
        at = int(place[channel, row, column]) if place is not None else int(best.argmax())
        return told | {"winner": list(divmod(at, len(columns))), "total": float(seen.flat[at])}
    total = float(seen.astype(np.float64).sum())
    divisor = _divisor(arguments, placing, x.shape[1:], rows, columns)
    return told | {"sum": total, "divisor": divisor, "total": total / divisor}


def _divisor(
    arguments: dict[str, Any], placing: Placing | None, size: tuple, rows: Axis, columns: Axis
) -> int:
    """By what an average pooling divides the sum of this window."""
    if placing is None:
        return len(rows) * len(columns)
    if arguments.get("divisor_override"):
        return int(arguments["divisor_override"])
    border = placing.before if arguments.get("count_include_pad", True) else (0, 0)
    counts = (
        sum(-p <= at < m + p for at in axis if at is not None)
        for axis, m, p in zip((rows, columns), size, border, strict=True)
    )
    return math.prod(counts)


def _normalization(
    captured: Any, arguments: dict[str, Any], x: Any, channel: int, row: int, column: int
) -> dict[str, Any]:
    centre = float(np.ravel(captured.states["centre"])[channel])
    scale = float(np.ravel(captured.states["scale"])[channel])
    weight, bias = arguments.get("weight"), arguments.get("bias")
    slope = 1.0 if weight is None else float(weight[channel])
    shift = 0.0 if bias is None else float(bias[channel])
    value = float(x[channel, row, column])
    return {
        "kind": "normalization",
        "input": value,
        "centre": centre,
        "scale": scale,
        "weight": slope,
        "bias": shift,
        "total": (value - centre) * scale * slope + shift,
        "rows": [row],
        "columns": [column],
    }


def _point(
    layer: Layer, captured: Any, sample: int, shape: tuple, channel: int, row: int, column: int
) -> dict[str, Any]:
    """Of an op that works on each pixel by itself: the numbers that it took there."""
    taken = [
        (name, float(maps[channel, row, column]))
        for name, array in captured.arguments.items()
        if array is not None and array.ndim == 4 - layer.line - (not layer.batched)
        if (maps := layer.maps(array, sample)) is not None and maps.shape == shape
    ]
    return {"kind": "point", "inputs": taken, "rows": [row], "columns": [column]}


def _gaps(rows: Axis, columns: Axis) -> bool:
    return None in rows or None in columns


def _inside(size: tuple[int, int], rows: Axis, columns: Axis) -> np.ndarray:
    """Which elements of the window lie in the input, and not in its padding."""
    along = [
        np.array([at is not None and 0 <= at < m for at in axis])
        for axis, m in zip((rows, columns), size, strict=True)
    ]
    return along[0][:, None] & along[1]


def _values(x: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """The window of all channels: 0 in the padding, NaN where a transposed kernel meets nothing."""
    inside = _inside((x.shape[1], x.shape[2]), rows, columns)
    at_rows = np.array([min(max(at or 0, 0), x.shape[1] - 1) for at in rows])
    at_columns = np.array([min(max(at or 0, 0), x.shape[2] - 1) for at in columns])
    values = np.where(inside, x[:, at_rows[:, None], at_columns], 0)
    if _gaps(rows, columns):
        met = np.array([at is not None for at in rows])[:, None] & [
            at is not None for at in columns
        ]
        values = np.where(met, values, np.nan)
    return values


def _told(window: np.ndarray, rows: Axis, columns: Axis) -> list[list[float | None]]:
    """The window with None where there is no number at all."""
    return [
        [
            None if row is None or column is None else float(value)
            for column, value in zip(columns, line, strict=True)
        ]
        for row, line in zip(rows, window, strict=True)
    ]


def _place(rows: Axis, columns: Axis) -> dict[str, Any]:
    return {"rows": rows, "columns": columns}
