"""Products of matrices."""

from __future__ import annotations

from labtorch.onnx.table import translates


@translates("linear")
def _(g, input, weight, bias=None):
    if input.ndim == 2 and weight.ndim == 2:
        return g("Gemm", input, weight, bias, transB=1)
    columns = g.permute(weight, range(weight.ndim - 1, -1, -1))
    y = g("MatMul", input, columns)
    return y if bias is None else g("Add", y, bias)


@translates("matmul")
def _(g, input, other):
    return g("MatMul", input, other)


@translates("einsum")
def _(g, equation, *operands):
    return g("Einsum", *(g.floating(x) for x in operands), equation=equation)
