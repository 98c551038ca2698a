"""The computation graph of a step: folded by module, laid out in the kernel, opened by node."""

from __future__ import annotations

from typing import Any

from .origin import moment_of
from .view import GraphView

__all__ = ["GraphView", "draw_graph", "graph"]


def graph(
    source: Any, *inputs: Any, depth: int | None = None, lang: str | None = None
) -> GraphView:
    """Show a computation graph: of a step that was recorded, of a model, or of a tensor.

    `source` is a model (watched from then on), what `labtorch.observe.record()` gives, a (graph,
    snapshot) pair, or a training panel: the view is live while its recording grows, and views of
    one recording share their moment. With `inputs`, the model (or each in a list or dict of them)
    is run on them once, leaving buffers and random numbers as they were; where an op fails, the
    graph ends there. Of a tensor that exists already, or of tensors in lists, dicts and dataclasses
    nested at will, it shows what backward() would go through.

    `depth` is how many levels of modules start open (0: all closed); by default as many as stay
    readable. `lang` is "en" or "zh".

    Raises TypeError for a source that is none of these, ValueError for an unknown language, and
    ImportError where pygraphviz, which lays graphs out, is not installed.
    """
    return GraphView(moment_of(source, inputs), depth=depth, lang=lang)


def draw_graph(source: Any, *inputs: Any, depth: int | None = None) -> Any:
    """The same graph, still, as a `graphviz.Digraph`, for those who know torchviz's `make_dot`.

    `source`, `inputs` and `depth` are those of `graph`; by default all modules are open where
    that stays readable. `.source` is the text in DOT; in a notebook the drawing shows itself, and
    `.render("model", format="pdf")` writes it to a file. No `dot` has to be installed: the Graphviz
    in pygraphviz draws.

    Raises what `graph` raises, and ImportError where the package graphviz is not installed.
    """
    return graph(source, *inputs, depth=depth).digraph()
