"""The playground without a browser: its choices, its program, its training, its pictures."""

from __future__ import annotations

import base64
import importlib
import json
import math
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labtorch_widgets.playground import choices as choosing
from labtorch_widgets.playground import program
from labtorch_widgets.playground.choices import Choices, read

import labtorch as torch

DRAWN = [(-2.0, 1.5, 1), (2.0, -1.5, 0), (-3.0, 0.1, 1), (3.0, 0.0, 0)]


@pytest.fixture
def play() -> Iterator[Callable[..., lab.PlaygroundView]]:
    """lab.playground at full speed; its threads end with the test."""
    views = []

    def make(*arguments: Any, **options: Any) -> lab.PlaygroundView:
        view = lab.playground(*arguments, **options)
        tell(view, "pace", speed=0)
        views.append(view)
        return view

    yield make
    for view in views:
        view.close()


def tell(view: lab.PlaygroundView, command: str, **values: Any) -> None:
    """A message as the browser sends it."""
    view._on_message(None, {"command": command, **values}, [])


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
    return found


def steps(view: lab.PlaygroundView, count: int) -> None:
    """Exactly so many steps, one by one."""
    for _ in range(count):
        done = view.step_count
        view.step()
        until(lambda: view.step_count == done + 1)  # noqa: B023


def run(choices: Choices, engine: str = "labtorch") -> dict[str, Any]:
    """The program's namespace, run as anybody would run it."""
    space: dict[str, Any] = {}
    exec(program.text(program.write(choices, engine)), space)
    return space


def decoded(text: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.int8).reshape(shape)


# ------------------------------------------------------------------ choices
any_point = st.tuples(
    st.integers(-60, 60).map(lambda n: round(n / 10, 2)),
    st.integers(-60, 60).map(lambda n: round(n / 10, 2)),
    st.integers(0, 1),
)
any_choices = st.fixed_dictionaries(
    {},
    optional={
        "data": st.sampled_from(choosing.DATA),
        "noise": st.floats(0, 2),
        "train": st.integers(10, 90),
        "batch": st.integers(0, 100),
        "layers": st.lists(st.integers(1, 8), max_size=6),
        "activation": st.sampled_from(choosing.ACTIVATIONS),
        "features": st.lists(st.sampled_from(choosing.FEATURES), min_size=1, unique=True),
        "lr": st.floats(1e-6, 100),
        "optimizer": st.sampled_from(choosing.OPTIMIZERS),
        "penalty": st.sampled_from(choosing.PENALTIES),
        "strength": st.floats(0, 1),
        "seed": st.integers(0, 99_999),
        "points": st.lists(any_point, max_size=150),
    },
)


@given(any_choices)
def test_a_state_is_read_back_as_it_was_written(changes: dict[str, Any]) -> None:
    choices = Choices().changed(changes)
    assert read(choices.text()) == choices
    assert Choices().changed(choices.plain()) == choices


@given(any_choices)
@settings(max_examples=40, deadline=None)
def test_every_program_is_short_and_can_be_compiled(changes: dict[str, Any]) -> None:
    lines = program.write(Choices().changed(changes))
    assert len(lines) < 70
    tree = compile(program.text(lines), "program", "exec")
    assert {"torch", "nn", "model", "step"} <= set(tree.co_names)


def test_a_usual_program_has_fewer_than_sixty_lines() -> None:
    largest = Choices().changed(
        {"layers": [8] * 6, "data": "circle", "noise": 0.2, "features": ["x1", "x1²", "sin x2"]}
    )
    assert len(program.write(largest)) < 60
    own = Choices().changed({"data": "drawn", "points": [(-1.2, 3.4, 1)] * 150})
    assert len(program.write(own)) <= 66


BAD = [
    {"layers": [10**9]},
    {"layers": [-1]},
    {"layers": [2] * 7},
    {"layers": 1e9},
    {"layers": "4"},
    {"layers": [True]},
    {"data": "circle\nimport os"},
    {"data": "__import__('os').system('id')"},
    {"data": None},
    {"activation": "ReLU(), __import__('os')"},
    {"features": []},
    {"features": ["x1", "x1; import os"]},
    {"lr": float("nan")},
    {"lr": "0.1"},
    {"lr": -1},
    {"lr": True},
    {"noise": 1e9},
    {"seed": 1.5},
    {"seed": "0)\nimport os #"},
    {"batch": -3},
    {"train": 100},
    {"points": [[0, 0, 2]]},
    {"points": [[99, 0, 1]]},
    {"points": [[0, 0]]},
    {"points": [[0, 0, 1]] * 151},
    {"points": {"0": 1}},
    {"unheard_of": 1},
]


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_what_is_not_possible_is_refused_and_changes_nothing(
    changes: dict, shared_view: lab.PlaygroundView
) -> None:
    with pytest.raises(ValueError):
        Choices().changed(changes)
    before = shared_view.state, shared_view.code, shared_view.recording
    tell(shared_view, "choose", changes=changes)
    assert (shared_view.state, shared_view.code, shared_view.recording) == before


@pytest.fixture(scope="module")
def shared_view() -> Iterator[lab.PlaygroundView]:
    view = lab.playground()
    yield view
    view.close()


@pytest.mark.parametrize(
    "message",
    [
        ("choose", {}),
        ("choose", {"changes": 3}),
        ("choose", {"changes": {"lr": 0.1}, "extra": 1}),
        ("weight", {"layer": 99, "unit": 0, "source": 0, "value": 1.0}),
        ("weight", {"layer": -1, "unit": 0, "source": 0, "value": 1.0}),
        ("weight", {"layer": 0, "unit": 0, "source": 0, "value": "nan"}),
        ("weight", {"layer": 0, "unit": 0, "source": 0, "value": None}),
        ("weight", {"layer": "0", "unit": 0, "source": 0, "value": 1.0}),
        ("weight", {}),
        ("pace", {"speed": 1e12}),
        ("pace", {"speed": [2]}),
        ("engine", {"name": "os"}),
        ("keep", {"on": "yes"}),
        ("seek", {"step": "tomorrow"}),
        ("nonsense", {}),
    ],
    ids=str,
)
def test_a_malformed_message_breaks_nothing(
    message: tuple[str, dict], shared_view: lab.PlaygroundView
) -> None:
    command, values = message
    before = shared_view.state, [p.detach().numpy().copy() for p in shared_view.model.parameters()]
    tell(shared_view, command, **values)
    assert shared_view.state == before[0] and shared_view.engine == "torch"
    for now, then in zip(shared_view.model.parameters(), before[1]):
        np.testing.assert_array_equal(now.detach().numpy(), then)


@pytest.mark.parametrize(
    "state", ["data", "data=os", "layers=9-9", "layers=a", "points=%00", "x=1", "points=AAA", 3]
)
def test_a_state_that_no_playground_wrote_is_refused(state: Any) -> None:
    with pytest.raises(ValueError):
        lab.playground(state)


# ------------------------------------------------------------------ the program is what runs
CONFIGURATIONS = [
    {},
    {"data": "xor", "optimizer": "SGD", "activation": "ReLU", "penalty": "L2", "noise": 0.3},
    {
        "data": "spiral",
        "optimizer": "momentum",
        "layers": [8, 8],
        "features": ["x1", "x2", "sin x1"],
    },
    {"data": "waves", "penalty": "L1", "noise": 0.1, "batch": 0, "activation": "Sigmoid"},
    {"data": "drawn", "points": DRAWN, "layers": [], "features": ["x1²", "x2²", "x1x2", "sin x2"]},
    {"data": "moons", "activation": "linear", "batch": 30},
    {"data": "gauss", "train": 50},
    {"data": "iris"},
    {"data": "wine"},
]


@pytest.mark.parametrize("changes", CONFIGURATIONS, ids=str)
def test_the_code_shown_is_the_code_that_trains(changes: dict, play: Any) -> None:
    view = play(**changes)
    torch.manual_seed(0)
    space = run(Choices().changed(changes))
    steps(view, 5)
    for _ in range(5):
        space["step"]()
    shown = view.code.replace("import torch\nfrom torch", "import labtorch as torch\nfrom labtorch")
    assert shown == program.text(program.write(view._choices, "labtorch"))
    for mine, theirs in zip(view.model.parameters(), space["model"].parameters()):
        np.testing.assert_array_equal(mine.detach().numpy(), theirs.detach().numpy())


@pytest.mark.oracle
@pytest.mark.parametrize("changes", CONFIGURATIONS, ids=str)
def test_pytorch_trains_the_same_from_the_same_weights(changes: dict, monkeypatch: Any) -> None:
    """The engines draw other random numbers: data, weights and batches are handed over."""
    oracle = importlib.import_module("torch")
    choices = Choices().changed(changes)
    ours, theirs = run(choices), run(choices, "torch")
    for name in ("points", "labels", "x", "train", "test"):
        assert tuple(ours[name].shape) == tuple(theirs[name].shape)
        theirs[name] = oracle.from_numpy(ours[name].numpy().copy())
    if "features" in ours:
        again = theirs["features"](theirs["points"]).numpy()
        np.testing.assert_allclose(again, ours["x"].numpy(), rtol=1e-5, atol=1e-6)
    with oracle.no_grad():
        for mine, other in zip(ours["model"].parameters(), theirs["model"].parameters()):
            other.copy_(oracle.from_numpy(mine.detach().numpy().copy()))
    drawn = np.random.default_rng(0)

    def shuffled(count: int, generator: Any = None) -> Any:
        return orders[-1]

    orders: list[Any] = []
    for step in range(12):
        order = drawn.permutation(len(ours["train"]))
        losses = []
        for engine, space in ((torch, ours), (oracle, theirs)):
            orders.append(engine.tensor(order))
            monkeypatch.setattr(engine, "randperm", shuffled)
            losses.append(space["step"]().item())
            monkeypatch.undo()
        assert losses[0] == pytest.approx(losses[1], abs=1e-4), step


def test_switching_the_import_changes_the_text_and_nothing_else(play: Any) -> None:
    view = play()
    before, recording = view.code, view.recording
    tell(view, "engine", name="labtorch")
    assert [line for line, _ in view.lines][:2] == [
        "import labtorch as torch",
        "from labtorch import nn",
    ]
    assert view.code == before and view.recording is recording


def test_the_learners_random_numbers_stay_as_they_are(play: Any) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4).tolist()
    torch.manual_seed(3)
    view = play(data="moons", noise=0.2)
    steps(view, 3)
    view.choose(layers=[5])
    assert torch.rand(4).tolist() == expected


@pytest.mark.parametrize("data", ["circle", "xor", "moons"])
def test_it_learns_in_a_few_seconds(data: str, play: Any) -> None:
    view = play(data=data, layers=[6, 4])
    view.play()
    until(lambda: max(view.losses.values()) < 0.1, seconds=20)
    view.pause()
    assert until(lambda: view.frame["accuracies"]["train"] > 0.95)


def test_it_learns_a_spiral(play: Any) -> None:
    features = ["x1", "x2", "sin x1", "sin x2"]
    view = play(data="spiral", layers=[8, 8, 4], features=features, batch=30, lr=0.01)
    view.play()
    until(lambda: view.losses["train"] < 0.1, seconds=30)


# ------------------------------------------------------------------ what is shown is what is
def test_the_maps_are_what_the_model_computes(play: Any) -> None:
    view = play(data="xor", layers=[4, 3], activation="Tanh", features=["x1", "x2", "x1x2"])
    steps(view, 3)
    until(lambda: view.frame["shown"] == 3)
    places = (np.arange(25) + 0.5) / 25 * 12 - 6
    x1, x2 = np.meshgrid(places, -places)
    hidden = np.stack([x1, x2, x1 * x2], -1).reshape(-1, 3)
    for layer, unit in zip(view.model[::2], view.frame["units"]):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        hidden = np.tanh(hidden @ weight.T + bias)
        shown = decoded(unit["maps"], len(bias), 25, 25) / 127 * unit["limit"]
        np.testing.assert_allclose(shown, hidden.T.reshape(-1, 25, 25), atol=unit["limit"] / 200)
    last = view.model[-1]
    logits = hidden @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    output = decoded(view.frame["output"], 75, 75)[1::3, 1::3] / 127
    np.testing.assert_allclose(output, np.tanh(logits / 2).reshape(25, 25), atol=0.01)


def test_losses_and_shares_are_those_of_all_points(play: Any) -> None:
    view = play(data="gauss", noise=1.0)
    steps(view, 4)
    points = np.array(view.points)
    with torch.no_grad():
        logits = view.model(torch.tensor(points[:, :2].astype(np.float32))).numpy()[:, 0]
    labels, tested = points[:, 2], points[:, 3] == 1
    loss = np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0) - logits * labels
    frame = until(lambda: view.frame["shown"] == 4 and view.frame)
    assert frame["losses"]["train"] == pytest.approx(loss[~tested].mean(), rel=1e-3)
    assert frame["losses"]["test"] == pytest.approx(loss[tested].mean(), rel=1e-3)
    right = ((logits > 0) == (labels > 0.5))[tested].mean()
    assert frame["accuracies"]["test"] == pytest.approx(right, rel=1e-3)
    assert tested.sum() == 60


def test_pausing_shows_exactly_the_present_weights(play: Any) -> None:
    view = play(layers=[3])
    view.play()
    until(lambda: view.step_count > 50)
    view.pause()
    frame = until(
        lambda: (
            view.frame["state"] == "paused"
            and view.frame["shown"] == view.step_count
            and view.frame
        )
    )
    time.sleep(0.2)
    assert view.frame["count"] == frame["count"] == view.step_count
    np.testing.assert_allclose(
        view.frame["layers"][0]["weights"], view.model[0].weight.detach().numpy(), rtol=1e-3
    )


def test_rewinding_shows_the_network_of_that_step(play: Any) -> None:
    view = play(layers=[3])
    first = view.model[0].weight.detach().numpy().copy()
    steps(view, 6)
    graph = lab.graph(view)
    tell(view, "seek", step=0)
    np.testing.assert_allclose(view.frame["layers"][0]["weights"], first, rtol=1e-3)
    assert view.frame["shown"] == 0 and not view.frame["missing"]
    assert graph.frame["time"]["shown"] == 0
    tell(graph, "seek", step=4)
    assert view.frame["shown"] == 4
    recorded = next(
        view.recording.arrays(node["id"], 4).outputs[0]
        for node in view.recording.graph(4)["nodes"]
        if node["name"] == "0.weight"
    )
    np.testing.assert_allclose(view.frame["layers"][0]["weights"], recorded, rtol=1e-3)
    tell(view, "seek", step=None)
    assert view.frame["shown"] == 6


def test_a_weight_is_written_between_two_steps(play: Any) -> None:
    view = play(layers=[3], optimizer="SGD", lr=1e-9)
    tell(view, "weight", layer=0, unit=2, source=1, value=-2.5)
    tell(view, "weight", layer=1, unit=0, source=None, value=0.75)
    assert view.model[0].weight[2, 1].item() == -2.5
    assert view.frame["layers"][0]["weights"][2][1] == -2.5
    assert view.frame["layers"][1]["biases"] == [0.75]
    assert view.frame["notes"]["edits"] == {"count": 2}
    steps(view, 1)
    assert view.model[0].weight[2, 1].item() == pytest.approx(-2.5, abs=1e-6)
    view.play()
    until(lambda: view.step_count > 5)
    view.set_weight(0, 0, 0, 1.25)
    assert view.model[0].weight[0, 0].item() == pytest.approx(1.25, abs=1e-5)


def test_dead_units_are_marked(play: Any) -> None:
    view = play(activation="ReLU", layers=[3])
    view.set_weight(0, 1, None, -500.0)
    assert view.frame["units"][0]["dead"][1] is True
    assert not np.any(decoded(view.frame["units"][0]["maps"], 3, 25, 25)[1])


def test_a_frame_of_the_largest_network_stays_small_and_quick(play: Any) -> None:
    view = play(layers=[8] * 6, features=list(choosing.FEATURES))
    assert len(json.dumps(view.frame)) < 70_000
    view._live = None
    began = time.perf_counter()
    view.make_frame()
    assert time.perf_counter() - began < 0.25


# ------------------------------------------------------------------ changes
def test_a_change_of_the_network_keeps_the_data_and_starts_anew(play: Any) -> None:
    view = play(data="circle", noise=0.1)
    graph = lab.graph(view)
    points = view.points
    steps(view, 3)
    view.choose(layers=[5, 3])
    assert view.points == points and view.step_count == 0 and view.training == "paused"
    assert [list(layer.weight.shape) for layer in view.model[::2]] == [[5, 2], [3, 5], [1, 3]]
    assert view.cursor is graph.cursor and view.cursor.recording is view.recording
    steps(view, 1)
    assert until(lambda: len(graph.scene.get("items", [])) > 3)


def test_what_trains_goes_on_after_a_change(play: Any) -> None:
    view = play(start=True)
    until(lambda: view.step_count > 3)
    view.choose(activation="ReLU")
    until(lambda: view.training == "running" and view.step_count > 3)


def test_a_learning_rate_acts_at_once_and_is_noted(play: Any) -> None:
    view = play(lr=0.03)
    steps(view, 2)
    recording = view.recording
    view.choose(lr=0.1)
    steps(view, 1)
    assert view.recording is recording and view.step_count == 3
    assert view._run.namespace["optimizer"].param_groups[0]["lr"] == 0.1
    assert "lr=0.1)" in view.code
    assert view.frame["notes"]["rate"] == {"step": 2, "value": 0.1}


def test_layers_that_stay_the_same_can_keep_their_weights(play: Any) -> None:
    view = play(layers=[4, 2])
    steps(view, 3)
    before = view.model[0].weight.detach().numpy().copy()
    tell(view, "keep", on=True)
    view.choose(layers=[4, 3])
    np.testing.assert_array_equal(view.model[0].weight.detach().numpy(), before)
    assert view.frame["notes"]["kept"] == {"count": 1}
    tell(view, "keep", on=False)
    view.choose(layers=[4, 2])
    assert not np.array_equal(view.model[0].weight.detach().numpy(), before)


def test_points_of_ones_own(play: Any) -> None:
    view = play(data="drawn")
    assert view.frame["trainable"] is False and view.points == []
    view.play()
    view.step()
    assert view.step_count == 0 and view.training == "paused"
    tell(view, "choose", changes={"points": [list(point) for point in DRAWN]})
    assert [tuple(point[:3]) for point in view.points] == DRAWN
    assert "[-2, 1.5, 1]," in view.code
    view.play()
    until(lambda: view.losses["train"] < 0.1, seconds=20)
    view.choose(data="xor")
    view.choose(data="drawn")
    assert len(view.points) == 4
    again = play(view.state)
    assert again.points == view.points and again.state == view.state


def test_a_loss_that_is_no_number_is_told_and_can_be_restarted(play: Any) -> None:
    view = play(data="waves", activation="ReLU", optimizer="SGD", lr=1000.0, layers=[8, 8])
    view.play()
    until(lambda: view.training == "error")
    until(lambda: view.frame["alarm"])
    assert view.frame["alarm"]["kind"] == "diverged"
    assert not math.isfinite(float(view.frame["losses"]["train"]))
    assert "NaN" not in json.dumps(view.frame)
    view.choose(lr=0.01)
    view.play()
    until(lambda: view.training == "running" and view.step_count > 3)
    assert view.frame["alarm"] is None


def test_threads_end_with_what_started_them(play: Any) -> None:
    view = play(start=True)
    before = threading.active_count()
    for size in range(1, 8):
        view.choose(layers=[size])
    until(lambda: threading.active_count() <= before + 1)
    run_now = view._run
    view.close()
    assert run_now.loop.ended.is_set()


def test_the_pace_is_kept(play: Any) -> None:
    view = play()
    tell(view, "pace", speed=20)
    view.play()
    time.sleep(0.6)
    view.pause()
    assert 5 <= view.step_count <= 16


def test_lines_of_the_program_stand_behind_the_ops(play: Any) -> None:
    view = play()
    steps(view, 1)
    lines = {
        node["source"]["text"].strip() for node in view.recording.graph()["nodes"] if node["source"]
    }
    assert "loss = criterion(model(x[batch]), labels[batch])" in lines


def test_text_and_still_are_fit_for_a_notebook_without_a_kernel(play: Any) -> None:
    view = play(data="iris")
    steps(view, 2)
    data = view._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert data["text/plain"] == repr(view) == "Playground('data=iris')"
    picture = data["image/svg+xml"]
    assert ET.fromstring(picture).tag.endswith("svg")
    assert picture.count("<circle") == 150 and "BCEWithLogitsLoss" in picture
    assert len(picture) < 150_000


def test_a_wrong_language_is_refused_before_anything_runs() -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="no language"):
        lab.playground(lang="tlh")
    assert threading.active_count() == before
