"""Quantized tensors: integers, and the grid that says which numbers they stand for.

A quantized tensor holds an ordinary tensor of integers, its codes, and a `Grid`. It has no array of
numbers, so an op on it is offered to `take`: what only moves elements acts on the codes, a few more
have a form for codes, and the rest say `dequantize()`. No gradient flows through any of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from labtorch.backend import dtypes, schemes
from labtorch.engine import errors
from labtorch.engine.apply import apply
from labtorch.engine.op import Op
from labtorch.engine.public import FUNCTION, METHOD, ONLY_METHOD, public
from labtorch.engine.variable import NoArray, wrap
from labtorch.ops import (
    activation,
    arithmetic,
    compare,
    indexing,
    linear,
    pooling,
    quantization,
    reduction,
    resampling,
    shape,
)
from labtorch.ops.quantization import Grid, OnFloats
from labtorch.tensor.creation import tensor
from labtorch.tensor.tensor import Tensor

STORAGES = {dtypes.qint8: "QInt8", dtypes.quint8: "QUInt8", dtypes.qint32: "QInt32"}
LEAST_SCALE = 6.1e-5  # below it, dynamic ranges are widened: float16 would not hold the scale


class QuantizedTensor(Tensor):
    """Codes on a grid; `quantize_per_tensor` and its kin make one.

    `codes` is an ordinary tensor of int8, uint8 or int32, `grid` tells scale, zero point, dtype,
    and for one scale per channel the axis. `int_repr()` is a copy of the codes.
    """

    is_quantized = True
    codes: Tensor
    grid: Grid

    def __new__(cls, codes: Tensor, grid: Grid) -> QuantizedTensor:
        self = object.__new__(cls)
        self.codes, self.grid = codes, grid
        return self

    @property
    def _array(self) -> Any:  # type: ignore[override]
        raise NoArray(
            self,
            "a quantized tensor holds integers on a grid, not the numbers that this needs: "
            "x.dequantize() gives the numbers, x.int_repr() the integers",
        )

    def take(self, op: Op, args: tuple) -> Any:
        """Apply `op` to quantized arguments."""
        if op in _FORMS:
            return _FORMS[op](*args)
        if op.view and isinstance(args[0], QuantizedTensor):
            return _moved(op, *args)
        raise errors.located(
            NotImplementedError(
                f"Could not run '{op.name}' with arguments from the 'QuantizedCPU' backend: it has "
                "no form for quantized tensors. x.dequantize() gives the floats to compute with"
            )
        )

    def take_inplace(self, op: Op, args: tuple) -> Tensor:
        """Apply `op` and keep the result in this tensor."""
        made = self.take(op, args)
        self.codes, self.grid = made.codes, made.grid
        return self

    # ---------------------------------------------------------------- attributes
    shape = property(lambda self: self.codes.shape)
    dtype = property(lambda self: self.grid.dtype)
    device = property(lambda self: self.codes.device)
    ndim = property(lambda self: self.codes.ndim)
    is_cuda = property(lambda self: self.codes.is_cuda)
    itemsize = property(lambda self: self.codes.itemsize)
    nbytes = property(lambda self: self.codes.nbytes)
    data = property(lambda self: self)

    def dim(self) -> int:
        return self.codes.ndim

    def size(self, dim: int | None = None) -> Any:
        return self.codes.size(dim)

    def numel(self) -> int:
        return self.codes.numel()

    nelement = numel

    def stride(self, dim: int | None = None) -> Any:
        return self.codes.stride(dim)

    def element_size(self) -> int:
        return self.codes.itemsize

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return self.codes.is_contiguous()

    def is_floating_point(self) -> bool:
        return False

    def is_complex(self) -> bool:
        return False

    def data_ptr(self) -> int:
        return self.codes.data_ptr()

    def storage_offset(self) -> int:
        return self.codes.storage_offset()

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        if requires_grad:
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients; to train through "
                "quantization, fake_quantize_per_tensor_affine keeps floats"
            )
        return self

    # ---------------------------------------------------------------- copies
    def detach(self) -> Tensor:
        return QuantizedTensor(self.codes.detach(), self.grid)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """Move to another device; numbers come from `dequantize()`."""
        kinds = [each for each in (*args, *kwargs.values()) if isinstance(each, dtypes.dtype)]
        if any(kind is not self.dtype for kind in kinds):
            raise RuntimeError(
                f"a quantized tensor is not cast to {kinds[0]!r}: x.dequantize() gives its numbers,"
                " x.int_repr() its integers"
            )
        where = [each for each in args if not isinstance(each, (dtypes.dtype, bool))]
        target = kwargs.get("device", where[0] if where else self.device)
        codes = self.codes.to(device=target, copy=kwargs.get("copy", False))
        return self if codes is self.codes else QuantizedTensor(codes, self.grid)

    def type(self, dtype: Any = None) -> Any:
        if dtype is not None:
            return self.to(dtype)
        return f"torch.quantized.{STORAGES[self.dtype]}Tensor"

    def __deepcopy__(self, memo: dict) -> Tensor:
        memo[id(self)] = out = QuantizedTensor(self.codes.clone(), self.grid)
        return out

    def __reduce_ex__(self, protocol: Any) -> Any:
        return QuantizedTensor, (self.codes, self.grid)

    def numpy(self, *, force: bool = False) -> np.ndarray:
        raise TypeError(
            f"NumPy has no {self.dtype!r}: x.dequantize().numpy() gives the numbers, "
            "x.int_repr().numpy() the integers"
        )

    def tolist(self) -> Any:
        return self.dequantize().tolist()

    def item(self) -> Any:
        return self.dequantize().item()

    def dequantize(self) -> Tensor:
        """The float32 numbers that the codes stand for."""
        return apply(quantization.dequantize, (self.codes, self.grid))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, int) and self.qscheme() is schemes.per_channel_affine:
            if self.grid.axis == 0:  # one channel has one scale
                codes, scale, zero = (
                    each[index] for each in (self.codes, self.grid.scale, self.grid.zero_point)
                )
                return QuantizedTensor(codes, Grid(float(scale), int(zero), self.dtype))
        return _moved_by(lambda codes: codes[index], self)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, QuantizedTensor):
            value = value.dequantize()
        coded = tensor(value) if not isinstance(value, Tensor) else value
        self.codes[index] = apply(quantization.quantize, (coded.to(dtypes.float32), self.grid))

    def __bool__(self) -> bool:
        return bool(self.dequantize())

    def __repr__(self) -> str:
        from labtorch.tensor.printing import text

        grid, notes = self.grid, [f"size={tuple(self.shape)}", f"dtype={self.dtype!r}"]
        notes.append(f"quantization_scheme={grid.scheme!r}")
        if grid.axis is None:
            notes += [f"scale={grid.scale}", f"zero_point={grid.zero_point}"]
        else:
            notes += [f"scale={wrap(grid.scale)!r}", f"zero_point={wrap(grid.zero_point)!r}"]
            notes.append(f"axis={grid.axis}")
        return text(self.dequantize(), notes)


# ---------------------------------------------------------------- making them
def _checked(name: str, x: Any, dtype: Any) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}(): argument 'input' must be Tensor, not {type(x).__name__}")
    if x.is_quantized:
        raise NotImplementedError(f"{name}: the input is quantized already: x.dequantize() first")
    if x.dtype is not dtypes.float32:
        raise RuntimeError(
            f"{name}: Quantize only works on Float Tensor, got {dtypes.LEGACY.get(x.dtype, '')} "
            f"({x.dtype!r}): x.float() makes it one"
        )
    if dtype not in dtypes.QUANTIZED:
        raise RuntimeError(
            f"{name}: {dtype!r} is not supported: quantized dtypes are torch.qint8, torch.quint8 "
            "and torch.qint32"
        )


def _checked_grid(name: str, grid: Grid) -> Grid:
    scale, zero = np.asarray(grid.scale), np.asarray(grid.zero_point)
    if not np.all(np.isfinite(scale) & (scale > 0)):
        raise RuntimeError(
            f"{name}: a scale is a positive number, the distance between two numbers that codes "
            f"stand for; got {scale[~(np.isfinite(scale) & (scale > 0))].flat[0]}"
        )
    low, high = grid.limits
    if zero.dtype.kind != "f" and zero.size and not low <= zero.min() <= zero.max() <= high:
        wrong = zero.min() if zero.min() < low else zero.max()
        side = "below lower" if wrong < low else "above upper"
        raise RuntimeError(
            f"{name}: zero_point {wrong} is {side} bound: {grid.dtype!r} goes from {low} to {high}"
        )
    return grid


@public(FUNCTION)
def quantize_per_tensor(input: Any, scale: Any, zero_point: Any, dtype: dtypes.dtype) -> Any:
    """The nearest of the numbers scale (q - zero_point), held as integers q of `dtype`.

    Scale and zero point are numbers or tensors of one element; for a list of tensors, tensors with
    one element each. Raises RuntimeError unless x is float32 without NaN, the scale positive and
    the zero point a number of the dtype.
    """
    if isinstance(input, (list, tuple)):
        each = zip(input, scale.tolist(), zero_point.tolist())
        return tuple(quantize_per_tensor(x, s, z, dtype) for x, s, z in each)
    _checked("quantize_per_tensor", input, dtype)
    grid = Grid(float(scale), int(zero_point), dtype)
    return on_grid(input, _checked_grid("quantize_per_tensor", grid))


@public(FUNCTION)
def quantize_per_channel(
    input: Tensor, scales: Tensor, zero_points: Tensor, axis: int, dtype: dtypes.dtype
) -> Tensor:
    """As `quantize_per_tensor`, with a scale and a zero point for each index along `axis`.

    Zero points of a floating dtype may lie between the integers (as embeddings use them).
    """
    _checked("quantize_per_channel", input, dtype)
    given = scales.cpu()._array, zero_points.cpu()._array  # a grid is on the host
    axis = quantization.channel_axis("quantize_per_channel", axis, input, *given)
    floats = zero_points.is_floating_point()
    kinds = (np.float32, np.float32) if floats else (np.float64, np.int64)
    scale, zero = (np.array(values, kind) for values, kind in zip(given, kinds))
    return on_grid(input, _checked_grid("quantize_per_channel", Grid(scale, zero, dtype, axis)))


@public(FUNCTION)
def quantize_per_tensor_dynamic(input: Tensor, dtype: dtypes.dtype, reduce_range: bool) -> Tensor:
    """Quantize to the range of the values themselves; with `reduce_range`, in half of the codes."""
    _checked("quantize_per_tensor_dynamic", input, dtype)
    return on_grid(input, dynamic_grid(input, dtype, reduce_range))


def on_grid(x: Tensor, grid: Grid) -> QuantizedTensor:
    """x, laid on a grid that has been checked."""
    return QuantizedTensor(apply(quantization.quantize, (x, grid)), grid)


def from_parts(
    codes: Tensor,
    dtype: dtypes.dtype,
    scheme: schemes.qscheme,
    scale: Any,
    zero: Any,
    axis: Any = 0,
) -> QuantizedTensor:
    """Integers on a grid that a file tells of, which is checked."""
    if not isinstance(scheme, schemes.qscheme):
        raise TypeError(f"{scheme!r} is no scheme such as per_tensor_affine")
    if not scheme.per_channel:
        grid = Grid(float(scale), int(zero), dtype)
    else:
        if not (isinstance(scale, Tensor) and isinstance(zero, Tensor) and type(axis) is int):
            raise TypeError("scales and zero points per channel are tensors, the axis an int")
        floats = zero.is_floating_point()  # PyTorch's files do not tell by the scheme
        kinds = (np.float32, np.float32) if floats else (np.float64, np.int64)
        given = (scale.cpu()._array, zero.cpu()._array)
        axis = quantization.channel_axis("load", axis, codes, *given)
        scales, zeros = (np.array(each, kind) for each, kind in zip(given, kinds))
        grid = Grid(scales, zeros, dtype, axis)
    return QuantizedTensor(codes, _checked_grid("load", grid))


def dynamic_grid(x: Tensor, dtype: dtypes.dtype, reduce_range: bool) -> Grid:
    """The grid from the smallest to the largest value of x, 0 among them.

    Of the two zero points that put an end of the range onto an end of the codes, the one that
    moves the other less counts, rounded. Source: the rule of gemmlowp, as FBGEMM has it.
    """
    array = x._array
    low, high = Grid(1.0, 0, dtype).limits
    if reduce_range:
        low, high = math.trunc(low / 2), math.trunc(high / 2)
    least = min(float(array.min()), 0.0) if array.size else 0.0
    most = max(float(array.max()), 0.0) if array.size else 0.0
    if not (math.isfinite(least) and math.isfinite(most)):
        raise RuntimeError(
            f"a range from {least} to {most} has no scale: the input holds NaN or infinity"
        )
    scale = float(np.float32((most - least) / (high - low)))
    if scale == 0.0 or math.isinf(np.float32(1) / np.float32(scale)):
        scale = 0.1
    if scale < LEAST_SCALE:
        widened, scale = scale, LEAST_SCALE
        if least == 0.0:
            most = LEAST_SCALE * (high - low)
        elif most == 0.0:
            least = -LEAST_SCALE * (high - low)
        else:
            least, most = (each * (LEAST_SCALE / widened) for each in (least, most))
    by_least, by_most = low - least / scale, high - most / scale
    errors_ = abs(low) + abs(least / scale), abs(high) + abs(most / scale)
    zero = by_least if errors_[0] < errors_[1] else by_most
    return Grid(scale, int(np.rint(min(max(zero, low), high))), dtype)


@public(METHOD)
def dequantize(input: Any) -> Any:
    """The float32 numbers that a quantized tensor stands for; of several, each."""
    if isinstance(input, (list, tuple)):
        return tuple(map(dequantize, input))
    return input.dequantize() if input.is_quantized else input.to(dtypes.float32)


# ---------------------------------------------------------------- asking them
def _grid(name: str, x: Any, per_channel: bool | None = None) -> Grid:
    if not isinstance(x, QuantizedTensor):
        raise NotImplementedError(
            f"Could not run '{name}' with arguments from the 'CPU' backend: it is for quantized "
            "tensors, as quantize_per_tensor makes them"
        )
    if per_channel is not None and (x.grid.axis is not None) is not per_channel:
        kind = "per channel" if per_channel else "per tensor"
        other = "q_scale() and q_zero_point()" if per_channel else "q_per_channel_scales()"
        raise RuntimeError(
            f"{name}: Expected quantizer->qscheme() to be {kind}, but this tensor's is "
            f"{x.grid.scheme!r}: {other} has what you look for"
        )
    return x.grid


@public(METHOD)
def int_repr(input: Tensor) -> Tensor:
    """A copy of the integers: uint8 of quint8, int8 of qint8, int32 of qint32."""
    _grid("int_repr", input)
    return input.codes.clone()


@public(METHOD)
def q_scale(input: Tensor) -> float:
    """The distance between two numbers next to each other on the grid."""
    return _grid("q_scale", input, False).scale


@public(METHOD)
def q_zero_point(input: Tensor) -> int:
    """The code that stands for 0."""
    return _grid("q_zero_point", input, False).zero_point


@public(METHOD)
def q_per_channel_scales(input: Tensor) -> Tensor:
    """The scales, one for each index along the axis."""
    return wrap(_grid("q_per_channel_scales", input, True).scale.copy())


@public(METHOD)
def q_per_channel_zero_points(input: Tensor) -> Tensor:
    """The zero points, one for each index along the axis."""
    return wrap(_grid("q_per_channel_zero_points", input, True).zero_point.copy())


@public(METHOD)
def q_per_channel_axis(input: Tensor) -> Any:
    """The dimension that has a scale for each of its indices."""
    return _grid("q_per_channel_axis", input, True).axis


@public(ONLY_METHOD)
def qscheme(input: Tensor) -> schemes.qscheme:
    """`torch.per_tensor_affine` or `torch.per_channel_affine`."""
    return _grid("qscheme", input).scheme


# ---------------------------------------------------------------- ops that have a form for codes
def _moved_by(move: Callable[[Tensor], Tensor], x: QuantizedTensor) -> QuantizedTensor:
    """What only moves elements moves codes; scales per channel stay with their axis."""
    codes = move(x.codes)
    if x.grid.axis is None:
        return QuantizedTensor(codes, x.grid)
    if codes.shape == x.shape:
        return QuantizedTensor(codes, x.grid)
    raise errors.located(
        RuntimeError(
            f"a tensor with a scale per index of dimension {x.grid.axis} keeps its shape "
            f"{list(x.shape)}: x.dequantize() can be given another"
        )
    )


def _moved(op: Op, x: QuantizedTensor, *rest: Any) -> QuantizedTensor:
    if x.grid.axis is not None and op in (shape.permute, shape.transpose):
        raise errors.located(
            RuntimeError(
                "Setting strides is possible only on uniformly quantized tensor: with a scale per "
                "channel, permute the floats and quantize after"
            )
        )
    return _moved_by(lambda codes: apply(op, (codes, *rest)), x)


def _uniform(name: str, x: QuantizedTensor) -> Grid:
    return _grid(name, x, False)


def _clamped(x: QuantizedTensor, low: float | None, high: float | None) -> QuantizedTensor:
    grid = _uniform("clamp", x)
    ends = [
        limit if each is None else int(grid.codes(np.float32(each)).item())
        for each, limit in zip((low, high), grid.limits)
    ]
    return QuantizedTensor(apply(quantization.quantized_clamp, (x.codes, *ends)), grid)


def _relu(x: QuantizedTensor) -> QuantizedTensor:
    return _clamped(x, 0.0, None)


def through(x: QuantizedTensor, function: OnFloats, target: Grid | None = None) -> QuantizedTensor:
    """A function of float arrays on codes; the result is on `target`, or on the same grid."""
    grid = _uniform(function.op.name, x)
    to = grid if target is None else target
    made = apply(quantization.quantized_through, (x.codes, function, grid, to))
    return QuantizedTensor(made, to)


def pair(
    x: QuantizedTensor,
    y: QuantizedTensor,
    function: Callable[[Any, Any], Any],
    target: Grid,
    relu: bool = False,
) -> QuantizedTensor:
    """A function of two float arrays on codes."""
    args = (x.codes, y.codes, function, x.grid, y.grid, target, relu)
    return QuantizedTensor(apply(quantization.quantized_pair, args), target)


def shifted(x: QuantizedTensor, by: float) -> QuantizedTensor:
    """x + by: the same codes on a grid that is shifted, and widened where it would end too soon."""
    grid = _uniform("add_scalar", x)
    low, high = grid.limits
    zero = grid.zero_point - int(np.rint(by / grid.scale))
    if low <= zero <= high:
        return QuantizedTensor(x.codes, Grid(grid.scale, zero, grid.dtype))
    reach = high - zero if zero < low else zero - low
    target = Grid(reach / (high - low) * grid.scale, low if zero < low else high, grid.dtype)
    there = Grid(grid.scale, zero, grid.dtype)  # the same codes, read so, are the sums
    return QuantizedTensor(apply(quantization.requantize, (x.codes, there, target)), target)


def stretched(x: QuantizedTensor, by: float) -> QuantizedTensor:
    """x by: the same codes on a grid that is stretched, and mirrored if `by` is negative."""
    grid = _uniform("mul_scalar", x)
    low, high = grid.limits
    if by == 0:
        return QuantizedTensor(x.codes * 0, Grid(1.0, 0, grid.dtype))
    if by > 0:
        return QuantizedTensor(x.codes, Grid(grid.scale * by, grid.zero_point, grid.dtype))
    mirrored = x.codes.bitwise_not()  # high - q + low, in two's complement and without a sign
    return QuantizedTensor(
        mirrored, Grid(-by * grid.scale, high - grid.zero_point + low, grid.dtype)
    )


def joined(tensors: Any, dim: int, target: Grid | None = None) -> QuantizedTensor:
    """Concatenated codes, those on other grids brought onto `target`, or onto the first's."""
    grids = [_grid("cat", each, False) for each in tensors]
    to = grids[0] if target is None else target
    codes = [
        each.codes
        if grid is to or _alike(grid, to)
        else apply(quantization.requantize, (each.codes, grid, to))
        for each, grid in zip(tensors, grids)
    ]
    return QuantizedTensor(shape.cat(codes, dim), to)


def _alike(a: Grid, b: Grid) -> bool:
    return (a.scale, a.zero_point, a.dtype) == (b.scale, b.zero_point, b.dtype)


def _on_codes(op: Op, x: QuantizedTensor, *rest: Any) -> QuantizedTensor:
    """An op that chooses among elements: the order of codes is that of the numbers."""
    return QuantizedTensor(apply(op, (x.codes, *rest)), _uniform(op.name, x))


def _extreme(op: Op, x: QuantizedTensor, *rest: Any) -> Any:
    """(values, indices) along a dimension."""
    found = apply(op, (x.codes, *rest))
    return found._replace(values=QuantizedTensor(found.values, _uniform(op.name, x)))


def _compared(op: Op, x: Any, y: Any) -> Tensor:
    """A comparison of the numbers that codes stand for; floats may be among them."""
    each = (x, y)
    return apply(op, tuple(v.dequantize() if isinstance(v, QuantizedTensor) else v for v in each))


def _by_floats(op: Op, x: QuantizedTensor, *rest: Any) -> QuantizedTensor:
    """An op of floats whose result stays in the range of its input, and so on its grid."""
    return through(x, OnFloats(op, rest))


def _bounded(op: Op, scale: float, zero_point: int, x: QuantizedTensor) -> QuantizedTensor:
    """A function with a known range, which the grid of its result divides evenly."""
    signed = x.dtype is dtypes.qint8
    grid = Grid(scale, zero_point - 128 if signed else zero_point, x.dtype)
    return through(x, OnFloats(op), grid)


def _linear(x: Any, weight: Any, bias: Any = None) -> Tensor:
    """Floats times a quantized weight: x is laid on a grid of its own range, and its integers are
    multiplied. Half of the codes are used, as FBGEMM does by default."""
    if not isinstance(weight, QuantizedTensor) or isinstance(x, QuantizedTensor):
        raise errors.located(
            NotImplementedError(
                "Could not run 'linear' with arguments from the 'QuantizedCPU' backend: a product "
                "of quantized tensors needs a grid for its result, which nn.quantized.Linear has; "
                "x.dequantize() gives the floats to compute with"
            )
        )
    laid = quantize_per_tensor_dynamic(x, dtypes.quint8, True)
    operands = laid.codes, weight.codes, bias, laid.grid, weight.grid
    return apply(quantization.quantized_linear_dynamic, operands)


_FORMS: dict[Op, Callable] = {
    linear.linear: _linear,
    activation.relu: _relu,
    activation.hardtanh: _clamped,
    arithmetic.clamp: _clamped,
    activation.sigmoid: partial(_bounded, activation.sigmoid, 1 / 256, 0),
    activation.hardsigmoid: partial(_bounded, activation.hardsigmoid, 1 / 256, 0),
    activation.tanh: partial(_bounded, activation.tanh, 2 / 256, 128),
    shape.clone: lambda x: x.__deepcopy__({}),
    shape._cat: lambda dim, *tensors: joined(tensors, dim),
    reduction.max_along: partial(_extreme, reduction.max_along),
    reduction.min_along: partial(_extreme, reduction.min_along),
}
_CHOICES = (
    pooling.max_pool1d,
    pooling.max_pool2d,
    pooling.max_pool3d,
    reduction.amax,
    reduction.amin,
    shape.flip,
    indexing.index_select,
)
_FLOATING = (
    pooling.avg_pool1d,
    pooling.avg_pool2d,
    pooling.avg_pool3d,
    pooling.adaptive_avg_pool1d,
    pooling.adaptive_avg_pool2d,
    pooling.adaptive_avg_pool3d,
    reduction.mean,
    resampling.resample,
    shape.constant_pad,
    activation.leaky_relu,
    activation.gelu_erf,
    activation.gelu_tanh,
)
_COMPARISONS = (compare.eq, compare.ne, compare.lt, compare.le, compare.gt, compare.ge)
_FORMS |= {op: partial(_on_codes, op) for op in _CHOICES}
_FORMS |= {op: partial(_by_floats, op) for op in _FLOATING}
_FORMS |= {op: partial(_compared, op) for op in _COMPARISONS}
