"""Recurrent networks as functions of their weights, in PyTorch's two spellings.

lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.public import FUNCTION, public
from labtorch.nn.functional.dropout import drawn_mask
from labtorch.ops import recurrent
from labtorch.ops.unrolled import gru_step, lstm_step, rnn_step, unrolled
from labtorch.tensor.tensor import Tensor

STEPS = {
    "lstm": lstm_step,
    "gru": gru_step,
    "rnn_tanh": rnn_step("tanh"),
    "rnn_relu": rnn_step("relu"),
}


def run(
    kind: str,
    input: Tensor,
    batch_sizes: Sequence[int] | None,
    states: tuple[Tensor, ...],
    weights: Sequence[Tensor],
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    unroll: bool = False,
) -> tuple[Tensor, ...]:
    """(output, h_n), and c_n of an LSTM: one node; with `unroll`, nodes for every step."""
    dropped = None
    if train and dropout and num_layers > 1:
        if batch_sizes is None:
            size = input.shape[1::-1] if batch_first else input.shape[:2]
        else:
            size = (len(batch_sizes), batch_sizes[0])
        width = states[0].shape[-1] * (2 if bidirectional else 1)
        dropped = drawn_mask((num_layers - 1, *size, width), dropout, input)
    settings = (batch_sizes, dropped, num_layers, bidirectional, batch_first)
    if unroll:
        return _unrolled(kind, input, states, settings, weights)
    if kind == "lstm":
        return apply(recurrent.lstm, (input, *states, *settings, *weights))
    if kind == "gru":
        return apply(recurrent.gru, (input, *states, *settings, *weights))
    return apply(recurrent.rnn, (input, *states, kind == "rnn_relu", *settings, *weights))


def _unrolled(kind: str, input: Tensor, states: tuple, settings: tuple, weights: Any) -> tuple:
    """The same, step by step, under the op's name."""

    def steps() -> tuple:
        return unrolled(STEPS[kind], input, states, weights, *settings)

    steps.__name__ = kind
    return composite(steps)()


def _spelled(kind: str, args: tuple) -> tuple[Tensor, ...]:
    if not isinstance(args[3], (list, tuple)):  # where the packed spelling has the weights
        input, hx, params, _, layers, dropout, train, bidirectional, batch_first = args
        sizes = None
    else:
        input, sizes, hx, params, _, layers, dropout, train, bidirectional = args
        sizes, batch_first = tuple(sizes.tolist()), False
    states = tuple(hx) if kind == "lstm" else (hx,)
    return run(
        kind, input, sizes, states, params, layers, dropout, train, bidirectional, batch_first
    )


@public(FUNCTION)
def lstm(*args: Any) -> tuple[Tensor, ...]:
    """Long short-term memory: (output, h_n, c_n); hx is (h_0, c_0)."""
    return _spelled("lstm", args)


@public(FUNCTION)
def gru(*args: Any) -> tuple[Tensor, ...]:
    """Gated recurrent units: (output, h_n)."""
    return _spelled("gru", args)


@public(FUNCTION)
def rnn_tanh(*args: Any) -> tuple[Tensor, ...]:
    """The simple recurrent network with tanh: (output, h_n)."""
    return _spelled("rnn_tanh", args)


@public(FUNCTION)
def rnn_relu(*args: Any) -> tuple[Tensor, ...]:
    """The simple recurrent network with ReLU: (output, h_n)."""
    return _spelled("rnn_relu", args)
