"""Samples of norms with statistics per channel or group."""

from tests.ops.samples.values import positive, x

SAMPLES = {
    "normalization.batch_norm": [
        (x(4, 2), None, None, x(2), x(2), True),
        (x(2, 2, 3), None, None, None, None, True),
        (x(2, 2, 3), x(2), positive(2), x(2), x(2), False),
    ],
    "normalization.group_norm": [(x(2, 4, 2), 2, x(4), x(4)), (x(2, 2, 3), 2)],
}
