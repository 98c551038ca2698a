"""The computation graph of a step: folded by module, laid out in the kernel, opened by node."""

from __future__ import annotations

from typing import Any

from ..shared.cursor import cursor_of
from .view import GraphView

__all__ = ["GraphView", "graph"]


def graph(source: Any, *, depth: int | None = None, lang: str | None = None) -> GraphView:
    """Show the graph that a step built, live while the recording grows.

    `source` is a model (watched from then on), what `labtorch.observe.record()` gives, a (graph,
    snapshot) pair, or a training panel; views of one recording share their moment. `depth` is how
    many levels of modules start open (0: all closed); by default as many as stay readable. `lang`
    is "en" or "zh".

    Raises TypeError for a source that is none of these, ValueError for an unknown language, and
    ImportError where pygraphviz, which lays graphs out, is not installed.
    """
    return GraphView(cursor_of(source), depth=depth, lang=lang)
