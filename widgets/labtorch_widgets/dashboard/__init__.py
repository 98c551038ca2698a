"""One line to watch a model: the views that fit it, under one time cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .view import Dashboard

__all__ = ["Dashboard", "watch"]


def watch(
    source: Any,
    *,
    views: Iterable[str] | None = None,
    inputs: Any = None,
    lang: str | None = None,
) -> Dashboard:
    """Show what a model does, live, in the views that fit it; they share one moment in time.

    `source` is a model (watched from then on, in this thread: run or train it in any cell), a
    training panel, or what `labtorch.observe.record()` gives. `views` names the ones to open at
    first ("graph", "gradients", "doctor", "features", "states", "timeline"); by default those that
    fit: feature maps for convolutions, hidden states for recurrent layers. With `inputs`, feature
    maps and hidden states are those of the model on these inputs, run after each measured step.

    Raises TypeError for a source that is none of these and ValueError for a view that there is not.
    """
    return Dashboard(source, views=views, inputs=inputs, lang=lang)
