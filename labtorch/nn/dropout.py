"""Dropout: random zeros in training, nothing in evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.nn import functional as F
from labtorch.nn.functional.dropout import check_probability
from labtorch.nn.module import Module
from labtorch.tensor.tensor import Tensor


class _Dropout(Module):
    drop: Callable[..., Tensor]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        return type(self).drop(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zero each element with probability p, scale the rest by 1 / (1 - p)."""

    drop = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """Zero whole channels of (N, C, L)."""

    drop = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """Zero whole channels of (N, C, H, W)."""

    drop = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """Zero whole channels of (N, C, D, H, W)."""

    drop = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout for SELU networks: keeps mean 0 and variance 1."""

    drop = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """As `AlphaDropout`, on whole channels."""

    drop = staticmethod(F.feature_alpha_dropout)
