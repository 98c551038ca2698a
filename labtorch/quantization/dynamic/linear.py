"""Linear layers with quantized weights, whose input is quantized as it comes."""

from __future__ import annotations

from typing import Any

from labtorch.backend import dtypes
from labtorch.nn import functional as F
from labtorch.nn.linear import Linear as FloatLinear
from labtorch.nn.linear import NonDynamicallyQuantizableLinear
from labtorch.quantization import intrinsic
from labtorch.quantization.qconfig import default_dynamic_qconfig
from labtorch.quantization.quantized import linear
from labtorch.quantization.quantized.base import check_on_cpu, weight_on_grid
from labtorch.tensor.quantized import QuantizedTensor
from labtorch.tensor.tensor import Tensor


def weight_as(name: str, weight: Tensor, maker: Any) -> Tensor:
    """A weight as a qconfig says: on a grid of qint8, or in float16."""
    observer = maker()
    if observer.dtype is dtypes.float16:
        return weight.detach().to(dtypes.float16)
    if observer.dtype is not dtypes.qint8:
        raise AssertionError(
            f"{name}: The only supported dtypes for dynamic quantization are qint8 and float16, "
            f"got: {observer.dtype!r}"
        )
    return weight_on_grid(name, weight, observer)


def product(name: str, x: Any, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x W^T + b: floats x, a weight of qint8 or float16."""
    if isinstance(x, QuantizedTensor) or not isinstance(x, Tensor):
        kind = repr(x.dtype) if isinstance(x, Tensor) else type(x).__name__
        raise RuntimeError(f"{name} takes floats, which it quantizes itself, not {kind}")
    check_on_cpu(name, x)
    if isinstance(weight, QuantizedTensor):
        return F.linear(x.detach().to(dtypes.float32), weight, bias).to(x.dtype)
    return F.linear(x.detach().to(dtypes.float32), weight.float(), bias).to(x.dtype)


class Linear(linear.Linear):
    r"""y = x W^T + b, for floats x (..., in_features): x is laid on the grid of its own range, and
    the product is one of integers. With dtype float16, only the weight is rounded."""

    _version = 4
    _FLOAT_MODULE = (FloatLinear, NonDynamicallyQuantizableLinear, intrinsic.LinearReLU)

    def _get_name(self) -> str:
        return "DynamicQuantizedLinear"

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, Tensor) and not x.is_quantized:
            self._check_features(x)
        y = product(self._get_name(), x, *self._weight_bias())
        return y.relu() if self.relu else y

    def extra_repr(self) -> str:
        text = f"in_features={self.in_features}, out_features={self.out_features}"
        text += f", dtype={self._packed_params.dtype}"
        quantized = self._packed_params.dtype is dtypes.qint8
        return f"{text}, qscheme={self.weight().qscheme()}" if quantized else text

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The dynamically quantized form of an `nn.Linear` with a qconfig."""
        name = "nn.quantized.dynamic.Linear"
        if type(mod) not in cls._FLOAT_MODULE:
            known = [each.__name__ for each in cls._FLOAT_MODULE]
            raise AssertionError(
                f"{name}.from_float only works for one of {known}, got {type(mod)}"
            )
        if not hasattr(mod, "qconfig"):
            raise AssertionError(f"{name}.from_float: Input float module must have qconfig defined")
        qconfig = mod.qconfig or default_dynamic_qconfig
        layer = mod[0] if isinstance(mod, intrinsic._FusedModule) else mod
        weight = weight_as(name, layer.weight, qconfig.weight)
        kind = dtypes.qint8 if weight.is_quantized else dtypes.float16
        made = cls(layer.in_features, layer.out_features, dtype=kind)
        made.set_weight_bias(weight, layer.bias)
        return made


class LinearReLU(Linear):
    """max(0, x W^T + b), as `Linear`."""

    relu = True

    def _get_name(self) -> str:
        return "DynamicQuantizedLinearReLU"
