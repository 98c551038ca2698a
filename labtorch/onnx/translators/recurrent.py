"""Recurrent layers: ONNX's own ops, a layer at a time, with the gates in ONNX's order."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.errors import UnsupportedOperatorError
from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates
from labtorch.onnx.translators.quantization import Stored, from_stored
from labtorch.ops.quantization import Grid

# Which of PyTorch's gates stands where in ONNX: i f g o as i o f c, r z n as z r h
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


@translates("lstm")
def _(g, input, hx, cx, batch_sizes, dropped, layers, bidirectional, batch_first, *weights):
    if hx.shape[-1] != cx.shape[-1]:
        raise UnsupportedOperatorError("with proj_size has no counterpart in ONNX")
    settings = (batch_sizes, dropped, layers, bidirectional, batch_first)
    return _layers(g, "LSTM", input, (hx, cx), settings, weights, {})


@translates("gru")
def _(g, input, hx, batch_sizes, dropped, layers, bidirectional, batch_first, *weights):
    settings = (batch_sizes, dropped, layers, bidirectional, batch_first)
    return _layers(g, "GRU", input, (hx,), settings, weights, {"linear_before_reset": 1})


@translates("rnn")
def _(g, input, hx, relu, batch_sizes, dropped, layers, bidirectional, batch_first, *weights):
    settings = (batch_sizes, dropped, layers, bidirectional, batch_first)
    activations = ["Relu" if relu else "Tanh"] * (2 if bidirectional else 1)
    return _layers(g, "RNN", input, (hx,), settings, weights, {"activations": activations})


def _layers(
    g: Graph, kind: str, x: Value, states: tuple, settings: tuple, weights: tuple, more: dict
) -> tuple:
    batch_sizes, dropped, layers, bidirectional, batch_first = settings
    if batch_sizes is not None:
        raise UnsupportedOperatorError(
            "of packed sequences has no counterpart in ONNX (export the padded batch)"
        )
    directions = 2 if bidirectional else 1
    per = len(weights) // (layers * directions)
    hidden = int(states[0].shape[-1])
    y = g("Transpose", x, perm=[1, 0, 2]) if batch_first else x
    last: list[list[Value]] = [[] for _ in states]
    for layer in range(layers):
        at = layer * directions
        own = [weights[k * per : (k + 1) * per] for k in range(at, at + directions)]
        w, r = (_joined(g, kind, [each[i] for each in own]) for i in (0, 1))
        bias = None
        if per > 2:
            parts = [_joined(g, kind, [each[i] for each in own]) for i in (2, 3)]
            bias = _concat(g, parts, 1, own[0][2].name.replace("_ih", "") + f".{kind}")
        first = [g("Slice", s, [at], [at + directions], [0]) for s in states]
        made = g(
            kind,
            *(y, w, r, bias, None, *first),
            outputs=1 + len(states),
            hidden_size=hidden,
            direction="bidirectional" if bidirectional else "forward",
            **more,
        )
        for kept, each in zip(last, made[1:]):
            kept.append(each)
        y = g("Transpose", made[0], perm=[0, 2, 1, 3])  # (T, D, N, H) with the directions in a row
        y = g("Reshape", y, [0, 0, directions * hidden])
        if dropped is not None and layer < layers - 1:
            y = g("Mul", y, g("Gather", dropped, layer, axis=0))
    output = g("Transpose", y, perm=[1, 0, 2]) if batch_first else y
    return output, *(e[0] if layers == 1 else g("Concat", *e, axis=0) for e in last)


def _joined(g: Graph, kind: str, weights: list[Value]) -> Value:
    """The weights of both directions, their gates in ONNX's order."""
    order = ORDER[kind]
    if all(w.constant is not None for w in weights):
        arrays = [np.asarray(w.constant) for w in weights]
        parts = [np.concatenate([np.split(a, len(order))[i] for i in order]) for a in arrays]
        return g.constant(np.stack(parts), f"{weights[0].name}.{kind}")
    made: list[Any] = []
    if all(w.stored is not None for w in weights):
        for w in weights:
            made.append(g("Unsqueeze", from_stored(g, _reordered(w.stored, kind)), [0]))
        return _concat(g, made, 0)
    for w in weights:
        size = int(w.shape[0]) // len(order)
        gates = [g("Slice", w, [i * size], [(i + 1) * size], [0]) for i in order]
        made.append(g("Unsqueeze", _concat(g, gates, 0), [0]))
    return _concat(g, made, 0)


def _reordered(stored: Stored, kind: str) -> Stored:
    name, codes, grid = stored
    rows = np.concatenate(
        [np.split(np.arange(len(codes)), len(ORDER[kind]))[i] for i in ORDER[kind]]
    )
    if grid.axis == 0:
        grid = Grid(grid.scale[rows], grid.zero_point[rows], grid.dtype, 0)
    return f"{name}.{kind}", codes[rows], grid


def _concat(g: Graph, parts: list[Value], axis: int, name: str | None = None) -> Value:
    if len(parts) == 1:
        return parts[0]
    if all(p.constant is not None for p in parts):
        joined = np.concatenate([np.asarray(p.constant) for p in parts], axis)
        return g.constant(joined, name)
    return g("Concat", *parts, axis=axis)  # type: ignore[no-any-return]
