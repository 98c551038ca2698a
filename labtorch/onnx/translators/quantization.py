"""Quantized ops as ONNX writes them: floats between QuantizeLinear and DequantizeLinear.

A runtime recognises an op between the two and computes it on the integers. Weights are stored as
integers, and biases, too, on the grid of the sums that they are added to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.errors import UnsupportedOperatorError
from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates
from labtorch.ops.quantization import Grid

PAIRS = {"add": "Add", "mul": "Mul", "matmul": "MatMul"}
Stored = tuple[str, np.ndarray, Grid]  # the name, codes and grid of a weight


# -------------------------------------------------------------------- between floats and codes
def dequantized(g: Graph, codes: Value, grid: Grid) -> Value:
    """The floats that codes stand for."""
    if not _fits(grid):
        return _spelled_out(g, codes, grid)
    if codes.constant is not None:
        return from_stored(g, (codes.name, codes.constant, grid))
    made = g("DequantizeLinear", codes, *_parameters(g, grid), axis=grid.axis, dtype="float32")
    return g.shaped(made, codes.shape)


def from_stored(g: Graph, stored: Stored) -> Value:
    """The floats of codes that are known; the graph holds them as integers."""
    name, codes, grid = stored
    value = g.constant(codes, name)
    made = g("DequantizeLinear", value, *_parameters(g, grid, name), axis=grid.axis)
    made.dtype, made.stored = np.dtype("float32"), stored
    return g.shaped(made, codes.shape)


def quantized(g: Graph, x: Value, grid: Grid) -> Value:
    """The codes of floats."""
    if grid.dtype.itemsize > 1:
        raise UnsupportedOperatorError("to 32 bits has no counterpart in ONNX")
    made = g("QuantizeLinear", x, *_parameters(g, grid), axis=grid.axis, dtype=grid.dtype.numpy)
    return made  # type: ignore[no-any-return]


def _parameters(g: Graph, grid: Grid, name: str | None = None) -> list[Value]:
    scale = np.asarray(grid.scale, "float32")
    zero = np.asarray(grid.zero_point, grid.dtype.numpy)
    if name is None:
        return [g.constant(scale), g.constant(zero)]
    return [g.constant(scale, f"{name}.scale"), g.constant(zero, f"{name}.zero_point")]


def _fits(grid: Grid) -> bool:
    """Are the zero points integers of the grid's dtype, as ONNX wants them?"""
    zero, (low, high) = np.asarray(grid.zero_point), grid.limits
    return bool(zero.dtype.kind in "iu" and (zero >= low).all() and (zero <= high).all())


def _spelled_out(g: Graph, codes: Value, grid: Grid) -> Value:
    shape = [-1 if d == grid.axis else 1 for d in range(codes.ndim)]
    scale, zero = (
        np.asarray(each, "float32").reshape(shape) for each in (grid.scale, grid.zero_point)
    )
    made = g("Mul", g("Sub", g.cast(codes, "float32"), zero), scale)
    return g.shaped(made, codes.shape)


def in_floats(g: Graph, name: str, *args: Any) -> Value:
    """What another op makes of floats, in the place of this one."""
    outputs, op_name = g.outputs, g.op_name
    g.outputs, g.op_name = tuple(Value("", "float32", v.dims) for v in outputs), name
    try:
        return g.call(name, *args)  # type: ignore[no-any-return]
    finally:
        g.outputs, g.op_name = outputs, op_name


@translates("quantize")
def _(g, input, grid):
    codes = quantized(g, input, grid)
    g.sources[codes.name] = input
    return codes


@translates("dequantize")
def _(g, input, grid):
    return dequantized(g, input, grid)


@translates("requantize")
def _(g, input, grid, target):
    return quantized(g, dequantized(g, input, grid), target)


# -------------------------------------------------------------------- layers
def _bias(g: Graph, bias: Value | None, of: Grid, weight: Grid) -> Value | None:
    """A bias on the grid of the sums: steps of s_x s_w, from 0."""
    if bias is None or bias.constant is None:
        return bias
    scale = np.float32(of.scale) * np.asarray(weight.scale, "float32")
    codes = np.rint(np.asarray(bias.constant, np.float64) / scale)
    if np.abs(codes).max(initial=0) > np.iinfo(np.int32).max:
        return bias
    made = g.constant(codes.astype(np.int32), f"{bias.name}.quantized")
    step = g.constant(scale, f"{bias.name}.scale")
    laid = g("DequantizeLinear", made, step, axis=0 if scale.ndim else None, dtype="float32")
    return g.shaped(laid, bias.shape)


@translates("quantized_conv1d", "quantized_conv2d", "quantized_conv3d")
def _(
    g,
    input,
    weight,
    bias,
    grid,
    weight_grid,
    output_grid,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    relu=False,
):
    x, w = dequantized(g, input, grid), dequantized(g, weight, weight_grid)
    b = _bias(g, bias, grid, weight_grid)
    name = g.op_name.removeprefix("quantized_")
    y = g.call(name, x, w, b, stride, padding, dilation, groups)
    return quantized(g, g("Relu", y) if relu else y, output_grid)


@translates("quantized_linear")
def _(g, input, weight, bias, grid, weight_grid, output_grid, relu=False):
    x, b = dequantized(g, input, grid), _bias(g, bias, grid, weight_grid)
    if input.ndim == 2:
        y = g("Gemm", x, dequantized(g, weight, weight_grid), b, transB=1)
    else:
        y = g("MatMul", x, from_stored(g, _columns(weight, weight_grid)))
        y = y if b is None else g("Add", y, b)
    return quantized(g, g("Relu", y) if relu else y, output_grid)


def _columns(weight: Value, grid: Grid) -> Stored:
    """A weight (out, in) as (in, out)."""
    axis = None if grid.axis is None else 1 - grid.axis
    codes = np.ascontiguousarray(np.asarray(weight.constant).T)
    return f"{weight.name}.T", codes, Grid(grid.scale, grid.zero_point, grid.dtype, axis)


@translates("quantized_linear_dynamic")
def _(g, input, weight, bias, grid, weight_grid, relu=False):
    """The runtime finds the grid of the input, as labtorch does, but uses all of the 8 bits.

    The weight is stored as uint8: on processors that add pairs of products of uint8 and int8 in 16
    bits, some sums of full range would be cut.
    """
    x, scale, zero = g("DynamicQuantizeLinear", g.sources[input.name], outputs=3)
    x.dtype = zero.dtype = np.dtype("uint8")
    name, codes, columns = _columns(weight, weight_grid)
    raised = g.constant((codes.astype(np.int16) + 128).astype(np.uint8), name)
    middle = np.asarray(np.asarray(columns.zero_point) + 128, "uint8")
    sums = g("MatMulInteger", x, raised, zero, middle, dtype="int32")
    steps = g("Mul", scale, np.asarray(columns.scale, "float32"))
    y = g("Mul", g.cast(sums, "float32"), steps)
    y = y if bias is None else g("Add", y, bias)
    return g("Relu", y) if relu else y


@translates("quantized_embedding")
def _(g, input, weight, grid):
    rows = g.cast(g("Gather", weight, g.cast(input, np.int64), axis=0), "float32")
    scale, zero = (
        g("Gather", np.asarray(each, "float32")[:, None], g.cast(input, np.int64), axis=0)
        for each in (grid.scale, grid.zero_point)
    )
    return g("Mul", g("Sub", rows, zero), scale)


# -------------------------------------------------------------------- activations and the like
@translates("quantized_clamp")
def _(g, input, low, high):
    return g("Clip", input, g.value(low, input.dtype), g.value(high, input.dtype))


@translates("quantized_through")
def _(g, input, function, grid, target):
    rest = _known(g, function.rest)
    y = in_floats(g, function.op.name, dequantized(g, input, grid), *rest)
    return quantized(g, y, target)


def _known(g: Graph, x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(_known(g, each) for each in x)
    return g.constant(x) if isinstance(x, np.ndarray) else x


@translates("quantized_pair")
def _(g, first, second, function, first_grid, second_grid, target, relu=False):
    a, b = dequantized(g, first, first_grid), dequantized(g, second, second_grid)
    y = g(PAIRS[function.__name__], a, b)
    return quantized(g, g("Relu", y) if relu else y, target)


# -------------------------------------------------------------------- training with grids in sight
@translates("fake_quantize_per_tensor_affine")
def _(g, input, scale, zero_point, quant_min, quant_max):
    return _rounded(g, input, scale, zero_point, None, quant_min, quant_max)


@translates("fake_quantize_per_channel_affine")
def _(g, input, scale, zero_point, axis, quant_min, quant_max):
    return _rounded(g, input, scale, zero_point, int(axis), quant_min, quant_max)


def _rounded(g: Graph, x: Value, scale: Any, zero: Any, axis: int | None, low: int, high: int):
    kind = np.dtype("int8" if low < 0 else "uint8")
    limits = np.iinfo(kind)
    if not limits.min <= low <= high <= limits.max:
        raise UnsupportedOperatorError(f"to {low} ... {high} has no counterpart in ONNX")
    scale, zero = g.cast(g.value(scale, "float32"), "float32"), g.cast(g.value(zero, kind), kind)
    if axis is None:
        scale, zero = g.reshape(scale, ()), g.reshape(zero, ())
    codes = g("QuantizeLinear", x, scale, zero, axis=axis, dtype=kind)
    if (low, high) != (limits.min, limits.max):
        codes = g("Clip", codes, g.value(low, kind), g.value(high, kind))
    return g("DequantizeLinear", codes, scale, zero, axis=axis, dtype="float32")
