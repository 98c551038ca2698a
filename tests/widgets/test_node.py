"""The opened node, the backward pass and what is kept for it, on recordings of the real engine."""

from __future__ import annotations

import base64
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.graph.fold import Outline
from labtorch_widgets.graph.saved import Memory
from labtorch_widgets.shared.arrays import SIDE, Wish, slab

import labtorch as torch
from labtorch import nn, observe, optim
from tests.widgets import fake


def decoded(shown: dict[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(shown["data"]), "<f8" if shown["double"] else "<f4")
    rows, columns = (end - start for start, end, _ in (shown["rows"], shown["columns"]))
    return flat.reshape(*shown["facets"], rows, columns)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 4)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return h + self.second(h) * h


@pytest.fixture
def trained() -> Any:
    """A model, a function that does one step, and the recording, which goes on."""
    torch.manual_seed(0)
    model, x, y = Residual(), torch.randn(5, 3), torch.randn(5, 4)
    sgd = optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        sgd.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        sgd.step()

    with observe.record(budget=1e9) as recording:
        step()
        yield model, step, recording


# ---------------------------------------------------------------- arrays
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (2, 2, 3, 4), (9, 2, 3, 40, 40)])
def test_a_slab_holds_the_elements_of_its_window(shape: tuple) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    shown = slab(array, Wish(at=(1,) * 5))
    full = array.reshape((1,) * max(0, 2 - array.ndim) + shape)
    assert shown["shape"] == list(shape)
    np.testing.assert_array_equal(
        decoded(shown), full[tuple(shown["at"])][..., :SIDE, :SIDE], strict=False
    )


def test_a_large_array_is_seen_through_a_window_of_bounded_size() -> None:
    array = np.arange(1000 * 700, dtype=np.int64).reshape(1000, 700)
    shown = slab(array, Wish(row=990, column=100_000))
    assert shown["rows"] == [1000 - SIDE, 1000, 1000]
    assert shown["columns"] == [700 - SIDE, 700, 700]
    assert len(shown["data"]) < 25_000 and shown["double"]
    np.testing.assert_array_equal(decoded(shown), array[-SIDE:, -SIDE:])


def test_nan_and_infinities_are_counted_and_do_not_stretch_the_scale() -> None:
    shown = slab(np.array([[np.nan, np.inf, -3.0]]))
    assert (shown["limit"], shown["nan"], shown["inf"]) == (3.0, 1, 1)
    assert slab(np.zeros((0, 3)))["data"] == ""
    with pytest.raises(TypeError):
        Wish.of("x")


# ---------------------------------------------------------------- the pane
def pane(view: Any) -> Any:
    return view.frame["pane"]


def test_an_opened_node_has_its_whole_arrays_from_the_next_step_on(trained: Any) -> None:
    model, step, recording = trained
    view = lab.graph(recording)
    view.open_node("/model/first:op:linear")
    assert not pane(view)["whole"]
    step()
    view.cursor.advance(now=True)
    assert pane(view)["whole"]
    node = view._outline.node_keys.index("/model/first:op:linear")
    captured = recording.arrays(node)
    np.testing.assert_array_equal(decoded(pane(view)["arrays"]["value"]), captured.outputs[0])
    np.testing.assert_array_equal(decoded(pane(view)["arrays"]["grad"]), captured.cotangents[0])
    view.close_node()
    step()
    assert recording.arrays(node) is None


def test_the_element_that_was_picked_is_put_into_the_formula(trained: Any) -> None:
    _, step, recording = trained
    view = lab.graph(recording)
    view.open_node("/model/first:op:linear")
    view._on_message(view, {"command": "pick", "of": "value", "index": [4, 2]}, [])
    view._on_message(view, {"command": "pick", "of": "weight", "index": [3, 1]}, [])
    line = pane(view)["lines"]["value"]
    assert line["index"] == [4, 2] and line["latex"].startswith("y_{4,2} = ")
    node = view._outline.node_keys.index("/model/first:op:linear")
    value = recording.snapshot()["rows"][node]["value"]["thumbnail"]["values"][4][2]
    assert line["value"] == pytest.approx(value, rel=1e-6)
    assert pane(view)["lines"]["weight"]["latex"].startswith(r"\bar W_{3,1} = ")
    assert all("<math" in piece for piece in line["pieces"])
    for bad in ({"index": "x"}, {"index": [9, 9]}, {"index": [None]}, {}):
        view._on_message(view, {"command": "pick", "of": "value", **bad}, [])
        assert pane(view)["lines"]["value"]


def test_the_check_waits_for_whole_arrays_and_then_tells(trained: Any) -> None:
    _, step, recording = trained
    view = lab.graph(recording)
    view.open_node("/model/first:op:linear")
    view._on_message(view, {"command": "check"}, [])
    assert pane(view)["check"]["inputs"] is None
    step()
    view.cursor.advance(now=True)
    verdicts = {each["input"]: each["verdict"] for each in pane(view)["check"]["inputs"]}
    assert verdicts == {"weight": "ok", "bias": "ok"}


def test_a_node_of_a_recording_that_holds_no_arrays_opens_all_the_same() -> None:
    view = lab.graph(fake.recorded(2))
    view.open_node("/MLP/fc1:op:linear")
    view._on_message(view, {"command": "check"}, [])
    assert pane(view)["check"] == {"step": 1, "inputs": None, "over": True}
    assert pane(view)["arrays"]["value"] is not None


# ---------------------------------------------------------------- backward
def backward(view: Any) -> Any:
    return view.frame["backward"]


def test_the_pass_visits_the_nodes_in_the_order_of_their_turns(trained: Any) -> None:
    _, _, recording = trained
    view = lab.graph(recording)
    view.unfold(9)
    names, turns = [], []
    view.go_backward(0)
    for at in range(backward(view)["count"]):
        view.go_backward(at)
        names.append(backward(view)["item"])
        turns.append(view._turn)
    assert turns == sorted(turns) and names[0].endswith("mse_loss")
    rows = recording.snapshot()["rows"]
    keys = view._outline.node_keys
    assert set(names) == {keys[i] for i, row in enumerate(rows) if row["turn"] is not None}
    assert len(backward(view)["reached"]) == len(names)


def test_what_was_not_reached_shows_no_gradient_yet(trained: Any) -> None:
    _, _, recording = trained
    view = lab.graph(recording)
    view.unfold(9)
    view.go_backward(1)
    shown = {key for key, each in view.frame["glances"].items() if each["grad"] is not None}
    assert shown == set(backward(view)["reached"]) and len(shown) == 2
    view.go_backward(None)
    assert backward(view) is None
    assert view.frame["glances"]["/model/first:op:linear"]["grad"] is not None


def test_contributions_add_up_to_the_gradient(trained: Any) -> None:
    _, _, recording = trained
    view = lab.graph(recording)
    view.unfold(9)
    tanh = view._outline.node_keys.index("/model:op:tanh")
    arrived = []
    view.go_backward(0)
    for at in range(backward(view)["count"]):
        view.go_backward(at)
        for fan in backward(view)["fans"]:
            arrived.append((fan["arrived"], fan["count"]))
            parts = [decoded(part["slab"]) for part in fan["parts"][: fan["arrived"]]]
            np.testing.assert_allclose(decoded(fan["sum"]), sum(parts), rtol=1e-5, atol=1e-8)
            assert fan["norm"] == pytest.approx(np.linalg.norm(sum(parts)), rel=1e-2)
    assert arrived == [(1, 3), (2, 3), (3, 3), (3, 3)]
    grad = recording.snapshot()["rows"][tanh]["grad"]["thumbnail"]["values"]
    np.testing.assert_allclose(decoded(fan["sum"]), grad, rtol=1e-5)


def test_a_closed_module_is_one_stop_and_the_place_stays_when_it_opens(trained: Any) -> None:
    _, _, recording = trained
    view = lab.graph(recording)
    view.unfold(0)
    view.go_backward(1)
    assert (backward(view)["item"], backward(view)["kind"]) == ("/model", "scope")
    assert backward(view)["count"] == 2
    view.unfold(9)
    assert backward(view)["item"] == "/model:op:add"


def test_messages_to_the_player_that_make_no_sense_change_nothing(trained: Any) -> None:
    _, _, recording = trained
    view = lab.graph(recording)
    for at in (10**9, -5, None, 3):
        view._on_message(view, {"command": "backward", "at": at}, [])
    before = backward(view)["at"]
    view._on_message(view, {"command": "backward", "at": "x"}, [])
    assert before == 3 and view.frame["serial"] > 0
    empty = lab.graph(fake.Program().recording)
    empty.go_backward(0)
    assert empty.frame.get("backward") is None


# ---------------------------------------------------------------- kept
def test_the_meter_counts_each_tensor_once_and_falls_to_nothing(trained: Any) -> None:
    _, _, recording = trained
    graph, rows = recording.graph(), recording.snapshot()["rows"]
    memory = Memory(graph, rows)
    tensors: dict[Any, int] = {}
    for node in graph["nodes"]:
        for saved in node["saved"]:
            tensors[saved["node"], saved["output"]] = saved["nbytes"]
    assert memory.total == sum(tensors.values()) == max(memory.curve)
    last = max(row["turn"] for row in rows if row["turn"] is not None)
    now = [memory.at(turn)["now"] for turn in range(-1, last + 1)]
    assert now[0] == memory.total and now[-1] == 0
    assert now == sorted(now, reverse=True)


def test_kept_tensors_are_drawn_from_their_maker_to_their_keeper(trained: Any) -> None:
    _, _, recording = trained
    graph, rows = recording.graph(), recording.snapshot()["rows"]
    outline = Outline(graph)
    owner = outline.fold(9, {}).owner
    drawn = Memory(graph, rows).drawn(owner, None)
    assert drawn["items"]["/model:op:tanh"] == {"output": 5 * 4 * 4}
    assert drawn["edges"]["/model:op:tanh>/model/second:op:linear"] == 5 * 4 * 4
    last = max(row["turn"] for row in rows if row["turn"] is not None)
    assert Memory(graph, rows).drawn(owner, last) == {"edges": {}, "items": {}}
