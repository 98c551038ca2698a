"""Tables of vectors in a byte a number, with a scale for each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.engine.apply import apply
from labtorch.nn import embedding as float_embedding
from labtorch.nn import functional as F
from labtorch.ops.quantization import Grid, quantized_embedding
from labtorch.quantization.qconfig import float_qparams_weight_only_qconfig
from labtorch.quantization.quantized.base import Stated, one_line, weight_on_grid
from labtorch.tensor.creation import zeros
from labtorch.tensor.quantized import QuantizedTensor
from labtorch.tensor.tensor import Tensor


class EmbeddingPackedParams(Stated):
    """The table of a quantized embedding, under PyTorch's names in a state dict."""

    _version = 1

    def __init__(
        self, num_embeddings: int, embedding_dim: int, dtype: dtypes.dtype = dtypes.quint8
    ) -> None:
        super().__init__()
        if dtype is not dtypes.quint8:
            raise NotImplementedError(
                f"Unsupported dtype on quantized embedding! {dtype!r}: quint8 is known"
            )
        self.dtype = dtype
        scales = np.ones(num_embeddings, np.float32), np.zeros(num_embeddings, np.float32)
        codes = zeros(num_embeddings, embedding_dim, dtype=dtypes.uint8)
        self._packed_weight = QuantizedTensor(codes, Grid(*scales, dtype, 0))

    def set_weight(self, weight: Tensor) -> None:
        """Take a table."""
        self._packed_weight = self._checked(weight)

    def _checked(self, weight: Any) -> QuantizedTensor:
        if not isinstance(weight, QuantizedTensor) or weight.dtype is not dtypes.quint8:
            raise TypeError("should be a tensor of torch.quint8")
        if weight.grid.axis != 0 or weight.shape != self._packed_weight.shape:
            raise ValueError(
                f"should have shape {list(self._packed_weight.shape)} and scales along dimension "
                f"0, but has shape {list(weight.shape)} and axis {weight.grid.axis}"
            )
        return weight

    def _weight(self) -> QuantizedTensor:
        return self._packed_weight

    def _held(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "_packed_weight": self._packed_weight}

    def _taken(self, name: str, value: Any) -> Callable[[], None]:
        if name == "dtype":
            if value is not dtypes.quint8:
                raise TypeError(f"should be torch.quint8, not {value!r}")
            return lambda: None
        weight = self._checked(value)
        return lambda: setattr(self, name, weight)

    def __repr__(self) -> str:
        return repr(self._packed_weight)


class Embedding(Stated):
    """A vector of floats for each index, kept as bytes with a scale and a zero point per row."""

    _version = 1
    _FLOAT_MODULE: type = float_embedding.Embedding
    _packed_params: EmbeddingPackedParams

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        dtype: dtypes.dtype = dtypes.quint8,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim, self.dtype = num_embeddings, embedding_dim, dtype
        self._packed_params = EmbeddingPackedParams(num_embeddings, embedding_dim, dtype)
        if _weight is not None:
            self.set_weight(_weight)

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def set_weight(self, w: Tensor) -> None:
        """Take another table."""
        self._packed_params.set_weight(w)

    def weight(self) -> QuantizedTensor:
        """The table (num_embeddings, embedding_dim), quantized."""
        return self._packed_params._weight()

    def forward(self, indices: Tensor) -> Tensor:
        weight = self.weight()
        return apply(quantized_embedding, (indices, weight.codes, weight.grid))

    def extra_repr(self) -> str:
        return (
            f"num_embeddings={self.num_embeddings}, embedding_dim={self.embedding_dim}, "
            f"dtype={self.dtype}, qscheme={self.weight().qscheme()}"
        )

    def __repr__(self) -> str:
        return one_line(self)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The quantized form of an embedding with a qconfig, or of its form for training."""
        name = cls.__name__
        if hasattr(mod, "weight_fake_quant"):
            observer = mod.weight_fake_quant
        else:
            if type(mod) is not cls._FLOAT_MODULE:
                raise AssertionError(
                    f"{name}.from_float only works for {cls._FLOAT_MODULE.__name__}, not "
                    f"{type(mod).__name__}"
                )
            qconfig = getattr(mod, "qconfig", None) or float_qparams_weight_only_qconfig
            observer = qconfig.weight()
        if not observer.qscheme.name.endswith("float_qparams"):
            raise AssertionError(
                f"{name} quantization is only supported with float_qparams_weight_only_qconfig: "
                f"set the embedding's qconfig to it, or to None, in place of one on "
                f"{observer.qscheme!r}"
            )
        made = cls._like(mod)
        made.set_weight(weight_on_grid(name, mod.weight, observer, use_precomputed_fake_quant))
        return made

    @classmethod
    def _like(cls, mod: Any) -> Any:
        return cls(mod.num_embeddings, mod.embedding_dim)


class EmbeddingBag(Embedding):
    """The sum, or with `mode` the mean or the maximum, of the vectors of each bag of indices."""

    _FLOAT_MODULE = float_embedding.EmbeddingBag

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "sum",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        dtype: dtypes.dtype = dtypes.quint8,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, _weight=_weight, dtype=dtype)
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(  # type: ignore[override]
        self,
        indices: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        return F.embedding_bag(
            indices,
            self.weight().dequantize(),
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
        )

    @classmethod
    def _like(cls, mod: Any) -> Any:
        made = cls(mod.num_embeddings, mod.embedding_dim, mode=mod.mode)
        made.include_last_offset = mod.include_last_offset
        return made
