"""Fourier transforms and windows beside PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch
from tests.oracle import randn, same, same_error

X = randn(3, 4)
Z = X + 1j * randn(3, 4, seed=3)


@pytest.mark.oracle
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("kind", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_transforms_are_pytorchs_with_their_gradients(kind, norm):
    x = X if kind in ("rfft", "ihfft") else Z
    same(lambda t, x: getattr(t.fft, kind)(x, n=5, dim=0, norm=norm), x)
    same(lambda t, x: getattr(t.fft, kind + "n")(x, norm=norm), x)
    same(lambda t, x: getattr(t.fft, kind + "2")(x, s=(2, 5), norm=norm), x)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:A window was not provided")
@pytest.mark.parametrize(
    "options",
    [
        {"n_fft": 8},
        {"n_fft": 8, "hop_length": 3, "center": False},
        {"n_fft": 9, "hop_length": 2, "normalized": True, "onesided": False},
    ],
)
def test_short_time_transforms_are_pytorchs(options):
    signal = randn(2, 40)

    def transform(t, x):
        window = t.hann_window(options["n_fft"], dtype=t.float64)
        return t.stft(x, window=window, return_complex=True, **options)

    same(transform, signal)
    if options.get("center", True):
        same(
            lambda t, x: t.istft(t.stft(x, return_complex=True, **options), length=37, **options),
            signal,
        )


@pytest.mark.oracle
@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[(name, {}) for name in ("bartlett", "blackman", "cosine", "hamming", "hann", "nuttall")],
        ("exponential", {"tau": 2.0}),
        ("gaussian", {"std": 1.5}),
        ("kaiser", {"beta": 8.0}),
        ("general_hamming", {"alpha": 0.6}),
        ("general_cosine", {"a": [0.5, 0.3, 0.2]}),
    ],
)
def test_windows_are_pytorchs(name, options, sym):
    for points in (0, 1, 2, 7, 8):
        same(
            lambda t: getattr(t.signal.windows, name)(points, sym=sym, dtype=t.float64, **options)  # noqa: B023
        )


@pytest.mark.oracle
def test_older_windows_and_frequencies_are_pytorchs():
    for name in ("hann", "hamming", "bartlett", "blackman", "kaiser"):
        same(lambda t: getattr(t, name + "_window")(7), rtol=1e-5, atol=1e-6)  # noqa: B023
        same(lambda t: getattr(t, name + "_window")(7, False), rtol=1e-5, atol=1e-6)  # noqa: B023
    same(lambda t: [t.fft.fftfreq(7, 0.5), t.fft.rfftfreq(6), t.fft.fftshift(t.fft.fftfreq(5))])


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("expression", "phrase"),
    [
        (lambda t, x: t.fft.fft(x, 0), "Invalid number of data points (0) specified"),
        (lambda t, x: t.fft.rfft(x + 0j), "rfft expects a real input tensor"),
        (lambda t, x: t.fft.fft(x, norm="x"), 'Invalid normalization mode: "x"'),
        (lambda t, x: t.fft.fftn(x, dim=(0, 0)), "FFT dims must be unique"),
        (lambda t, x: t.stft(x[0], 4), "requires the return_complex parameter be given"),
        (lambda t, x: t.signal.windows.hann(-1), "requires non-negative window length"),
    ],
)
def test_refuses_as_pytorch(expression, phrase):
    same_error(expression, X, match=phrase)


def test_parseval():
    spectrum = labtorch.fft.fft(labtorch.tensor(X), norm="ortho")
    np.testing.assert_allclose((spectrum.abs() ** 2).sum().item(), (X**2).sum())
