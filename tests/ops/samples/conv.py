"""Samples of convolutions."""

from __future__ import annotations

from typing import Any

from tests.ops.samples.values import x, z

SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "conv.convolve": [(x(2, 2, 4), x(2, 1, 2), (2,), ((1, 0),), (1,), 2)],
    "conv.spread": [(x(2, 2, 3), x(2, 1, 2), (5,), (2,), ((1, 0),), (1,), 2)],
    "conv.correlate": [(x(2, 2, 4), x(2, 2, 2), (2,), (2,), ((1, 0),), (1,), 2)],
    "conv.conv1d": [
        (x(2, 2, 5), x(3, 2, 2), x(3), 2, 1),
        (x(2, 5), x(2, 1, 2), None, 1, "same", 2, 2),
        (z(1, 1, 4), z(1, 1, 2), z(1)),
    ],
    "conv.conv2d": [
        (x(2, 1, 3, 4), x(2, 1, 2, 3), x(2), (2, 1), (1, 0)),
        (x(2, 3, 3), x(2, 1, 2, 2), None, 1, 1, 2, 2),
    ],
    "conv.conv3d": [(x(1, 1, 2, 3, 2), x(2, 1, 2, 2, 1), x(2), 1, (1, 0, 0))],
    "conv.conv_transpose1d": [
        (x(2, 2, 3), x(2, 1, 3), x(2), 2, 1, 1, 2),
        (x(2, 3), x(2, 2, 2), None, 1, 0, 0, 1, 2),
    ],
    "conv.conv_transpose2d": [(x(1, 2, 2, 2), x(2, 1, 3, 2), x(1), (2, 1), (1, 0), (1, 0))],
    "conv.conv_transpose3d": [(x(1, 1, 2, 2, 1), x(1, 1, 2, 1, 2), x(1))],
    "conv.im2col": [(x(1, 2, 3, 4), (2, 2), (1, 1), (1, 0), (1, 2))],
    "conv.col2im": [(x(1, 8, 8), (3, 4), (2, 2), (1, 1), (1, 0), (1, 2))],
}
