"""Repeats, opening by predicate, colours, search, differences and files, without a browser."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labtorch_widgets.graph.repeats import repeats
from labtorch_widgets.graph.view import MOST

import labtorch as torch
from labtorch import nn, observe, optim
from tests.widgets import fake


def titles(view: Any) -> list[str]:
    return [item["title"] for item in view.scene["items"]]


def box(view: Any, title: str) -> Any:
    return next(item for item in view.scene["items"] if item["title"] == title)


def run(model: Any, x: Any) -> observe.Recording:
    with observe.record(budget=1e9) as recording:
        out = model(x)
        (out[0] if isinstance(out, tuple) else out).sum().backward()
    return recording


def transformer(layers: int) -> Any:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return nn.TransformerEncoder(layer, layers)


# ---------------------------------------------------------------- repeats
@given(st.lists(st.integers(0, 2), max_size=40))
def test_repeats_repeat_and_lie_apart(labels: list[int]) -> None:
    found = repeats(labels, lambda repeat: True)
    end = 0
    for each in found:
        assert each.start >= end and each.times >= 3
        end = each.stop
        once = labels[each.start : each.start + each.period]
        assert labels[each.start : each.stop] == once * each.times


def test_the_repeat_that_covers_most_is_found() -> None:
    labels = [9, *[1, 2, 3] * 5, 8, *[4] * 3]
    assert [(r.start, r.period, r.times) for r in repeats(labels, lambda r: True)] == [
        (1, 3, 5),
        (17, 1, 3),
    ]


def test_a_stack_of_equal_blocks_is_one_box_with_all_it_holds() -> None:
    model = transformer(12)
    view = lab.graph(run(model, torch.randn(2, 5, 16)))
    block = box(view, "TransformerEncoderLayer")
    assert block["times"] == 12
    assert block["parameters"] == sum(p.numel() for p in model.parameters())
    flows = [e for e in view.scene["edges"] if block["key"] in (e["source"], e["target"])]
    assert [edge["text"] for edge in flows] == ["2 × 5 × 16"] * 2  # in and out, no loop
    view.toggle(block["key"])
    assert [title for title in titles(view) if title.isdigit()] == [str(i) for i in range(12)]
    view.toggle(block["key"])
    assert "TransformerEncoderLayer" in titles(view)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(3, 5), nn.Linear(5, 2)

    def forward(self, x: Any) -> Any:
        h = torch.zeros(len(x), 5)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.head(h)


def test_a_cell_called_for_each_time_step_rolls_and_unrolls() -> None:
    view = lab.graph(run(Recurrent(), torch.randn(4, 7, 3)))
    cell = box(view, "cell")
    assert (cell["type"], cell["times"]) == ("GRUCell", 7)
    loop = [e for e in view.scene["edges"] if e["source"] == e["target"] == cell["key"]]
    assert [edge["text"] for edge in loop] == ["4 × 5"]
    view.unroll()
    assert titles(view).count("cell") == 7
    assert not any(edge["source"] == edge["target"] for edge in view.scene["edges"])
    view.unroll(False)
    assert titles(view).count("cell") == 1


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_layer_told_to_unroll_is_a_loop(kind: str) -> None:
    layer = getattr(nn, kind)(3, 5, num_layers=2, batch_first=True)
    layer.unroll = True
    view = lab.graph(run(layer, torch.randn(4, 6, 3)), depth=1)
    loops = [item for item in view.scene["items"] if item["times"]]
    assert [item["times"] for item in loops] == [6, 6]
    for loop in loops:
        assert [e for e in view.scene["edges"] if e["source"] == e["target"] == loop["key"]]
    assert sum(item["parameters"] for item in loops) == sum(p.numel() for p in layer.parameters())


def test_layers_of_different_width_are_no_repeat() -> None:
    sizes = [3, 8, 7, 6, 5, 4]
    layers = [each for pair in zip(sizes, sizes[1:]) for each in (nn.Linear(*pair), nn.ReLU())]
    view = lab.graph(run(nn.Sequential(*layers), torch.randn(2, 3)))
    assert not any(item["times"] for item in view.scene["items"])


# ---------------------------------------------------------------- opening and closing
def test_modules_open_and_close_by_predicate() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), nn.Flatten(), nn.Linear(2 * 6 * 6, 3)
    )
    view = lab.graph(run(model, torch.randn(2, 1, 8, 8)), depth=0)
    view.expand(lambda scope: scope["type"] == "Conv2d")
    assert "conv2d" in titles(view) and "linear" not in titles(view)
    view.collapse(lambda scope: scope["path"] == "0")
    assert "conv2d" not in titles(view) and "0" in titles(view)


def test_all_modules_of_a_class_open_at_once() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    view = lab.graph(run(model, torch.randn(2, 3)), depth=1)
    view.toggle_alike("/model/0")
    assert titles(view).count("linear") == 2 and "tanh" not in titles(view)
    view.toggle_alike("/model/2")
    assert "linear" not in titles(view)


def test_no_more_boxes_than_a_page_can_draw() -> None:
    view = lab.graph(run(transformer(60), torch.randn(1, 3, 16)))
    view.unroll()
    view.expand(lambda scope: True)
    assert 200 < len(view.scene["items"]) <= MOST
    assert view.notice["key"] == "graph.stayClosed"
    key = view.search("layers.59 linear2.weight")["matches"][0]["key"]
    view.reveal(key)
    assert key in [item["key"] for item in view.scene["items"]]
    assert len(view.scene["items"]) <= MOST


def test_a_long_sequence_of_ops_is_shown_in_parts() -> None:
    choice = np.random.default_rng(0).integers(0, 7, 1000)  # what has no period

    def ops(x: Any) -> Any:
        functions = torch.sin, torch.cos, torch.exp, torch.tanh, torch.abs, torch.neg, torch.relu
        for each in choice:
            x = functions[each](x)
        return x

    view = lab.graph(run(ops, torch.ones(2, requires_grad=True)))
    assert len(view.scene["items"]) < 160
    part = next(item for item in view.scene["items"] if "–" in item["title"])
    view.toggle(part["key"])
    assert len(view.scene["items"]) < 250


# ---------------------------------------------------------------- colours
def test_a_closed_module_has_the_sum_of_what_it_holds() -> None:
    recording = run(transformer(3), torch.randn(2, 5, 16))
    graph, snapshot = recording.graph(), recording.snapshot()
    view = lab.graph(recording, depth=0)
    inside = [n["id"] for n in graph["nodes"] if n["name"] not in ("x", "sum")]
    ops = [i for i in inside if graph["nodes"][i]["kind"] == "op"]
    spent = [
        snapshot["rows"][i][name] or 0
        for i in ops
        for name in ("forward_seconds", "backward_seconds")
    ]
    expected = {
        "time": sum(spent),
        "memory": sum(graph["nodes"][i]["nbytes"] for i in inside),
        "flops": sum(graph["nodes"][i]["flops"] or 0 for i in ops),
        "norm": snapshot["rows"][max(ops)]["value"]["norm"],
    }
    for measure, amount in expected.items():
        view.colour_by(measure)
        overlay = view.frame["overlay"]
        module = next(item["key"] for item in view.scene["items"] if item["kind"] == "scope")
        assert overlay["amounts"][module] == pytest.approx(amount, rel=1e-3)
        assert all(s is None or 0 <= s <= 1 for s in overlay["shares"].values())
    view.colour_by(None)
    assert view.frame["overlay"] is None
    with pytest.raises(ValueError, match="time, memory"):
        view.colour_by("weight")


# ---------------------------------------------------------------- search
def test_search_knows_names_paths_classes_ops_and_shapes() -> None:
    view = lab.graph(run(transformer(3), torch.randn(2, 5, 16)))
    names = [n["name"] for n in view.cursor.recording.graph()["nodes"]]
    assert view.search("layers.1.linear1.weight")["total"] == 1
    assert view.search("LayerNorm")["total"] == 6
    assert view.search("48 x 16 parameter")["total"] == 3
    assert view.search("(48, 16)")["total"] == view.search("48x16")["total"]
    found = view.search("scaled_dot_product_attention")
    assert found["total"] == names.count("scaled_dot_product_attention") == 3
    assert view.search("") == {"text": "", "total": 0, "matches": []}
    assert view.search("<b>")["total"] == 0


# ---------------------------------------------------------------- differences
def branching() -> observe.Recording:
    w = torch.ones(3, requires_grad=True)
    with observe.record(budget=1e9) as recording:
        for step in range(6):
            y = torch.exp(w)
            y = torch.tanh(y) if step >= 3 else torch.sin(y) * 2
            y.sum().backward()
            observe.mark_step()
    return recording


def test_a_changed_graph_is_shown_with_what_came_and_what_went() -> None:
    view = lab.graph(branching())
    assert view.frame["changes"] == [3]
    view.cursor.move(0)
    view.go_to_change(1)
    assert view.cursor.step == 3
    said = {(each["change"], each["name"]) for each in view.comparison["changes"]}
    assert said == {("added", "tanh"), ("removed", "sin"), ("removed", "mul")}
    marks = {item["title"]: item["change"] for item in view.scene["items"]}
    assert marks["tanh"] == {"added": 1, "removed": 0} and marks["exp"] is None
    links = {edge["key"]: edge["change"] for edge in view.scene["edges"]}
    assert links[":op:exp>:op:sin"] == "removed" and links[":op:exp>:op:tanh"] == "added"
    view.open_node(":op:sin")  # this step has no numbers of it
    assert view.frame["pane"] is None
    assert "sin" in view.still()
    view.compare(None)
    assert view.comparison is None and "sin" not in titles(view)
    with pytest.raises(ValueError, match="not kept"):
        view.compare(99)


def test_a_smaller_last_batch_changes_no_graph() -> None:
    layer = nn.Linear(3, 2)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    with observe.record(budget=1e9) as recording:
        for size in (8, 8, 3):
            layer(torch.randn(size, 3)).sum().backward()
            optimizer.step()
    assert lab.graph(recording).frame["changes"] == []


# ---------------------------------------------------------------- sources
def test_a_model_is_run_once_and_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    x = torch.randn(5, 3)
    state = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3).numpy()
    torch.manual_seed(7)
    view = lab.graph(model, x, depth=2)
    assert "batch_norm" in titles(view) and "x" in titles(view)
    assert box(view, "x")["shape"] == [5, 3]
    np.testing.assert_array_equal(torch.rand(3).numpy(), expected)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[name])


def test_where_a_model_raises_its_graph_ends() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
    view = lab.graph(model, torch.randn(2, 3), depth=2)
    failure = view.frame["failure"]
    assert failure["kind"] == "error" and failure["op"] == "linear"
    texts = {e["text"] for e in view.scene["edges"] if e["target"] == failure["key"]}
    assert texts == {"2 × 4", "2 × 5", "2"}


def test_tensors_in_containers_are_drawn() -> None:
    model = nn.Linear(3, 2)
    out = model(torch.randn(4, 3))
    view = lab.graph({"loss": out.sum(), "more": [out.exp(), (out * 2,)]}, depth=2)
    assert {"linear", "sum", "exp", "mul"} <= set(titles(view))
    models = lab.graph({"a": model, "b": nn.Linear(3, 1)}, torch.randn(4, 3), depth=0)
    assert {"a", "b"} <= set(titles(models))
    for wrong, message in ((3, "expected a model"), ([model], "needs inputs"), ([], "tensors")):
        with pytest.raises(TypeError, match=message):
            lab.graph(wrong)


def test_the_first_nan_is_marked() -> None:
    with observe.record(budget=1e9) as recording:
        w = torch.tensor([1.0, -1.0], requires_grad=True)
        torch.log(w).mul(2).sum().backward()
    view = lab.graph(recording)
    assert view.frame["nonfinite"]["first"] == ":op:log"
    assert set(view.frame["nonfinite"]["keys"]) == {":op:log", ":op:mul", ":op:sum"}


# ---------------------------------------------------------------- files
def test_a_graph_is_written_in_four_formats(tmp_path: Path) -> None:
    view = lab.graph(fake.recorded(3))
    for suffix in ("svg", "png", "dot", "html"):
        view.export(tmp_path / f"graph.{suffix}")
    assert ET.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    assert "digraph" in (tmp_path / "graph.dot").read_text()
    page = (tmp_path / "graph.html").read_text()
    assert "<img" not in page and not re.search(r'(src|href)="?http', page)
    assert page.count("<tr>") == len(fake.NODES) + 1
    assert len(list(tmp_path.iterdir())) == 4  # no temporary file is left
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.dot, \.html"):
        view.export(tmp_path / "graph.bmp")


def test_a_digraph_is_drawn_without_a_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    assert shutil.which("dot") is None
    drawing = lab.draw_graph(nn.Linear(3, 2)(torch.randn(4, 3)).sum())
    assert "linear" in drawing.source and drawing.source.startswith("digraph")
    assert "<svg" in drawing._repr_mimebundle_()["image/svg+xml"]
    assert Path(drawing.render(tmp_path / "g", format="pdf", cleanup=True)).exists()


def test_frames_stay_small_and_plain() -> None:
    view = lab.graph(run(transformer(60), torch.randn(1, 3, 16)))
    view.colour_by("time")
    assert len(json.dumps(view.frame)) < 5_000
