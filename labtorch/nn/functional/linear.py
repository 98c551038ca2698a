"""Linear maps and tables of vectors."""

from __future__ import annotations

from labtorch.backend.arrays import namespace
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.ops import indexing
from labtorch.tensor import functions
from labtorch.tensor.tensor import Tensor


@composite
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""y_o = x_1^T W_o x_2 + b_o, for x_1 (..., n), x_2 (..., m), W (o, n, m) and y (..., o)."""
    outputs, n, m = weight.shape
    rows = functions.reshape(input1, -1, n)
    maps = functions.reshape(functions.permute(weight, 1, 0, 2), n, outputs * m)
    half = functions.reshape(rows @ maps, -1, outputs, m)
    out = (half @ functions.reshape(input2, -1, m, 1)).squeeze(-1)  # type: ignore[attr-defined]
    if bias is not None:
        out = out + bias
    return functions.reshape(out, *input1.shape[:-1], outputs)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` by index; the row at `padding_idx` gets no gradient."""
    if padding_idx is not None:
        if not -len(weight) <= padding_idx < len(weight):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= len(weight)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    return apply(indexing.embedding, (input, weight, padding_idx, scale_grad_by_freq))


def _renormalize(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Shorten, in place, the rows that are looked up and longer than `max_norm`."""
    rows = namespace(input._array).unique(input._array)
    table = weight._array
    norms = (abs(table[rows]) ** norm_type).sum(1) ** (1 / norm_type)
    long = norms > max_norm
    if long.any():
        table[rows[long]] *= (max_norm / (norms[long] + 1e-7))[:, None].astype(table.dtype)
        weight.version().written("embedding(max_norm=...)")
