"""Pooling layers: they have no parameters, and repr tells how they were made."""

from __future__ import annotations

from typing import Any

from labtorch.nn import functional as F
from labtorch.nn.module import Module
from labtorch.ops.pooling import sizes
from labtorch.tensor.tensor import Tensor


class _MaxPool(Module):
    """The largest element of each window."""

    n: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        pool = getattr(F, f"max_pool{self.n}d")
        placing = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        return pool(input, *placing, self.return_indices)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window of x (N, C, L)."""

    n = 1


class MaxPool2d(_MaxPool):
    """The largest element of each window of x (N, C, H, W)."""

    n = 2


class MaxPool3d(_MaxPool):
    """The largest element of each window of x (N, C, D, H, W)."""

    n = 3


class _MaxUnpool(Module):
    """Zeros with the maxima back at their indices."""

    n: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        n = self.n
        self.kernel_size = sizes(kernel_size, n, "kernel_size")
        self.stride = self.kernel_size if stride is None else sizes(stride, n, "stride")
        self.padding = sizes(padding, n, "padding")

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        unpool = getattr(F, f"max_unpool{self.n}d")
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Undo `MaxPool1d`, as far as its indices tell."""

    n = 1


class MaxUnpool2d(_MaxUnpool):
    """Undo `MaxPool2d`, as far as its indices tell."""

    n = 2


class MaxUnpool3d(_MaxUnpool):
    """Undo `MaxPool3d`, as far as its indices tell."""

    n = 3


class AvgPool1d(Module):
    """The mean of each window of x (N, C, L)."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = sizes(kernel_size, 1, "kernel_size")
        self.stride = self.kernel_size if stride is None else sizes(stride, 1, "stride")
        self.padding = sizes(padding, 1, "padding")
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        placing = (self.kernel_size, self.stride, self.padding)
        return F.avg_pool1d(input, *placing, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    """The mean of each window."""

    n: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        pool = getattr(F, f"avg_pool{self.n}d")
        placing = (self.kernel_size, self.stride, self.padding)
        counted = (self.count_include_pad, self.divisor_override)
        return pool(input, *placing, self.ceil_mode, *counted)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window of x (N, C, H, W)."""

    n = 2


class AvgPool3d(_AvgPool):
    """The mean of each window of x (N, C, D, H, W)."""

    n = 3


class _LPPool(Module):
    """The p-norm of each window."""

    n: int

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pool = getattr(F, f"lp_pool{self.n}d")
        p = float(self.norm_type)
        return pool(input, p, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of each window of x (N, C, L)."""

    n = 1


class LPPool2d(_LPPool):
    """The p-norm of each window of x (N, C, H, W)."""

    n = 2


class LPPool3d(_LPPool):
    """The p-norm of each window of x (N, C, D, H, W)."""

    n = 3


class _AdaptivePool(Module):
    """Windows that divide the input evenly, to a size of the output."""

    function: str

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self.function)(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePool):
    """The means of windows that divide x (N, C, L) evenly."""

    function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptivePool):
    """The means of windows that divide x (N, C, H, W) evenly."""

    function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptivePool):
    """The means of windows that divide x (N, C, D, H, W) evenly."""

    function = "adaptive_avg_pool3d"


class _AdaptiveMaxPool(_AdaptivePool):
    """The largest elements of windows that divide the input evenly."""

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self.function)(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest of windows that divide x (N, C, L) evenly."""

    function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest of windows that divide x (N, C, H, W) evenly."""

    function = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest of windows that divide x (N, C, D, H, W) evenly."""

    function = "adaptive_max_pool3d"


class Unfold(Module):
    """Every window of x (N, C, H, W) as a column: (N, C * kernel, windows)."""

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Columns (N, C * kernel, windows) added up where their windows lie."""

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        placing = (self.kernel_size, self.dilation, self.padding, self.stride)
        return F.fold(input, self.output_size, *placing)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
