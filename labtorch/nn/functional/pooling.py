"""Pooling: maxima, means and p-norms of windows, and the way back to where maxima were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.op import Op
from labtorch.ops import activation, arithmetic, pooling
from labtorch.ops.conv import product
from labtorch.ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
)
from labtorch.tensor.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
]


def _max_pool(plain: Op, indexed: Op) -> Callable:
    def pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        """The largest element of each window; with `return_indices`, where it lies, too."""
        op = indexed if return_indices else plain
        found = apply(op, (input, kernel_size, stride, padding, dilation, ceil_mode))
        return tuple(found) if return_indices else found

    pool.__name__ = plain.name
    return pool


max_pool1d = _max_pool(pooling.max_pool1d, pooling.max_pool1d_with_indices)
max_pool2d = _max_pool(pooling.max_pool2d, pooling.max_pool2d_with_indices)
max_pool3d = _max_pool(pooling.max_pool3d, pooling.max_pool3d_with_indices)
max_pool1d_with_indices = pooling.max_pool1d_with_indices
max_pool2d_with_indices = pooling.max_pool2d_with_indices
max_pool3d_with_indices = pooling.max_pool3d_with_indices


def _adaptive_max_pool(op: Op) -> Callable:
    def pool(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        """The largest of windows that divide the input evenly, to `output_size`."""
        values, indices = apply(op, (input, output_size))
        return (values, indices) if return_indices else values

    pool.__name__ = op.name
    return pool


adaptive_max_pool1d = _adaptive_max_pool(pooling.adaptive_max_pool1d)
adaptive_max_pool2d = _adaptive_max_pool(pooling.adaptive_max_pool2d)
adaptive_max_pool3d = _adaptive_max_pool(pooling.adaptive_max_pool3d)


def _max_unpool(n: int) -> Callable:
    def unpool(
        input: Tensor,
        indices: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor:
        """Zeros with the maxima back at their `indices`."""
        kernel, steps, pads, _ = pooling.geometry(n, kernel_size, stride, padding)
        usual = tuple(
            (m - 1) * s - 2 * p + k for m, s, p, k in zip(input.shape[-n:], steps, pads, kernel)
        )
        size = usual if output_size is None else tuple(output_size)[-n:]
        if len(size) != n:
            raise ValueError(
                f"output_size should be a sequence containing {n} or {n + 2} elements, but it has "
                f"a length of '{len(size)}'"
            )
        for m, u, s in zip(size, usual, steps):
            if output_size is not None and not u - s < m < u + s:
                raise ValueError(
                    f"invalid output_size {list(size)}: each must be within a stride of "
                    f"{list(usual)}"
                )
        return apply(pooling.max_unpool, (input, indices._array, size))

    unpool.__name__ = f"max_unpool{n}d"
    return unpool


max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, (1, 2, 3))


def _lp_pool(n: int, average: Op) -> Callable:
    def pool(
        input: Tensor,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> Tensor:
        r"""The p-norm of each window, (\sum x^p)^(1 / p)."""
        count = product(pooling.sizes(kernel_size, n, "kernel_size"))
        powers = arithmetic.pow(input, norm_type)
        mean = apply(average, (powers, kernel_size, stride, 0, ceil_mode, True, None))
        size = activation.relu(arithmetic.abs(mean))
        return arithmetic.pow(arithmetic.sign(mean) * size * count, 1.0 / norm_type)

    pool.__name__ = f"lp_pool{n}d"
    return composite(pool)


lp_pool1d = _lp_pool(1, pooling.avg_pool1d)
lp_pool2d = _lp_pool(2, pooling.avg_pool2d)
lp_pool3d = _lp_pool(3, pooling.avg_pool3d)
