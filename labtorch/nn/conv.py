"""Convolutional layers; the lazy ones learn their number of channels from the first input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from labtorch.engine.modes import no_grad
from labtorch.nn import functional as F
from labtorch.nn import init
from labtorch.nn.lazy import LazyModuleMixin
from labtorch.nn.module import Module
from labtorch.nn.parameter import Parameter, UninitializedParameter
from labtorch.ops.conv import sizes
from labtorch.tensor.creation import empty
from labtorch.tensor.tensor import Tensor

MODES = {"zeros", "reflect", "replicate", "circular"}


class _ConvNd(Module):
    """What the convolutions of 1, 2 and 3 dimensions share; they start as `Linear` does."""

    n: int
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        output_padding: Any = 0,
    ) -> None:
        super().__init__()
        n = self.n
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}"
                )
            if padding == "same" and set(sizes(stride, n, "stride")) != {1}:
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in MODES:
            raise ValueError(
                f"padding_mode must be one of {MODES}, but got padding_mode='{padding_mode}'"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = sizes(kernel_size, n, "kernel_size")
        self.stride = sizes(stride, n, "stride")
        self.padding = padding if isinstance(padding, str) else sizes(padding, n, "padding")
        self.dilation = sizes(dilation, n, "dilation")
        self.output_padding = sizes(output_padding, n, "output_padding")
        self.groups = groups
        self.padding_mode = padding_mode
        self._make_parameters(bias, device, dtype)

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        shape = self._weight_shape()
        self.weight = Parameter(empty(*shape, device=device, dtype=dtype))
        made = Parameter(empty(self.out_channels, device=device, dtype=dtype)) if bias else None
        self.register_parameter("bias", made)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        ends = (self.out_channels, self.in_channels)
        first, second = ends[::-1] if self.transposed else ends
        return (first, second // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in else 0
            init.uniform_(self.bias, -bound, bound)

    def _border(self) -> list[int]:
        """What `F.pad` takes, for a border that is not of zeros: the last dimension first."""
        out: list[int] = []
        for i in reversed(range(self.n)):
            if self.padding == "same":
                reach = self.dilation[i] * (self.kernel_size[i] - 1)
                out += [reach // 2, reach - reach // 2]
            else:
                out += [0, 0] if self.padding == "valid" else [self.padding[i]] * 2  # type: ignore[list-item]
        return out

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution with a weight that may differ from the module's own."""
        convolve = getattr(F, f"conv{self.n}d")
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._border(), mode=self.padding_mode), (0,) * self.n
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        n, out = self.n, f"{self.in_channels}, {self.out_channels}"
        out += f", kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * n:
            out += f", padding={self.padding}"
        if self.dilation != (1,) * n:
            out += f", dilation={self.dilation}"
        if self.output_padding != (0,) * n:
            out += f", output_padding={self.output_padding}"
        if self.groups != 1:
            out += f", groups={self.groups}"
        if self.bias is None:
            out += ", bias=False"
        if self.padding_mode != "zeros":
            out += f", padding_mode={self.padding_mode}"
        return out


class Conv1d(_ConvNd):
    """A kernel slid over x (N, in_channels, L) or (in_channels, L)."""

    n = 1


class Conv2d(_ConvNd):
    """A kernel slid over x (N, in_channels, H, W) or (in_channels, H, W).

    >>> import labtorch
    >>> Conv2d(1, 8, 3, padding=1)(labtorch.zeros(2, 1, 6, 6)).shape
    torch.Size([2, 8, 6, 6])
    """

    n = 2


class Conv3d(_ConvNd):
    """A kernel slid over x (N, in_channels, D, H, W) or (in_channels, D, H, W)."""

    n = 3


class _ConvTransposeNd(_ConvNd):
    """The adjoint of a convolution: it maps sizes as the gradient of one does."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            output_padding,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        convolve = getattr(F, f"conv_transpose{self.n}d")
        extra = self._output_padding(input, output_size)
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """What must be added at the end to reach `output_size`."""
        if output_size is None:
            return self.output_padding
        n = self.n
        wanted = tuple(output_size)
        if len(wanted) == input.dim():
            wanted = wanted[-n:]
        if len(wanted) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or "
                f"{input.dim()} elements (got {len(wanted)})"
            )
        around = sizes(self.padding, n, "padding")
        placed = zip(input.shape[-n:], self.stride, around, self.dilation, self.kernel_size)
        least = [(m - 1) * s - 2 * p + d * (k - 1) + 1 for m, s, p, d, k in placed]
        most = [m + s - 1 for m, s in zip(least, self.stride)]
        if any(not low <= w <= high for low, w, high in zip(least, wanted, most)):
            raise ValueError(
                f"requested an output size of {list(wanted)}, but valid sizes range from {least} "
                f"to {most} (for an input of {list(input.shape[2:])})"
            )
        return tuple(w - low for w, low in zip(wanted, least))  # type: ignore[operator]


class ConvTranspose1d(_ConvTransposeNd):
    """The adjoint of a `Conv1d` from out_channels to in_channels."""

    n = 1


class ConvTranspose2d(_ConvTransposeNd):
    """The adjoint of a `Conv2d` from out_channels to in_channels."""

    n = 2


class ConvTranspose3d(_ConvTransposeNd):
    """The adjoint of a `Conv3d` from out_channels to in_channels."""

    n = 3


class _Lazy(LazyModuleMixin, _ConvNd):
    """A layer without in_channels; at the first call it becomes an ordinary one."""

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, 0, kernel_size, *args, **kwargs)
        self.out_channels = out_channels

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        made = UninitializedParameter(device=device, dtype=dtype) if bias else None
        self.register_parameter("bias", made)

    def reset_parameters(self) -> None:
        if self.in_channels and not self.has_uninitialized_params():
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *_: Any) -> None:  # type: ignore[override]
        if not self.has_uninitialized_params():  # a loaded state gave the shapes
            self.in_channels = (
                self.weight.shape[0] if self.transposed else self.weight.shape[1] * self.groups
            )
            return
        n = self.n
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {tuple(input.shape)}"
            )
        self.in_channels = input.shape[-n - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        with no_grad():
            self.weight.materialize(self._weight_shape())
            if self.bias is not None:
                self.bias.materialize((self.out_channels,))
            self.reset_parameters()


class LazyConv1d(_Lazy, Conv1d):
    """A `Conv1d` that takes in_channels from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_Lazy, Conv2d):
    """A `Conv2d` that takes in_channels from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_Lazy, Conv3d):
    """A `Conv3d` that takes in_channels from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_Lazy, ConvTranspose1d):
    """A `ConvTranspose1d` that takes in_channels from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_Lazy, ConvTranspose2d):
    """A `ConvTranspose2d` that takes in_channels from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_Lazy, ConvTranspose3d):
    """A `ConvTranspose3d` that takes in_channels from its first input."""

    cls_to_become = ConvTranspose3d
