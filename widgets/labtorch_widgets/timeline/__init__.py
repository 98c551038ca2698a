"""Where a step's time and memory go: every op of the forward and the backward pass, in time."""

from __future__ import annotations

from typing import Any

from ..shared.cursor import cursor_of
from .view import TimelineView

__all__ = ["TimelineView", "timeline"]


def timeline(source: Any, *, lang: str | None = None) -> TimelineView:
    """Show when each op of a step ran and for how long, forward and backward, module by module.

    Below it, the bytes that the backward pass keeps alive. `source` is a model (watched from then
    on), what `labtorch.observe.record()` gives, a (graph, snapshot) pair, or a training panel;
    views of one recording share their moment. `lang` is "en" or "zh".

    Raises TypeError for a source that is none of these, ValueError for an unknown language.
    """
    return TimelineView(cursor_of(source), lang=lang)
