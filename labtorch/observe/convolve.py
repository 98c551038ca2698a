"""One convolution or one pooling of a picture by the engine's own ops, apart from any recording."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from labtorch.engine.modes import no_grad
from labtorch.observe.stepping import unwatched
from labtorch.ops.conv import conv2d
from labtorch.ops.pooling import avg_pool2d, max_pool2d
from labtorch.tensor.tensor import Tensor


def picture(image: Any) -> np.ndarray:
    """`image` as float32 (H, W): any tensor or array of two dimensions, leading ones left out.

    Raises ValueError for another shape, for no elements, and for what is not made of real numbers.
    """
    array = np.asarray(image.detach().cpu() if isinstance(image, Tensor) else image)
    while array.ndim > 2 and len(array) == 1:
        array = array[0]
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"expected a picture of two dimensions (H, W), not {list(array.shape)}")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"expected real numbers, not {array.dtype}")
    return array.astype(np.float32)


def correlate(
    image: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0, dilation: int = 1
) -> np.ndarray:
    """y[i, j] = sum over u, v of kernel[u, v] x[i s + u d - p, j s + v d - p], by conv2d.

    Raises RuntimeError, in conv2d's words, where the kernel does not fit.
    """
    with unwatched(), no_grad():
        y: Any = conv2d(Tensor(image)[None, None], Tensor(kernel)[None, None],
                        None, stride, padding, dilation)  # fmt: skip
    return np.array(y.numpy()[0, 0])


def pool(
    image: np.ndarray,
    kind: Literal["max", "average"],
    window: int,
    stride: int | None = None,
    padding: int = 0,
) -> np.ndarray:
    """The largest element or the mean of each window; no `stride` is a stride of `window`.

    Raises RuntimeError, in the pooling op's words, where the window does not fit.
    """
    op: Any = max_pool2d if kind == "max" else avg_pool2d
    with unwatched(), no_grad():
        y = op(Tensor(image)[None, None], window, stride, padding)
    return np.array(y.numpy()[0, 0])
