"""Training in a thread, with a panel that shows and steers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .panel import TrainingPanel

__all__ = ["TrainingPanel", "train"]


def train(
    step: Callable[[], Any],
    *,
    optimizer: Any = None,
    steps: int | None = None,
    start: bool = True,
    graph: bool = True,
    lang: str | None = None,
) -> TrainingPanel:
    """Train in the background and show it live; the cell returns at once.

    `step()` does one training step (zero_grad, forward, backward, optimizer.step) and returns the
    loss, as a number or something with `.item()`. With `optimizer` the panel sets the learning
    rate of all its parameter groups. Without `steps` it trains until stopped. `start=False` waits
    for the learner; `graph=False` leaves the computation graph out.

    Running the same cell again stops what it started before. Where nobody looks (a script, a
    notebook under test), `train(...).wait()` blocks until the training has ended and raises what
    `step()` raised.

    Raises TypeError where `step` cannot be called, ValueError where `steps` is not positive.
    """
    return TrainingPanel(
        step, optimizer=optimizer, steps=steps, start=start, graph=graph, lang=lang
    )
