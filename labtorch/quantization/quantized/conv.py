"""Convolutions on integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.engine.apply import apply
from labtorch.nn import conv as float_conv
from labtorch.nn import functional as F
from labtorch.ops import quantization
from labtorch.quantization.quantized.base import (
    OnGrid,
    blank,
    checked_bias,
    checked_weight,
    observed,
    quantized_input,
    result_observer,
)
from labtorch.tensor.creation import zeros
from labtorch.tensor.quantized import QuantizedTensor
from labtorch.tensor.tensor import Tensor

OPS = {
    1: quantization.quantized_conv1d,
    2: quantization.quantized_conv2d,
    3: quantization.quantized_conv3d,
}
AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


class _ConvNd(OnGrid, float_conv._ConvNd):
    """What the quantized convolutions share; arguments as of the float ones."""

    relu = False
    _FLOAT_MODULE: tuple[type, ...] = ()

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self._weight = blank(*self._weight_shape())
        self._bias = zeros(self.out_channels) if bias else None
        self.scale, self.zero_point = 1.0, 0

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def _weight_bias(self) -> tuple[QuantizedTensor, Tensor | None]:
        return self._weight, self._bias

    def weight(self) -> QuantizedTensor:  # type: ignore[override]  # no parameter here
        """The weight (out_channels, in_channels / groups, *kernel_size), quantized."""
        return self._weight

    def bias(self) -> Tensor | None:
        """The bias (out_channels) of floats."""
        return self._bias

    def set_weight_bias(self, w: Tensor, b: Tensor | None) -> None:
        """Take another weight and bias."""
        self._weight, self._bias = (
            checked_weight(w, self._weight_shape()),
            checked_bias(b, self.out_channels),
        )

    def _held(self) -> dict[str, Any]:
        return {"weight": self._weight, "bias": self._bias} | super()._held()

    def _taken(self, name: str, value: Any) -> Callable[[], None]:
        if name == "weight":
            weight = checked_weight(value, self._weight_shape())
            return lambda: setattr(self, "_weight", weight)
        if name == "bias":
            bias = checked_bias(value, self.out_channels)
            return lambda: setattr(self, "_bias", bias)
        return super()._taken(name, value)

    def forward(self, input: Tensor) -> Tensor:
        x = quantized_input(self, input)
        if x.ndim != self.n + 2:
            raise ValueError(f"Input shape must be `(N, C, {AXES[self.n]})`!")
        if x.shape[1] != self.in_channels:
            raise RuntimeError(
                f"{self._get_name()}: the input has {x.shape[1]} channels, the layer takes "
                f"{self.in_channels}"
            )
        padding, codes, grid = self.padding, x.codes, self.grid(x.dtype)
        if self.padding_mode != "zeros":  # borders repeat what is there: codes move
            codes, padding = F.pad(codes, self._border(), mode=self.padding_mode), (0,) * self.n
        settings = self.stride, padding, self.dilation, self.groups, self.relu
        operands = codes, self._weight.codes, self._bias, x.grid, self._weight.grid, grid
        return QuantizedTensor(apply(OPS[self.n], (*operands, *settings)), grid)

    def extra_repr(self) -> str:
        n = self.n
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}, scale={self.scale}, zero_point={self.zero_point}"
        for name, default in (("padding", (0,) * n), ("dilation", (1,) * n), ("groups", 1)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text if self._bias is not None else f"{text}, bias=False"

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The quantized form of a prepared, calibrated convolution (or its form for training)."""
        parts = observed(cls.__name__, mod, cls._FLOAT_MODULE, use_precomputed_fake_quant)
        observer, layer = result_observer(cls.__name__, parts), parts.layer
        made = cls(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            parts.bias is not None,
            layer.padding_mode,
        )
        made.set_weight_bias(parts.weight, parts.bias)
        return made.observed_by(observer)


class Conv1d(_ConvNd):
    """`nn.Conv1d` on integers: quantized x (N, C, L)."""

    n = 1
    _FLOAT_MODULE: tuple[type, ...] = (float_conv.Conv1d,)


class Conv2d(_ConvNd):
    """`nn.Conv2d` on integers: quantized x (N, C, H, W)."""

    n = 2
    _FLOAT_MODULE: tuple[type, ...] = (float_conv.Conv2d,)


class Conv3d(_ConvNd):
    """`nn.Conv3d` on integers: quantized x (N, C, D, H, W)."""

    n = 3
    _FLOAT_MODULE: tuple[type, ...] = (float_conv.Conv3d,)
