"""Samples of resampling."""

from labtorch.ops.resampling import matrix
from tests.ops.samples.values import x

SAMPLES = {
    "resampling.resample": [
        (x(2, 2, 3), (matrix("linear", 3, 5, None, False, False),)),
        (
            x(1, 2, 3, 2),
            (matrix("cubic", 3, 2, None, True, False), matrix("area", 2, 3, None, False, False)),
        ),
    ],
}
