r"""Numbers on a grid of integers: x = s (q - z), with a scale s and a zero point z.

Layers compute on the integers: a product of codes is a sum of (x - z_x)(w - z_w) in integers, and
only that sum is scaled onto the grid of the result. NumPy multiplies no matrices of int8, so the
sums are taken in float32 where it holds them exactly (below 2^24), else in float64: the result is
that of int32 accumulators, and no faster than float32. What is gained here is the size; speed comes
with the exported model.

Jacob et al. (2018), "Quantization and training of neural networks for efficient
integer-arithmetic-only inference".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labtorch.backend import dtypes, schemes
from labtorch.backend.arrays import is_array, namespace
from labtorch.engine.op import Op, op
from labtorch.engine.public import FUNCTION, public
from labtorch.ops import conv as float_conv

EXACT = 2**24  # float32 holds every integer up to here


# ---------------------------------------------------------------- the grid
@dataclass(frozen=True, eq=False)
class Grid:
    """Which integers stand for which numbers.

    `scale` and `zero_point` are numbers, or arrays with one element for each index along `axis`.
    """

    scale: Any
    zero_point: Any
    dtype: dtypes.dtype
    axis: int | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        info = np.iinfo(self.dtype.numpy)
        return int(info.min), int(info.max)

    @property
    def scheme(self) -> schemes.qscheme:
        if self.axis is None:
            return schemes.per_tensor_affine
        if self.zero_point.dtype.kind == "f":
            return schemes.per_channel_affine_float_qparams
        return schemes.per_channel_affine

    def laid(self, value: Any, array: Any) -> Any:
        """`scale` or `zero_point` in float32, shaped so that it broadcasts against `array`."""
        lib = namespace(array)
        if self.axis is None:
            return lib.float32(value)
        return _along(lib.asarray(value, lib.float32), self.axis, array.ndim)

    def codes(self, x: Any) -> Any:
        """The integers nearest to x, halves to even; what lies outside goes to the grid's edge."""
        lib = namespace(x)
        scaled = x * (lib.float32(1) / self.laid(self.scale, x))
        zero = self.laid(self.zero_point, x)
        if self.scheme is schemes.per_channel_affine_float_qparams:
            level = lib.rint(scaled + zero)
        else:
            level = lib.rint(scaled, out=scaled if scaled.ndim else None) + zero
        return self.held(level)

    def held(self, level: Any, lowest: int | None = None) -> Any:
        """Whole numbers in the grid's integers, cut at its edges (and at `lowest`)."""
        lib, (low, high) = namespace(level), self.limits
        low = low if lowest is None else max(low, lowest)
        if self.dtype.itemsize > 1:  # float32 does not hold the edges of int32
            level = level.astype(np.float64)
        return lib.clip(level, low, high).astype(self.dtype.numpy)

    def centred(self, codes: Any, kind: Any = np.float32) -> Any:
        """codes - zero point, as exact floats."""
        lib, zero = namespace(codes), self.zero_point
        if self.axis is not None:
            zero = _along(lib.asarray(zero), self.axis, codes.ndim)
        wide = np.float64 if self.dtype.itemsize > 1 else kind  # float32 does not hold all of int32
        return (codes.astype(wide) - lib.asarray(zero, wide)).astype(kind, copy=False)

    def numbers(self, codes: Any) -> Any:
        """What the integers stand for."""
        return self.centred(codes) * self.laid(self.scale, codes)

    def __repr__(self) -> str:
        if self.axis is None:
            return f"Grid(scale={self.scale}, zero_point={self.zero_point}, {self.dtype!r})"
        return f"Grid({len(self.scale)} scales along axis {self.axis}, {self.dtype!r})"


def _along(values: Any, axis: int, ndim: int) -> Any:
    return values.reshape((-1,) + (1,) * (ndim - 1 - axis))


@dataclass(frozen=True, eq=False)
class OnFloats:
    """An op as a function of one array of floats, its other arguments given."""

    op: Op
    rest: tuple = ()

    def __call__(self, array: Any) -> Any:
        return self.op.forward(array, *self.rest)


@op(r"q = \operatorname{clamp}(\lfloor x / s \rceil + z,\; q_{\min},\; q_{\max})")
def quantize(input, grid):
    """The codes of x on a grid."""
    lib = namespace(input)
    if input.size and lib.isnan(input.min()):
        raise RuntimeError(
            "the input holds NaN, which no integer stands for: look where it comes from, or replace"
            " it with x.nan_to_num()"
        )
    return grid.codes(input)


@op(r"x = s\,(q - z)")
def dequantize(input, grid):
    """What codes stand for."""
    return grid.numbers(input)


@op(r"q' = \operatorname{clamp}(\lfloor \tfrac{s}{s'} (q - z) \rceil + z')")
def requantize(input, grid, target):
    """Codes on another grid."""
    return target.codes(grid.numbers(input))


# ---------------------------------------------------------------- training with the grid in sight
def _inside(x: Any, scale: Any, zero: Any, low: int, high: int) -> tuple[Any, Any]:
    """The level of each x on the grid before it is cut, and where it need not be cut."""
    lib = namespace(x)
    scaled = x * (lib.float32(1) / scale)
    whole = not (zero - lib.rint(zero)).any()  # a zero point between integers shifts the rounding
    level = lib.rint(scaled) + zero if whole else lib.rint(scaled + zero)
    return level, (level >= low) & (level <= high)


def _parameters(x: Any, scale: Any, zero_point: Any, axis: int | None) -> tuple[Any, Any]:
    """Scale and zero point in float32, laid along `axis`."""
    lib = namespace(x)
    scale, zero = lib.asarray(scale, lib.float32), lib.asarray(zero_point, lib.float32)
    if axis is None:
        return scale.reshape(()), zero.reshape(())
    return _along(scale, axis, x.ndim), _along(zero, axis, x.ndim)


def _check_levels(name: str, x: Any, zero_point: Any, low: int, high: int) -> None:
    if x.dtype.kind != "f":
        raise RuntimeError(f"{name} works on floating-point tensors, not {x.dtype.name}")
    if low > high:
        raise RuntimeError(
            f"`quant_min` should be less than or equal to `quant_max`, but {low} > {high}"
        )
    zero = zero_point if is_array(zero_point) else np.asarray(zero_point)
    if not zero.size or zero.dtype.kind == "f" and zero.ndim:  # of embeddings: may lie anywhere
        return
    least, most = int(zero.min()), int(zero.max())
    if not low <= least <= most <= high:
        raise RuntimeError(
            f"`zero_point` must be between `quant_min` ({low}) and `quant_max` ({high}), but got "
            f"{least if least < low else most}"
        )


def _on_grid(x: Any, scale: Any, zero: Any, low: int, high: int) -> Any:
    level, _ = _inside(x, scale, zero, low, high)
    y = (namespace(x).clip(level, low, high) - zero) * scale
    return y.astype(x.dtype, copy=False)


def _straight_through(g, input, scale, zero_point, axis, low, high):
    x = getattr(input, "_array", input)
    plain = [getattr(each, "_array", each) for each in (scale, zero_point)]
    return g * _inside(x, *_parameters(x, *plain, axis), low, high)[1].astype(x.dtype)


FAKE = (
    r"y = s \left( \operatorname{clamp}(\lfloor x / s \rceil + z,\, q_{\min}, q_{\max}) - z \right)"
)
STRAIGHT = r"\bar x = \bar y \odot [q_{\min} \le \lfloor x / s \rceil + z \le q_{\max}]"


@public(FUNCTION)
@op(FAKE)
def fake_quantize_per_tensor_affine(input, scale, zero_point, quant_min, quant_max):
    """The number on the grid nearest to x; the gradient passes as if nothing had been rounded.

    Scale and zero point are numbers, or tensors of one element. Where x had to be cut, the gradient
    is 0. NaN stays NaN. Straight-through estimator: Bengio, Leonard, Courville (2013).
    """
    _check_levels("fake_quantize_per_tensor_affine", input, zero_point, quant_min, quant_max)
    return _on_grid(input, *_parameters(input, scale, zero_point, None), quant_min, quant_max)


@fake_quantize_per_tensor_affine.vjp("input", STRAIGHT)
def _(g, input, scale, zero_point, quant_min, quant_max):
    return _straight_through(g, input, scale, zero_point, None, quant_min, quant_max)


@public(FUNCTION)
@op(FAKE)
def fake_quantize_per_channel_affine(input, scale, zero_point, axis, quant_min, quant_max):
    """As `fake_quantize_per_tensor_affine`, with a scale and a zero point per index along axis."""
    name = "fake_quantize_per_channel_affine"
    axis = channel_axis(name, axis, input, scale, zero_point)
    _check_levels(name, input, zero_point, quant_min, quant_max)
    return _on_grid(input, *_parameters(input, scale, zero_point, axis), quant_min, quant_max)


@fake_quantize_per_channel_affine.vjp("input", STRAIGHT)
def _(g, input, scale, zero_point, axis, quant_min, quant_max):
    axis = axis % len(input.shape)
    return _straight_through(g, input, scale, zero_point, axis, quant_min, quant_max)


def channel_axis(name: str, axis: int, x: Any, scales: Any, zero_points: Any) -> int:
    """A checked axis: inside of x's dimensions, with one scale and one zero point per index."""
    if not 0 <= axis < x.ndim:
        raise RuntimeError(
            f"{name}: channel axis out of range in per channel affine quantization. Got: {axis} "
            f"Expected: [0, {x.ndim})"
        )
    for what, values in (("scales", scales), ("zero points", zero_points)):
        if values.shape != (x.shape[axis],):
            raise RuntimeError(
                f"{name}: length of {what} must equal to channel, expected {x.shape[axis]} got, "
                f"{values.size if values.ndim == 1 else list(values.shape)}"
            )
    return axis


# ---------------------------------------------------------------- layers on integers
def _scaled_back(sums: Any, bias: Any, of: Grid, weight: Grid, to: Grid, axis: int, relu: bool):
    """Integer sums of products on the grid of the result; channels lie along `axis`."""
    lib = namespace(sums)
    step = lib.float32(of.scale) * lib.asarray(weight.scale, lib.float32)
    laid = _along(step, axis, sums.ndim) if step.ndim else step
    sums = sums.astype(lib.float32, copy=False)
    if bias is not None:
        sums = sums + _along(bias, axis, sums.ndim) / laid
    level = lib.rint(sums * (laid / lib.float32(to.scale)))
    level += lib.float32(to.zero_point)
    return to.held(level, to.zero_point if relu else None)


def _centred(input: Any, weight: Any, of: Grid, by: Grid) -> tuple[Any, Any]:
    """Both operands without their zero points, in the smallest float that holds every sum."""
    w = by.centred(weight)
    low, high = of.limits
    furthest = max(high - of.zero_point, of.zero_point - low)
    rows = namespace(w).abs(w).reshape((len(w), -1)).sum(1, dtype=np.float64)
    largest = float(rows.max()) if rows.size else 0.0
    kind = np.dtype("float32" if furthest * largest < EXACT else "float64")
    return of.centred(input, kind), w.astype(kind, copy=False)


PRODUCT = r"\lfloor \tfrac{s_x s_w}{s_y} \textstyle\sum (x - z_x)(w - z_w) + \tfrac{b}{s_y} \rceil"


@op(rf"y = \operatorname{{clamp}}({PRODUCT} + z_y)")
def quantized_linear(input, weight, bias, input_grid, weight_grid, output_grid, relu=False):
    """Codes x (..., in) and w (out, in), and a bias of floats, to codes y (..., out)."""
    x, w = _centred(input, weight, input_grid, weight_grid)
    return _scaled_back(x @ w.T, bias, input_grid, weight_grid, output_grid, x.ndim - 1, relu)


@op(r"y = s_x s_w \textstyle\sum (x - z_x)(w - z_w) + b")
def quantized_linear_dynamic(input, weight, bias, input_grid, weight_grid, relu=False):
    """Codes x (..., in) and w (out, in), and a bias of floats, to floats y (..., out)."""
    x, w = _centred(input, weight, input_grid, weight_grid)
    lib = namespace(x)
    y = (x @ w.T).astype(lib.float32, copy=False)
    y *= lib.float32(input_grid.scale) * lib.asarray(weight_grid.scale, lib.float32)
    if bias is not None:
        y += bias
    return lib.maximum(y, 0, out=y) if relu else y


@op(r"y_i = s_r\,(w_r - z_r),\; r = x_i")
def quantized_embedding(input, weight, grid):
    """Rows of codes w (rows, width) by their index, as floats; each row has a grid of its own."""
    lib = namespace(weight)
    if input.dtype.kind not in "iu":
        raise RuntimeError(f"an embedding takes integers, not {input.dtype.name}")
    if input.size and not 0 <= input.min() <= input.max() < len(weight):
        raise IndexError(
            f"index out of range in self: indices go from {input.min()} to {input.max()}, the "
            f"table has {len(weight)} rows"
        )
    scale, zero = (lib.asarray(each)[input][..., None] for each in (grid.scale, grid.zero_point))
    return (weight[input].astype(lib.float32) - zero) * scale


def _quantized_conv(n: int) -> Op:
    @op(rf"y = \operatorname{{clamp}}({PRODUCT} + z_y)", name=f"quantized_conv{n}d")
    def conv(
        input,
        weight,
        bias,
        input_grid,
        weight_grid,
        output_grid,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        relu=False,
    ):
        """Codes x (N, C, *in) and w (O, C / groups, *kernel), and a bias of floats, to codes y."""
        x, w = _centred(input, weight, input_grid, weight_grid)
        sums = _CONVOLUTIONS[n].forward(x, w, None, stride, padding, dilation, groups)
        axis = sums.ndim - n - 1
        return _scaled_back(sums, bias, input_grid, weight_grid, output_grid, axis, relu)

    return conv


_CONVOLUTIONS = {1: float_conv.conv1d, 2: float_conv.conv2d, 3: float_conv.conv3d}
quantized_conv1d, quantized_conv2d, quantized_conv3d = map(_quantized_conv, (1, 2, 3))


@op(r"q' = \operatorname{clamp}(q,\; \lfloor a / s \rceil + z,\; \lfloor b / s \rceil + z)")
def quantized_clamp(input, low, high):
    """Codes between two codes; relu is a clamp at the zero point."""
    return namespace(input).clip(input, low, high)


@op(r"q' = \operatorname{clamp}(\lfloor f(s (q - z)) / s' \rceil + z')")
def quantized_through(input, function, grid, target):
    """A function of floats on codes: each is undone, mapped, and coded again."""
    return target.codes(function(grid.numbers(input)))


@op(r"q = \operatorname{clamp}(\lfloor (s_1 (q_1 - z_1) \circ s_2 (q_2 - z_2)) / s \rceil + z)")
def quantized_pair(first, second, function, first_grid, second_grid, target, relu=False):
    """A function of two arrays of floats on codes, such as their sum or product."""
    result = function(first_grid.numbers(first), second_grid.numbers(second))
    if relu:
        result = namespace(result).maximum(result, 0)
    return target.codes(result)
