"""Samples of the functions of single elements."""

import numpy as np

from tests.ops.samples.values import apart, positive, unit, x, z

SAMPLES = {
    "trigonometry.asin": [(unit(3),), (z(2),)],
    "trigonometry.acos": [(unit(3),), (z(2),)],
    "trigonometry.atan": [(x(3),), (z(2) / 3,)],
    "trigonometry.sinh": [(x(3),), (z(2),)],
    "trigonometry.cosh": [(x(3),), (z(2),)],
    "trigonometry.asinh": [(x(3),), (z(2) / 3,)],
    "trigonometry.acosh": [(positive(3) + 1,), (z(2),)],
    "trigonometry.atanh": [(unit(3),), (z(2) / 3,)],
    "trigonometry.atan2": [(x(2, 3), x(3)), (x(2), x(2, 1))],
    "trigonometry.hypot": [(x(2, 3), x(3))],
    "trigonometry.angle": [(x(3),), (z(3),)],
    "trigonometry.deg2rad": [(x(3),)],
    "trigonometry.rad2deg": [(x(3),)],
    "trigonometry.sgn": [(x(3),), (z(3),)],
    "elementwise.trunc": [(unit(3),)],
    "elementwise.frac": [(unit(3),)],
    "elementwise.fmod": [(np.array([1.3, -2.1]), np.array([0.7, 0.8])), (x(3), 5.0)],
    "elementwise.fmax": [(apart(2, 3), apart(3) + 0.03)],
    "elementwise.fmin": [(apart(2, 3), apart(3) + 0.03)],
    "elementwise.copysign": [(x(2, 3), x(3)), (x(2), -1.0)],
    "elementwise.nextafter": [(x(2, 3), x(3))],
    "elementwise.bernoulli": [(unit(3), np.array([0.05, 0.5, 0.95]))],
    "elementwise.logaddexp": [(x(2, 3), x(3)), (z(2), z(2))],
    "elementwise.logaddexp2": [(x(2, 3), x(3))],
    "elementwise.exp2": [(x(3),), (z(2),)],
    "elementwise.lerp": [(x(2, 3), x(3), unit(2, 1)), (x(2), x(2), 0.7), (z(2), z(2), z(2))],
    "elementwise.addcmul": [(x(2, 3), x(3), x(2, 1), 0.5), (z(2), z(2), z(2))],
    "elementwise.addcdiv": [(x(2, 3), x(3), x(2, 1), 0.5), (z(2), z(2), z(2))],
    "elementwise.nan_to_num": [(x(3),)],
    "elementwise.positive": [(x(3),)],
    "elementwise.conj_physical": [(z(3),)],
    "elementwise.ldexp": [(x(2, 3), x(3))],
    "elementwise.frexp": [(np.array([0.3, 1.7, -2.9]),)],
}
