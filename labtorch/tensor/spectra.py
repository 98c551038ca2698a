"""Spectra over time: the short-time Fourier transform and its inverse; sample frequencies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.backend.arrays import namespace, on_device_of
from labtorch.engine.composite import composite
from labtorch.engine.public import METHOD, NOWHERE, public
from labtorch.engine.variable import wrap
from labtorch.ops import arrangement, fourier, shape
from labtorch.tensor.creation import _finish
from labtorch.tensor.tensor import Tensor


def _window(name: str, window: Any, n_fft: int, win_length: int | None, like: Tensor) -> Tensor:
    """n_fft weights: the window in the middle of zeros."""
    length = n_fft if win_length is None else win_length
    if not 0 < length <= n_fft:
        raise RuntimeError(f"{name}: expected 0 < win_length <= n_fft, but got win_length={length}")
    if window is None:
        kind = np.zeros(0, like._array.dtype).real.dtype
        window = wrap(namespace(like._array).ones(length, kind))
    if window.ndim != 1 or window.shape[0] != length:
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={length}, but got "
            f"window with size {list(window.shape)}"
        )
    left = (n_fft - length) // 2
    return shape.constant_pad(window, (left, n_fft - length - left))


def _padded(x: Tensor, by: int, mode: str) -> Tensor:
    if mode == "constant":
        return shape.constant_pad(x, (by, by))
    n = x.shape[-1]
    kinds = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in kinds:
        raise RuntimeError(f"stft: unknown pad_mode {mode!r}")
    if by >= n and mode == "reflect":
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but "
            f"got: padding ({by}, {by}) at dimension {x.ndim - 1} of input {list(x.shape)}"
        )
    places = np.pad(np.arange(n), by, mode=kinds[mode])  # type: ignore[call-overload]
    return x[..., wrap(on_device_of(places, x._array))]


def _hop(name: str, n_fft: int, hop_length: int | None) -> int:
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop <= 0:
        raise RuntimeError(f"{name}: expected hop_length > 0, but got hop_length={hop}")
    return hop


@public(METHOD)
@composite
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The spectra (..., frequencies, frames) of windows of a signal, `hop_length` apart."""
    kind = input._array.dtype.kind
    if return_complex is None:
        if kind != "c":
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs"
            )
        return_complex = True
    if input.ndim not in (1, 2):
        raise RuntimeError(f"stft: expected a 1D or 2D tensor, got {input.ndim}D")
    hop = _hop("stft", n_fft, hop_length)
    x = _padded(input, n_fft // 2, pad_mode) if center else input
    if not 0 < n_fft <= x.shape[-1]:
        raise RuntimeError(f"stft: expected 0 < n_fft < {x.shape[-1]}, but got n_fft={n_fft}")
    weights = _window("stft", window, n_fft, win_length, input)
    frames = arrangement.unfold(x, x.ndim - 1, n_fft, hop) * weights
    scale = 1 / math.sqrt(n_fft) if normalized else 1.0
    last = (frames.ndim - 1,)
    one_side = kind != "c" and weights._array.dtype.kind != "c" if onesided is None else onesided
    if one_side:
        spectra = fourier.real_to_complex(frames, last, scale)
    else:
        frames = fourier._as("c", "stft", frames)
        spectra = fourier.complex_to_complex(frames, last, True, scale)
    found = shape.transpose(spectra, -1, -2)
    return found if return_complex else shape.stack([found.real, found.imag], -1)


@public(METHOD)
@composite
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal whose spectra over time are nearest to the input.

    Windowed frames are added up where they overlap and divided by the sum of the windows' squares.
    Source: Griffin, Lim, "Signal estimation from modified short-time Fourier transform" (1984).
    """
    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"istft: expected a tensor with 3 or 4 dimensions (as real numbers), got {input.ndim}"
        )
    hop = _hop("istft", n_fft, hop_length)
    one_side = input.shape[-2] != n_fft if onesided is None else onesided
    wanted = n_fft // 2 + 1 if one_side else n_fft
    if input.shape[-2] != wanted:
        raise RuntimeError(
            "istft: expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match n_fft / 2 + 1 when onesided=True and n_fft when not: {wanted}, but got "
            f"{input.shape[-2]}"
        )
    weights = _window("istft", window, n_fft, win_length, input)
    spectra = shape.transpose(input, -1, -2)
    last, scale = (spectra.ndim - 1,), (math.sqrt(n_fft) if normalized else 1.0) / n_fft
    if return_complex:
        frames = fourier.complex_to_complex(spectra, last, False, scale)
    elif one_side:
        frames = fourier.complex_to_real(spectra, last, n_fft, scale)
    else:
        frames = fourier.complex_to_complex(spectra, last, False, scale).real
    count = frames.shape[-2]
    total = n_fft + hop * (count - 1)
    sizes = (*tuple(frames.shape[:-2]), total)
    signal = arrangement.overlap_add(frames * weights, sizes, len(sizes) - 1, hop)
    squares = shape.expand(weights * weights, (count, n_fft))
    envelope = arrangement.overlap_add(squares, (total,), 0, hop)
    start = n_fft // 2 if center else 0
    end = total - (n_fft // 2 if center else 0) if length is None else start + length
    stop = min(end, total)
    signal, envelope = signal[..., start:stop], envelope[start:stop]
    if (abs(envelope._array) < 1e-11).any():
        raise RuntimeError(
            "istft: window overlap add min: 1: the windows leave samples that none of them covers"
        )
    return shape.constant_pad(signal / envelope, (0, end - stop))


def _frequencies(values: np.ndarray, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    to = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
    return _finish(values.astype(to), device, requires_grad)


@public(NOWHERE, aliases="fft.fftfreq", out=True)
def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of fft's results, for samples `d` apart."""
    return _frequencies(np.fft.fftfreq(n, d), dtype, device, requires_grad)


@public(NOWHERE, aliases="fft.rfftfreq", out=True)
def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of rfft's results, for samples `d` apart."""
    return _frequencies(np.fft.rfftfreq(n, d), dtype, device, requires_grad)
