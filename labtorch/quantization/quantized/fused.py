"""Layers on integers with their ReLU: sums are cut at zero while they are scaled."""

from __future__ import annotations

from labtorch.quantization import intrinsic
from labtorch.quantization.quantized import conv, linear


class LinearReLU(linear.Linear):
    """max(0, x W^T + b) on integers."""

    _FLOAT_MODULE = (intrinsic.LinearReLU,)
    relu = True

    def _get_name(self) -> str:
        return "QuantizedLinearReLU"


class ConvReLU1d(conv.Conv1d):
    """A `Conv1d` and a ReLU on integers."""

    _FLOAT_MODULE = (intrinsic.ConvReLU1d,)
    relu = True


class ConvReLU2d(conv.Conv2d):
    """A `Conv2d` and a ReLU on integers."""

    _FLOAT_MODULE = (intrinsic.ConvReLU2d,)
    relu = True


class ConvReLU3d(conv.Conv3d):
    """A `Conv3d` and a ReLU on integers."""

    _FLOAT_MODULE = (intrinsic.ConvReLU3d,)
    relu = True
