"""The convolution explorer: one kernel, or one pooling window, on its way over one picture."""

from __future__ import annotations

from typing import Any

from .view import ConvolutionView

__all__ = ["ConvolutionView", "convolution"]


def convolution(
    image: Any,
    kernel: Any = None,
    *,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    flip: bool = False,
    mode: str = "convolution",
    window: int = 2,
    lang: str | None = None,
) -> ConvolutionView:
    """Slide a kernel or a pooling window over a picture; the engine computes the output.

    `image` is a tensor or array (H, W) of at most 64 x 64; leading dimensions of size 1 are left
    out. `kernel` is one, too (of at most 7 x 7), or a preset's name: "vertical" (the default) and
    "horizontal" edges, "outline", "blur", "gaussian", "sharpen", "emboss", "identity". With `flip`
    it is turned by 180 degrees first: that is convolution; without, as in PyTorch, it is
    cross-correlation. `mode` is "convolution", "max" or "average"; pooling takes a square `window`.
    Without a `stride` a convolution moves by 1, a pooling by its window.

    Raises ValueError for a picture, kernel, number or name that will not do. A kernel that does not
    fit into the picture is no error: the view says so.
    """
    return ConvolutionView(
        image,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        flip=flip,
        mode=mode,
        window=window,
        lang=lang,
    )
