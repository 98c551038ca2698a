"""Samples of scans, of reducing scatters, and of ops that move elements about."""

import numpy as np

from tests.ops.samples.values import apart, positive, x, z

SAMPLES = {
    "scan.cumprod": [(x(2, 3), 1), (np.array([[0.0, 1.5], [2.0, 0.0], [0.5, 3.0]]), 0), (z(3), 0)],
    "scan.cummax": [(apart(2, 4), 1), (apart(3, 2), 0)],
    "scan.cummin": [(apart(2, 4), 1)],
    "scan.logcumsumexp": [(x(2, 3), 1), (x(3, 2), 0)],
    "reduction.element": [(np.array([1.5, 0.2, 0.7]), 1)],
    "arrangement.roll": [(x(2, 3), (1, -1), (0, 1))],
    "arrangement.unfold": [(x(2, 7), 1, 3, 2), (x(5, 2), 0, 2, 1)],
    "arrangement.overlap_add": [(x(2, 3, 3), (2, 7), 1, 2)],
    "arrangement.as_strided": [(x(8), (2, 3), (2, 1), 1)],
    "arrangement.scatter_reduce": [
        (positive(3, 4), 1, np.array([[0, 2], [3, 1], [1, 1]]), positive(3, 2), "prod"),
        (apart(2, 3), 0, np.array([[0, 1, 1]]), apart(1, 3) + 0.03, "amax"),
        (apart(2, 3), 0, np.array([[0, 1, 1]]), apart(1, 3) + 0.03, "amin"),
    ],
}
