"""Attention."""

from __future__ import annotations

import math
from typing import Any

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates
from labtorch.onnx.translators.shape import expanded


@translates("scaled_dot_product_attention")
def _(
    g,
    query,
    key,
    value,
    attn_mask=None,
    dropped=None,
    is_causal=False,
    scale=None,
    enable_gqa=False,
):
    if enable_gqa:
        key, value = (_repeat_heads(g, x, int(query.shape[-3])) for x in (key, value))
    factor = 1 / math.sqrt(int(query.shape[-1])) if scale is None else float(scale)
    order = [*range(key.ndim - 2), key.ndim - 1, key.ndim - 2]
    scores = g("MatMul", g("Mul", query, factor), g.permute(key, order))
    mask = attn_mask
    if is_causal:
        mask = g("Not", g.triangle(query.shape[-2], key.shape[-2], 1))
    if mask is not None and mask.dtype.kind == "b":
        scores = g("Where", mask, scores, g.value(-math.inf, g.dtype), dtype=g.dtype)
    elif mask is not None:
        scores = g("Add", scores, g.floating(mask))
    weights = g("Softmax", scores, axis=-1)
    if mask is not None:  # a query that may see no key gets zeros
        blind = g("IsNaN", weights, dtype=bool)
        weights = g("Where", blind, g.value(0.0, g.dtype), weights, dtype=g.dtype)
    if dropped is not None:
        weights = g("Mul", weights, dropped)
    return g("MatMul", weights, value)


def _repeat_heads(g: Graph, x: Value, heads: int) -> Value:
    """(..., h, n, e) as (..., heads, n, e): each head serves heads / h queries' heads."""
    *lead, h, n, e = x.shape
    wide = g("Unsqueeze", x, [len(lead) + 1])
    wide = expanded(g, wide, (*lead, h, heads // int(h), n, e))
    shape: Any = [*lead, heads, n, e]
    return g.shaped(g("Reshape", wide, g.ints(shape)), shape)
