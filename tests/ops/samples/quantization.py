"""Samples of fake quantization. Its gradient is that of what it stands for, not of its steps: on a
grid finer than finite differences can see, it looks as smooth as the gradient says."""

import numpy as np

FINE, EDGE = 2.0**-40, 2**40  # numbers between -1 and 1 are inside
NUMBERS = np.array([[-1.7, -0.4], [0.3, 1.2]])

SAMPLES = {
    "quantization.fake_quantize_per_tensor_affine": [(NUMBERS, FINE, 0, -EDGE, EDGE)],
    "quantization.fake_quantize_per_channel_affine": [
        (NUMBERS, np.array([FINE, 2 * FINE], "f"), np.array([0, 3]), 1, -EDGE, EDGE)
    ],
}
