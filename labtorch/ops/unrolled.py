"""Recurrence step by step: the cells, each made of ops, and whole calls made of cells.

`ops.recurrent` computes the same in one op; its backward pass is recorded through here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from labtorch.engine.backward import backward
from labtorch.engine.composite import composite
from labtorch.engine.modes import enable_grad
from labtorch.engine.public import FUNCTION, public
from labtorch.ops.activation import relu, sigmoid, tanh
from labtorch.ops.linear import linear
from labtorch.ops.shape import alias, cat, narrow, stack, transpose

Step = Callable[..., tuple]  # step(x, states, w_ih, w_hh, b_ih, b_hh, w_hr) -> states


def _parts(x: Any, count: int) -> list:
    size = x.shape[-1] // count
    return [narrow(x, -1, at * size, size) for at in range(count)]


def _from_input(x: Any, w: Any, b: Any) -> Any:
    """W x + b, unless that has been computed for the whole sequence: then W is None."""
    return x if w is None else linear(x, w, b)


def lstm_step(
    x: Any, states: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, w_hr: Any = None
) -> tuple:
    h, c = states
    i, f, g, o = _parts(_from_input(x, w_ih, b_ih) + linear(h, w_hh, b_hh), 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h if w_hr is None else linear(h, w_hr, None)), c


def gru_step(
    x: Any, states: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, _: Any = None
) -> tuple:
    (h,) = states
    x_r, x_z, x_n = _parts(_from_input(x, w_ih, b_ih), 3)
    h_r, h_z, h_n = _parts(linear(h, w_hh, b_hh), 3)
    z, n = sigmoid(x_z + h_z), tanh(x_n + sigmoid(x_r + h_r) * h_n)
    return (n + z * (h - n),)


def _rnn_step(
    activation: Any, x: Any, states: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None,
    _: Any = None,
) -> tuple:  # fmt: skip
    return (activation(_from_input(x, w_ih, b_ih) + linear(states[0], w_hh, b_hh)),)


def rnn_step(nonlinearity: str) -> Step:
    return partial(_rnn_step, relu if nonlinearity == "relu" else tanh)


def _check_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any) -> None:
    if input.shape[-1] != w_ih.shape[1]:
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.shape[-1]} expected {w_ih.shape[1]}"
        )
    if hx.shape[-1] != w_hh.shape[1]:
        raise RuntimeError(
            f"hidden has inconsistent hidden_size: got {hx.shape[-1]}, expected {w_hh.shape[1]}"
        )
    if input.ndim == 2 and hx.ndim == 2 and input.shape[0] != hx.shape[0]:
        raise RuntimeError(
            f"Input batch size {input.shape[0]} doesn't match hidden0 batch size {hx.shape[0]}"
        )


@public(FUNCTION)
@composite
def lstm_cell(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> tuple:
    """One step of an LSTM: (h, c) from x (N, I) and (h, c) of shape (N, H)."""
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    for state in hx:
        _check_cell(input, state, w_ih, w_hh)
    return lstm_step(input, hx, w_ih, w_hh, b_ih, b_hh)


@public(FUNCTION)
@composite
def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of a GRU: h (N, H) from x (N, I) and h."""
    _check_cell(input, hx, w_ih, w_hh)
    return gru_step(input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@public(FUNCTION)
@composite
def rnn_tanh_cell(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> Any:
    """One step of an RNN: tanh(x W_ih^T + b_ih + h W_hh^T + b_hh)."""
    _check_cell(input, hx, w_ih, w_hh)
    return _rnn_step(tanh, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@public(FUNCTION)
@composite
def rnn_relu_cell(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> Any:
    """One step of an RNN: max(0, x W_ih^T + b_ih + h W_hh^T + b_hh)."""
    _check_cell(input, hx, w_ih, w_hh)
    return _rnn_step(relu, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def unrolled(
    step: Step,
    input: Any,
    states: tuple,
    weights: Sequence[Any],
    batch_sizes: Sequence[int] | None,
    dropped: Any,
    layers: int,
    bidirectional: bool,
    batch_first: bool,
    enter: Callable[[list, tuple], tuple[list, tuple]] | None = None,
) -> tuple:
    """A whole call as `ops.recurrent` describes it: (output, h_n), and c_n of an LSTM.

    `enter(sequence, weights)` may do what a layer does with its whole input before the first step.
    """
    if batch_sizes is None:
        x = transpose(input, 0, 1) if batch_first else input
        sizes = [x.shape[1]] * x.shape[0]
        sequence = [x[t] for t in range(len(sizes))]
    else:
        sizes = list(batch_sizes)
        ends = [sum(sizes[: t + 1]) for t in range(len(sizes))]
        sequence = [narrow(input, 0, end - n, n) for end, n in zip(ends, sizes)]
    directions = 2 if bidirectional else 1
    per = len(weights) // (layers * directions)
    finals: list[tuple] = []
    for layer in range(layers):
        outputs: list[list] = []
        for direction in range(directions):
            k = layer * directions + direction
            own = _arranged(weights[k * per : (k + 1) * per])
            inputs, own = (sequence, own) if enter is None else enter(sequence, own)
            now = tuple(each[k] for each in states)
            made: list[Any] = [None] * len(sizes)
            order = range(len(sizes))
            for t in reversed(order) if direction else order:
                n = sizes[t]
                new = step(inputs[t], tuple(_head(each, n) for each in now), *own)
                made[t] = new[0]
                now = tuple(_with_head(each, part, n) for each, part in zip(now, new))
            outputs.append(made)
            finals.append(now)
        sequence = outputs[0] if directions == 1 else [cat(pair, -1) for pair in zip(*outputs)]
        if dropped is not None and layer + 1 < layers:
            sequence = [y * dropped[layer, t, :n] for t, (y, n) in enumerate(zip(sequence, sizes))]
    if batch_sizes is not None:
        output = cat(sequence, 0)
    else:
        output = stack(sequence, 1 if batch_first else 0)
    return output, *(stack(each, 0) for each in zip(*finals))


def _arranged(weights: Sequence[Any]) -> tuple:
    """W_ih, W_hh, b_ih, b_hh, W_hr, with None for those that are absent."""
    w_ih, w_hh, *rest = weights
    biases = rest[:2] if len(rest) > 1 else (None, None)
    return w_ih, w_hh, *biases, rest[-1] if len(rest) % 2 else None


def _head(state: Any, n: int) -> Any:
    return state if n == state.shape[0] else narrow(state, 0, 0, n)


def _with_head(state: Any, head: Any, n: int) -> Any:
    """The state with its first n rows replaced; the others' sequences do not have this step."""
    rest = state.shape[0] - n
    return cat([head, narrow(state, 0, n, rest)], 0) if rest else head


def gradients_of_unrolled(
    step: Step, g: list, input: Any, states: tuple, settings: tuple, weights: Sequence, needs: tuple
) -> list:
    """The gradients of a call's arguments, in their order, recorded: a backward pass through the
    unrolled call, in the middle of the pass that asks for them."""
    given = [input, *states, *weights]
    with enable_grad():
        # each argument is a variable of its own here, even where two are one tensor
        inner = [alias(each) if each._requires_grad else each for each in given]
        at = 1 + len(states)
        outputs = unrolled(step, inner[0], tuple(inner[1:at]), inner[at:], *settings)
        asked = [each for each in inner if each._requires_grad]
        pairs = [(y, each) for y, each in zip(outputs, g) if y._requires_grad]
        found = iter(
            backward(
                [y for y, _ in pairs], [each for _, each in pairs], retain_graph=True,
                create_graph=True, inputs=asked, accumulate=False,
            ) or []
        )  # fmt: skip
    gradients = [next(found) if each._requires_grad else None for each in inner]
    return [*gradients[:at], *[None] * len(settings), *gradients[at:]]
