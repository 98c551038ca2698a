"""Attention: averages of values, weighted by how well their keys match each query."""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.backend.fused import fused
from labtorch.engine.op import op
from labtorch.ops.activation import softmax
from labtorch.ops.arithmetic import where
from labtorch.ops.reduction import sum
from labtorch.ops.shape import expand, transpose, unsqueeze


def _check(query: Any, key: Any, value: Any, mask: Any, causal: bool, grouped: bool) -> None:
    named = {"query": query, "key": key, "value": value}

    def each(what: str) -> str:
        return " ".join(f"{name}.{what}: {getattr(x, what)}" for name, x in named.items())

    if min(x.ndim for x in named.values()) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got "
            + each("ndim")
        )
    if len({x.dtype for x in named.values()}) > 1:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got " + each("dtype")
        )
    if query.dtype.kind != "f":
        raise RuntimeError(f"expected scalar type Float but found {query.dtype}")
    if mask is not None and causal:
        raise RuntimeError("Explicit attn_mask should not be set when is_causal=True")
    if mask is not None and mask.dtype.name not in ("bool", "float32", query.dtype.name):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {mask.dtype} and query.dtype: {query.dtype}"
        )
    if query.shape[-1] != key.shape[-1]:
        raise RuntimeError(
            f"queries and keys are compared along their last dimension, which must be equal: "
            f"query has {query.shape[-1]}, key {key.shape[-1]}"
        )
    if key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            f"every key comes with one value: key has {key.shape[-2]} of them, "
            f"value {value.shape[-2]}"
        )
    if grouped and any(x.ndim < 3 or query.shape[-3] % x.shape[-3] for x in (key, value)):
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query: "
            + each("shape")
        )


def _scale(query: Any, scale: float | None) -> float:
    return 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)


def _future(lib: Any, shape: tuple) -> Any:
    """Query i must not see key j > i."""
    return ~lib.tri(shape[-2], shape[-1], dtype=bool)


def _repeat_heads(x: Any, heads: int) -> Any:
    """(..., h, n, e) as (..., heads, n, e): each head serves heads / h queries' heads."""
    *lead, h, n, e = x.shape
    return expand(unsqueeze(x, -3), (*lead, h, heads // h, n, e)).reshape((*lead, heads, n, e))


def _sum_heads(g: Any, shape: tuple) -> Any:
    """The transpose of `_repeat_heads`."""
    *lead, heads, n, e = g.shape
    return sum(g.reshape((*lead, shape[-3], heads // shape[-3], n, e)), -3)


@op(
    r"Y = (A \odot D)\, V, \quad A = \operatorname{softmax}"
    r"\bigl(\tfrac{1}{\sqrt{E}}\, Q K^{\top} + M\bigr)",
    broadcasts=True,
    keeps=("weights",),
)
def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropped=None, is_causal=False, scale=None, enable_gqa=False
):
    """Q (..., L, E), K (..., S, E), V (..., S, F), mask (L, S) or what broadcasts to the scores.

    `dropped` is D, drawn by the caller: 0 or 1 / (1 - p) for every weight. A query that may see no
    key gets zeros. Source: Vaswani et al. (2017), "Attention Is All You Need".
    """
    _check(query, key, value, attn_mask, is_causal, enable_gqa)
    lib = namespace(query)
    if enable_gqa:
        key, value = (_repeat_heads(x, query.shape[-3]) for x in (key, value))
    scores = lib.matmul(query * query.dtype.type(_scale(query, scale)), key.swapaxes(-1, -2))
    if is_causal:
        lib.copyto(scores, -math.inf, where=_future(lib, scores.shape))
    elif attn_mask is not None and attn_mask.dtype.kind == "b":
        _hide(scores, attn_mask)
    elif attn_mask is not None:
        scores += attn_mask
    weights = scores  # the same memory, from here on softmax in place
    if scores.shape[-1]:
        _exponentiate(scores, scores.max(axis=-1, keepdims=True))
        _normalise(weights, scores.sum(axis=-1, keepdims=True))
    y = lib.matmul(weights if dropped is None else weights * dropped, value)
    return y, weights


@fused
def _hide(scores, seen):
    namespace(scores).copyto(scores, -math.inf, where=~seen)


@fused
def _exponentiate(scores, highest):
    lib = namespace(scores)
    scores -= lib.where(highest == -math.inf, 0, highest)
    lib.exp(scores, out=scores)


@fused
def _normalise(weights, total):
    weights /= namespace(total).where(total == 0, 1, total)


@fused
def _score_slopes(weights, slope, dropped, along):
    if dropped is not None:
        slope = slope * dropped
    return weights * (slope - along)


def _weights(query: Any, key: Any, attn_mask: Any, is_causal: bool, scale: float | None) -> Any:
    """The weights again, from tensors, for a recorded backward pass."""
    scores = (query * _scale(query, scale)) @ transpose(key, -1, -2)
    lib = namespace(scores._array)
    if is_causal:
        scores = where(_future(lib, scores.shape), -math.inf, scores)
    elif attn_mask is not None and attn_mask._array.dtype.kind == "b":
        scores = where(attn_mask, scores, -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    blind = (scores._array == -math.inf).all(axis=-1, keepdims=True)
    return where(blind, 0.0, softmax(where(blind, 0.0, scores), -1))


@scaled_dot_product_attention.vjps(
    "query",
    "key",
    "value",
    "attn_mask",
    formula=r"\bar V = (A \odot D)^{\top} \bar Y, \quad "
    r"\bar M = A \odot \bigl(\bar A - \textstyle\sum_s \bar A_s A_s\bigr), \; "
    r"\bar A = \bar Y V^{\top} \odot D, \quad "
    r"\bar Q = \tfrac{1}{\sqrt{E}} \bar M K, \quad \bar K = \tfrac{1}{\sqrt{E}} \bar M^{\top} Q",
)
def _(
    g,
    query,
    key,
    value,
    attn_mask,
    dropped,
    is_causal,
    scale,
    enable_gqa,
    output,
    weights,
    needs,
):
    to_query, to_key, to_value, to_mask = (*needs, False, False, False)[:4]
    key_shape, value_shape, factor = key.shape, value.shape, _scale(query, scale)
    if enable_gqa:
        key, value = (_repeat_heads(x, query.shape[-3]) for x in (key, value))
    if weights is None:
        weights = _weights(query, key, attn_mask, is_causal, scale)
    gradients: list[Any] = [None] * 4
    if to_value:
        used = weights if dropped is None else weights * dropped
        gradients[2] = transpose(used, -1, -2) @ g
    if to_query or to_key or to_mask:
        slope = g @ transpose(value, -1, -2)
        # sum_s (dA_s A_s) is g . y: a sum over F numbers in place of S
        scores = _score_slopes(weights, slope, dropped, sum(g * output, -1, True))
        if to_query:
            gradients[0] = (scores @ key) * factor
        if to_key:
            gradients[1] = transpose(scores, -1, -2) @ (query * factor)
        gradients[3] = scores
    if enable_gqa:
        if to_key:
            gradients[1] = _sum_heads(gradients[1], key_shape)
        if to_value:
            gradients[2] = _sum_heads(gradients[2], value_shape)
    return gradients
