"""Discrete Fourier transforms: three linear ops, each the adjoint of another, and what PyTorch
builds of them."""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.backend.dtypes import get_default_dtype
from labtorch.engine.composite import composite
from labtorch.engine.op import op
from labtorch.engine.public import NOWHERE, public
from labtorch.ops.arithmetic import conj
from labtorch.ops.arrangement import roll
from labtorch.ops.matrices import plain
from labtorch.ops.reduction import wrap_dim
from labtorch.ops.shape import cast, constant_pad


@op(r"y_k = c \sum_n x_n e^{\mp 2 \pi i k n / N}", name="fft_c2c")
def complex_to_complex(input, dims, forward, scale):
    """Along `dims`, forward (minus) or backward (plus); c is `scale`."""
    lib = namespace(input).fft
    y = lib.fftn(input, axes=dims) if forward else lib.ifftn(input, axes=dims, norm="forward")
    return (y if scale == 1 else y * scale).astype(input.dtype, copy=False)


@complex_to_complex.vjp("input", r"\bar x_n = c \sum_k \bar y_k e^{\pm 2 \pi i k n / N}")
def _(g, dims, forward, scale):
    return complex_to_complex(g, dims, not forward, scale)


@op(r"y_k = c \sum_n x_n e^{-2 \pi i k n / N}, \; k \le N / 2", name="fft_r2c")
def real_to_complex(input, dims, scale):
    """Of real x; the last of `dims` keeps its first half, of which the rest is the conjugate."""
    lib = namespace(input)
    y = lib.fft.rfftn(input, axes=dims)
    dtype = lib.result_type(input.dtype, "complex64")
    return (y if scale == 1 else y * scale).astype(dtype, copy=False)


@real_to_complex.vjp(
    "input", r"\bar x_n = c \operatorname{Re} \sum_{k \le N / 2} \bar y_k e^{2 \pi i k n / N}"
)
def _(g, input_shape, dims, scale):
    padded = _resized(g, dims[-1:], [input_shape[dims[-1]]])
    return complex_to_complex(padded, dims, False, scale).real


@op(r"y_n = c \sum_k x_k e^{2 \pi i k n / N}, \; x_{N - k} = \overline{x_k}", name="fft_c2r")
def complex_to_real(input, dims, size, scale):
    """Backward, of the half of a spectrum of real numbers, of which there are `size`."""
    lib = namespace(input)
    sizes = [input.shape[d] for d in dims[:-1]] + [size]
    y = lib.fft.irfftn(input, sizes, dims, norm="forward")
    return (y if scale == 1 else y * scale).astype(input.real.dtype, copy=False)


@complex_to_real.vjp(
    "input", r"\bar x_k = w_k c \sum_n \bar y_n e^{-2 \pi i k n / N}, \; w_k = 1 \text{ or } 2"
)
def _(g, dims, size, scale):
    """Twice what stands for its conjugate, too: all but k = 0 and k = N / 2."""
    lib, last = namespace(plain(g)), dims[-1]
    half = size // 2 + 1
    weights = lib.full(half, 2.0, plain(g).dtype)
    weights[0] = 1
    if size % 2 == 0:
        weights[-1] = 1
    shape = [1] * len(g.shape)
    shape[last] = half
    return real_to_complex(g, dims, scale) * weights.reshape(shape)


# ------------------------------------------------------------------------- arguments
def _resized(x: Any, dims: Any, sizes: Any) -> Any:
    """Cut, or filled up with zeros at the end, to these sizes."""
    pad = [0] * (2 * len(x.shape))
    for d, size in zip(dims, sizes):
        pad[2 * (len(x.shape) - 1 - d) + 1] = size - x.shape[d]
    return constant_pad(x, tuple(pad)) if any(pad) else x


def _sizes(input: Any, s: Any, dim: Any) -> tuple[tuple[int, ...], list[int]]:
    """The dimensions to transform and their sizes."""
    ndim = input.ndim
    if isinstance(s, int):
        s = (s,)
    if isinstance(dim, int):
        if not ndim:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        dim = (dim,)
    if dim is None:
        if s is not None and len(s) > ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions."
            )
        dims = tuple(range(ndim)) if s is None else tuple(range(ndim - len(s), ndim))
    else:
        dims = tuple(wrap_dim(d, ndim) for d in dim)
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    sizes = [input.shape[d] for d in dims]
    if s is not None:
        sizes = [have if want == -1 else want for have, want in zip(sizes, s)]
    return dims, sizes


def _check_sizes(sizes: list[int]) -> None:
    for size in sizes:
        if size < 1:
            raise RuntimeError(f"Invalid number of data points ({size}) specified")


def _scale(norm: str | None, sizes: list[int], forward: bool) -> float:
    n = math.prod(sizes)
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return 1 / math.sqrt(n)
    return 1 / n if (norm == "forward") == forward else 1.0


def _as(kind: str, name: str, x: Any) -> Any:
    """Integers in the default dtype; real numbers as complex ones where those are needed."""
    dtype = plain(x).dtype
    if kind == "f" and dtype.kind == "c":
        raise RuntimeError(f"{name} expects a real input tensor, but got {dtype.name}")
    if dtype.itemsize < 4 and dtype.kind == "f":
        raise RuntimeError(f"Unsupported dtype {dtype.name}: convert with x.float()")
    if dtype.kind in "bui":
        dtype = get_default_dtype().numpy
    if kind == "c":
        dtype = namespace(plain(x)).result_type(dtype, "complex64")
    return x if plain(x).dtype == dtype else cast(x, dtype)


# -------------------------------------------------------------------------- transforms
def _complex(name: str, forward: bool, input: Any, s: Any, dim: Any, norm: Any) -> Any:
    dims, sizes = _sizes(input, s, dim)
    x = _as("c", name, input)
    _check_sizes(sizes)
    scale = _scale(norm, sizes, forward)
    return complex_to_complex(_resized(x, dims, sizes), dims, forward, scale) if dims else x * 1


def _from_real(name: str, forward: bool, input: Any, s: Any, dim: Any, norm: Any) -> Any:
    """rfftn, or (backward) ihfftn: conjugated, as the other transforms of the dims are backward."""
    dims, sizes = _sizes(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    x = _as("f", name, input)
    _check_sizes(sizes)
    y = real_to_complex(_resized(x, dims, sizes), dims, _scale(norm, sizes, forward))
    return y if forward else conj(y)


def _to_real(name: str, forward: bool, input: Any, s: Any, dim: Any, norm: Any) -> Any:
    """irfftn, or (forward) hfftn: of the conjugate, as then all its transforms are forward."""
    dims, sizes = _sizes(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    given = s if s is None or not isinstance(s, int) else (s,)
    if given is None or given[-1] == -1:
        sizes[-1] = 2 * (input.shape[dims[-1]] - 1)
    x = _as("c", name, input)
    _check_sizes(sizes)
    halves = [*sizes[:-1], sizes[-1] // 2 + 1]
    x = _resized(conj(x) if forward else x, dims, halves)
    return complex_to_real(x, dims, sizes[-1], _scale(norm, sizes, forward))


def _declare(name: str, transform: Any, forward: bool, words: str) -> None:
    """The transform in one dimension, in two and in n."""
    last = (-2, -1)

    def one(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
        return transform(f"fft_{name}", forward, input, n, dim, norm)

    def two(input: Any, s: Any = None, dim: Any = last, norm: str | None = None) -> Any:
        return transform(f"fft_{name}2", forward, input, s, dim, norm)

    def several(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
        return transform(f"fft_{name}n", forward, input, s, dim, norm)

    for function, suffix, where in (
        (one, "", "along one dimension"),
        (two, "2", "along two dimensions"),
        (several, "n", "along all dimensions, or those named"),
    ):
        function.__name__ = function.__qualname__ = f"fft_{name}{suffix}"
        function.__doc__ = f"{words} {where}."
        public(NOWHERE, aliases=f"fft.{name}{suffix}", out=True)(composite(function))


_declare("fft", _complex, True, "The discrete Fourier transform")
_declare("ifft", _complex, False, "The inverse of the discrete Fourier transform")
_declare("rfft", _from_real, True, "The non-negative frequencies of real numbers' transform")
_declare("irfft", _to_real, False, "The real numbers whose non-negative frequencies are given")
_declare("hfft", _to_real, True, "The real transform of a Hermitian signal's first half")
_declare("ihfft", _from_real, False, "The first half of the Hermitian signal with a real transform")


# ------------------------------------------------------------------------ order, frequencies
def _shifted(input: Any, dim: Any, way: int) -> Any:
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = tuple(wrap_dim(d, input.ndim) for d in dims)
    by = (input.shape[d] // 2 if way > 0 else -(input.shape[d] // 2) for d in dims)
    return roll(input, tuple(by), dims)


@public(NOWHERE, aliases="fft.fftshift")
def fftshift(input: Any, dim: Any = None) -> Any:
    """Frequency 0 in the middle."""
    return _shifted(input, dim, 1)


@public(NOWHERE, aliases="fft.ifftshift")
def ifftshift(input: Any, dim: Any = None) -> Any:
    """Frequency 0 first again."""
    return _shifted(input, dim, -1)
