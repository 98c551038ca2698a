"""Several attention heads beside each other, as a layer."""

from __future__ import annotations

from typing import Any

from labtorch.nn import functional as F
from labtorch.nn import init
from labtorch.nn.linear import NonDynamicallyQuantizableLinear
from labtorch.nn.module import Module
from labtorch.nn.parameter import Parameter
from labtorch.tensor.creation import empty
from labtorch.tensor.tensor import Tensor


class MultiheadAttention(Module):
    r"""y = concat(head_1, ..., head_h) W_O, head_i = attention(q W_i^Q, k W_i^K, v W_i^V).

    Query (L, N, E), key and value (S, N, E); with `batch_first` (N, L, E) and (N, S, E); without N
    for a single sequence. Returns y and the heads' mean weights (N, L, S).
    Source: Vaswani et al. (2017), "Attention Is All You Need".

    >>> import labtorch
    >>> x = labtorch.zeros(5, 2, 8)
    >>> y, weights = MultiheadAttention(8, 4)(x, x, x)
    >>> y.shape, weights.shape
    (torch.Size([5, 2, 8]), torch.Size([2, 5, 5]))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def parameter(name: str, *size: int, wanted: bool = True) -> None:
            made = Parameter(empty(size, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, made)

        apart = not self._qkv_same_embed_dim
        parameter("q_proj_weight", embed_dim, embed_dim, wanted=apart)
        parameter("k_proj_weight", embed_dim, self.kdim, wanted=apart)
        parameter("v_proj_weight", embed_dim, self.vdim, wanted=apart)
        parameter("in_proj_weight", 3 * embed_dim, embed_dim, wanted=not apart)
        parameter("in_proj_bias", 3 * embed_dim, wanted=bias)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        parameter("bias_k", 1, 1, embed_dim, wanted=add_bias_kv)
        parameter("bias_v", 1, 1, embed_dim, wanted=add_bias_kv)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if getattr(self, name) is not None:
                init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Masks are true where a query must not look: keys (N, S), or pairs (L, S)."""
        swap = self.batch_first and query.ndim == 3
        if swap:
            query, key, value = (
                x.transpose(0, 1) if x.ndim == 3 else x for x in (query, key, value)
            )
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (output.transpose(0, 1) if swap else output), weights
