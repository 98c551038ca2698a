"""The loss surface's view, without a browser: what it sends is the engine's."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.surface.contour import BANDS, chart, colour, levels

import labtorch as torch
from labtorch import nn, observe, optim


class Regression:
    """A line through points, trained for some steps; `sign` -1 walks up the gradient."""

    def __init__(self, steps: int = 20, lr: float = 0.1, sign: int = 1, features: int = 1) -> None:
        torch.manual_seed(0)
        self.x = torch.randn(64, features)
        self.y = self.x.sum(1, keepdim=True) * 2 + 0.5
        self.model, self.criterion = nn.Linear(features, 1), nn.MSELoss()
        sgd = optim.SGD(self.model.parameters(), lr=lr, maximize=sign < 0)
        with observe.record(budget=1e9) as self.recording:
            for _ in range(steps):
                sgd.zero_grad()
                self.loss(self.model).backward()
                sgd.step()

    def loss(self, model: Any) -> Any:
        return self.criterion(model(self.x), self.y)

    def view(self, **options: Any) -> lab.SurfaceView:
        return lab.surface(self.model, self.loss, source=self.recording, **options).wait()


def settled(view: lab.SurfaceView) -> lab.SurfaceView:
    """A wish may take a job for the plane and one for the window."""
    for _ in range(4):
        view.wait()
    return view


def command(view: lab.SurfaceView, name: str, **values: Any) -> None:
    view._on_message(None, {"command": name, **values}, [])


def test_the_map_is_the_loss_and_the_ball_stands_where_the_step_did() -> None:
    program = Regression()
    view = settled(program.view())
    assert view.frame["phase"] == "done" and view.frame["labels"] == ["weight", "bias"]
    u0, u1, v0, v1 = view.map["window"]
    values = np.array(view.map["values"], float)
    us, vs = np.linspace(u0, u1, values.shape[1]), np.linspace(v0, v1, values.shape[0])
    x, y = program.x.numpy()[:, 0], program.y.numpy()[:, 0]
    expected = ((us[None, :, None] * x + vs[:, None, None] - y) ** 2).mean(-1)
    np.testing.assert_allclose(values, expected, rtol=1e-3)
    for step in (0, 7, 19):
        view.cursor.move(step)
        ball = view.frame["ball"]
        assert ball["step"] == step
        assert ball["loss"] == pytest.approx(program.recording.snapshot(step)["loss"], rel=1e-4)
        there = ((ball["u"] * x + ball["v"] - y) ** 2).mean()
        assert ball["loss"] == pytest.approx(there, rel=1e-3)
    assert [p["step"] for p in view.frame["trail"]] == list(range(20))


def test_a_ball_that_climbs_is_kept_in_the_window() -> None:
    program = Regression(steps=30, sign=-1)
    view = settled(program.view())
    losses = [p["loss"] for p in view.frame["trail"]]
    assert losses == sorted(losses) and losses[-1] > 100 * losses[0]

    def ball_and_window(step: int) -> tuple[Any, list[float]]:
        view.cursor.move(step)
        settled(view)
        return view.frame["ball"], view.map["window"]

    widths = []
    for step in (1, 15, 29):
        ball, (u0, u1, v0, v1) = ball_and_window(step)
        assert u0 < ball["u"] < u1 and v0 < ball["v"] < v1
        widths.append(u1 - u0)
    assert widths[0] < widths[1] < widths[2]


def test_the_window_moves_by_hand_and_follows_again() -> None:
    view = settled(Regression().view())
    own = view.map["window"]
    command(view, "window", window=[-1, 2, -1, 1])
    settled(view)
    assert view.map["window"] == pytest.approx([-1, 2, -1, 1]) and view.frame["byHand"]
    command(view, "fit")
    assert settled(view).map["window"] == own and not view.frame["byHand"]


@pytest.mark.parametrize(
    "message",
    [
        {"command": "window", "window": [0, "x", 0, 1]},
        {"command": "window", "window": [1, 0, 0, 1]},
        {"command": "window", "window": [0, float("inf"), 0, 1]},
        {"command": "window"},
        {"command": "put", "u": "nan", "v": 0},
        {"command": "put", "u": [], "v": {}},
        {"command": "plane", "kind": "uphill"},
        {"command": "plane", "kind": "parameters", "parameters": ["weight", "no such"]},
        {"command": "plane", "kind": "parameters", "parameters": "weight"},
        {"command": "plane"},
        {"command": "seek", "step": "soon"},
    ],
)
def test_a_message_that_makes_no_sense_changes_nothing(message: dict[str, Any]) -> None:
    program = Regression(steps=3)
    view = settled(program.view())
    before, weights = view.map, program.model.weight.item()
    view._on_message(None, message, [])
    assert settled(view).map == before and view.frame["kind"] == "parameters"
    assert program.model.weight.item() == weights


def test_another_plane_can_be_chosen() -> None:
    program = Regression(features=3)
    view = settled(program.view(directions="random"))
    assert view.frame["kind"] == "random" and not view.frame["canPut"]
    assert view.elements == ["weight[0, 0]", "weight[0, 1]", "weight[0, 2]", "bias"]
    command(view, "plane", kind="parameters", parameters=["weight[0, 2]", "bias"])
    settled(view)
    assert view.frame["labels"] == view.frame["chosen"] == ["weight[0, 2]", "bias"]
    view.cursor.move(5)
    settled(view)
    assert view.frame["ball"]["off"] == 0  # the slice goes through the weights of the step
    used = program.recording.small_parameters(5)
    assert view.frame["ball"]["u"] == pytest.approx(float(used["weight"][0, 2]), rel=1e-5)
    command(view, "plane", kind="pca")
    settled(view)
    assert sum(view.frame["share"]) > 0.9 and view.frame["known"] == 20
    command(view, "plane", kind="gradient")
    assert settled(view).map is not None


def test_the_ball_can_be_put_elsewhere_and_training_goes_on_from_there() -> None:
    program = Regression(steps=3)
    view = settled(program.view())
    command(view, "put", u=-0.75, v=0.25)
    assert (program.model.weight.item(), program.model.bias.item()) == (-0.75, 0.25)


def test_a_model_that_is_trained_further_walks_on() -> None:
    program = Regression(steps=0)
    view = lab.surface(program.model, program.loss)
    settled(view)
    assert view.frame["ball"] is None and view.map is not None
    sgd = optim.SGD(program.model.parameters(), lr=0.1)
    for _ in range(3):
        sgd.zero_grad()
        program.loss(program.model).backward()
        sgd.step()
    view.refresh(now=True)
    assert [p["step"] for p in view.frame["trail"]] == [0, 1, 2]


def test_a_loss_that_fails_is_told_and_the_still_says_it() -> None:
    program = Regression(steps=2)
    view = lab.surface(program.model, lambda model: model(torch.ones(7)), source=program.recording)
    settled(view)
    assert view.frame["phase"] == "failed" and "RuntimeError" in view.frame["error"]
    assert "RuntimeError" in view.still()


def test_where_the_loss_is_no_number_the_map_has_a_hole() -> None:
    program = Regression(steps=2)
    view = lab.surface(
        program.model, lambda m: torch.log(m.weight).sum(), source=program.recording, span=1.0
    )
    settled(view)
    assert view.map["holes"] and view.map["bands"]
    json.dumps(view.map, allow_nan=False)
    json.dumps(view.frame, allow_nan=False)


def test_text_and_still_are_fit_for_a_notebook_without_a_kernel() -> None:
    view = Regression(steps=5).view()
    data = view._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert data["text/plain"] == "SurfaceView(parameters)"
    picture = ET.fromstring(data["image/svg+xml"])
    paths = [e for e in picture.iter() if e.tag.endswith("path")]
    assert len(paths) >= BANDS and "step 4" in data["image/svg+xml"]


def test_a_long_path_is_thinned_with_its_ends_and_the_ball() -> None:
    program = Regression(steps=450)
    view = settled(program.view())
    view.cursor.move(101)
    steps = [p["step"] for p in view.frame["trail"]]
    assert len(steps) <= 401 and {0, 101, 449} <= set(steps)


@pytest.mark.parametrize("span", [0, -1, "wide", float("nan"), ((1, 0), (0, 1)), (1, 2, 3)])
def test_a_span_that_makes_no_sense_is_refused(span: Any) -> None:
    program = Regression(steps=1)
    with pytest.raises(ValueError):
        program.view(span=span)


def test_bands_are_evenly_apart_in_a_bowl_and_cover_the_window() -> None:
    us = vs = np.linspace(-1, 1, 33)
    bowl = us[None] ** 2 + vs[:, None] ** 2
    edges = levels(bowl)
    np.testing.assert_allclose(np.diff(np.sqrt(edges - edges[0])), np.sqrt(2) / BANDS, rtol=1e-6)
    drawn = chart(us, vs, bowl, (-1, 1, -1, 1))
    assert len(drawn["bands"]) == BANDS and all(band["d"] for band in drawn["bands"])
    assert drawn["lowest"] == {"u": 0.0, "v": 0.0, "loss": 0.0}
    assert len(chart(us, vs, bowl * 0 + 3, (-1, 1, -1, 1))["bands"]) == 1
    assert chart(us, vs, bowl * np.nan, (-1, 1, -1, 1))["bands"] == []


def test_colours_rise_from_dark_to_light() -> None:
    def light(tone: str) -> float:
        return sum(w * int(tone[i : i + 2], 16) for w, i in ((0.2, 1), (0.7, 3), (0.1, 5)))

    tones = [light(colour(k / 20)) for k in range(21)]
    assert tones == sorted(tones)
