"""Samples of recurrent networks: T 3, N 2, I 2, H 2; few steps, for gradients of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.samples.values import x


def _weights(gates: int, width: int, count: int, directions: int = 1, bias: bool = True) -> list:
    made: list[np.ndarray] = []
    for layer in range(count // directions):
        for _ in range(directions):
            features = 2 if layer == 0 else width * directions
            rest = [x(gates * 2), x(gates * 2)] if bias else []
            made += [x(gates * 2, features), x(gates * 2, width), *rest]
            made += [x(width, 2)] if width < 2 else []
    return [0.5 * (each + 0.1 * i) for i, each in enumerate(made)]


_mask = np.array([[[[2.0, 0.0], [2.0, 2.0]], [[0.0, 2.0], [2.0, 0.0]]]], np.float32)
_packed = (3, 2, 1)

SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "recurrent.lstm": [
        (x(3, 2, 2), x(1, 2, 2), x(1, 2, 2), None, None, 1, False, False, *_weights(4, 2, 1)),
        (x(2, 2, 2), x(2, 2, 2), x(2, 2, 2), None, _mask, 2, False, True, *_weights(4, 2, 2)),
        (x(6, 2), x(2, 3, 1), x(2, 3, 2), _packed, None, 1, True, False,
         *_weights(4, 1, 2, 2, False)),
    ],
    "recurrent.gru": [
        (x(2, 3, 2), x(1, 2, 2), None, None, 1, False, True, *_weights(3, 2, 1, 1, False)),
        (x(6, 2), x(4, 3, 2), _packed, None, 2, True, False, *_weights(3, 2, 4, 2)),
    ],
    "recurrent.rnn": [
        (x(3, 2, 2), x(1, 2, 2), True, None, None, 1, False, False, *_weights(1, 2, 1)),
        (x(6, 2), x(4, 3, 2), False, _packed, None, 2, True, False, *_weights(1, 2, 4, 2)),
    ],
}  # fmt: skip
