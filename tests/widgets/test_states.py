"""Hidden states read out of recordings, and the view's frames, against the engine's own numbers."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.states import image
from labtorch_widgets.states.course import course
from labtorch_widgets.states.recurrence import recurrences

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.nn.utils.rnn import pack_padded_sequence


class Loop(nn.Module):
    """A loop of cells, as a learner writes it."""

    def __init__(self, cell: Any, lstm: bool = False) -> None:
        super().__init__()
        self.cell, self.lstm = cell, lstm

    def forward(self, x: Any) -> Any:
        h = c = torch.zeros(len(x), 4)
        for t in range(x.shape[1]):
            if self.lstm:
                h, c = self.cell(x[:, t], (h, c))
            else:
                h = self.cell(x[:, t], h)
        return h


class OwnCell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = nn.Linear(7, 4)

    def forward(self, x: Any, h: Any) -> Any:
        return torch.tanh(self.both(torch.cat([x, h], dim=1)))


class Reader(nn.Module):
    """The document's LSTM, smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 6, 2, batch_first=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        h, c = torch.zeros(2, x.size(0), 6), torch.zeros(2, x.size(0), 6)
        output, _ = self.lstm(x, (h, c))
        return self.fc(output[:, -1, :])


def watched(model: Any, x: Any, steps: int = 2, inputs: Any = None, **options: Any) -> Any:
    view = lab.states(model, inputs, **options)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        output = model(x)
        while isinstance(output, tuple):
            output = output[0]
        (output**2).sum().backward()
        optimizer.step()
    view.refresh(now=True)
    return view


def settled(view: Any) -> dict[str, Any]:
    """The frame once the gradients of its steps are there."""
    for _ in range(200):
        if view.frame["gradient"]["state"] != "computing":
            return view.frame
        time.sleep(0.02)
    raise AssertionError("no gradient came")


def send(view: Any, command: str, **values: Any) -> dict[str, Any]:
    view._on_message(None, {"command": command, **values}, None)
    return view.frame


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, dtype=np.float64)))


def shown(view: Any) -> np.ndarray:
    """The picture's numbers (T, H) in the order of the units, within its resolution."""
    picture = view.picture
    levels = np.frombuffer(picture["levels"], np.uint8).reshape(picture["rows"], -1)
    values = (levels.astype(float) - 127) / 127 * picture["limit"]
    return values[np.argsort(picture["units"])].T


def test_the_picture_is_the_layers_states() -> None:
    torch.manual_seed(0)
    model, x = Reader(), torch.randn(5, 8, 3)
    view = watched(model, x, steps=1)
    torch.manual_seed(0)
    model_before = Reader()
    with torch.no_grad():
        h, _ = model_before.lstm(x, (torch.zeros(2, 5, 6), torch.zeros(2, 5, 6)))
    send(view, "layer", key="lstm/1/0")
    frame = send(view, "sequence", index=3)
    assert frame["problem"] is None and frame["sequence"]["index"] == 3
    np.testing.assert_allclose(shown(view), h[3].numpy(), atol=view.picture["limit"] / 253)
    frame = send(view, "look", unit=4, t=5)
    assert frame["value"] == pytest.approx(h[3, 5, 4].item(), rel=1e-4)
    assert frame["reads"] == [7]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_equations_come_to_what_the_engine_has(kind: Any, bidirectional: bool) -> None:
    torch.manual_seed(1)
    layer = kind(3, 4, 2, bidirectional=bidirectional)
    view = watched(layer, torch.randn(6, 2, 3))
    keys = [each["key"] for each in view.frame["layers"]]
    assert len(keys) == (4 if bidirectional else 2)
    for key in keys:
        send(view, "layer", key=key)
        numbers = send(view, "look", unit=2, t=3)["cell"]["numbers"]
        if kind is nn.LSTM:
            for gate in "ifo":
                total = numbers[f"{gate}_x"] + numbers[f"{gate}_h"]
                assert numbers[gate] == pytest.approx(sigmoid(total), abs=1e-5)
            assert numbers["g"] == pytest.approx(np.tanh(numbers["g_x"] + numbers["g_h"]), abs=1e-5)
            c = numbers["f"] * numbers["c_before"] + numbers["i"] * numbers["g"]
            assert numbers["c"] == pytest.approx(c, abs=1e-5)
            h = numbers["o"] * np.tanh(numbers["c"])
        elif kind is nn.GRU:
            n = np.tanh(numbers["n_x"] + numbers["r"] * numbers["n_h"])
            assert numbers["n"] == pytest.approx(n, abs=1e-5)
            z = sigmoid(numbers["z_x"] + numbers["z_h"])
            h = (1 - z) * n + z * numbers["h_before"]
        else:
            h = np.tanh(numbers["h_x"] + numbers["h_h"])
        assert numbers["h"] == pytest.approx(h, abs=1e-5)
        before = send(view, "look", t=4 if key.endswith("1") else 2)["cell"]["numbers"]["h"]
        assert numbers["h_before"] == before
        lines = view.frame["cell"]["equations"]
        assert len(lines) == {nn.LSTM: 6, nn.GRU: 4, nn.RNN: 1}[kind]
        assert all("900" not in line["latex"] + line["mathml"] for line in lines)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "own"])
def test_loops_of_cells_show_what_the_fused_layer_shows(name: str) -> None:
    torch.manual_seed(2)
    cells = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
    cell = OwnCell() if name == "own" else cells[name](3, 4)
    model, x = Loop(cell, name == "lstm"), torch.randn(2, 5, 3)
    view = watched(model, x, steps=3)
    frame = settled(view)
    assert frame["layers"][0]["name"] == "cell" and frame["steps"] == 5
    step = frame["step"]
    graph = view.cursor.recording.graph(step)
    (found,) = recurrences(graph)
    seen = course(view.cursor.recording, graph, step, found, 1)
    assert seen is not None and seen.batch == 2
    assert seen.gradients is not None and seen.gradients[-1] == pytest.approx(
        2 * seen.states["h"][-1], rel=1e-5
    )
    if name == "own":
        assert frame["cell"]["equations"] == []
        return
    fused = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[name](3, 4, batch_first=True)
    assert set(seen.states) == {"lstm": set("hcifgo"), "gru": set("hrzn"), "rnn": {"h"}}[name]
    numbers = frame["cell"]["numbers"]
    view.cursor.recording.measure_next()
    (model(x) ** 2).sum().backward()
    observe.watching(model).end_step()
    with torch.no_grad():
        for mine, theirs in zip(fused.parameters(), model.cell.parameters()):
            mine.copy_(theirs)
        expected = fused(x)[0]
    frame = send(view, "look", unit=1, t=3)
    assert frame["value"] == pytest.approx(expected[0, 3, 1].item(), rel=1e-4)
    assert numbers.keys() == frame["cell"]["numbers"].keys()


def test_an_unrolled_layer_is_found_by_layer_and_direction() -> None:
    torch.manual_seed(3)
    layer, x = nn.LSTM(3, 4, 2, bidirectional=True), torch.randn(5, 2, 3)
    layer.unroll = True
    view = watched(layer, x, steps=2)
    assert [each["key"].partition("/")[2] for each in view.frame["layers"]] == [
        "0/0", "0/1", "1/0", "1/1",
    ]  # fmt: skip
    (layer(x)[0] ** 2).sum().backward()
    observe.watching(layer).end_step()
    with torch.no_grad():
        layer.unroll = False
        expected, _ = layer(x)
    send(view, "layer", key=view.frame["layers"][3]["key"])
    frame = send(view, "look", unit=2, t=1)
    assert frame["value"] == pytest.approx(expected[1, 0, 4 + 2].item(), rel=1e-4)


def test_gradients_of_every_step_are_the_unrolled_ones() -> None:
    torch.manual_seed(4)
    layer, x = nn.GRU(3, 4, batch_first=True), torch.randn(2, 6, 3)
    frame = settled(watched(layer, x, steps=1))
    torch.manual_seed(4)
    layer = nn.GRU(3, 4, batch_first=True)
    cell = nn.GRUCell(3, 4)
    with torch.no_grad():
        for mine, theirs in zip(cell.parameters(), layer.parameters()):
            mine.copy_(theirs)
    h, made = torch.zeros(2, 4), []
    for t in range(6):
        h = cell(x[:, t], h)
        h.retain_grad()
        made.append(h)
    sum((each**2).sum() for each in made).backward()
    expected = [float(np.linalg.norm(each.grad.numpy()[0])) for each in made]
    assert frame["gradient"]["layers"][0]["values"] == pytest.approx(expected, rel=1e-4)


def test_packed_sequences_and_padding_are_told() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 4)

        def forward(self, x: Any) -> Any:
            return self.gru(pack_padded_sequence(x, [6, 4, 1]))[0].data

    view = watched(Packed(), torch.randn(6, 3, 3))
    frame = send(view, "sequence", index=1)
    assert frame["sequence"]["packed"]
    assert (frame["steps"], frame["length"], frame["longest"]) == (4, 4, 6)
    assert len(settled(view)["gradient"]["layers"][0]["values"]) == 4
    view = watched(Reader(), torch.randn(3, 8, 3), lengths=[8, 5, 2])
    frame = send(view, "sequence", index=2)
    assert (frame["steps"], frame["length"], frame["reads"]) == (8, 2, [7])


class Names(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 3, padding_idx=0)
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        output, _ = self.lstm(self.embedding(x))
        return self.head(output[:, -1])


def test_text_is_shaded_by_what_the_prediction_depends_on() -> None:
    torch.manual_seed(5)
    model = Names()
    x = torch.randint(1, 6, (4, 5))
    asked = torch.tensor([[1, 2, 3, 0, 0], [5, 4, 3, 2, 1]])
    view = watched(model, x, inputs=asked, vocabulary="·abcde", classes=["no", "yes"])
    frame = settled(view)
    assert frame["followed"] and frame["tokens"] == list("abc··") and frame["length"] == 3
    assert frame["gradient"]["of"] == frame["dependence"]["of"] == "output"
    again = view._following
    found = again.found[frame["step"]]
    assert frame["dependence"]["values"] == pytest.approx(found.norms[0].tolist(), rel=1e-5)
    assert frame["dependence"]["classes"] == ["no", "yes"]
    other = 1 - frame["dependence"]["chosen"]
    frame = send(view, "ask", output=other)
    assert frame["dependence"]["chosen"] == other
    assert frame["dependence"]["values"] != pytest.approx(found.norms[0].tolist(), rel=1e-3)
    frame = send(view, "sequence", index=1)
    assert frame["tokens"] == list("edcba") and frame["length"] == 5


def test_the_training_batch_is_shaded_by_the_loss() -> None:
    torch.manual_seed(6)
    model, x = Names(), torch.tensor([[1, 2, 3, 4, 5]])
    view = watched(model, x, steps=1, text="hello")
    frame = view.frame
    assert frame["tokens"] == list("hello") and frame["dependence"]["of"] == "loss"
    node = next(n for n in view.cursor.recording.graph()["nodes"] if n["name"] == "lstm")
    sent = view.cursor.recording.arrays(node["id"]).gradients["input"][0]
    expected = np.linalg.norm(sent, axis=-1).tolist()
    assert frame["dependence"]["values"] == pytest.approx(expected, rel=1e-5)


def test_units_are_selected_that_stay_above_a_threshold() -> None:
    torch.manual_seed(7)
    view = watched(nn.RNN(3, 20), 3 * torch.randn(10, 1, 3))
    step = view.frame["step"]
    graph = view.cursor.recording.graph(step)
    values = course(view.cursor.recording, graph, step, recurrences(graph)[0], 0).states["h"]
    frame = send(view, "select", threshold=0.3, start=6, stop=4)
    expected = np.flatnonzero((np.abs(values[4:7]) >= 0.3).all(axis=0)).tolist()
    assert expected and frame["brush"]["units"] == expected
    assert send(view, "select")["brush"] is None


def test_orders() -> None:
    values = np.array([[0.1, 0.9, 0.1, -0.9], [0.2, 0.8, 0.3, -0.8], [0.1, 0.9, 0.1, -0.95]])
    assert image.ordered(values, "unit").tolist() == [0, 1, 2, 3]
    assert image.ordered(values, "activity").tolist()[:2] == [3, 1]
    alike = image.ordered(values, "similarity").tolist()
    assert abs(alike.index(0) - alike.index(2)) == 1


def test_pictures_are_bounded_and_say_what_is_no_number() -> None:
    values = np.linspace(-1, 1, 1000 * 512).reshape(1000, 512)
    pooled, block = image.pooled(values)
    assert block == 2 and len(image.quantised(pooled, 1.0)) <= image.MOST
    np.testing.assert_allclose(pooled[:, 0], values[:, :2].mean(axis=1))
    levels = image.quantised(np.array([[np.nan, np.inf, -2.0, 0.0, 2.0]]), 2.0)
    assert list(levels) == [255, 255, 0, 127, 254]
    assert [image.nice_limit(np.array([x])) for x in (0.3, 0.0, 1.0, 7.0, np.nan)] == [
        0.5, 1.0, 1.0, 10.0, 1.0,
    ]  # fmt: skip


def test_a_long_and_wide_layer_stays_within_bounds() -> None:
    layer, x = nn.LSTM(2, 512), torch.randn(1000, 2, 2)
    view = lab.states(layer)
    layer(x)[0].sum().backward()
    observe.watching(layer).end_step()
    began = time.perf_counter()
    view.refresh(now=True)
    assert time.perf_counter() - began < 2
    assert len(view.picture["levels"]) <= image.MOST and view.frame["units"] == 512
    assert view.frame["sequence"]["stop"] == 1  # of two, as many as fit
    send(view, "table", show=True)
    assert len(view.frame["rows"]) == 1000


def test_what_is_missing_is_said() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    view = lab.states(model)
    assert view.frame["problem"] == "nothing" and "appear here" in view.still()
    model(torch.ones(1, 2)).sum().backward()
    observe.watching(model).end_step()
    view.refresh(now=True)
    assert view.frame["problem"] == "noRecurrent"
    with observe.record(budget=1e9) as recording:
        nn.GRU(2, 3)(torch.ones(4, 1, 2))
    assert lab.states(recording).frame["problem"] == "notKept"
    with pytest.raises(TypeError, match="inputs need a model"):
        lab.states(recording, torch.ones(1))


def test_a_model_that_raises_on_the_inputs_is_told() -> None:
    model = Names()
    view = lab.states(model, torch.full((1, 3), 99))
    assert "IndexError" in view.frame["error"]


def test_whatever_a_page_sends_breaks_nothing() -> None:
    view = watched(nn.GRU(2, 3), torch.randn(4, 2, 2))
    for content in (
        {"command": "look", "unit": "x"}, {"command": "look", "t": 1e9}, {"command": "sort"},
        {"command": "sort", "by": "<b>"}, {"command": "sequence", "index": -5},
        {"command": "sequence", "index": 10**9}, {"command": "show", "name": "nope"},
        {"command": "layer", "key": None}, {"command": "select", "threshold": "a"},
        {"command": "select", "threshold": 0.1, "start": -9, "stop": 10**6},
        {"command": "ask", "output": 7}, {"command": "table", "show": []}, None, [], "x",
    ):  # fmt: skip
        view._on_message(None, content, None)
        view.refresh(now=True)
        assert view.frame["problem"] is None


def test_the_still_is_a_picture_and_the_summary_stable() -> None:
    view = watched(Reader(), torch.randn(3, 8, 3), lengths=[5, 8, 8])
    settled(view)
    for language in ("en", "zh"):
        view.language = language
        root = ET.fromstring(view.still())
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 4
        assert ("padding" if language == "en" else "填充") in view.still()
    view.language = "en"
    assert len(view.still()) < 100_000 and repr(view) == "StatesView()"


def test_rewinding_shows_the_states_of_that_step() -> None:
    view = watched(Reader(), torch.randn(2, 8, 3), steps=3)
    send(view, "look", unit=0, t=0)
    last = view.frame["value"]
    view.cursor.move(0)
    first = view.frame
    recording = view.cursor.recording
    node = next(n for n in recording.graph(0)["nodes"] if n["name"] == "lstm")
    assert first["step"] == 0 and first["value"] != last
    exact = recording.arrays(node["id"], 0).states["hidden"][0, 1, 0, 0]
    assert first["value"] == pytest.approx(float(exact), rel=1e-4)
    view.cursor.move(None)
