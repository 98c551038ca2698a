"""Comparing tensors in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.tensor import creation
from labtorch.tensor.tensor import Tensor

# by PyTorch's documentation of torch.testing.assert_close
TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol |expected| everywhere.

    Tensors, numbers, and sequences and mappings of them.
    """
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be specified or both be unspecified")
    options: dict[str, Any] = {
        "rtol": rtol,
        "atol": atol,
        "equal_nan": equal_nan,
        "check_device": check_device,
        "check_dtype": check_dtype,
        "msg": msg,
    }

    def fail(text: str) -> None:
        raise AssertionError(text if msg is None else msg(text) if callable(msg) else msg)

    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if set(actual) != set(expected):
            fail(f"The keys of the mappings do not match: {set(actual)} != {set(expected)}")
        for key in expected:
            assert_close(actual[key], expected[key], **options)
        return
    both = (actual, expected)
    if all(isinstance(x, Sequence) and not isinstance(x, str) for x in both):
        if len(actual) != len(expected):
            fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        for a, b in zip(actual, expected):
            assert_close(a, b, **options)
        return
    scalar = not any(isinstance(x, Tensor) for x in both)
    a, b = (x if isinstance(x, Tensor) else creation.tensor(x) for x in both)
    for name, wanted in (("shape", True), ("device", check_device), ("dtype", check_dtype)):
        mine, other = getattr(a, name), getattr(b, name)
        if wanted and mine != other:
            fail(f"The values for attribute '{name}' do not match: {mine} != {other}.")
    if rtol is None or atol is None:
        pairs = [TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (a, b)]
        rtol, atol = (max(each) for each in zip(*pairs))
    x, y = (each.detach().cpu()._array for each in (a, b))
    with np.errstate(invalid="ignore"):
        close = np.isclose(x, y, rtol, atol, equal_nan)
        apart = np.abs(np.subtract(x, y, dtype=np.result_type(x, y, np.float64)))
    if close.all():
        return
    worst = np.nanmax(np.where(close, 0, apart), initial=0)
    if scalar:
        fail(
            f"Scalars are not close!\n\nExpected {y.item()} but got {x.item()}.\n"
            f"Absolute difference: {worst:g} (up to {atol} + {rtol} of the expected allowed)"
        )
    bad = int((~close).sum())
    fail(
        f"Tensor-likes are not close!\n\nMismatched elements: {bad} / {close.size} "
        f"({100 * bad / close.size:.1f}%)\nGreatest absolute difference: {worst:g} (up to {atol} "
        f"+ {rtol} of the expected allowed)"
    )
