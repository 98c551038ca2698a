"""Tensors as PyTorch prints them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from labtorch.backend import dtypes

_options: dict[str, Any] = {
    "precision": 4,
    "threshold": 1000,
    "edgeitems": 3,
    "linewidth": 80,
    "sci_mode": None,
}
_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors are printed: digits after the point, when to abridge, and how wide."""
    if profile is not None:
        _options.update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems}
    given["linewidth"] = linewidth
    _options.update({name: value for name, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


class _Formatter:
    """One width and one style for all the numbers of a tensor."""

    def __init__(self, values: np.ndarray) -> None:
        self.floating = values.dtype.kind == "f"
        self.integral, self.scientific, self.width = True, False, 1
        precision = _options["precision"]
        self.precision = precision
        if not self.floating:
            self.width = max((len(str(v)) for v in values.ravel().tolist()), default=1)
            return
        finite = values[np.isfinite(values) & (values != 0)].astype(np.float64)
        if finite.size:
            magnitude = np.abs(finite)
            high, low = float(magnitude.max()), float(magnitude.min())
            self.integral = bool(np.all(finite == np.ceil(finite)))
            self.scientific = high / low > 1000.0 or high > 1.0e8
            if not self.integral:
                self.scientific = self.scientific or low < 1.0e-4
        if _options["sci_mode"] is not None:
            self.scientific = _options["sci_mode"]
        if finite.size:
            self.width = max(len(self._plain(v)) for v in finite.tolist())

    def _plain(self, value: float) -> str:
        if not math.isfinite(value):
            return str(value)
        if self.scientific:
            return f"{value:.{self.precision}e}"
        if self.integral:
            return f"{value:.0f}."
        return f"{value:.{self.precision}f}"

    def __call__(self, value: Any) -> str:
        text = self._plain(value) if self.floating else str(value)
        return text.rjust(self.width)


def _complex_formatter(values: np.ndarray) -> Any:
    real, imaginary = _Formatter(values.real), _Formatter(values.imag)

    def show(value: complex) -> str:
        im = imaginary(value.imag).strip()
        sign = "" if im.startswith("-") else "+"
        return real(value.real) + sign + im + "j"

    show.width = real.width + imaginary.width + 1  # type: ignore[attr-defined]
    return show


def _edges(array: np.ndarray) -> np.ndarray:
    """The elements that an abridged print shows."""
    edge = _options["edgeitems"]
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            keep = np.r_[0:edge, size - edge : size]
            array = array.take(keep, axis=axis)
    return array


def _body(array: np.ndarray, indent: int, abridge: bool, show: Any) -> str:
    if array.ndim == 0:
        return show(array.item())
    edge, size = _options["edgeitems"], len(array)
    short = abridge and size > 2 * edge
    if array.ndim == 1:
        items = array.tolist()
        if short:
            parts = [show(v) for v in items[:edge]] + [" ..."] + [show(v) for v in items[-edge:]]
        else:
            parts = [show(v) for v in items]
        per_line = max(1, (_options["linewidth"] - indent) // (show.width + 2))
        lines = [parts[i : i + per_line] for i in range(0, len(parts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"
    inner = [_body(each, indent + 1, abridge, show) for each in (array[:edge] if short else array)]
    if short:
        inner += ["..."] + [_body(each, indent + 1, abridge, show) for each in array[-edge:]]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(inner) + "]"


def text(tensor: Any, more: Sequence[str] = ()) -> str:
    """What `repr(tensor)` gives; `more` is said at its end."""
    array = tensor._array if isinstance(tensor._array, np.ndarray) else tensor._array.get()
    prefix = getattr(tensor, "_prefix", "tensor(")
    notes = []
    kind = dtypes.FROM_NUMPY[array.dtype]
    implied = {dtypes.get_default_dtype(), dtypes.int64, dtypes.bool}
    implied.add(dtypes.get_default_dtype().to_complex())
    if tensor.is_cuda:
        notes.append(f"device='{tensor.device}'")
    if array.size == 0:
        body = "[" * max(array.ndim, 1) + "]" * max(array.ndim, 1) if array.ndim <= 1 else "[]"
        if array.ndim != 1:
            notes.append(f"size={tuple(array.shape)}")
        if kind is not dtypes.get_default_dtype():
            notes.append(f"dtype={kind!r}")
    else:
        abridge = array.size > _options["threshold"]
        shown = _edges(array) if abridge else array
        show = _complex_formatter(shown) if array.dtype.kind == "c" else _Formatter(shown)
        body = _body(array, len(prefix), abridge, show)
        if kind not in implied:
            notes.append(f"dtype={kind!r}")
    if tensor._node is not None:
        notes.append(f"grad_fn=<{tensor._node.name()}>")
    elif tensor._requires_grad:
        notes.append("requires_grad=True")
    notes += more
    out = prefix + body
    width = len(out.rsplit("\n", 1)[-1]) + 2  # of the last line, with what may close it
    for note in notes:  # a note goes to a line of its own where the last line is full
        if width + len(note) + 2 <= _options["linewidth"]:
            out, width = f"{out}, {note}", width + len(note) + 2
        else:
            out, width = f"{out},\n{' ' * len(prefix)}{note}", len(prefix) + len(note)
    return out + ")"
