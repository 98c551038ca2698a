"""Names only: see `labtorch.quantization.quantized`."""

from labtorch.quantization import dynamic
from labtorch.quantization.quantized import (
    BNReLU2d,
    BNReLU3d,
    ConvReLU1d,
    ConvReLU2d,
    ConvReLU3d,
    LinearReLU,
)

__all__ = ["BNReLU2d", "BNReLU3d", "ConvReLU1d", "ConvReLU2d", "ConvReLU3d", "LinearReLU"]
__all__ += ["dynamic"]
