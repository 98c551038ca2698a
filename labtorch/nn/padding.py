"""Borders: constant, mirrored, repeated or from the other end."""

from __future__ import annotations

from typing import Any

from labtorch.nn import functional as F
from labtorch.nn.module import Module
from labtorch.tensor.tensor import Tensor


class _Pad(Module):
    """A border of `padding` (one number, or before and after per dimension from the last on)."""

    dims = 1
    mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        count = 2 * self.dims
        self.padding = (padding,) * count if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != count:
            raise ValueError(f"padding must be an int or {count} of them, got {padding}")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        return F.pad(input, self.padding, self.mode)

    def _check_input_dim(self, input: Tensor) -> None:
        if self.mode == "circular" and input.ndim not in (self.dims + 1, self.dims + 2):
            words = f"{self.dims + 1}D or {self.dims + 2}D"
            raise ValueError(f"expected {words} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


def _of_each_size(base: type, name: str, words: str, **attributes: Any) -> list[type]:
    """The layers of 1, 2 and 3 dimensions."""
    return [
        type(
            f"{name}{n}d",
            (base,),
            {"__module__": __name__, "__doc__": f"A border {words}.", "dims": n, **attributes},
        )
        for n in (1, 2, 3)
    ]


ConstantPad1d, ConstantPad2d, ConstantPad3d = _of_each_size(
    _ConstantPad, "ConstantPad", "of `value`"
)
ZeroPad1d, ZeroPad2d, ZeroPad3d = _of_each_size(_ZeroPad, "ZeroPad", "of zeros")
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = _of_each_size(
    _Pad, "ReflectionPad", "with the inside mirrored", mode="reflect"
)
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = _of_each_size(
    _Pad, "ReplicationPad", "with the edge repeated", mode="replicate"
)
CircularPad1d, CircularPad2d, CircularPad3d = _of_each_size(
    _Pad, "CircularPad", "from the other end", mode="circular"
)
