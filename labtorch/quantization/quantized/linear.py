"""Linear layers on integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.backend import dtypes
from labtorch.engine.apply import apply
from labtorch.nn.linear import Linear as FloatLinear
from labtorch.nn.linear import NonDynamicallyQuantizableLinear
from labtorch.ops.quantization import quantized_linear
from labtorch.quantization.quantized.base import (
    OnGrid,
    Stated,
    blank,
    checked_bias,
    checked_weight,
    observed,
    one_line,
    quantized_input,
    result_observer,
)
from labtorch.tensor.creation import zeros
from labtorch.tensor.quantized import QuantizedTensor
from labtorch.tensor.tensor import Tensor

KINDS = (dtypes.qint8, dtypes.float16)


class LinearPackedParams(Stated):
    """The weight and the bias of a quantized linear layer, under PyTorch's names in a state dict.

    A weight of dtype float16 (of dynamic layers) is saved as such, in half of the bytes.
    """

    _version = 3

    def __init__(self, dtype: dtypes.dtype = dtypes.qint8) -> None:
        super().__init__()
        if dtype not in KINDS:
            raise RuntimeError(
                f"Unsupported dtype on dynamic quantized linear! {dtype!r}: qint8 and float16 are "
                "known"
            )
        self.dtype, self._shape = dtype, None
        self._weight: Any = blank(1, 1) if dtype is dtypes.qint8 else zeros(1, 1, dtype=dtype)
        self._bias: Tensor | None = None

    def set_weight_bias(self, weight: Tensor, bias: Tensor | None) -> None:
        """Take a weight (out, in) and a bias of floats."""
        self._weight, self._bias = self._checked(weight, bias, self.dtype)

    def _checked(self, weight: Any, bias: Any, dtype: dtypes.dtype, shape: Any = None) -> tuple:
        if dtype is dtypes.qint8:
            weight = checked_weight(weight, shape)
        elif isinstance(weight, Tensor) and weight.is_floating_point():
            if shape is not None and tuple(weight.shape) != tuple(shape):
                raise ValueError(f"size mismatch: {list(weight.shape)}, not {list(shape)}")
            weight = weight.detach().to(dtypes.float16)
        else:
            raise TypeError(f"should be a weight of floats, not {weight!r}")
        return weight, checked_bias(bias, weight.shape[0])

    def _weight_bias(self) -> tuple[Any, Tensor | None]:
        return self._weight, self._bias

    def _held(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "_packed_params": self._weight_bias()}

    def _taken(self, name: str, value: Any) -> Callable[[], None]:
        if name == "dtype":
            if value not in KINDS:
                raise TypeError(f"should be torch.qint8 or torch.float16, not {value!r}")
            return lambda: setattr(self, "dtype", value)
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise TypeError("should be a pair of a weight and a bias")
        kind = dtypes.qint8 if getattr(value[0], "is_quantized", False) else dtypes.float16
        pair = self._checked(value[0], value[1], kind, tuple(self._weight.shape))

        def take() -> None:
            self._weight, self._bias = pair

        return take

    def __repr__(self) -> str:
        return repr(self._weight_bias())


class Linear(OnGrid):
    r"""y = x W^T + b on integers: quantized x (..., in_features) to y (..., out_features).

    `weight()` is a quantized tensor, `bias()` one of floats or None; `scale` and `zero_point` are
    the grid of y. The sums are those of int32 accumulators.
    """

    _version = 3
    _FLOAT_MODULE: tuple[type, ...] = (FloatLinear, NonDynamicallyQuantizableLinear)
    _packed_params: LinearPackedParams
    relu = False

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias_: bool = True,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self._packed_params = packed = LinearPackedParams(dtype)
        size = out_features, in_features
        weight: Any = blank(*size) if dtype is dtypes.qint8 else zeros(size, dtype=dtype)
        packed.set_weight_bias(weight, zeros(out_features) if bias_ else None)
        self.scale, self.zero_point = 1.0, 0

    def _get_name(self) -> str:
        return "QuantizedLinear"

    def _weight_bias(self) -> tuple[Any, Tensor | None]:
        return self._packed_params._weight_bias()

    def weight(self) -> Any:
        """The weight (out_features, in_features), quantized."""
        return self._weight_bias()[0]

    def bias(self) -> Tensor | None:
        """The bias (out_features) of floats."""
        return self._weight_bias()[1]

    def set_weight_bias(self, w: Tensor, b: Tensor | None) -> None:
        """Take another weight and bias."""
        self._packed_params.set_weight_bias(w, b)

    def _check_features(self, x: Tensor) -> None:
        if not x.ndim or x.shape[-1] != self.in_features:
            raise RuntimeError(
                f"{self._get_name()}: the last dimension of the input is "
                f"{x.shape[-1] if x.ndim else 'missing'}, the layer takes {self.in_features}"
            )

    def forward(self, x: Tensor) -> Tensor:
        given = quantized_input(self, x)
        self._check_features(given)
        (weight, bias), grid = self._weight_bias(), self.grid(given.dtype)
        operands = given.codes, weight.codes, bias, given.grid, weight.grid
        return QuantizedTensor(apply(quantized_linear, (*operands, grid, self.relu)), grid)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"scale={self.scale}, zero_point={self.zero_point}, qscheme={self.weight().qscheme()}"
        )

    def __repr__(self) -> str:
        return one_line(self)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The quantized form of a prepared, calibrated `nn.Linear`, or of its form for training."""
        parts = observed(cls.__name__, mod, cls._FLOAT_MODULE, use_precomputed_fake_quant)
        observer = result_observer(cls.__name__, parts)
        made = cls(parts.layer.in_features, parts.layer.out_features)
        made.set_weight_bias(parts.weight, parts.bias)
        return made.observed_by(observer)
