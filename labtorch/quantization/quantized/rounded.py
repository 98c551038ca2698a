"""Layers that compute in floats between two grids: activations and norms of quantized tensors.

The result is what the float layer gives, rounded to the layer's grid.
"""

from __future__ import annotations

from typing import Any

from labtorch.nn import activation, batchnorm, dropout, normalization
from labtorch.nn.module import Module
from labtorch.quantization import intrinsic
from labtorch.quantization.quantized.base import OnGrid, quantized_input
from labtorch.tensor.quantized import on_grid
from labtorch.tensor.tensor import Tensor


class _Rounded(OnGrid):
    """Put before a float layer, it rounds that layer's result."""

    relu = False
    options: tuple[str, ...] = ()  # arguments of the float layer, attributes of the same name

    def __init__(self, *args: Any, scale: float = 1.0, zero_point: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scale, self.zero_point = float(scale), int(zero_point)

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def forward(self, input: Tensor) -> Tensor:
        x = quantized_input(self, input)
        y = super().forward(x.dequantize())
        return on_grid(y.relu() if self.relu else y, self.grid(x.dtype))

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The quantized form of a prepared, calibrated layer."""
        observer = getattr(mod, "activation_post_process", None)
        if not hasattr(observer, "calculate_qparams"):
            raise AssertionError(
                f"{cls.__name__}.from_float: the {type(mod).__name__} has no observer: "
                "prepare(model), then run it on some batches, then convert"
            )
        layer = mod[0] if isinstance(mod, intrinsic._FusedModule) else mod
        made = cls(**{name: getattr(layer, name) for name in cls.options})
        for name, value in layer._own_state():
            table = made._parameters if name in made._parameters else made._buffers
            table[name] = value
        made.train(layer.training)
        return made.observed_by(observer)


class Hardswish(_Rounded, activation.Hardswish):
    """`nn.Hardswish`, on a grid."""


class ELU(_Rounded, activation.ELU):
    """`nn.ELU`, on a grid."""

    options = ("alpha",)


class LeakyReLU(_Rounded, activation.LeakyReLU):
    """`nn.LeakyReLU`, on a grid."""

    options = ("negative_slope",)


class Sigmoid(_Rounded, activation.Sigmoid):
    """`nn.Sigmoid`, on a grid: 1 / 256 apart, if it was calibrated by default."""


class Softmax(_Rounded, activation.Softmax):
    """`nn.Softmax`, on a grid: 1 / 256 apart, if it was calibrated by default."""

    options = ("dim",)


class BatchNorm2d(_Rounded, batchnorm.BatchNorm2d):
    """`nn.BatchNorm2d`, on a grid."""

    options = ("num_features", "eps", "momentum")


class BatchNorm3d(_Rounded, batchnorm.BatchNorm3d):
    """`nn.BatchNorm3d`, on a grid."""

    options = ("num_features", "eps", "momentum")


class BNReLU2d(BatchNorm2d):
    """`nn.BatchNorm2d` and ReLU, on a grid."""

    relu = True


class BNReLU3d(BatchNorm3d):
    """`nn.BatchNorm3d` and ReLU, on a grid."""

    relu = True


class LayerNorm(_Rounded, normalization.LayerNorm):
    """`nn.LayerNorm`, on a grid."""

    options = ("normalized_shape", "eps", "elementwise_affine")


class GroupNorm(_Rounded, batchnorm.GroupNorm):
    """`nn.GroupNorm`, on a grid."""

    options = ("num_groups", "num_channels", "eps", "affine")


class InstanceNorm1d(_Rounded, batchnorm.InstanceNorm1d):
    """`nn.InstanceNorm1d`, on a grid."""

    options = ("num_features", "eps", "momentum", "affine", "track_running_stats")


class InstanceNorm2d(_Rounded, batchnorm.InstanceNorm2d):
    """`nn.InstanceNorm2d`, on a grid."""

    options = InstanceNorm1d.options


class InstanceNorm3d(_Rounded, batchnorm.InstanceNorm3d):
    """`nn.InstanceNorm3d`, on a grid."""

    options = InstanceNorm1d.options


class ReLU6(activation.ReLU):
    """min(max(0, x), 6), on the grid of x."""

    def forward(self, input: Tensor) -> Tensor:
        return quantized_input(self, input).clamp(0.0, 6.0)

    def _get_name(self) -> str:
        return "QuantizedReLU6"

    @staticmethod
    def from_float(mod: Any, use_precomputed_fake_quant: bool = False) -> Module:
        return ReLU6(mod.inplace)


class Dropout(dropout.Dropout):
    """y = x: a quantized model does not train."""

    def forward(self, input: Tensor) -> Tensor:
        return input

    def _get_name(self) -> str:
        return "QuantizedDropout"

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Module:
        return cls(mod.p, mod.inplace)
