"""Quantized models in onnxruntime: the same integers, or the ones next to them.

labtorch and onnxruntime add the same integers, but scale the sums by float products that are
associated differently, so that one exactly between two steps may go to either.
"""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn
from labtorch import quantization as q
from labtorch.nn import functional as F
from tests.onnx.agreement import exported, floats, integers, nodes, same, weights

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = [
    pytest.mark.filterwarnings("error::labtorch.onnx.TracerWarning"),
    pytest.mark.filterwarnings("ignore:.*deprecated|.*reduce_range"),
]


def static(model, inputs, backend="x86"):
    """A model between stubs, calibrated on its inputs."""
    wrapped = q.QuantWrapper(model.eval())
    wrapped.qconfig = q.get_default_qconfig(backend)
    prepared = q.prepare(wrapped)
    for n in (5, 6):
        prepared(*inputs(n))
    return q.convert(prepared)


def within_a_step(program, model, args, scale, most=0.1):
    """No number further than one step of the last grid, and few that far."""
    want, got = model(*args).numpy(), program(*args)[0].numpy()
    assert got.shape == want.shape and got.dtype == want.dtype
    steps = np.abs(got - want) / scale
    assert steps.max() < 1.01
    assert (steps > 0.5).mean() <= most


def last_scale(model):
    """Of the last module with a grid of its own."""
    scales = [float(m.scale) for m in model.modules() if hasattr(m, "scale")]
    return scales[-1]


def image(n):
    return (floats(n, 4, 8, 8, seed=n),)


def row(n):
    return (floats(n, 6, seed=n),)


class Residual(nn.Module):
    """Sums, products, sides by side: what `FloatFunctional` is for."""

    def __init__(self):
        super().__init__()
        self.conv, self.f = nn.Conv2d(4, 4, 3, padding=1), q.quantized.FloatFunctional()
        self.g, self.h = q.quantized.FloatFunctional(), q.quantized.FloatFunctional()

    def forward(self, x):
        y = self.f.add_relu(self.conv(x), x)
        y = self.g.mul(self.f.add_scalar(y, 0.5), self.f.mul_scalar(y, 1.5))
        return self.h.cat([y, x], 1)


class Moved(nn.Module):
    """What moves codes, and what keeps their grid."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = (
            nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
            nn.Linear(64, 5),
        )

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = F.max_pool2d(x, 2) if self.training else F.max_pool2d(F.avg_pool2d(x, 3, 1, 1), 2)
        x = torch.clamp(x.transpose(2, 3), 0.1, 2.0)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 4), 1))


class Bounded(nn.Module):
    """Functions whose ranges are known, and others of floats on codes."""

    def forward(self, x):
        y = torch.tanh(F.leaky_relu(x, 0.2))
        y = F.interpolate(y, scale_factor=2, mode="nearest")
        return torch.sigmoid(F.pad(y, (1, 1)).mean(3))


def bare(*layers):
    return lambda: nn.Sequential(*copy.deepcopy(layers))


STATIC = {
    "Conv1d": (bare(nn.Conv1d(4, 6, 3, 2, 1)), lambda n: (floats(n, 4, 9, seed=n),)),
    "Conv2d": (bare(nn.Conv2d(4, 6, 3, padding=1)), image),
    "Conv2d in groups": (bare(nn.Conv2d(4, 8, 3, dilation=2, groups=4, bias=False)), image),
    "Conv3d": (bare(nn.Conv3d(2, 3, 2)), lambda n: (floats(n, 2, 4, 5, 3, seed=n),)),
    "two convolutions": (bare(nn.Conv2d(4, 6, 3), nn.Conv2d(6, 3, 3, stride=2)), image),
    "Linear": (bare(nn.Linear(6, 5), nn.Linear(5, 4)), row),
    "Linear without bias": (bare(nn.Linear(6, 5, bias=False)), row),
    "Linear of sequences": (bare(nn.Linear(6, 5)), lambda n: (floats(n, 3, 6, seed=n),)),
    "ReLU": (bare(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)), row),
    "ReLU6": (bare(nn.Conv2d(4, 6, 3), nn.ReLU6(), nn.Conv2d(6, 3, 1)), image),
    "Hardswish": (bare(nn.Linear(6, 5), nn.Hardswish()), row),
    "ELU": (bare(nn.Linear(6, 5), nn.ELU(0.7)), row),
    "LeakyReLU": (bare(nn.Linear(6, 5), nn.LeakyReLU(0.3)), row),
    "Sigmoid": (bare(nn.Linear(6, 5), nn.Sigmoid()), row),
    "Dropout": (bare(nn.Linear(6, 5), nn.Dropout(0.5)), row),
    "BatchNorm2d": (bare(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)), image),
    "BatchNorm3d": (bare(nn.BatchNorm3d(2)), lambda n: (floats(n, 2, 4, 5, 3, seed=n),)),
    "LayerNorm": (bare(nn.LayerNorm(6)), row),
    "GroupNorm": (bare(nn.GroupNorm(2, 4)), image),
    "InstanceNorm1d": (bare(nn.InstanceNorm1d(4)), lambda n: (floats(n, 4, 9, seed=n),)),
    "InstanceNorm2d": (bare(nn.InstanceNorm2d(4, affine=True)), image),
    "InstanceNorm3d": (bare(nn.InstanceNorm3d(2)), lambda n: (floats(n, 2, 4, 5, 3, seed=n),)),
    "a residual": (Residual, image),
    "what moves": (Moved, image),
}
FUSED = {
    "ConvReLU1d": (bare(nn.Conv1d(4, 6, 3), nn.ReLU()), STATIC["Conv1d"][1], 2),
    "ConvReLU2d": (bare(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU()), image, 3),
    "ConvReLU3d": (bare(nn.Conv3d(2, 3, 2), nn.ReLU()), STATIC["Conv3d"][1], 2),
    "LinearReLU": (bare(nn.Linear(6, 5), nn.ReLU()), row, 2),
    "BNReLU2d": (bare(nn.BatchNorm2d(4), nn.ReLU()), image, 2),
    "BNReLU3d": (bare(nn.BatchNorm3d(2), nn.ReLU()), STATIC["BatchNorm3d"][1], 2),
}


def fused(name):
    make, inputs, count = FUSED[name]
    model = make().eval()
    return q.fuse_modules(model, [[str(i) for i in range(count)]]), inputs


@pytest.mark.parametrize("backend", ["x86", "qnnpack"])  # scales per channel, and one a tensor
@pytest.mark.parametrize("name", [*STATIC, *FUSED])
def test_static(name, backend):
    torch.manual_seed(0)
    model, inputs = fused(name) if name in FUSED else (STATIC[name][0](), STATIC[name][1])
    model = static(model, inputs, backend)
    program = exported(model, inputs(2), [(0, 0)])
    for n in (1, 3, 7):
        within_a_step(program, model, inputs(n), last_scale(model))


def test_functions_of_codes():
    model = static(Bounded(), image)
    program = exported(model, image(2), [(0, 0)])
    for n in (1, 3, 7):
        within_a_step(program, model, image(n), 1 / 256)


@pytest.mark.parametrize("kind", ["Softmax", "Sigmoid"])
def test_layers_with_ranges_that_are_known(kind):
    options = {"dim": 1} if kind == "Softmax" else {}
    layer = getattr(q.quantized, kind)(**options, scale=1 / 256)
    ends = q.quantized.Quantize(0.05, 60, torch.quint8), q.quantized.DeQuantize()
    model = nn.Sequential(ends[0], layer, ends[1])
    program = exported(model, row(2), [(0, 0)])
    for n in (1, 3, 7):
        within_a_step(program, model, row(n), 1 / 256)


def test_tables():
    for layer in (nn.Embedding(9, 6), nn.EmbeddingBag(9, 6, mode="sum")):
        layer.qconfig = q.float_qparams_weight_only_qconfig
        model = q.convert(q.prepare(nn.Sequential(layer).eval()))
        assert "quantized" in type(model[0]).__module__
        program = exported(model, (integers(9, 2, 5),), [(0, 0)])
        same(program, model, (integers(9, 4, 5),))
        assert "0.weight" in weights(program)


# -------------------------------------------------------------------- dynamic
def flat(result):
    if isinstance(result, (tuple, list)):
        return [each for part in result for each in flat(part)]
    return [result]


def near(program, small, large, args):
    """As near to the float model as labtorch's integers are: neither rounds as the other does."""
    exact = [each.detach().numpy() for each in flat(large(*args))]
    ours = [each.detach().numpy() for each in flat(small(*args))]
    theirs = [each.numpy() for each in program(*args)]
    for a, b, c in zip(exact, ours, theirs):
        assert b.shape == c.shape and b.dtype == c.dtype
        assert np.abs(c - a).max() < 1.5 * np.abs(b - a).max() + 1e-4
        assert np.abs(c - b).max() < 0.05 * np.abs(a).max()


steps = lambda n: (floats(n, 5, 24, seed=n),)  # noqa: E731
DYNAMIC = {
    "Linear": (bare(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 5)), steps),
    "LSTM": (lambda: nn.LSTM(24, 16, 2, batch_first=True), steps),
    "LSTM of both directions": (
        lambda: nn.LSTM(24, 16, bidirectional=True, batch_first=True),
        steps,
    ),
    "GRU": (lambda: nn.GRU(24, 16, batch_first=True, bias=False), steps),
    "LSTMCell": (lambda: nn.LSTMCell(24, 16), lambda n: (floats(n, 24, seed=n),)),
    "GRUCell": (lambda: nn.GRUCell(24, 16), lambda n: (floats(n, 24, seed=n),)),
    "RNNCell": (lambda: nn.RNNCell(24, 16), lambda n: (floats(n, 24, seed=n),)),
}


class Held(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize("name", DYNAMIC)
def test_dynamic(name):
    torch.manual_seed(0)
    make, inputs = DYNAMIC[name]
    large = Held(make()).eval()
    small = q.quantize_dynamic(copy.deepcopy(large))
    program = exported(small, inputs(2), [(0, 0)])
    for n in (1, 3, 7):
        near(program, small, large, inputs(n))
    kinds = {each.data_type for each in program.model_proto.graph.initializer if each.dims}
    assert kinds & {2, 3}  # uint8 or int8
    floats_left = [
        each.name
        for each in program.model_proto.graph.initializer
        if each.data_type == 1 and np.prod(each.dims) > 64 and "bias" not in each.name
    ]
    assert not floats_left


def test_a_dynamic_linear_layer_errs_by_half_a_step_of_its_input():
    """y is off by at most s_x / 2 times the sum of a row's |w|, with s_x = range / 255."""
    small = q.quantize_dynamic(nn.Sequential(nn.Linear(24, 16)).eval())
    program = exported(small, steps(2), [(0, 0)])
    weight, bias = small[0].weight().dequantize().numpy(), small[0].bias().numpy()
    for n in (1, 3, 7):
        x = steps(n)[0].numpy()
        step = (max(x.max(), 0) - min(x.min(), 0)) / 255
        error = np.abs(program(*steps(n))[0].numpy() - (x @ weight.T + bias)).max()
        assert error <= 1.02 * step / 2 * np.abs(weight).sum(1).max() + 1e-5


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_dynamic_recurrent_layers_are_the_float_ones_with_rounded_weights(kind):
    layer = getattr(nn, kind)(24, 16, 2, batch_first=True).eval()
    small = q.quantize_dynamic(Held(layer))
    program = exported(small, steps(2), [(0, 0)])
    for name, weight in small.layer.get_weight().items():
        getattr(layer, name).data = weight.dequantize()
    same(program, Held(layer), steps(3))


def test_dynamic_layers_for_any_number_of_steps():
    model = q.quantize_dynamic(Held(nn.LSTM(24, 16, batch_first=True)).eval())
    axes = {"x": {0: "batch", 1: "steps"}}
    program = torch.onnx.export(model, steps(2), dynamic_axes=axes)
    assert [node for node in nodes(program) if node.startswith("/layer/LSTM")] == ["/layer/LSTM"]
    x = floats(3, 11, 24)
    assert np.abs(program(x)[0].numpy() - model(x)[0].detach().numpy()).max() < 0.02


def test_weights_in_half_precision():
    large = Held(nn.Linear(24, 8)).eval()
    small = q.quantize_dynamic(large, {nn.Linear}, dtype=torch.float16)
    program = exported(small, steps(2), [(0, 0)])
    same(program, small, steps(3))
    assert "layer.weight" in weights(program)


def test_fused_dynamic_layers():
    model = q.fuse_modules(nn.Sequential(nn.Linear(24, 8), nn.ReLU()).eval(), [["0", "1"]])
    model.qconfig = q.default_dynamic_qconfig
    small = q.quantize_dynamic(model, {type(model[0]): q.default_dynamic_qconfig})
    program = exported(small, steps(2), [(0, 0)])
    near(program, small, model, steps(3))


# -------------------------------------------------------------------- training with grids in sight
@pytest.mark.parametrize("backend", ["x86", "qnnpack"])
def test_a_model_in_training(backend):
    torch.manual_seed(0)
    model = q.QuantWrapper(nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Conv2d(6, 3, 1)))
    model.qconfig = q.get_default_qat_qconfig(backend)
    prepared = q.prepare_qat(model.train())
    prepared(*image(6))
    prepared.apply(q.disable_observer)
    program = exported(prepared, image(2), [(0, 0)])
    small = q.convert(copy.deepcopy(prepared).eval())
    scale = last_scale(small)
    for n in (1, 3, 7):
        with torch.no_grad():
            within_a_step(program, prepared, image(n), scale)
    assert "/module/0/weight_fake_quant/DequantizeLinear" in nodes(program)


# -------------------------------------------------------------------- what is refused
def test_quantized_ends():
    layer = static(nn.Sequential(nn.Linear(6, 5)), row).module
    x = torch.quantize_per_tensor(floats(2, 6), 0.1, 0, torch.qint8)
    with pytest.raises(ValueError, match="QuantStub"):
        torch.onnx.export(layer, (x,))
    model = static(nn.Sequential(nn.Linear(6, 5)), row)
    model.dequant = nn.Identity()
    with pytest.raises(torch.onnx.OnnxExporterError, match="DeQuantStub"):
        torch.onnx.export(model, row(2))


class OwnGrid(nn.Module):
    def forward(self, x):
        return torch.quantize_per_tensor_dynamic(x, torch.quint8, False).dequantize()


def test_a_grid_that_depends_on_the_input_is_said():
    with pytest.warns(torch.onnx.TracerWarning, match="quantize takes depends on the values"):
        torch.onnx.export(OwnGrid(), (floats(2, 6),))


def test_every_quantized_module_is_here():
    """Those that computed in the models above, by their classes."""
    met = {type(m) for make, inputs in STATIC.values() for m in static(make(), inputs).modules()}
    met |= {type(m) for name in FUSED for m in static(*fused(name)).modules()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for make, _ in DYNAMIC.values():
            met |= {type(m) for m in q.quantize_dynamic(Held(make()).eval()).modules()}
    met |= {q.quantized.Embedding, q.quantized.EmbeddingBag, q.dynamic.LinearReLU}  # above
    met |= {q.quantized.Softmax, q.quantized.Sigmoid}
    known = {
        each
        for room in (q.quantized, q.dynamic)
        for each in vars(room).values()
        if isinstance(each, type) and issubclass(each, nn.Module)
    }
    reasons = {
        q.quantized.FloatFunctional: "is made a QFunctional",
        q.quantized.FXFloatFunctional: "is of floats",
    }
    assert known - met == set(reasons)


# -------------------------------------------------------------------- the document's CNN on digits
def test_digits():
    """Float and int8 in onnxruntime: the digits that labtorch sees, at a quarter of the size."""
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    from tests.quantization import test_digits as digits

    found = load_digits()
    pixels = np.kron(found.images / 16, np.ones((3, 3)))[:, None]
    images = torch.tensor(pixels, dtype=torch.float32)
    targets = torch.tensor(found.target)
    torch.manual_seed(0)
    model = digits.train(digits.CNN(), (images, targets), epochs=2).eval()
    held_out = images[digits.TRAINED :]
    labels = found.target[digits.TRAINED :]
    large = exported(model, (images[:2],), [(0, 0)])
    same(large, model, (held_out,))
    wrapped = q.QuantWrapper(q.fuse_modules(model, digits.FUSED))
    wrapped.qconfig = q.get_default_qconfig("x86")
    small = q.quantize(wrapped, lambda m, x: m(x), [images[:256]])
    program = exported(small, (images[:2],), [(0, 0)])
    within_a_step(program, small, (held_out,), small.module.fc2.scale, most=0.01)
    ours, theirs = small(held_out).numpy().argmax(1), program(held_out)[0].numpy().argmax(1)
    assert (ours == theirs).mean() >= 0.998  # a logit may be one step off, and two be equal
    floats_right = (large(held_out)[0].numpy().argmax(1) == labels).mean()
    assert floats_right > 0.85
    assert (theirs == labels).mean() >= floats_right - 0.01
    assert program.model_proto.ByteSize() <= 0.27 * large.model_proto.ByteSize()
    assert {"module.conv1.conv.weight", "module.fc2.weight"} <= set(weights(program))


def test_onnxruntime_computes_on_the_integers(tmp_path):
    """Not on floats between them: what it makes of the model has no float layers left."""
    import onnx

    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 5))
    model = static(q.fuse_modules(model.eval(), [["0", "1"]]), image)
    data = exported(model, image(2), [(0, 0)]).model_proto.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "made.onnx"), 3
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    kinds = {node.op_type for node in onnx.load(tmp_path / "made.onnx").graph.node}
    assert {"QLinearConv", "QGemm"} <= kinds and not {"Conv", "Gemm", "MatMul"} & kinds
