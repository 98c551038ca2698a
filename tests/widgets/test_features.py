"""Feature maps without a browser: real models, numbers compared with the engine's own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.features import pixel, raster
from labtorch_widgets.features.layers import layers_of
from labtorch_widgets.features.receptive import receptive_field

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.datasets import Digits

F = nn.functional


class Document(nn.Module):
    """The document's network, for pictures of 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 1, 1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc = nn.Linear(64 * 2 * 2, 10)

    def forward(self, x: Any) -> Any:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        return self.fc(x.flatten(1))


class Mixed(nn.Module):
    """Skips, a module used twice, groups, depthwise, dilation, adaptive and transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.shared = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.grouped = nn.Conv2d(8, 6, (2, 3), stride=(2, 1), groups=2, dilation=2, padding=2)
        self.up = nn.ConvTranspose2d(6, 4, 3, 2, 1, groups=2)
        self.head = nn.Linear(4 * 9, 3)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(x + self.shared(self.shared(x)))
        x = F.avg_pool2d(self.grouped(x), 3, 2, 1, count_include_pad=False)
        x = F.adaptive_max_pool2d(self.up(x), 3)
        return self.head(x.flatten(1))


class Lines(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 5, stride=2, padding=2)
        self.up = nn.ConvTranspose1d(4, 2, 3)

    def forward(self, x: Any) -> Any:
        return self.up(F.max_pool1d(F.gelu(self.conv(x)), 3, 1)).sum()


def recorded(model: nn.Module, *inputs: Any, steps: int = 2) -> tuple[Any, lab.FeatureView]:
    torch.manual_seed(0)
    sgd = optim.SGD(model.parameters(), lr=0.01)
    with observe.record(budget=1e9) as recording:
        view = lab.features(recording)
        for _ in range(steps):
            sgd.zero_grad()
            model(*inputs).sum().backward()
            sgd.step()
    view.refresh(now=True)
    return recording, view


def every_pixel(view: lab.FeatureView, recording: Any) -> Any:
    """(layer, explanation, the engine's number) of pixels all over all maps."""
    step = view.frame["shown"]
    draw = np.random.default_rng(0)
    for layer in layers_of(recording.graph(step)):
        captured = recording.arrays(layer.node, step)
        y = layer.output(captured, 1)
        assert y is not None and y.shape == layer.shape
        if layer.kind == "image":
            continue
        corners = [(0, 0, 0), tuple(m - 1 for m in y.shape)]
        for at in corners + [tuple(draw.integers(0, m) for m in y.shape) for _ in range(12)]:
            channel, row, column = map(int, at)
            told = pixel.explain(layer, captured, 1, channel, row, column)
            yield (
                layer,
                told,
                float(captured.outputs[0][1, channel].reshape(y.shape[1:])[row, column]),
            )


MODELS = [
    pytest.param(Document, (3, 1, 8, 8), id="document"),
    pytest.param(Mixed, (3, 2, 9, 10), id="mixed"),
    pytest.param(Lines, (3, 3, 20), id="lines"),
]


@pytest.mark.parametrize(("make", "shape"), MODELS)
def test_the_products_of_any_pixel_add_up_to_the_engines_output(make: Any, shape: Any) -> None:
    torch.manual_seed(1)
    recording, view = recorded(make(), torch.randn(*shape))
    kinds = set()
    for layer, told, output in every_pixel(view, recording):
        kinds.add(layer.op)
        assert told["output"] == output and "missing" not in told
        if "total" in told:
            assert told["total"] == pytest.approx(output, rel=2e-5, abs=2e-6), layer
        if told["kind"] == "convolution" and not told["first"]:
            products = [
                w * (x or 0.0)
                for window, kernel in zip(told["windows"], told["kernels"], strict=True)
                for xs, ws in zip(window, kernel, strict=True)
                for x, w in zip(xs, ws, strict=True)
            ]
            assert sum(products) == pytest.approx(
                sum(told["sums"][: len(told["windows"])]), rel=1e-5, abs=1e-6
            )
    assert len(kinds) >= 3


@pytest.mark.parametrize(("make", "shape"), MODELS)
def test_the_receptive_field_is_where_the_gradient_can_be(make: Any, shape: Any) -> None:
    """The picture's pixels that a change of which reaches the output, by differences."""
    torch.manual_seed(1)
    model = make().eval()
    x = torch.rand(*shape)
    view = lab.features(model, x)
    recording = view.recording
    step = view.frame["shown"]
    graph = recording.graph(step)
    layers = layers_of(graph)
    picture = next(e["source"] for e in graph["edges"] if e["target"] == layers[0].node)
    arrays = {layer.node: recording.arrays(layer.node, step) for layer in layers}
    convolutions = [layer for layer in layers if layer.kind == "convolution"]
    for layer in convolutions[:: max(1, len(convolutions) - 1)]:
        row, column = layer.shape[1] // 2, layer.shape[2] // 2
        box = receptive_field(graph, layer, row, column, picture, arrays.get)
        assert box is not None
        noisy = x.numpy().copy()
        lines = noisy.reshape(shape[0], shape[1], -1, shape[-1])
        outside = np.ones(lines.shape[2:], bool)
        outside[box.top : box.bottom + 1, box.left : box.right + 1] = False
        lines[..., outside] += 100
        other = lab.features(model, torch.tensor(noisy))
        changed = other.recording.arrays(layer.node, other.frame["shown"])
        before = layer.output(arrays[layer.node], 0)[:, row, column]
        assert np.array_equal(before, layer.output(changed, 0)[:, row, column])
        if layer is convolutions[0]:  # and within, everything counts
            lines[..., ~outside] += 100
            third = lab.features(model, torch.tensor(noisy))
            moved = third.recording.arrays(layer.node, third.frame["shown"])
            assert not np.array_equal(before, layer.output(moved, 0)[:, row, column])


def test_the_overview_has_the_layers_in_order_and_the_bytes_are_the_maps() -> None:
    torch.manual_seed(1)
    x = torch.rand(5, 1, 8, 8)
    recording, view = recorded(Document(), x)
    names = [layer["name"] for layer in view.scene["layers"]]
    assert names == ["x", "conv1", "relu", "pool", "conv2", "relu", "pool"] or names[1:] == [
        "conv1", "relu", "pool", "conv2", "relu", "pool",
    ]  # fmt: skip
    assert view.frame["samples"] == 4 and view.frame["most"] == 64
    told = view.frame["layers"][1]
    maps = recording.arrays(layers_of(recording.graph())[1].node).outputs[0][0]
    assert told["size"] == [8, 8, 8]  # of 32 channels the first 8 are told
    shown = (np.frombuffer(told["maps"], np.uint8).astype(float) - 128) / 127 * told["limits"][0]
    np.testing.assert_allclose(shown.reshape(8, 8, 8), maps[:8], atol=told["limits"][0] / 127)
    view._on_message(None, {"command": "channels", "first": 56}, [])
    assert view.frame["top"] == 56
    assert view.frame["layers"][1]["size"][0] == 0 and view.frame["layers"][4]["size"][0] == 8


def test_the_range_is_a_maps_a_layers_or_the_models() -> None:
    recording, view = recorded(Document(), torch.rand(5, 1, 8, 8))
    layers = layers_of(recording.graph())
    maps = [layer.output(recording.arrays(layer.node), 0) for layer in layers]
    view.choose_range("map")
    limits = view.frame["layers"][1]["limits"]
    assert limits == pytest.approx([np.abs(m).max() for m in maps[1][:8]], rel=1e-4)
    view.choose_range("layer")
    assert view.frame["layers"][1]["limits"] == pytest.approx([np.abs(maps[1]).max()] * 8, rel=1e-4)
    view.choose_range("model")
    assert view.frame["limit"] == pytest.approx(max(np.abs(m).max() for m in maps), rel=1e-4)
    with pytest.raises(ValueError, match="range"):
        view.choose_range("all")


def test_inputs_are_followed_step_by_step_and_rewound() -> None:
    torch.manual_seed(0)
    digits = Digits(train=True)
    model = Document()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    chosen = digits.x[:3]
    with observe.record(budget=1e9) as recording:
        view = lab.features(recording, chosen, model=model)
        weights = []
        for i in range(6):
            x, y = digits.x[i * 16 : i * 16 + 16], digits.y[i * 16 : i * 16 + 16]
            sgd.zero_grad()
            F.cross_entropy(model(x), y).backward()
            sgd.step()
            weights.append(model.conv1.weight.detach().numpy().copy())
    assert view.recording.steps_with_arrays == list(range(6))
    for step in (5, 2):
        view.cursor.move(step)
        assert view.frame["shown"] == step and view.frame["samples"] == 3
        key = view.layers[1]
        view.open_map(key, 3)
        view.choose_sample(2)
        view.choose_pixel(4, 4)
        told = view.frame["opened"]["pixel"]
        np.testing.assert_allclose(told["kernels"][0], weights[step][3, 0], rtol=1e-6)
        window = chosen.numpy()[2, 0, 3:6, 3:6]
        np.testing.assert_allclose(told["windows"][0], window, rtol=1e-6)


def test_what_cannot_be_shown_is_said() -> None:
    assert lab.features(observe.Recording()).frame["note"] == "nothing"
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    _, view = recorded(model, torch.ones(3, 2))
    assert view.frame["note"] == "noConvolution"
    with observe.record() as recording:
        nn.Conv2d(1, 1, 3)(torch.ones(1, 1, 5, 5))
    view = lab.features(recording)
    assert view.frame["note"] == "notKept" and "kept no maps" in view.still()
    conv = nn.Conv2d(1, 1, 3)
    view = lab.features(conv, torch.ones(2, 3, 5, 5))
    assert view.frame["error"].startswith("RuntimeError") and view.frame["note"] == "failed"
    with pytest.raises(ValueError, match="model"):
        lab.features(recording, torch.ones(1, 1, 5, 5))
    with pytest.raises(ValueError, match="samples"):
        lab.features(recording, samples=0)


def test_not_a_number_and_infinities_have_a_shade_of_their_own() -> None:
    maps = np.array([[[np.nan, np.inf], [-2.0, 1.0]]])
    assert raster.largest(maps) == 2.0
    assert list(raster.shades(maps, [2.0])) == [0, 0, 1, 192]
    x = torch.ones(2, 1, 4, 4)
    x[0, 0, 1, 1] = float("nan")
    _, view = recorded(nn.Sequential(nn.Conv2d(1, 2, 3)), x, steps=1)
    view.open_map(view.layers[1], 0)
    assert view.frame["opened"]["pixel"]["output"] == "nan"
    ET.fromstring(view.still())


def test_a_message_that_will_not_do_changes_nothing() -> None:
    _, view = recorded(Document(), torch.rand(5, 1, 8, 8))
    view.open_map(view.layers[1], 5)
    before = view.frame["opened"]["channel"], view.frame["range"], view.frame["sample"]
    for content in (
        {"command": "open", "layer": "<b>nowhere</b>"},
        {"command": "open", "layer": None, "channel": "x"},
        {"command": "pixel", "row": None, "column": 2},
        {"command": "range", "scope": "galaxy"},
        {"command": "sample", "index": "many"},
        {"command": "page", "first": []},
        {"command": "layers"},
    ):
        view._on_message(None, content, [])
    after = view.frame["opened"]["channel"], view.frame["range"], view.frame["sample"]
    assert after == before
    for index in (-5, 99999):
        view._on_message(None, {"command": "sample", "index": index}, [])
        view._on_message(None, {"command": "pixel", "row": index, "column": index}, [])
        view._on_message(None, {"command": "layers", "first": index}, [])
        view._on_message(None, {"command": "channels", "first": index}, [])
        view._on_message(None, {"command": "input", "index": index}, [])
        assert view.frame["opened"]["pixel"]["kind"] == "convolution"


def test_a_frame_stays_small_and_so_does_the_still() -> None:
    model = nn.Sequential(*(m for _ in range(20) for m in (nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU())))
    with observe.record(budget=1e9) as recording:
        view = lab.features(recording)
        model(torch.randn(4, 64, 40, 40))
    view.refresh(now=True)
    view.open_map(view.layers[3], 7)

    def size(value: Any) -> int:
        if isinstance(value, dict):
            return sum(size(each) for each in value.values())
        if isinstance(value, list | tuple):
            return sum(size(each) for each in value)
        return len(value) if isinstance(value, bytes) else len(str(value))

    assert size(view.frame) < 120_000
    assert len(view.still()) < 60_000
    assert view.summary() == repr(view) == "FeatureView()"


def test_closing_the_view_ends_its_copies() -> None:
    model = Document()
    with observe.record(budget=1e9) as recording:
        view = lab.features(recording)
        model(torch.rand(2, 1, 8, 8)).sum().backward()
        observe.mark_step()
        view.close()
        model(torch.rand(2, 1, 8, 8)).sum().backward()
    assert recording.steps_with_arrays == [0]


def test_a_dashboard_opens_it_for_a_model_with_convolutions() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    dashboard = lab.watch(model, inputs=torch.rand(2, 1, 5, 5))
    assert "features" in dashboard.opened
    assert dashboard.view("features").frame["samples"] == 2
    assert "features" not in lab.watch(nn.Linear(2, 1)).opened
