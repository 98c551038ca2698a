"""Every module of nn, exported at one batch size, gives in onnxruntime what labtorch gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import labtorch as torch
from labtorch import nn
from tests.onnx.agreement import nodes, same, tensors, weights
from tests.onnx.modules import SAMPLES

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("error::labtorch.onnx.TracerWarning")
REASONS = {
    "RNNBase": "RNN, GRU and LSTM are what is made of it",
    "RNNCellBase": "RNNCell, GRUCell and LSTMCell are what is made of it",
}
RECURRENT = ("RNN", "GRU", "LSTM")  # their weights are stored with the gates in ONNX's order


class Model(nn.Module):
    """A model whose one layer has a name, so that the names of nodes can be looked at."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, *inputs):
        return self.layer(*inputs)


def dynamic_axes(few, more):
    """The dimensions in which the tensors of two batches differ."""
    pairs = zip(tensors(few), tensors(more))
    return {
        f"input_{i}": {d: "batch" for d, (n, m) in enumerate(zip(a.shape, b.shape)) if n != m}
        for i, (a, b) in enumerate(pairs)
    }


CASES = [
    pytest.param(name, make, inputs, id=f"{name}-{i}")
    for name, samples in SAMPLES.items()
    for i, (make, inputs) in enumerate(samples)
]


@pytest.mark.parametrize(("name", "make", "inputs"), CASES)
def test_module(name, make, inputs):
    torch.manual_seed(0)
    model = Model(make()).eval()
    args = inputs(2)
    model(*args)  # lazy modules take their shapes
    axes = dynamic_axes(args, inputs(3))
    program = torch.onnx.export(model, args, input_names=list(axes), dynamic_axes=axes)
    for batch in (1, 2, 3, 7):
        same(program, model, inputs(batch))
    assert all(node.startswith(("/layer/", "/output")) for node in nodes(program))
    for parameter, _ in model.named_parameters():
        if name in RECURRENT:
            stem = parameter.replace("bias_ih", "bias").replace("bias_hh", "bias")
            assert f"{stem.removesuffix('_reverse')}.{name}" in weights(program)
        else:
            assert parameter in weights(program)


def test_every_module_is_here():
    """A new module of nn needs a sample, or a reason."""
    classes = {name for name, each in vars(nn).items() if isinstance(each, type)}
    modules = {name for name in classes if issubclass(getattr(nn, name), nn.Module)}
    assert set(SAMPLES) | set(REASONS) == modules
    assert not set(SAMPLES) & set(REASONS)


def test_every_module_of_the_tiers_is_here():
    text = (Path(__file__).parents[1] / "conformance" / "modules.txt").read_text()
    tier = {line[3:].strip() for line in text.splitlines() if line.startswith("nn.")}
    assert len(tier) > 50 and tier <= set(SAMPLES)
