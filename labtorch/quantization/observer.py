r"""Observers: modules that look at the tensors passing through and choose a grid for them.

From the least and the largest number seen, 0 among them, and the integers from `quant_min` to
`quant_max`, the scale and the zero point are

    s = (max - min) / (quant_max - quant_min),   z = quant_min - round(min / s),

or for a symmetric scheme s = 2 max(-min, max) / (quant_max - quant_min), z in the middle.
"""

from __future__ import annotations

import bisect
import functools
import warnings
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from labtorch.backend import dtypes, schemes
from labtorch.backend.arrays import namespace
from labtorch.engine.variable import wrap
from labtorch.nn.module import Module
from labtorch.tensor.creation import tensor
from labtorch.tensor.tensor import Tensor

EPS = float(np.finfo(np.float32).eps)
LIMITS = {
    **dict.fromkeys((dtypes.qint8, dtypes.int8), (-128, 127)),
    **dict.fromkeys((dtypes.quint8, dtypes.uint8), (0, 255)),
    **dict.fromkeys((dtypes.qint32, dtypes.int32), (-(2**31), 2**31 - 1)),
    dtypes.int16: (-(2**15), 2**15 - 1),
    dtypes.uint16: (0, 2**16 - 1),
}


class _PartialWrapper:
    """A class and some of its arguments: what a QConfig holds, to make observers from."""

    def __init__(self, p: functools.partial) -> None:
        self.p = p
        self.callable_args: dict[str, Callable] = {}

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        made = {n: make() for n, make in self.callable_args.items() if n not in keywords}
        return self.p(*args, **keywords, **made)

    def __repr__(self) -> str:
        return repr(self.p) + repr(self.callable_args)

    def with_args(self, **kwargs: Any) -> _PartialWrapper:
        """With more arguments, for those that are made from it."""
        return with_args(self, **kwargs)

    def with_callable_args(self, **kwargs: Callable) -> _PartialWrapper:
        """With arguments that are computed anew for each that is made from it."""
        made = _PartialWrapper(self.p)
        made.callable_args = {**self.callable_args, **kwargs}
        return made


def with_args(maker: Any, **kwargs: Any) -> _PartialWrapper:
    return _PartialWrapper(functools.partial(maker, **kwargs))


class ObserverBase(ABC, Module):
    """Base of observers: `forward` looks at a tensor and returns it unchanged."""

    def __init__(self, dtype: dtypes.dtype, is_dynamic: bool = False) -> None:
        super().__init__()
        self.dtype = dtype
        self.is_dynamic = is_dynamic

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def calculate_qparams(self, **kwargs: Any) -> Any: ...

    def saw_nothing(self) -> bool:
        """Is there nothing to choose a grid from?"""
        return False

    @classmethod
    def with_args(cls, **kwargs: Any) -> _PartialWrapper:
        """The class with some arguments given: what a QConfig takes."""
        return with_args(cls, **kwargs)

    @classmethod
    def with_callable_args(cls, **kwargs: Callable) -> _PartialWrapper:
        """The class with arguments that are computed for each observer."""
        return _PartialWrapper(functools.partial(cls)).with_callable_args(**kwargs)


class Resizing(Module):
    """A module some of whose buffers take the shape of what is loaded into them."""

    resized: tuple[str, ...] = ()

    def _load_from_state_dict(  # type: ignore[override]
        self, state_dict: Any, prefix: str, meta: Any, strict: bool, missing: list, *rest: Any
    ) -> None:
        given = {n: state_dict.pop(prefix + n) for n in self.resized if prefix + n in state_dict}
        super()._load_from_state_dict(state_dict, prefix, meta, strict, missing, *rest)
        for name, value in given.items():
            missing.remove(prefix + name)
            old = getattr(self, name)
            state_dict.writes.append(
                functools.partial(setattr, self, name, value.detach().to(old.dtype).clone())
            )


class UniformQuantizationObserverBase(Resizing, ObserverBase):
    """Base of observers that choose a scale and a zero point from a range."""

    _version = 3
    resized = ("min_val", "max_val")
    eps: Tensor
    min_val: Tensor
    max_val: Tensor

    def __init__(
        self,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: schemes.qscheme = schemes.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict | None = None,
        eps: float = EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, is_dynamic=is_dynamic, **kwargs)
        name = type(self).__name__
        if not isinstance(qscheme, schemes.qscheme):
            raise AssertionError(f"{name}: {qscheme!r} is no scheme such as per_tensor_affine")
        if dtype not in LIMITS:
            known = ", ".join(map(repr, LIMITS))
            raise AssertionError(f"{name} only works for {known}, not for {dtype!r}")
        self.qscheme, self.reduce_range = qscheme, reduce_range
        self.register_buffer("eps", tensor([eps], dtype=dtypes.float32))
        self.has_customized_qrange = quant_min is not None and quant_max is not None
        self.quant_min, self.quant_max = self._levels(quant_min, quant_max)
        if qscheme.symmetric and reduce_range and dtype is dtypes.quint8:
            raise NotImplementedError("Cannot reduce range for symmetric quantization for quint8")

    def _levels(self, quant_min: int | None, quant_max: int | None) -> tuple[int, int]:
        """The integers to use: those asked for, else the dtype's; half of them if so wished."""
        if quant_min is None or quant_max is None:
            low, high = LIMITS[self.dtype]
        else:
            low, high = quant_min, quant_max
            if not low <= 0 <= high:
                raise AssertionError("Used-specified quantization range must include 0.")
            if low >= high:
                raise AssertionError(
                    "qmin must be strictly less than qmax for user-specified quantization range."
                )
            least, most = LIMITS[self.dtype]
            if high - low > most - least:
                raise AssertionError(
                    f"quantization range should be positive and not exceed that of {self.dtype!r}, "
                    f"but {low} to {high} are more than {most - least + 1} integers"
                )
        return (
            (low // 2, high // 2) if self.reduce_range and self.dtype.itemsize == 1 else (low, high)
        )

    def numbers(self, x: Tensor) -> Any:
        """The numbers of x in float32; an error where one of them has no place on any grid."""
        if not isinstance(x, Tensor):
            raise TypeError(f"{type(self).__name__} looks at tensors, not {type(x).__name__}")
        if x.is_quantized:
            x = x.dequantize()
        return x._array.astype(self.min_val._array.dtype, copy=False)

    def checked(self, least: Any, most: Any) -> tuple[Any, Any]:
        """A range that has a scale."""
        if not np.isfinite(least).all() or not np.isfinite(most).all():
            what = "NaN" if np.isnan(least).any() or np.isnan(most).any() else "infinity"
            raise RuntimeError(
                f"{type(self).__name__}: a tensor that was observed holds {what}, and no grid "
                f"reaches there. Look where it comes from before you calibrate"
            )
        return least, most

    def keep(self, least: Any, most: Any) -> None:
        """Remember a range."""
        lib = namespace(least)
        self.min_val, self.max_val = wrap(lib.asarray(least)), wrap(lib.asarray(most))

    def saw_nothing(self) -> bool:
        least, most = self.min_val._array, self.max_val._array
        return not least.size or bool(np.all(least == np.inf) and np.all(most == -np.inf))

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Scale and zero point, as tensors of one element or of one per channel."""
        return self._calculate_qparams(self.min_val, self.max_val)

    def _calculate_qparams(self, min_val: Tensor, max_val: Tensor) -> tuple[Tensor, Tensor]:
        if self.saw_nothing():
            warnings.warn(
                "must run observer before calling calculate_qparams. Returning default scale and "
                "zero point: let the model see some data first",
                stacklevel=3,
            )
            return tensor([1.0]), tensor([0])
        least, most = min_val._array, max_val._array
        if (least > most).any():
            raise AssertionError(f"min {min_val} should be less than max {max_val}")
        lib, eps, low, high = namespace(least), self.eps._array, self.quant_min, self.quant_max
        below, above = lib.minimum(least, 0), lib.maximum(most, 0)
        if self.qscheme.symmetric:
            scale = lib.maximum(lib.maximum(-below, above) / np.float32((high - low) / 2), eps)
            zero = lib.full(scale.shape, self._middle(), np.int64)
        elif self.qscheme is schemes.per_channel_affine_float_qparams:
            scale = (most - least) / np.float32(high - low)
            scale = lib.where(scale > eps, scale, lib.ones_like(scale))
            zero = -least / scale
        else:
            scale = lib.maximum((above - below) / np.float32(high - low), eps)
            zero = low - lib.rint(below / scale).astype(np.int32)
            zero = lib.clip(zero, low, high).astype(np.int32)
        return wrap(scale.reshape(-1)), wrap(zero.reshape(-1))

    def _middle(self) -> int:
        """The code of 0 in a symmetric scheme."""
        if self.dtype in (dtypes.quint8, dtypes.uint8):
            return (self.quant_min + self.quant_max) // 2 if self.has_customized_qrange else 128
        return 2**15 if self.dtype is dtypes.uint16 else 0

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"

    def reset_min_max_vals(self) -> None:
        """Forget what was seen."""
        raise NotImplementedError("Cannot reset min/max values in the given observer.")


class MinMaxObserver(UniformQuantizationObserverBase):
    """The range from the least to the largest number ever seen, one for the whole tensor.

    Raises RuntimeError on a tensor with NaN or infinity, from which no scale can be had.

    >>> import labtorch
    >>> observer = MinMaxObserver()
    >>> _ = observer(labtorch.tensor([-1.0, 0.5, 1.55]))
    >>> observer.calculate_qparams()
    (tensor([0.0100]), tensor([100], dtype=torch.int32))
    """

    def __init__(
        self,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: schemes.qscheme = schemes.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict | None = None,
        eps: float = EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        if qscheme.per_channel:
            raise NotImplementedError(
                f"{type(self).__name__}'s qscheme only support torch.per_tensor_symmetric and "
                f"torch.per_tensor_affine, not {qscheme!r}: see PerChannelMinMaxObserver"
            )
        super().__init__(
            dtype, qscheme, reduce_range, quant_min, quant_max, None, eps, is_dynamic, **kwargs
        )
        self.register_buffer("min_val", tensor(float("inf")))
        self.register_buffer("max_val", tensor(float("-inf")))

    def forward(self, x_orig: Tensor) -> Tensor:
        if x_orig.numel():
            x = self.numbers(x_orig)
            self.keep(*self.joined(*self.checked(x.min(), x.max())))
        return x_orig

    def joined(self, least: Any, most: Any) -> tuple[Any, Any]:
        """The range so far and a new one."""
        return min(self.min_val._array, least), max(self.max_val._array, most)

    def reset_min_max_vals(self) -> None:
        """Forget what was seen."""
        self.keep(np.float32(np.inf), np.float32(-np.inf))


class MovingAverageMinMaxObserver(MinMaxObserver):
    """A range that moves by `averaging_constant` of the way towards that of each new tensor."""

    def __init__(
        self,
        averaging_constant: float = 0.01,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: schemes.qscheme = schemes.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float = EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        if is_dynamic and averaging_constant != 1:
            raise NotImplementedError(
                "MovingAverageMinMaxObserver doesn't support dynamic quantization for averaging "
                f"constant of {averaging_constant}"
            )
        super().__init__(
            dtype, qscheme, reduce_range, quant_min, quant_max, None, eps, is_dynamic, **kwargs
        )
        self.averaging_constant = averaging_constant

    def joined(self, least: Any, most: Any) -> tuple[Any, Any]:
        return (least, most) if self.saw_nothing() else _moved(self, least, most)


def _moved(observer: Any, least: Any, most: Any) -> tuple[Any, Any]:
    by = np.float32(observer.averaging_constant)
    low, high = observer.min_val._array, observer.max_val._array
    return low + by * (least - low), high + by * (most - high)


class PerChannelMinMaxObserver(UniformQuantizationObserverBase):
    """As `MinMaxObserver`, with a range for each index along `ch_axis`."""

    def __init__(
        self,
        ch_axis: int = 0,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: schemes.qscheme = schemes.per_channel_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict | None = None,
        eps: float = EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        if not qscheme.per_channel:
            raise NotImplementedError(
                f"{type(self).__name__}'s qscheme only support torch.per_channel_symmetric, "
                "torch.per_channel_affine and torch.per_channel_affine_float_qparams, not "
                f"{qscheme!r}: see MinMaxObserver"
            )
        if is_dynamic:
            raise NotImplementedError(f"{type(self).__name__} doesn't support dynamic quantization")
        super().__init__(
            dtype, qscheme, reduce_range, quant_min, quant_max, None, eps, is_dynamic, **kwargs
        )
        self.ch_axis = ch_axis
        self.reset_min_max_vals()

    def forward(self, x_orig: Tensor) -> Tensor:
        if x_orig.numel():
            x = self.numbers(x_orig)
            if not -x.ndim <= self.ch_axis < x.ndim:
                raise IndexError(
                    f"{type(self).__name__}: ch_axis is {self.ch_axis}, but a tensor of shape "
                    f"{list(x.shape)} came, whose dimensions are 0 to {x.ndim - 1}"
                )
            rest = tuple(i for i in range(x.ndim) if i != self.ch_axis % x.ndim)
            self.keep(*self.joined(*self.checked(x.min(rest), x.max(rest))))
        return x_orig

    def joined(self, least: Any, most: Any) -> tuple[Any, Any]:
        if self.saw_nothing():
            return least, most
        lib = namespace(least)
        return lib.minimum(self.min_val._array, least), lib.maximum(self.max_val._array, most)

    def reset_min_max_vals(self) -> None:
        """Forget what was seen."""
        self.register_buffer("min_val", tensor([]))
        self.register_buffer("max_val", tensor([]))


class MovingAveragePerChannelMinMaxObserver(PerChannelMinMaxObserver):
    """As `MovingAverageMinMaxObserver`, with a range for each index along `ch_axis`."""

    def __init__(
        self,
        averaging_constant: float = 0.01,
        ch_axis: int = 0,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: schemes.qscheme = schemes.per_channel_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float = EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            ch_axis,
            dtype,
            qscheme,
            reduce_range,
            quant_min,
            quant_max,
            None,
            eps,
            is_dynamic,
            **kwargs,
        )
        self.averaging_constant = averaging_constant

    def joined(self, least: Any, most: Any) -> tuple[Any, Any]:
        return (least, most) if self.saw_nothing() else _moved(self, least, most)


class HistogramObserver(UniformQuantizationObserverBase):
    """A range that may cut off outliers where that makes the mean square error smaller.

    A histogram of all that was seen is kept; its range is narrowed from the ends, by quantiles in
    steps of 1e-5, as long as the error of quantizing the histogram falls. Infinite numbers are left
    out, with a warning. Source: the norm minimisation of Caffe2's DNNLOWP, as in PyTorch.
    """

    histogram: Tensor

    def __init__(
        self,
        bins: int = 2048,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: schemes.qscheme = schemes.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict | None = None,
        eps: float = EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        if qscheme.per_channel:
            raise NotImplementedError(
                "HistogramObserver's qscheme only support torch.per_tensor_symmetric and "
                f"torch.per_tensor_affine, not {qscheme!r}"
            )
        if is_dynamic:
            raise NotImplementedError("HistogramObserver doesn't support dynamic quantization")
        super().__init__(
            dtype, qscheme, reduce_range, quant_min, quant_max, None, eps, is_dynamic, **kwargs
        )
        self.bins = bins
        self.register_buffer("histogram", tensor([0.0] * bins))
        self.register_buffer("min_val", tensor(float("inf")))
        self.register_buffer("max_val", tensor(float("-inf")))
        low, high = LIMITS[dtype]
        self.dst_nbins = high - low + 1
        self.upsample_rate = 16  # a bin is split so finely before it is put into other bins

    def forward(self, x_orig: Tensor) -> Tensor:
        if not x_orig.numel():
            return x_orig
        x = self.numbers(x_orig).reshape(-1)
        lib = namespace(x)
        least, most = x.min(), x.max()
        if lib.isinf(least) or lib.isinf(most):
            warnings.warn("torch.inf detected in input tensor, ignoring input", stacklevel=2)
            x = x[~lib.isinf(x)]
            if not x.size:
                return x_orig
            least, most = x.min(), x.max()
        self.checked(least, most)
        if self.saw_nothing():
            counts = self._counts(x, least, most)
        else:
            old = self.min_val._array, self.max_val._array
            least, most = min(old[0], least), max(old[1], most)
            counts = self._counts(x, least, most) + self._spread(*old, least, most)
        self.histogram = wrap(counts.astype(np.float32))
        self.keep(least, most)
        return x_orig

    def _counts(self, x: Any, least: Any, most: Any) -> Any:
        """How many of x fall into each bin between least and most."""
        lib = namespace(x)
        if least == most:
            least, most = least - 1, most + 1
        place = ((x - least) / (most - least) * np.float32(self.bins)).astype(np.int64)
        return lib.bincount(lib.minimum(place, self.bins - 1), minlength=self.bins)

    def _spread(self, old_least: Any, old_most: Any, least: Any, most: Any) -> Any:
        """The histogram so far, in bins of a wider range."""
        counts = self.histogram._array
        lib = namespace(counts)
        if (old_least, old_most) == (least, most):
            return counts
        if old_least == old_most:
            return self._counts(old_least.reshape(1), least, most) * counts.sum()
        parts = self.bins * self.upsample_rate
        edges = lib.linspace(old_least, old_most, parts + 1, dtype=np.float32)[:-1]
        middles = edges + np.float32(0.5) * ((old_most - old_least) / np.float32(parts))
        bounds = lib.linspace(least, most, self.bins + 1, dtype=np.float32)
        place = lib.searchsorted(bounds, middles, side="right") - 1
        weights = lib.repeat(counts, self.upsample_rate) / self.upsample_rate
        return lib.bincount(lib.clip(place, 0, self.bins - 1), weights, self.bins)

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if self.saw_nothing():
            return self._calculate_qparams(self.min_val, self.max_val)
        first, last = self._best_bins()
        least, most = self.min_val._array, self.max_val._array
        lib, width = namespace(least), (most - least) / np.float32(self.bins)
        return self._calculate_qparams(
            wrap(lib.asarray(least + width * np.float32(first))),
            wrap(lib.asarray(least + width * np.float32(last + 1))),
        )

    def _best_bins(self) -> tuple[int, int]:
        """The first and the last bin of the range with the least error."""
        total = float(self.histogram._array.sum())
        below = self.histogram._array.cumsum(dtype=np.float64).astype(np.float32).tolist()
        step, low, high = 1e-5, 0.0, 1.0
        first, last, least = 0, self.bins - 1, np.inf
        while low < high:
            left = bisect.bisect_left(below, (low + step) * total, first, last)
            right = max(first, bisect.bisect_right(below, (high - step) * total, 0, last + 1) - 1)
            if left - first > last - right:
                start, end, low = left, last, low + step
            else:
                start, end, high = first, right, high - step
            if (start, end) == (first, last):
                continue
            error = self._error(start, end)
            if error > least:
                break
            least, first, last = error, start, end
        return first, last

    def _error(self, first: int, last: int) -> float:
        """The sum of squared errors if the bins from first to last are the range."""
        counts = self.histogram._array
        lib = namespace(counts)
        width = (self.max_val.item() - self.min_val.item()) / self.bins
        coarse = width * (last - first + 1) / self.dst_nbins
        if coarse == 0.0:
            return 0.0
        begin = (lib.arange(self.bins) - first) * width
        end = begin + width
        in_begin, in_end = (
            lib.clip(lib.floor(each / coarse), 0, self.dst_nbins - 1) for each in (begin, end)
        )
        half = coarse / 2
        error = half**3 - (begin - (in_begin + 0.5) * coarse) ** 3
        error += (in_end - in_begin - 1) * 2 * half**3
        error += (end - (in_end + 0.5) * coarse) ** 3 + half**3
        return float((counts / width * error).sum() / 3)


class FixedQParamsObserver(ObserverBase):
    """No observing: a scale and a zero point that are known, as for a sigmoid."""

    scale: Tensor
    zero_point: Tensor

    def __init__(
        self,
        scale: float,
        zero_point: int,
        dtype: dtypes.dtype = dtypes.quint8,
        qscheme: schemes.qscheme = schemes.per_tensor_affine,
        quant_min: int = 0,
        quant_max: int = 255,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        if is_dynamic:
            raise NotImplementedError("FixedQParamsObserver doesn't support dynamic quantization")
        super().__init__(dtype, is_dynamic)
        self.quant_min, self.quant_max = quant_min, quant_max
        self.register_buffer("scale", tensor([scale], dtype=dtypes.float32))
        self.register_buffer("zero_point", tensor([zero_point], dtype=dtypes.int32))
        self.qscheme = qscheme

    def forward(self, X: Tensor) -> Tensor:
        return X

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.scale, self.zero_point


class PlaceholderObserver(ObserverBase):
    """No observing: says of what dtype a tensor will be where the range is found at run time."""

    def __init__(
        self,
        dtype: dtypes.dtype = dtypes.float32,
        custom_op_name: str = "",
        compute_dtype: dtypes.dtype | None = None,
        quant_min: int | None = None,
        quant_max: int | None = None,
        qscheme: schemes.qscheme | None = None,
        eps: float | None = None,
        is_dynamic: bool = False,
    ) -> None:
        super().__init__(dtype, is_dynamic or compute_dtype is not None)
        self.qscheme = schemes.per_tensor_affine if qscheme is None else qscheme
        self.quant_min, self.quant_max = quant_min, quant_max
        self.eps = EPS if eps is None else eps
        self.custom_op = custom_op_name

    def forward(self, x: Tensor) -> Tensor:
        return x

    def extra_repr(self) -> str:
        return f"dtype={self.dtype}, is_dynamic={self.is_dynamic}"

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("calculate_qparams should not be called for PlaceholderObserver")


class RecordingObserver(ObserverBase):
    """Keeps a copy of every tensor that passes, for those who look for a mistake."""

    def __init__(self, dtype: dtypes.dtype = dtypes.quint8) -> None:
        super().__init__(dtype)
        self.tensor_val: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.tensor_val.append(x.detach().clone())
        return x

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("calculate_qparams should not be called for RecordingObserver")

    def get_tensor_value(self) -> list[Tensor]:
        """All that passed."""
        return self.tensor_val


class NoopObserver(ObserverBase):
    """Does not observe: for what stays a float."""

    def __init__(self, dtype: dtypes.dtype = dtypes.float16, custom_op_name: str = "") -> None:
        super().__init__(dtype)
        self.dtype, self.custom_op = dtype, custom_op_name

    def forward(self, x: Tensor) -> Tensor:
        return x

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("calculate_qparams should not be called for NoopObserver")


class ReuseInputObserver(ObserverBase):
    """Does not observe: for ops whose result is on the grid of their input, such as reshape."""

    def __init__(self) -> None:
        super().__init__(dtypes.quint8)

    def forward(self, x: Tensor) -> Tensor:
        return x

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("calculate_qparams should not be called for ReuseInputObserver")


def get_observer_state_dict(mod: Module) -> OrderedDict:
    """Only what the observers and fake quantizers of a model hold."""
    whole = mod.state_dict()
    kept = OrderedDict((k, v) for k, v in whole.items() if "activation_post_process" in k)
    kept._metadata = whole._metadata  # type: ignore[attr-defined]
    return kept


def load_observer_state_dict(mod: Module, obs_dict: Any) -> None:
    """Load what `get_observer_state_dict` gave into a prepared model of the same kind."""
    have = {k for k in mod.state_dict() if "activation_post_process" in k}
    for wrong, what in ((have - set(obs_dict), "Missing"), (set(obs_dict) - have, "Unexpected")):
        if wrong:
            raise Exception(f"{what} keys for observer {', '.join(sorted(wrong))} in state_dict")
    mod.load_state_dict(obs_dict, strict=False)


default_observer = MinMaxObserver.with_args(quant_min=0, quant_max=127)
default_placeholder_observer = PlaceholderObserver
default_debug_observer = RecordingObserver
default_weight_observer = MinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=schemes.per_tensor_symmetric
)
weight_observer_range_neg_127_to_127 = default_weight_observer.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)
default_histogram_observer = HistogramObserver.with_args(quant_min=0, quant_max=127)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.qint8, qscheme=schemes.per_channel_symmetric
)
per_channel_weight_observer_range_neg_127_to_127 = default_per_channel_weight_observer.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)
default_dynamic_quant_observer = PlaceholderObserver.with_args(
    dtype=dtypes.quint8, quant_min=0, quant_max=255, is_dynamic=True
)
default_float_qparams_observer = PerChannelMinMaxObserver.with_args(
    dtype=dtypes.quint8, qscheme=schemes.per_channel_affine_float_qparams, ch_axis=0
)
default_fixed_qparams_range_neg1to1_observer = FixedQParamsObserver.with_args(
    scale=2.0 / 256.0, zero_point=128, dtype=dtypes.quint8, quant_min=0, quant_max=255
)
default_fixed_qparams_range_0to1_observer = FixedQParamsObserver.with_args(
    scale=1.0 / 256.0, zero_point=0, dtype=dtypes.quint8, quant_min=0, quant_max=255
)
default_symmetric_fixed_qparams_observer = default_fixed_qparams_range_neg1to1_observer
default_affine_fixed_qparams_observer = default_fixed_qparams_range_0to1_observer
default_reuse_input_observer = ReuseInputObserver
