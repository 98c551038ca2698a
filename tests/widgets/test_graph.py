"""The graph's folding, layout, panes and still, without a browser."""

from __future__ import annotations

import builtins
import copy
import itertools
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import pytest
from labtorch_widgets.graph.fold import Outline
from labtorch_widgets.graph.layout import lay_out, readable_depth

from tests.widgets import fake


def titles(folded: Any) -> list[str]:
    return [item.title for item in folded.items]


@pytest.fixture
def outline() -> Outline:
    return Outline(fake.GRAPH)


def test_closed_modules_stand_for_all_they_hold(outline: Outline) -> None:
    folded = outline.fold(0, {})
    name = fake.NODES[8]["name"]
    assert titles(folded) == ["x", "MLP", name, "MSELoss"]
    mlp = folded.items[1]
    assert (mlp.kind, mlp.type, mlp.operations, mlp.parameters) == ("scope", "MLP", 3, 61)
    assert [(link.source, link.target) for link in folded.links] == [
        (":input:x", "/MLP"),
        ("/MLP", "/MSELoss"),
        (f":input:{name}", "/MSELoss"),
    ]


def test_modules_open_level_by_level_and_one_by_one(outline: Outline) -> None:
    assert outline.deepest == 2
    first = outline.fold(1, {})
    assert titles(first) == ["x", "fc1", "relu", "fc2", fake.NODES[8]["name"], "mse_loss"]
    assert [group.key for group in first.groups] == ["/MLP", "/MSELoss"]
    one = outline.fold(1, {"/MLP/fc1": True, "/MSELoss": False})
    assert titles(one)[:5] == ["x", "weight", "bias", "linear", "relu"]
    assert "mse_loss" not in titles(one)
    assert len(outline.fold(2, {}).items) == len(fake.NODES)


def test_keys_stay_when_modules_open(outline: Outline) -> None:
    closed = {item.key for item in outline.fold(1, {}).items}
    opened = {item.key for item in outline.fold(1, {"/MLP/fc1": True}).items}
    assert closed - opened == {"/MLP/fc1"}


def test_a_module_called_twice_has_two_keys() -> None:
    graph = copy.deepcopy(fake.GRAPH)
    graph["scopes"][2]["name"] = "fc1"
    assert Outline(graph).scope_keys == ["/MLP", "/MLP/fc1", "/MLP/fc1#2", "/MSELoss"]


def test_a_parameter_of_no_module_lives_with_those_who_use_it() -> None:
    graph = copy.deepcopy(fake.GRAPH)
    for node in graph["nodes"]:
        if node["kind"] == "parameter":
            node["scope"] = None
    assert Outline(graph).homes == Outline(fake.GRAPH).homes


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_boxes_lie_in_their_frames_and_apart(outline: Outline, depth: int) -> None:
    scene = lay_out(outline.fold(depth, {}))
    frames = {group["key"]: group for group in scene["groups"]}
    for item in scene["items"]:
        left, top = item["x"] - item["width"] / 2, item["y"] - item["height"] / 2
        assert left >= 0 and left + item["width"] <= scene["width"]
        assert top >= 0 and top + item["height"] <= scene["height"]
        around = item["parent"]
        while around is not None:
            frame = frames[around]
            assert frame["x"] <= left and left + item["width"] <= frame["x"] + frame["width"]
            assert frame["y"] <= top and top + item["height"] <= frame["y"] + frame["height"]
            around = frame["parent"]
    for a, b in itertools.combinations(scene["items"], 2):
        apart_across = abs(a["x"] - b["x"]) >= (a["width"] + b["width"]) / 2
        apart_down = abs(a["y"] - b["y"]) >= (a["height"] + b["height"]) / 2
        assert apart_across or apart_down


def test_edges_say_what_flows(outline: Outline) -> None:
    texts = {edge["key"]: edge["text"] for edge in lay_out(outline.fold(2, {}))["edges"]}
    assert texts[":input:x>/MLP/fc1:op:linear"] == "16 × 8"
    assert texts["/MLP/fc1:parameter:fc1.bias>/MLP/fc1:op:linear"] == "6"


def chain(modules: int) -> dict[str, Any]:
    """A graph of `modules` closed modules of 50 ops each."""
    nodes, edges = [], []
    for i in range(modules * 50):
        nodes.append(fake.node(i, "op", "relu", i // 50, [8, 8]))
        if i:
            edges.append(fake.GRAPH["edges"][0] | {"source": i - 1, "target": i})
    scopes = [
        {"id": i, "parent": None, "name": f"block{i}", "path": f"block{i}", "type": "Block"}
        for i in range(modules)
    ]
    return {"key": "chain", "nodes": nodes, "edges": edges, "scopes": scopes}


def test_a_graph_of_thousands_of_nodes_opens_closed() -> None:
    outline = Outline(chain(40))
    folded = outline.fold(readable_depth(outline), {})
    *first, rest = folded.items  # the first block is not like the others: nothing flows into it
    assert (rest.title, rest.times, rest.operations) == ("Block", 39, 1950)
    assert len(first) == 2


def test_without_pygraphviz_the_error_says_what_to_install(
    outline: Outline, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pygraphviz":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'labtorch\[lab\]'"):
        lay_out(outline.fold(0, {}))


def test_a_frame_holds_the_numbers_of_the_cursors_step() -> None:
    recording = fake.recorded(60)
    view = lab.graph(recording)
    for step in (0, 17, 59):
        view.cursor.move(step)
        glance = view.frame["glances"]["/MSELoss:op:mse_loss"]
        assert glance["value"]["mean"] == pytest.approx(recording.snapshot(step)["loss"], rel=1e-3)
        assert view.frame["glances"][":input:x"]["grad"] is None


def test_the_pane_knows_all_of_a_node() -> None:
    view = lab.graph(fake.recorded(2))
    view.open_node("/MLP/fc1:op:linear")
    detail = view.detail
    assert detail["modules"][-1] == {"name": "fc1", "type": "Linear"}
    assert (
        detail["formula"]["latex"].startswith("y_{ni}") and "<math" in detail["formula"]["mathml"]
    )
    assert [vjp["input"] for vjp in detail["vjps"]] == ["input", "weight", "bias"]
    assert detail["saved"][0]["nbytes"] == 64
    assert detail["source"]["line"] == 9
    assert [known["argument"] for known in detail["inputs"]] == ["input", "weight", "bias"]
    assert view.frame["pane"]["value"]["shape"] == [16, 6]
    view.close_node()
    assert view.detail is None


def test_the_failed_node_is_named_even_inside_a_closed_module() -> None:
    view = lab.graph(fake.recorded(6, spoil=5), depth=0)
    assert view.frame["failure"]["key"] == "/MLP"
    view.unfold(2)
    assert view.frame["failure"]["key"] == "/MLP/fc2:op:linear"
    view.cursor.move(2)
    assert view.frame["failure"] is None


def test_a_step_with_another_structure_gets_another_layout() -> None:
    recording = fake.recorded(2)
    other = copy.deepcopy(fake.GRAPH) | {"key": "no relu"}
    other["nodes"][4]["name"] = "tanh"
    real = recording.graph
    recording.graph = lambda step=-1: other if step == 1 else real(step)  # type: ignore
    view = lab.graph(recording)
    assert "/MLP:op:tanh" in [item["key"] for item in view.scene["items"]]
    view.cursor.move(0)
    assert "/MLP:op:relu" in [item["key"] for item in view.scene["items"]]


def test_the_still_is_valid_svg_that_escapes_names() -> None:
    svg = lab.graph(fake.recorded(3)).still()
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "<img" not in svg and "&lt;img" in svg
    assert "linear" in svg and "16 × 8" in svg
    assert "computation graph" in svg.lower()
    assert "计算图" in lab.graph(fake.recorded(3), lang="zh").still()


def test_the_text_is_the_same_in_every_run() -> None:
    view = lab.graph(fake.recorded(2))
    data = view._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert data["text/plain"] == "GraphView()"
    assert data["image/svg+xml"].startswith("<svg")
    assert "application/vnd.jupyter.widget-view+json" in data


def test_a_recording_of_nothing_yet_is_waited_for() -> None:
    program = fake.Program()
    view = lab.graph(program.recording)
    assert view.scene == {} and "graph appears here" in view.still()
    program.step()
    view.cursor.advance(now=True)
    assert len(view.scene["items"]) == len(fake.NODES)


def test_messages_that_make_no_sense_are_ignored() -> None:
    view = lab.graph(fake.recorded(2))
    for message in (None, "x", {}, {"command": "explode"}, {"command": "toggle", "key": "/no"}):
        view._on_message(view, message, [])
    view.open_node("no such node")
    assert view.detail is None and view.frame["pane"] is None
