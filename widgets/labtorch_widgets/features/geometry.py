"""Where the window of an output pixel lies in the input, for one axis and for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Axis = list[int | None]  # by element of the kernel, the input's index it meets, if any


class Placing(NamedTuple):
    """How a kernel moves over the rows and the columns of its input."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]  # padding above and to the left
    dilation: tuple[int, int]
    transposed: bool = False

    def window(self, row: int, column: int) -> tuple[Axis, Axis]:
        """The input's rows and columns that the kernel of the output pixel meets.

        Those below 0 or beyond the input lie in the padding. None: the element of a transposed
        kernel that meets no input, as the stride put zeros between.
        """
        return self._axis(0, row), self._axis(1, column)

    def _axis(self, axis: int, at: int) -> Axis:
        kernel, stride = self.kernel[axis], self.stride[axis]
        before, dilation = self.before[axis], self.dilation[axis]
        if not self.transposed:
            return [at * stride - before + dilation * k for k in range(kernel)]
        meets = [at + before - dilation * k for k in range(kernel)]
        return [each // stride if each % stride == 0 else None for each in meets]


def placing_of(op: str, arguments: dict[str, Any]) -> Placing:
    """The placing of a convolution or of a pooling with a kernel, from its call's arguments."""
    line = "1d" in op
    convolution = op.startswith("conv")
    size = arguments["weight"].shape[2:] if convolution else arguments["kernel_size"]
    kernel = _both(size, line, 1)
    given = arguments.get("stride")
    stride = kernel if not convolution and given in (None, ()) else _both(given, line, 1)
    dilation = _both(arguments.get("dilation", 1), line, 1)
    padding = arguments.get("padding", 0)
    if padding == "valid":
        padding = 0
    if padding == "same":
        before = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
    else:
        before = _both(padding, line, 0)
    return Placing(kernel, stride, (before[0], before[1]), dilation, "transpose" in op)


def bins(size: int, out: int, at: int) -> range:
    """The indices that the adaptive pooling of `size` elements to `out` puts into its bin `at`."""
    return range(at * size // out, -(-(at + 1) * size // out))


def _both(value: Any, line: bool, none: int) -> tuple[int, int]:
    """A number for rows and one for columns; for a line, `none` for its single row."""
    given = tuple(map(int, value)) if isinstance(value, Sequence) else (int(value),)
    if line:
        return none, given[0]
    return (given * 2)[:2] if len(given) == 1 else (given[0], given[1])
