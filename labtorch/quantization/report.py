"""What quantization costs and gains, in numbers."""

from __future__ import annotations

import io
import math
from typing import Any, NamedTuple

from labtorch.engine.modes import no_grad
from labtorch.io import save
from labtorch.tensor.tensor import Tensor


class Report(NamedTuple):
    """Two models side by side: bytes of their saved states, and what they give.

    `sqnr` is the signal-to-quantization-noise ratio of the results in decibels: 20 means that the
    error is a tenth of the result. `accuracy` is in points, None without targets.
    """

    bytes: tuple[int, int]
    sqnr: float
    accuracy: tuple[float, float] | None

    @property
    def ratio(self) -> float:
        """The second model's bytes over the first's."""
        return self.bytes[1] / self.bytes[0]

    def __str__(self) -> str:
        lines = [
            f"size      {self.bytes[0]:,} -> {self.bytes[1]:,} bytes ({100 * self.ratio:.1f} %)",
            f"SQNR      {self.sqnr:.1f} dB",
        ]
        if self.accuracy is not None:
            before, after = self.accuracy
            lines.append(f"accuracy  {before:.2f} -> {after:.2f} points ({after - before:+.2f})")
        return "\n".join(lines)


def report(model: Any, quantized: Any, inputs: Tensor, targets: Tensor | None = None) -> Report:
    """Compare a model with its quantized form on a batch: size, noise, and accuracy if `targets`
    has the class of each input.

    >>> from labtorch import nn, randn
    >>> from labtorch.quantization import quantize_dynamic
    >>> model = nn.Sequential(nn.Linear(400, 100))
    >>> report(model, quantize_dynamic(model), randn(8, 400)).ratio < 0.3
    True
    """
    with no_grad():
        first, second = model(inputs), quantized(inputs)
        noise = float(((first - second) ** 2).sum())
        signal = float((first**2).sum())
    accuracy = None
    if targets is not None:
        before, after = (
            100 * float((y.argmax(-1) == targets).float().mean()) for y in (first, second)
        )
        accuracy = before, after
    sizes = _saved_bytes(model), _saved_bytes(quantized)
    return Report(sizes, 10 * math.log10(signal / noise) if noise else math.inf, accuracy)


def _saved_bytes(model: Any) -> int:
    file = io.BytesIO()
    save(model.state_dict(), file)
    return len(file.getvalue())
