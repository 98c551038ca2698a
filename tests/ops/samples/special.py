"""Samples of special functions."""

from __future__ import annotations

import numpy as np

from tests.ops.samples.values import positive, unit, x

EVERYWHERE = np.array([-6.3, -1.4, -0.3, 0.2, 1.7, 5.9])
RIGHT = np.array([0.3, 0.9, 2.1, 7.7, 31.0])

SAMPLES = {
    "special.erf": [(EVERYWHERE,)],
    "special.erfc": [(EVERYWHERE,)],
    "special.erfcx": [(np.array([-1.4, -0.3, 0.2, 1.7, 5.9]),)],
    "special.erfinv": [(np.array([-0.9, -0.3, 0.005, 0.6]),)],
    "special.ndtr": [(EVERYWHERE,)],
    "special.log_ndtr": [(EVERYWHERE,)],
    "special.ndtri": [(unit(4),)],
    "special.xlogy": [(x(2, 3), positive(3)), (x(3), 2.0)],
    "special.xlog1py": [(x(2, 3), positive(3)), (x(3), 2.0)],
    "special.entr": [(positive(3),)],
    "special.logit": [(unit(3),), (unit(3), 0.05)],
    "special.sinc": [(x(4),)],
    "gamma.lgamma": [(np.array([-2.4, -0.6, 0.3, 1.7, 12.2]),)],
    "gamma.digamma": [(np.array([-2.4, -0.6, 0.3, 1.7, 12.2]),)],
    "gamma.derivative_of_digamma": [(positive(3), 1), (positive(3) - 3.1, 2)],
    "gamma.zeta": [(np.array([1.5, 3.0]), positive(2))],
    "gamma.igamma": [(np.array([0.7, 3.0, 8.0]), np.array([0.4, 5.0, 6.0]))],
    "gamma.igammac": [(np.array([0.7, 3.0, 8.0]), np.array([0.4, 5.0, 6.0]))],
    "bessel.bessel_j0": [(EVERYWHERE,), (RIGHT,)],
    "bessel.bessel_j1": [(EVERYWHERE,), (RIGHT,)],
    "bessel.bessel_y0": [(RIGHT,)],
    "bessel.bessel_y1": [(RIGHT,)],
    "bessel.i0": [(np.array([-2.3, 0.4, 1.9]),)],
    "bessel.i1": [(np.array([-2.3, 0.4, 1.9]),)],
    "bessel.i0e": [(EVERYWHERE,), (RIGHT,)],
    "bessel.i1e": [(EVERYWHERE,), (RIGHT,)],
    "bessel.modified_bessel_k0": [(RIGHT,)],
    "bessel.modified_bessel_k1": [(RIGHT,)],
}
