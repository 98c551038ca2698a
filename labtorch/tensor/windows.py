"""Windows for signal processing: `signal.windows.*` (symmetric unless told) and `*_window`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.engine.public import FUNCTION, NOWHERE, public
from labtorch.tensor.creation import _finish
from labtorch.tensor.tensor import Tensor


def _window(shape: Callable) -> Any:
    """A public window from `shape(n, M, **its options)`, n the numbers 0 to M - 1, M the period.

    A periodic window (sym=False) is a symmetric one of M + 1 points without the last.
    """
    name = shape.__name__.strip("_")

    @functools.wraps(shape)
    def window(
        M: int,
        *,
        sym: bool = True,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        **options: Any,
    ) -> Tensor:
        d = dtypes.get_default_dtype() if dtype is None else dtype
        if M < 0:
            raise ValueError(f"{name} requires non-negative window length, got M={M}")
        if d not in (dtypes.float32, dtypes.float64):
            raise ValueError(f"{name} expects float32 or float64 dtypes, got: {d}")
        points = M if sym or M < 2 else M + 1
        n = np.arange(M, dtype=np.float64)
        if name == "exponential" and sym and options.get("center") is not None:
            raise ValueError("Center must be None for symmetric windows")
        values = shape(n, points, **options)
        return _finish((values if M > 1 else np.ones(M)).astype(d.numpy), device, requires_grad)

    window.__name__ = name
    common = list(inspect.signature(window, follow_wrapped=False).parameters.values())[:-1]
    own = list(inspect.signature(shape).parameters.values())[2:]
    signature = inspect.Signature([common[0], *own, *common[1:]])
    window.__signature__ = signature  # type: ignore[attr-defined]  # for help()
    return public(NOWHERE, aliases=f"signal.windows.{name}")(window)


def _cosines(n: np.ndarray, points: int, a: Iterable) -> np.ndarray:
    turn = 2 * np.pi * n / max(points - 1, 1)
    total = np.zeros_like(n)
    for i, each in enumerate(a):
        total = total + (-1) ** i * each * np.cos(i * turn)
    return total


@_window
def general_cosine(n, points, *, a):
    """The sum over i of (-1)^i a_i cos(2 pi i n / (M - 1))."""
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return _cosines(n, points, a)


@_window
def general_hamming(n, points, *, alpha=0.54):
    """alpha - (1 - alpha) cos(2 pi n / (M - 1))."""
    return _cosines(n, points, (alpha, 1 - alpha))


@_window
def hamming(n, points):
    """0.54 - 0.46 cos(2 pi n / (M - 1))."""
    return _cosines(n, points, (0.54, 0.46))


@_window
def hann(n, points):
    """sin(pi n / (M - 1))^2."""
    return _cosines(n, points, (0.5, 0.5))


@_window
def blackman(n, points):
    """0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))."""
    return _cosines(n, points, (0.42, 0.5, 0.08))


@_window
def nuttall(n, points):
    """Four cosines with low side lobes. Source: Nuttall (1981)."""
    return _cosines(n, points, (0.3635819, 0.4891775, 0.1365995, 0.0106411))


@_window
def bartlett(n, points):
    """A triangle: 1 - |2 n / (M - 1) - 1|."""
    return 1 - np.abs(2 * n / max(points - 1, 1) - 1)


@_window
def cosine(n, points):
    """sin(pi (n + 1/2) / M)."""
    return np.sin(np.pi * (n + 0.5) / points)


@_window
def exponential(n, points, *, center=None, tau=1.0):
    """exp(-|n - center| / tau)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    return np.exp(-np.abs(n - ((points - 1) / 2 if center is None else center)) / tau)


@_window
def gaussian(n, points, *, std=1.0):
    """exp(-(n - (M - 1) / 2)^2 / (2 std^2))."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return np.exp(-(((n - (points - 1) / 2) / std) ** 2) / 2)


@_window
def kaiser(n, points, *, beta=12.0):
    """I_0(beta sqrt(1 - (2 n / (M - 1) - 1)^2)) / I_0(beta). Source: Kaiser (1974)."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    place = 2 * n / max(points - 1, 1) - 1
    return np.i0(beta * np.sqrt(np.maximum(1 - place * place, 0))) / np.i0(beta)


def _periodic(name: str, shape: Callable, length: int, periodic: bool, options: dict) -> Tensor:
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    for each in ("layout", "pin_memory"):
        options.pop(each, None)
    return shape(length, sym=not periodic, **options)


@public(FUNCTION)
def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """sin(pi n / N)^2, of period N = window_length (periodic=False: N = window_length - 1)."""
    return _periodic("hann_window", hann, window_length, periodic, options)


@public(FUNCTION)
def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    **options: Any,
) -> Tensor:
    """alpha - beta cos(2 pi n / N)."""
    options["a"] = (alpha, beta)
    return _periodic("hamming_window", general_cosine, window_length, periodic, options)


@public(FUNCTION)
def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """A triangle."""
    return _periodic("bartlett_window", bartlett, window_length, periodic, options)


@public(FUNCTION)
def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)."""
    return _periodic("blackman_window", blackman, window_length, periodic, options)


@public(FUNCTION)
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any
) -> Tensor:
    """Kaiser's window of shape beta."""
    options["beta"] = beta
    return _periodic("kaiser_window", kaiser, window_length, periodic, options)
