"""The ends of a quantized model: from floats to integers, and back."""

from __future__ import annotations

from typing import Any

from labtorch.backend import dtypes
from labtorch.nn.module import Module
from labtorch.quantization.quantized.base import saw_nothing, unseen_message
from labtorch.tensor.creation import tensor
from labtorch.tensor.quantized import QuantizedTensor, quantize_per_tensor
from labtorch.tensor.tensor import Tensor


class Quantize(Module):
    """`quantize_per_tensor` with a scale and a zero point that were found by calibration."""

    scale: Tensor
    zero_point: Tensor
    unseen = False

    def __init__(
        self, scale: float, zero_point: int, dtype: dtypes.dtype, factory_kwargs: Any = None
    ) -> None:
        super().__init__()
        options = {k: v for k, v in (factory_kwargs or {}).items() if k == "device"}
        self.register_buffer("scale", tensor([float(scale)], dtype=dtypes.float32, **options))
        self.register_buffer("zero_point", tensor([int(zero_point)], **options))
        self.dtype = dtype

    def forward(self, X: Tensor) -> Tensor:
        scale, zero_point = float(self.scale), int(self.zero_point)
        if self.unseen and (scale, zero_point) == (1.0, 0):
            raise RuntimeError(unseen_message("Quantize"))
        return quantize_per_tensor(X, scale, zero_point, self.dtype)

    @staticmethod
    def from_float(mod: Any, use_precomputed_fake_quant: bool = False) -> Quantize:
        """The quantized form of a prepared, calibrated `QuantStub`."""
        observer = getattr(mod, "activation_post_process", None)
        if observer is None:
            raise AssertionError(
                f"Module {type(mod).__name__} must have activation_post_process attribute: "
                "prepare(model), then run it on some batches, then convert"
            )
        if saw_nothing(observer):
            made = Quantize(1.0, 0, observer.dtype)
            made.unseen = True
            return made
        scale, zero_point = observer.calculate_qparams()
        return Quantize(float(scale), int(zero_point), observer.dtype)

    def extra_repr(self) -> str:
        return f"scale={self.scale}, zero_point={self.zero_point}, dtype={self.dtype}"


class DeQuantize(Module):
    """The floats that a quantized tensor stands for."""

    def forward(self, Xq: Tensor) -> Tensor:
        if not isinstance(Xq, QuantizedTensor):
            raise NotImplementedError(
                f"DeQuantize takes a quantized tensor, but got one of {Xq.dtype!r}: is there a "
                "QuantStub at the beginning of the model?"
            )
        return Xq.dequantize()

    @staticmethod
    def from_float(mod: Any, use_precomputed_fake_quant: bool = False) -> DeQuantize:
        return DeQuantize()
