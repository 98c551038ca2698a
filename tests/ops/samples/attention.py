"""Samples of attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.samples.values import x

_blind = np.array([[True, False, True], [False, False, False]])  # the second query sees no key
_dropped = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]], np.float32)

SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "attention.scaled_dot_product_attention": [
        (x(2, 3), x(3, 3), x(3, 2)),
        (x(2, 2, 3), x(2, 3, 3), x(3, 2), None, None, True),
        (x(2, 3), x(3, 3), x(3, 2), _blind, None, False, 0.7),
        (x(2, 2, 3), x(1, 3, 3), x(2, 3, 2), x(2, 3), _dropped),
        (x(4, 2, 3), x(2, 3, 3), x(1, 3, 2), x(2, 3), None, False, None, True),
    ]
}
