"""The gradient of each hidden state, which the backward pass of a whole recurrent call passes by.

The call is computed once more, step by step, from the arrays that a lens kept of it, and what the
training's own backward pass sent into it is carried back through its steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.engine.backward import backward
from labtorch.engine.modes import enable_grad
from labtorch.engine.variable import wrap
from labtorch.observe.capture import Captured
from labtorch.observe.sequences import alone
from labtorch.ops.shape import alias
from labtorch.ops.unrolled import gru_step, lstm_step, rnn_step, unrolled
from labtorch.tensor.tensor import Tensor

MOST = 8192  # steps of all layers together: some seconds


class NotKept(LookupError):
    """What the computation takes is not there; `why` is one word for it."""

    def __init__(self, why: str, sentence: str) -> None:
        super().__init__(sentence)
        self.why = why


def gradients_through_time(captured: Captured, sequence: int) -> np.ndarray:
    r"""$\partial L / \partial h_t$ of one sequence of a captured call: (L D, T + 1, P).

    L D layers and directions, and T steps, are laid out as the call's own `hidden`: the first state
    stands before the others in the forward direction and after them in the reverse one.

    Raises NotKept, with the reason, where the arrays that this takes were not kept.
    """
    call = alone(captured, sequence)
    if call is None:
        raise NotKept("sequence", f"sequence {sequence} was not kept in this step")
    if all(each is None for each in call.cotangents):
        raise NotKept("gradient", "no gradient came back to this call in this step")
    count = call.layers * call.directions
    own = [call.weights_of(k) for k in range(count)]
    if None in own or call.given["input"] is None:
        raise NotKept("weights", "the weights are too large to be kept with each step")
    if call.steps * count > MOST:
        raise NotKept("steps", f"{call.steps * count} steps are too many to go through one by one")
    step = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step("relu" if call.relu else "tanh")}
    made: list[Tensor] = []

    def noted(x: Any, states: tuple, *weights: Any) -> tuple:
        new = step[call.name](x, states, *weights)
        made.append(new[0])
        return new

    def batched(x: np.ndarray | None, axis: int) -> Any:
        return None if x is None else wrap(np.expand_dims(x, axis))

    given = call.given
    firsts = [batched(given[name], 1) for name in ("hx", "cx") if given[name] is not None]
    weights = [wrap(w) for each in own for w in each or ()]
    with enable_grad():
        firsts = [alias(each.requires_grad_()) for each in firsts]
        outputs = unrolled(
            noted, batched(given["input"], 1), tuple(firsts), weights, None,
            batched(given["dropped"], 2), call.layers, call.directions == 2, False,
        )  # fmt: skip
        sent = [batched(each, 1) for each in call.cotangents]
        pairs = [(y, g._array) for y, g in zip(outputs, sent) if g is not None]
        found = backward(
            [y for y, _ in pairs], [g for _, g in pairs], inputs=[firsts[0], *made],
            accumulate=False,
        ) or []  # fmt: skip
    return _arranged(call, [None if g is None else np.asarray(g) for g in found])


def _arranged(call: Any, found: list[np.ndarray | None]) -> np.ndarray:
    """The first states' gradient and, layer by layer, that of the states in the order in which they
    were made, as `hidden` has them; where nothing came back, 0."""
    arranged = np.zeros_like(call.states["hidden"])
    of_firsts, of_made = found[0], found[1:]
    for k in range(len(arranged)):
        backwards = k % call.directions
        own = arranged[k][::-1] if backwards else arranged[k]
        if of_firsts is not None:
            own[0] = of_firsts[k, 0]
        for t, g in enumerate(of_made[k * call.steps : (k + 1) * call.steps]):
            if g is not None:
                own[t + 1] = g[0]
    return arranged
