"""Sums and products as modules: what an op needs an observer, and then a grid, for."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from labtorch.nn import functional as F
from labtorch.nn.linear import Identity
from labtorch.nn.module import Module
from labtorch.ops.shape import cat as concatenate
from labtorch.quantization.quantized.base import OnGrid, quantized_input
from labtorch.tensor.quantized import joined, pair, shifted, stretched
from labtorch.tensor.tensor import Tensor


class FXFloatFunctional(Module):
    """`add`, `mul`, `cat`, ... of floats, as methods of a module."""

    def _done(self, result: Tensor) -> Tensor:
        return result

    def forward(self, x: Any) -> Any:
        raise RuntimeError(
            f"{type(self).__name__} is not intended to use the 'forward'. Please use the "
            "underlying operation: add, mul, cat, add_relu, add_scalar, mul_scalar or matmul"
        )

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """x + y."""
        return self._done(x + y)

    def add_scalar(self, x: Tensor, y: float) -> Tensor:
        """x + y, for a number y; needs no observer."""
        return x + y

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        """x y, element by element."""
        return self._done(x * y)

    def mul_scalar(self, x: Tensor, y: float) -> Tensor:
        """x y, for a number y; needs no observer."""
        return x * y

    def cat(self, x: Sequence[Tensor], dim: int = 0) -> Tensor:
        """Tensors side by side along `dim`."""
        return self._done(concatenate(list(x), dim))

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """max(0, x + y)."""
        return self._done(F.relu(x + y))

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """The product of matrices."""
        return self._done(x @ y)


class FloatFunctional(FXFloatFunctional):
    """Use its methods in place of `+`, `*`, `torch.cat`, so that `prepare` can let their results
    be observed, and `convert` can make them ops of quantized tensors (`QFunctional`).

    >>> import labtorch
    >>> FloatFunctional().add(labtorch.tensor(3.0), labtorch.tensor(4.0))
    tensor(7.)
    """

    activation_post_process: Module

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = Identity()

    def _done(self, result: Tensor) -> Tensor:
        return self.activation_post_process(result)


class QFunctional(OnGrid):
    """`FloatFunctional` of quantized tensors; `scale` and `zero_point` are the result's grid."""

    activation_post_process: Module

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.zero_point = 1.0, 0
        self.activation_post_process = Identity()

    def extra_repr(self) -> str:
        return f"scale={self.scale}, zero_point={self.zero_point}"

    forward = FXFloatFunctional.forward

    def _pair(self, function: Any, x: Tensor, y: Tensor, relu: bool = False) -> Tensor:
        first, second = quantized_input(self, x), quantized_input(self, y)
        made = pair(first, second, function, self.grid(first.dtype), relu)
        return self.activation_post_process(made)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """x + y."""
        return self._pair(operator.add, x, y)

    def add_scalar(self, x: Tensor, y: float) -> Tensor:
        """x + y, for a number y: the grid is shifted."""
        return shifted(quantized_input(self, x), y)

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        """x y, element by element."""
        return self._pair(operator.mul, x, y)

    def mul_scalar(self, x: Tensor, y: float) -> Tensor:
        """x y, for a number y: the grid is stretched."""
        return stretched(quantized_input(self, x), y)

    def cat(self, x: Sequence[Tensor], dim: int = 0) -> Tensor:
        """Tensors side by side along `dim`, on one grid."""
        given = [quantized_input(self, each) for each in x]
        return self.activation_post_process(joined(given, dim, self.grid(given[0].dtype)))

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """max(0, x + y)."""
        return self._pair(operator.add, x, y, relu=True)

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """The product of matrices."""
        return self._pair(operator.matmul, x, y)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> QFunctional:
        """The quantized form of a prepared, calibrated `FloatFunctional`."""
        if type(mod) is not FloatFunctional:
            raise AssertionError(
                "QFunctional.from_float expects an instance of FloatFunctional, got "
                f"{type(mod).__name__}"
            )
        if not hasattr(mod.activation_post_process, "calculate_qparams"):
            raise AssertionError(
                "QFunctional.from_float: the FloatFunctional has no observer: prepare(model), then "
                "run it on some batches, then convert"
            )
        return cls().observed_by(mod.activation_post_process)
