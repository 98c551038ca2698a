"""Images: shuffling pixels and channels, resampling, grids."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace, on_device_of
from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.engine.variable import wrap
from labtorch.ops import arithmetic, resampling, shape
from labtorch.tensor import functions
from labtorch.tensor.tensor import Tensor


@composite
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C r^2, H, W) as (..., C, H r, W r): channels become pixels."""
    if input.ndim < 3:
        raise RuntimeError(
            "pixel_shuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.ndim} dimension(s)"
        )
    r = upscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *batch, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(batch)
    parts = functions.reshape(input, (*batch, channels // (r * r), r, r, height, width))
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    final = (*batch, channels // (r * r), height * r, width * r)
    return functions.reshape(functions.permute(parts, order), final)


@composite
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H r, W r) as (..., C r^2, H, W): pixels become channels."""
    if input.ndim < 3:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.ndim} dimension(s)"
        )
    r = downscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, channels, height, width = input.shape
    for name, size in (("height", height), ("width", width)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"{size} is not divisible by {r}"
            )
    n = len(batch)
    parts = functions.reshape(input, (*batch, channels, height // r, r, width // r, r))
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    final = (*batch, channels * r * r, height // r, width // r)
    return functions.reshape(functions.permute(parts, order), final)


@composite
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels (dimension 1) of `groups` groups taken in turn."""
    if input.ndim < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {input.shape}"
        )
    if groups <= 0 or input.shape[1] % groups:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive and divide "
            f"{input.shape[1]}. Value of groups:{groups}"
        )
    n, channels, *rest = input.shape
    parts = functions.reshape(input, (n, groups, channels // groups, *rest))
    return functions.reshape(shape.transpose(parts, 1, 2), input.shape)


MODES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resampled to `size`, or by `scale_factor`, in all dimensions after the channels.

    Each mode is a matrix per dimension (out x in) whose rows weigh the inputs of one output.
    """
    spatial = input.ndim - 2
    if spatial < 1 or spatial > 3:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the "
            f"modes: nearest | linear | bilinear | bicubic | trilinear (got {mode})"
        )
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | "
                "bilinear | bicubic | trilinear"
            )
    elif mode not in MODES:
        raise NotImplementedError(f"Input Error: unknown interpolation mode {mode}")
    elif MODES[mode] != spatial:
        raise NotImplementedError(
            f"Got {input.ndim}D input, but {mode} mode needs {MODES[mode] + 2}D input"
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D "
            "tensor as input"
        )
    have = tuple(input.shape[2:])
    want, scales = _sizes(have, size, scale_factor, bool(recompute_scale_factor))
    if not all(have) or not input.shape[1]:
        raise RuntimeError(f"Non-empty {input.ndim}D data tensor expected but got {input.shape}")
    if min(want) <= 0:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {have} and output "
            f"{want}"
        )
    kind = resampling.KINDS[mode]
    matrices = tuple(
        resampling.matrix(kind, n, m, s, bool(align_corners), antialias)
        for n, m, s in zip(have, want, scales)
    )
    return apply(resampling.resample, (input, matrices))


def _sizes(have: tuple, size: Any, factor: Any, recompute: bool) -> tuple[tuple, tuple]:
    """The output's sizes, and the scale factors that place its pixels (None: by the sizes)."""
    if (size is None) == (factor is None):
        raise ValueError("only one of size or scale_factor should be defined")
    given = size if factor is None else factor
    if isinstance(given, Tensor):
        given = given.tolist()
    each = tuple(given) if isinstance(given, (tuple, list)) else (given,) * len(have)
    if len(each) != len(have):
        what = "output shape" if factor is None else "scale_factor"
        raise ValueError(
            f"Input and {what} must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(have)} and {what} of {list(each)}"
        )
    if factor is None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        return tuple(int(n) for n in each), (None,) * len(have)
    want = tuple(math.floor(n * f) for n, f in zip(have, each))
    return want, (None,) * len(have) if recompute else tuple(float(f) for f in each)


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its old name."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` by the nearest pixel."""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` by bilinear weights, corners aligned."""
    return interpolate(input, size, scale_factor, "bilinear", True)


# -------------------------------------------------------------------- grids
@composite
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The sampling grid (N, H, W, 2) that maps each pixel by its sample's 2 x 3 matrix.

    For volumes, (N, D, H, W, 3) by 3 x 4 matrices. Coordinates run from -1 to 1.
    """
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    spatial = tuple(size[2:])
    n = len(spatial)
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (n, n + 1):
        raise ValueError(
            f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} "
            f"for size {tuple(size)}. Got {tuple(theta.shape)}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {tuple(size)}")
    axes = []
    for m in spatial:
        ends = 1.0 if align_corners else 1 - 1 / m
        axes.append(np.linspace(-ends, ends, m) if m > 1 else np.zeros(1))
    grids = np.meshgrid(*axes, indexing="ij")
    points = np.stack([*grids[::-1], np.ones(spatial)], -1).reshape(1, -1, n + 1)
    base = wrap(on_device_of(points.astype(theta._array.dtype), theta._array))
    return functions.reshape(base @ theta.mT, (size[0], *spatial, n))


@composite
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The input at the points of `grid` (N, ..., 2 or 3), whose coordinates run from -1 to 1.

    Points between pixels are weighed ("bilinear"), or take the "nearest" pixel; those outside are
    zeros, the "border", or mirrored ("reflection"). "bicubic" weighs 4 x 4 pixels.
    """
    _check_grid(input, grid, mode, padding_mode)
    spatial = tuple(input.shape[2:])
    n, lib = len(spatial), namespace(input._array)
    places = []
    for i, m in enumerate(spatial):  # the last coordinate of the grid is the first dimension
        x = grid[..., n - 1 - i]
        x = (x + 1) * ((m - 1) / 2) if align_corners else ((x + 1) * m - 1) / 2
        if mode != "bicubic":
            x = _inside(x, m, padding_mode, bool(align_corners))
        places.append(x)
    flat = functions.reshape(input, (*input.shape[:2], -1))
    total: Any = None
    for offsets in itertools.product(TAPS[mode], repeat=n):
        index: Any = 0
        weight: Any = None
        valid: Any = True
        for x, m, offset in zip(places, spatial, offsets):
            low = lib.rint(x._array) if mode == "nearest" else lib.floor(x._array)
            at = low + offset
            if mode != "nearest":
                apart = arithmetic.abs(x - wrap(at))
                part = 1 - apart if mode == "bilinear" else _cubic(apart)
                weight = part if weight is None else weight * part
            if mode == "bicubic":  # the border is that of each pixel, not of the point
                at = lib.rint(_inside(wrap(at), m, padding_mode, bool(align_corners))._array)
            valid = valid & (at >= 0) & (at < m)
            index = index * m + lib.nan_to_num(at).clip(0, m - 1).astype(np.int64)
        picked = _gather_points(flat, index)
        picked = picked * wrap(valid[:, None].astype(input._array.dtype))
        if weight is not None:
            picked = picked * shape.unsqueeze(weight, 1)
        total = picked if total is None else total + picked
    return total


TAPS = {"nearest": (0,), "bilinear": (0, 1), "bicubic": (-1, 0, 1, 2)}  # pixels from the lower one


def _cubic(x: Tensor, a: float = -0.75) -> Tensor:
    """Keys's kernel of cubic convolution (1981), of distances."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return arithmetic.where(wrap(x._array <= 1), near, far)


def _gather_points(flat: Tensor, index: Any) -> Tensor:
    """(N, C, P) at (N, ...) as (N, C, ...)."""
    from labtorch.ops import indexing

    n, channels = flat.shape[:2]
    lib = namespace(index)
    rows = lib.broadcast_to(index.reshape(n, 1, -1), (n, channels, index[0].size))
    found = indexing.gather(flat, 2, wrap(lib.ascontiguousarray(rows)))
    return functions.reshape(found, (n, channels, *index.shape[1:]))


def _inside(x: Tensor, m: int, padding_mode: str, align_corners: bool) -> Tensor:
    """Coordinates with those outside brought to the border, or mirrored."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, high = (0.0, m - 1.0) if align_corners else (-0.5, m - 0.5)
        span = high - low
        if span == 0:
            return x * 0
        away = arithmetic.abs(x - low)
        turns = namespace(away._array).floor(away._array / span)
        rest = away - wrap((turns * span).astype(away._array.dtype))
        even = wrap(turns % 2 == 0)
        x = arithmetic.where(even, rest + low, high - rest)
    return arithmetic.clamp(x, 0, m - 1)


def _check_grid(input: Tensor, grid: Tensor, mode: str, padding_mode: str) -> None:
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if mode == "bicubic" and input.ndim == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    n = input.ndim - 2
    if n not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != n:
        raise RuntimeError(
            "grid_sampler(): expected a 4D or 5D input and a grid with the same number of "
            f"dimensions and {n} coordinates last, but got input with sizes {list(input.shape)} "
            f"and grid with sizes {list(grid.shape)}"
        )
    if grid.shape[0] != input.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if not input.numel():
        raise RuntimeError("grid_sampler(): expected input to have non-empty spatial dimensions")
