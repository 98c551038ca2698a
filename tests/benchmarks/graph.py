"""How long a graph of thousands of ops takes to open, to fold and to colour, in the kernel.

    python -m tests.benchmarks.graph [layers]

What the browser does is measured in tests/widgets/test_graph_tools_in_browser.py.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import labtorch_widgets as lab
from labtorch_widgets.graph.fold import Outline
from labtorch_widgets.graph.layout import lay_out, readable_depth

import labtorch as torch
from labtorch import nn, observe


def best(name: str, act: Callable[[], Any], times: int = 5) -> Any:
    found, result = [], None
    for _ in range(times):
        start = time.perf_counter()
        result = act()
        found.append(time.perf_counter() - start)
    print(f"{name:<44}{1e3 * min(found):9.1f} ms")
    return result


def main(layers: int = 60) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    model, x = nn.TransformerEncoder(layer, layers), torch.randn(2, 5, 32)
    with observe.record(budget=1e9) as recording:
        model(x).sum().backward()
    graph = recording.graph()
    ops = sum(node["kind"] == "op" for node in graph["nodes"])
    print(f"a transformer of {layers} layers: {ops:,} ops, {len(graph['nodes']):,} nodes\n")
    outline = best("outline: modules, repeats, keys", lambda: Outline(graph))
    depth = best("choose how deep to open it", lambda: readable_depth(outline))
    folded = best("fold", lambda: outline.fold(depth, {}))
    best(f"lay out {len(folded.items)} boxes", lambda: lay_out(folded))
    view = best("open the view, first frame included", lambda: lab.graph(recording))
    best("one more frame", lambda: view.refresh(now=True))
    best("unroll the repeat", view.unroll, times=1)
    print(f"{'':<44}{len(view.scene['items']):9} boxes")
    best("open as much as is drawn", lambda: view.expand(lambda scope: True), times=1)
    print(f"{'':<44}{len(view.scene['items']):9} boxes")
    best("one more frame", lambda: view.refresh(now=True))
    for measure in ("time", "memory", "gradient"):
        best(f"colour by {measure}", lambda: view.colour_by(measure))  # noqa: B023
    best("search", lambda: view.search("self_attn linear"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
