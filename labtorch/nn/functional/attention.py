"""Attention: one head, and several beside each other."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.nn.functional.dropout import check_probability, drawn_mask, dropout
from labtorch.ops import attention
from labtorch.ops.linear import linear
from labtorch.ops.shape import cat
from labtorch.tensor import creation, functions
from labtorch.tensor.tensor import Tensor


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(Q K^T / sqrt(E) + mask) V, for Q (..., L, E), K (..., S, E) and V (..., S, F).

    A boolean mask (L, S) is true where a query may look; one of numbers is added to the scores.
    `is_causal` lets query i see the keys 0 .. i. With `enable_gqa`, several heads of the query
    share one of keys and values. `node.saved` holds the weights, (..., L, S).
    """
    for position, (name, each) in enumerate(
        (("query", query), ("key", key), ("value", value)), start=1
    ):
        if not isinstance(each, Tensor):
            raise TypeError(
                f"scaled_dot_product_attention(): argument '{name}' (position {position}) must be "
                f"Tensor, not {type(each).__name__}"
            )
    dropped = None
    if dropout_p > 0.0:
        if dropout_p > 1.0:
            raise RuntimeError(
                f"dropout probability has to be between 0 and 1, but got {dropout_p}"
            )
        lead = (query.shape[:-2], key.shape[:-2], value.shape[:-2])
        batch = lead[0] if enable_gqa else np.broadcast_shapes(*lead)
        dropped = drawn_mask((*batch, query.shape[-2], key.shape[-2]), dropout_p, query)
    return apply(
        attention.scaled_dot_product_attention,
        (query, key, value, attn_mask, dropped, is_causal, scale, enable_gqa),
    )


def added_mask(
    mask: Tensor | None,
    name: str,
    other: Tensor | None,
    other_name: str,
    like: Tensor,
    warn: bool = True,
) -> Tensor | None:
    """A mask to add to the scores: -inf where a boolean one is true, numbers as they are."""
    if mask is None:
        return None
    boolean = mask._array.dtype.kind == "b"
    if not boolean and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if warn and other is not None and other.dtype is not mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both "
            "instead.",
            stacklevel=3,
        )
    if not boolean:
        return mask
    return creation.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill_(
        mask, -math.inf
    )


def _check_dims(query: Tensor, key: Tensor, value: Tensor, padding: Any, mask: Any) -> bool:
    """Is it a batch? Refuses arguments that do not fit together."""
    if query.ndim not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{query.ndim}-D query tensor"
        )
    batched = query.ndim == 3
    kind = "batched (3-D)" if batched else "unbatched (2-D)"
    if (key.ndim, value.ndim) != (query.ndim, query.ndim):
        raise AssertionError(
            f"For {kind} `query`, expected `key` and `value` to be {query.ndim}-D but found "
            f"{key.ndim}-D and {value.ndim}-D tensors respectively"
        )
    if padding is not None and padding.ndim != query.ndim - 1:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {query.ndim - 1}-D "
            f"but found {padding.ndim}-D tensor instead"
        )
    if mask is not None and mask.ndim not in (2, 3):
        raise AssertionError(
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{mask.ndim}-D tensor instead"
        )
    return batched


def _check_sizes(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, heads: int, separate: bool
) -> None:
    if query.shape[-1] != embed_dim:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim}, but got {query.shape[-1]}"
        )
    if embed_dim % heads:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
        )
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def _heads(x: Tensor, heads: int, batch: int) -> Tensor:
    """(length, batch, heads * e) as (batch, heads, length, e)."""
    length, _, width = x.shape
    return functions.permute(functions.view(x, length, batch, heads, width // heads), 1, 2, 0, 3)


@composite
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """The heads' attention side by side, between a projection in and one out.

    query (L, N, E), key and value (S, N, E), or without N; masks (L, S) and (N, S) are true where
    a query must *not* look. Returns the output (L, N, E) and the weights (N, L, S), or None.
    """
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask)
    if not batched:
        query, key, value = (x.unsqueeze(1) for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    length, batch, width = query.shape
    key_padding_mask = added_mask(
        key_padding_mask, "key_padding_mask", attn_mask, "attn_mask", query
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. "
            "Transformer.generate_square_subsequent_mask makes one."
        )
    is_causal = is_causal and key_padding_mask is None and not need_weights
    mask = None if is_causal else added_mask(attn_mask, "attn_mask", None, "", query)
    if mask is not None:
        mask = _per_head(mask, batched, (batch, num_heads, length, key.shape[0]))

    weights: tuple = (q_proj_weight, k_proj_weight, v_proj_weight)
    if in_proj_weight is not None and not use_separate_proj_weight:
        weights = functions.chunk(in_proj_weight, 3)
    biases = (None,) * 3 if in_proj_bias is None else functions.chunk(in_proj_bias, 3)
    q, k, v = (apply(linear, (x, w, b)) for x, w, b in zip((query, key, value), weights, biases))
    extra = 0  # keys that come after the given ones, visible to all
    if bias_k is not None and bias_v is not None:
        k, v = (cat([x, b.repeat(1, batch, 1)]) for x, b in ((k, bias_k), (v, bias_v)))
        extra += 1
    q, k, v = (_heads(x, num_heads, batch) for x in (q, k, v))
    k, v = _static(static_k, k, "static_k"), _static(static_v, v, "static_v")
    if add_zero_attn:
        k, v = (cat([x, creation.zeros_like(x[:, :, :1])], 2) for x in (k, v))
        extra += 1
    if extra:
        mask = None if mask is None else functions.pad(mask, (0, extra))
        if key_padding_mask is not None:
            key_padding_mask = functions.pad(key_padding_mask, (0, extra))
    if key_padding_mask is not None:
        expected = (batch, k.shape[2])
        if tuple(key_padding_mask.shape) != expected:
            at = 0 if key_padding_mask.shape[0] != batch else 1
            raise AssertionError(
                f"Expected key_padded_mask.shape[{at}] to be {expected[at]}, but got "
                f"{key_padding_mask.shape[at]}"
            )
        padding = functions.view(key_padding_mask, batch, 1, 1, k.shape[2])
        mask = padding if mask is None else mask + padding

    p = dropout_p if training else 0.0
    if need_weights:
        scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1)
        shown = functions.softmax(scores if mask is None else scores + mask, -1)
        if p > 0.0:
            shown = dropout(shown, p)
        attended = shown @ v
    else:
        check_probability(p)
        attended = scaled_dot_product_attention(q, k, v, mask, p, is_causal)
    joined = functions.reshape(functions.permute(attended, 2, 0, 1, 3), length * batch, width)
    output = functions.view(
        apply(linear, (joined, out_proj_weight, out_proj_bias)), length, batch, -1
    )
    if not batched:
        output = output.squeeze(1)
    if not need_weights:
        return output, None
    if average_attn_weights:
        shown = shown.mean(1)
    return output, shown if batched else shown.squeeze(0)


def _per_head(mask: Tensor, batched: bool, size: tuple) -> Tensor:
    """A mask (L, S) as it is, one of (N H, L, S) as (N, H, L, S); refuses others."""
    batch, heads, length, keys = size
    expected = (length, keys) if mask.ndim == 2 else (batch * heads, length, keys)
    if tuple(mask.shape) != expected:
        if not batched and mask.ndim == 3:
            raise AssertionError(
                f"Expected `attn_mask` shape to be {expected} but got {mask.shape}"
            )
        raise RuntimeError(
            f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {expected}."
        )
    return mask if mask.ndim == 2 else functions.view(mask, *size)


def _static(given: Tensor | None, own: Tensor, name: str) -> Tensor:
    """Keys or values that the caller computed, (N H, S, e), in place of the projected ones."""
    if given is None:
        return own
    batch, heads, _, width = own.shape
    if given.ndim != 3 or given.shape[0] != batch * heads or given.shape[2] != width:
        raise AssertionError(
            f"expecting {name} of shape ({batch * heads}, S, {width}), but got {given.shape}"
        )
    return functions.view(given, batch, heads, -1, width)
