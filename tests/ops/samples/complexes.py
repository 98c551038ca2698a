"""Samples of complex numbers and their parts."""

from tests.ops.samples.values import x, z

SAMPLES = {
    "complexes.joined": [(x(2, 3), x(3))],
    "complexes.as_pairs": [(z(2, 3),)],
    "complexes.of_pairs": [(x(3, 2),)],
}
