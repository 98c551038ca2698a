"""Samples of Fourier transforms."""

from tests.ops.samples.values import x, z

SAMPLES = {
    "fourier.complex_to_complex": [(z(2, 3), (1,), True, 1.0), (z(3, 4), (0, 1), False, 0.25)],
    "fourier.real_to_complex": [(x(2, 5), (1,), 1.0), (x(4, 2), (1, 0), 0.5)],
}
SAMPLES["fourier.complex_to_real"] = [(z(2, 3), (1,), 5, 1.0), (z(3, 2), (1, 0), 4, 0.5)]
