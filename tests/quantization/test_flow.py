"""Prepare, calibrate, convert: whole models, against PyTorch's."""

from __future__ import annotations

import copy
import io
import os
import re
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import labtorch
from labtorch import nn
from labtorch import quantization as q
from tests.oracle import same_error
from tests.quantization.both import carried, numbers, pair

pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated|.*reduce_range")
        yield


def network(t: Any) -> Any:
    """A convolution with norm and ReLU, a residual sum, a pooling, a norm, linear layers."""

    class Net(t.nn.Module):
        def __init__(self):
            super().__init__()
            n = t.nn
            self.quant, self.dequant = (
                t.ao.quantization.QuantStub(),
                t.ao.quantization.DeQuantStub(),
            )
            self.conv, self.bn, self.relu = n.Conv2d(2, 8, 3, padding=1), n.BatchNorm2d(8), n.ReLU()
            self.conv2, self.bn2 = n.Conv2d(8, 8, 3, padding=1), n.BatchNorm2d(8)
            self.sum = t.ao.nn.quantized.FloatFunctional()
            self.pool = n.AdaptiveAvgPool2d(2)
            self.sigmoid, self.drop = n.Sigmoid(), n.Dropout(0.5)
            self.fc, self.relu2, self.fc2 = n.Linear(32, 10), n.ReLU(), n.Linear(10, 4)

        def forward(self, x):
            x = self.relu(self.bn(self.conv(self.quant(x))))
            x = self.sum.add_relu(x, self.bn2(self.conv2(x)))
            x = t.flatten(self.pool(x), 1)
            x = self.drop(self.sigmoid(self.relu2(self.fc(x))))
            return self.dequant(self.fc2(x))

    return Net().eval()


FUSED = [["conv", "bn", "relu"], ["conv2", "bn2"], ["fc", "relu2"]]
DATA = [numbers(8, 2, 6, 6, seed=i) for i in range(3)]


def prepared(t: Any, model: Any, backend: str) -> Any:
    flow = t.ao.quantization
    model = flow.fuse_modules(model, FUSED)
    model.qconfig = flow.get_default_qconfig(backend)
    return flow.prepare(model)


def calibrated(t: Any, model: Any) -> Any:
    with t.no_grad():
        for each in DATA:
            model(t.from_numpy(each))
    return model


@pytest.mark.parametrize("backend", ["x86", "qnnpack", "onednn"])
def test_a_model_is_quantized_as_by_pytorch(backend):
    import torch

    found = []
    for t, model in zip((labtorch, torch), pair(network)):
        small = t.ao.quantization.convert(calibrated(t, prepared(t, model, backend)))
        found.append((small, small(t.from_numpy(DATA[0])).numpy(), model(t.from_numpy(DATA[0]))))
    (ours, y, exact), (theirs, reference, _) = found
    assert _without_last_digits(repr(ours)) == _without_last_digits(repr(theirs))
    quantum = ours.fc2.scale
    assert abs(y - reference).max() <= 1.001 * quantum
    assert np.isclose(y, reference, atol=quantum / 10).mean() > 0.9
    assert abs(y - exact.detach().numpy()).max() < 8 * quantum


def mobile(t: Any) -> Any:
    """Inverted residuals, as in MobileNetV2: depthwise convolutions, a sum, a mean over pixels."""
    n = t.nn

    class Block(n.Module):
        def __init__(self, width):
            super().__init__()
            self.widen = n.Sequential(
                n.Conv2d(width, 12, 1, bias=False), n.BatchNorm2d(12), n.ReLU6()
            )
            self.depth = n.Sequential(
                n.Conv2d(12, 12, 3, 1, 1, groups=12, bias=False), n.BatchNorm2d(12), n.ReLU()
            )
            self.narrow = n.Sequential(n.Conv2d(12, width, 1, bias=False), n.BatchNorm2d(width))
            self.skip = n.quantized.FloatFunctional()

        def forward(self, x):
            return self.skip.add(x, self.narrow(self.depth(self.widen(x))))

    class Net(n.Module):
        def __init__(self):
            super().__init__()
            self.quant = t.ao.quantization.QuantStub()
            self.dequant = t.ao.quantization.DeQuantStub()
            self.features = n.Sequential(
                n.Conv2d(2, 6, 3, 2, 1), n.BatchNorm2d(6), Block(6), Block(6)
            )
            self.classifier = n.Sequential(n.Dropout(0.2), n.Linear(6, 5))

        def forward(self, x):
            x = self.features(self.quant(x))
            return self.dequant(self.classifier(x.mean([2, 3])))

        def fuse(self):
            fuse = t.ao.quantization.fuse_modules
            fuse(self.features, ["0", "1"], inplace=True)
            for block in self.features[2:]:
                fuse(block, [["widen.0", "widen.1"], ["narrow.0", "narrow.1"]], inplace=True)
                fuse(block.depth, ["0", "1", "2"], inplace=True)
            return self

    return Net().eval()


@pytest.mark.parametrize("backend", [None, "x86"])
def test_a_mobile_network_is_quantized_as_by_pytorch(backend):
    import torch

    found = []
    for t, model in zip((labtorch, torch), pair(mobile)):
        flow, small = t.ao.quantization, copy.deepcopy(model).fuse()
        small.qconfig = flow.get_default_qconfig(backend) if backend else flow.default_qconfig
        flow.prepare(small, inplace=True)
        flow.convert(calibrated(t, small), inplace=True)
        x = t.from_numpy(DATA[0])
        found.append((small, small(x).numpy(), model(x).detach().numpy()))
    (ours, y, exact), (theirs, reference, _) = found
    assert _without_last_digits(repr(ours)) == _without_last_digits(repr(theirs))
    quantum = ours.classifier[1].scale
    assert abs(y - reference).max() <= 1.001 * quantum
    assert abs(y - exact).max() < 8 * quantum


def _without_last_digits(text: str) -> str:
    return re.sub(r"\d+\.\d+", lambda m: f"{float(m[0]):.5g}", text)


def test_states_travel_both_ways():
    import torch

    models = []
    for t, model in zip((labtorch, torch), pair(network)):
        models.append(t.ao.quantization.convert(calibrated(t, prepared(t, model, "x86"))))
    ours, theirs = models
    x = DATA[1]
    y, reference = ours(labtorch.from_numpy(x)).numpy(), theirs(torch.from_numpy(x)).numpy()
    fresh = [
        t.ao.quantization.convert(prepared(t, network(t), "x86"))
        for t in _quietly((labtorch, torch))
    ]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    fresh[1].load_state_dict(carried(ours.state_dict(), labtorch, torch))
    fresh[0].load_state_dict(carried(theirs.state_dict(), torch, labtorch))
    quantum = ours.fc2.scale
    assert abs(fresh[1](torch.from_numpy(x)).numpy() - y).max() <= 1.001 * quantum
    assert abs(fresh[0](labtorch.from_numpy(x)).numpy() - reference).max() <= 1.001 * quantum


def _quietly(modules: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from modules


def test_what_is_saved_is_a_quarter():
    model = nn.Sequential(nn.Linear(300, 300))
    small = q.quantize_dynamic(model)
    sizes = []
    for each in (small, model):
        file = io.BytesIO()
        labtorch.save(each.state_dict(), file)
        sizes.append(len(file.getvalue()))
    assert sizes[0] / sizes[1] < 0.26


def test_a_copy_is_quantized_and_the_model_stays_as_it_was():
    model = network(labtorch)
    before = repr(model), [name for name, _ in model.named_modules()]
    x = labtorch.from_numpy(DATA[0])
    y = model(x)
    ready = calibrated(labtorch, prepared(labtorch, model, "x86"))
    told = repr(ready)
    small = q.convert(ready)
    assert (repr(model), [name for name, _ in model.named_modules()]) == before
    assert (model(x) == y).all() and repr(ready) == told
    again = copy.deepcopy(small)
    assert (again(x) == small(x)).all()
    assert not list(small.parameters()) or not [
        n for n, m in small.named_modules() if "activation_post_process" in n
        and not isinstance(m, nn.Identity)
    ]  # fmt: skip


def test_fusing_keeps_what_is_computed():
    model = network(labtorch)
    labtorch.manual_seed(0)
    for bn in (model.bn, model.bn2):
        bn.running_mean.normal_(), bn.running_var.uniform_(0.5, 2), bn.weight.data.uniform_(0.5, 2)
    x = labtorch.from_numpy(DATA[0])
    fused = q.fuse_modules(model, FUSED)
    assert labtorch.allclose(fused(x), model(x), atol=1e-5)
    assert type(fused.conv).__name__ == "ConvReLU2d" and type(fused.bn) is nn.Identity
    assert type(fused.conv2) is nn.Conv2d and type(fused.fc).__name__ == "LinearReLU"


def test_what_has_no_qconfig_stays_as_it_is():
    model = network(labtorch)
    model.qconfig = q.default_qconfig
    for each in (model.fc, model.fc2, model.relu2, model.sigmoid, model.drop):
        each.qconfig = None
    order = calibrated(labtorch, q.prepare(model))
    small = q.convert(order)
    assert (
        type(small.fc) is nn.Linear and type(small.conv)._get_name(small.conv) == "QuantizedConv2d"
    )


def test_hooks_move_to_what_takes_the_place():
    model = q.QuantWrapper(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
    seen = []
    model.module[0].register_forward_pre_hook(lambda m, args: seen.append(type(m).__name__))
    model.module[1].register_forward_hook(lambda m, args, y: seen.append(y.is_quantized))
    model = q.fuse_modules(model.eval(), ["module.0", "module.1"])
    model.qconfig = q.default_qconfig
    small = q.quantize(model, lambda m: m(labtorch.ones(1, 3)), ())
    seen.clear()
    small(labtorch.ones(1, 3))
    assert seen == ["LinearReLU", True]


def test_one_module_in_two_places_stays_one():
    shared = nn.Linear(3, 3)
    model = q.QuantWrapper(nn.Sequential(shared, shared))
    model.qconfig = q.default_qconfig
    small = q.quantize(model, lambda m: m(labtorch.ones(1, 3)), ())
    assert small.module[0] is small.module[1]


LAYERS = {
    "LayerNorm": lambda n: n.LayerNorm(6),
    "GroupNorm": lambda n: n.GroupNorm(2, 4),
    "InstanceNorm2d": lambda n: n.InstanceNorm2d(4, affine=True),
    "BatchNorm2d": lambda n: n.BatchNorm2d(4),
    "ELU": lambda n: n.ELU(0.7),
    "Hardswish": lambda n: n.Hardswish(),
    "LeakyReLU": lambda n: n.LeakyReLU(0.2),
    "ReLU6": lambda n: n.ReLU6(),
    "Sigmoid": lambda n: n.Sigmoid(),
    "Tanh": lambda n: n.Tanh(),
    "MaxPool2d": lambda n: n.MaxPool2d(2),
    "Flatten": lambda n: n.Flatten(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_between_grids_are_pytorchs_to_a_quantum(name):
    import torch

    x = numbers(2, 4, 6, 6) * 3
    found = []
    for t, model in zip((labtorch, torch), pair(lambda t: t.nn.Sequential(LAYERS[name](t.nn)))):
        flow = t.ao.quantization
        wrapped = flow.QuantWrapper(model.eval())
        wrapped.qconfig = flow.get_default_qconfig("qnnpack")
        small = flow.quantize(wrapped, lambda m, x: m(x), [t.from_numpy(x)])
        found.append(small.module(small.quant(t.from_numpy(x))))
    ours, theirs = found
    np.testing.assert_allclose(ours.q_scale(), theirs.q_scale(), rtol=1e-5)
    assert ours.q_zero_point() == theirs.q_zero_point()
    a, b = (each.int_repr().numpy().astype(int) for each in found)
    assert abs(a - b).max() <= 1


# ---------------------------------------------------------------- bad input
def test_a_model_that_was_not_prepared_says_so():
    model = q.QuantWrapper(nn.Linear(3, 2))
    model.qconfig = q.default_qconfig
    q.propagate_qconfig_(model)
    before = repr(model)
    with pytest.raises(AssertionError, match=r"convert: '\w+'.*prepare\(model\)"):
        q.convert(model, inplace=True)
    assert repr(model) == before


def test_a_model_of_which_nothing_was_quantized_is_warned_of():
    model = q.QuantWrapper(nn.Linear(3, 2))
    model.qconfig = q.default_qconfig  # of the model only: prepare() hands it down
    with pytest.warns(UserWarning, match=r"nothing was quantized.*prepare\(model\)"):
        q.convert(model)


@pytest.mark.parametrize(
    ("model", "kinds", "said"),
    [
        (nn.Linear(3, 2), None, r"itself the Linear.*nn.Sequential\(model\)"),
        (nn.Sequential(nn.Conv2d(1, 1, 1)), {nn.Conv2d}, "of a type with such a form: .*LSTM"),
    ],
)
def test_why_dynamic_quantization_changed_nothing_is_told(model, kinds, said):
    with pytest.warns(UserWarning, match=said):
        q.quantize_dynamic(model, kinds)


def test_a_weight_that_cannot_be_held_is_named():
    model = q.QuantWrapper(nn.Linear(3, 2))
    model.qconfig = q.QConfig(q.default_observer, q.default_observer)  # quint8 for weights, too
    ready = q.prepare(model)
    ready(labtorch.ones(1, 3))
    with pytest.raises(TypeError, match="convert: 'module'.*torch.qint8, not torch.quint8"):
        q.convert(ready)


def test_no_qconfig_at_all_is_warned_of():
    with pytest.warns(UserWarning, match="None of the submodule got qconfig"):
        q.prepare(nn.Sequential(nn.Linear(3, 2)))


def test_a_qconfig_that_is_none_is_named():
    model = nn.Sequential(nn.Linear(3, 2))
    model[0].qconfig = "x86"
    with pytest.raises(TypeError, match="'0' is 'x86'.*get_default_qconfig"):
        q.prepare(model)


def test_a_model_that_saw_no_data_refuses_to_compute_until_it_is_loaded():
    model = q.QuantWrapper(nn.Sequential(nn.Linear(3, 2)))
    model.qconfig = q.get_default_qconfig()
    x = labtorch.ones(1, 3)
    seen = q.quantize(model, lambda m: m(x), ())
    with pytest.warns(UserWarning, match="quant, module.0 saw no data"):
        unseen = q.convert(q.prepare(model))
    with pytest.raises(RuntimeError, match="saw no data before convert"):
        unseen(x)
    with pytest.raises(RuntimeError, match="saw no data before convert"):
        unseen.module(seen.quant(x))
    unseen.load_state_dict(seen.state_dict())
    assert (unseen(x) == seen(x)).all()


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_calibration_with_nan_or_infinity_is_refused(value):
    model = q.QuantWrapper(nn.Sequential(nn.Linear(3, 2)))
    model.qconfig = q.default_qconfig
    ready = q.prepare(model)
    with pytest.raises(RuntimeError, match="no grid reaches there"):
        ready(labtorch.tensor([[1.0, 2.0, float(value)]]))


def test_fusing_what_cannot_be_fused_is_refused_and_changes_nothing():
    model = network(labtorch)
    before = repr(model)
    with pytest.raises(NotImplementedError, match="Conv2d, Linear"):
        q.fuse_modules(model, [["conv", "bn", "relu"], ["conv2", "fc"]], inplace=True)
    with pytest.raises(AttributeError, match="no attribute `nothing`"):
        q.fuse_modules(model, [["conv", "bn"], ["conv2", "nothing"]], inplace=True)
    with pytest.raises(AssertionError, match="eval"):
        q.fuse_modules(model.train(), ["conv", "bn"], inplace=True)
    assert repr(model) == before
    same_error(
        lambda t: t.ao.quantization.fuse_modules(network(t), [["conv", "fc"]]), parent=Exception
    )


def test_unknown_dtypes_and_names_of_dynamic_quantization():
    model = nn.Sequential(nn.Linear(3, 2))
    same_error(lambda t: t.ao.quantization.quantize_dynamic(t.nn.Sequential(), dtype=t.int64))
    with pytest.raises(ValueError, match="no module 'encoder'"):
        q.quantize_dynamic(model, {"encoder"})
    with pytest.raises(TypeError, match=r"a set of types and names, as \{nn.Linear\}"):
        q.quantize_dynamic(model, nn.Linear)


def test_states_of_floats_and_of_integers_do_not_mix():
    model = network(labtorch)
    small = q.convert(calibrated(labtorch, prepared(labtorch, model, "x86")))
    before = model.conv.weight.tolist()
    with pytest.raises(RuntimeError, match="conv.weight is quantized in the checkpoint"):
        model.load_state_dict(small.state_dict())
    assert model.conv.weight.tolist() == before
    with pytest.raises(RuntimeError, match='"conv.weight" should be a tensor of torch.qint8'):
        small.load_state_dict(model.state_dict())


def test_programs_for_pytorch_run_unchanged():
    program = """
import labtorch
labtorch.as_torch()
import torch
import torch.nn as nn
import torch.nn.quantized as nnq
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.quantized.dynamic as nnqd
from torch.ao.quantization import QuantStub, get_default_qconfig, quantize_dynamic
from torch.ao.quantization.observer import MinMaxObserver
from torch.quantization import DeQuantStub, convert, prepare
model = nn.Sequential(QuantStub(), nn.Linear(3, 2), DeQuantStub()).eval()
model.qconfig = get_default_qconfig("fbgemm")
ready = prepare(model)
ready(torch.ones(1, 3))
small = convert(ready)
assert type(small[1]) is nnq.Linear and small(torch.ones(1, 3)).shape == (1, 2)
assert type(quantize_dynamic(model)[1]) is nnqd.Linear and nniq.LinearReLU(1, 1).relu
torch.backends.quantized.engine = "qnnpack"
assert torch.backends.quantized.engine == "qnnpack"
try:
    from torch.ao.quantization.quantize_fx import prepare_fx
except ImportError as error:
    assert "prepare() and convert()" in str(error), error
else:
    raise AssertionError("there is no graph mode")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr


def test_an_engine_is_one_that_pytorch_knows():
    engines = labtorch.backends.quantized
    for name in ("foo", None, 3):
        with pytest.raises(RuntimeError, match="valid value for quantized engine.*fbgemm"):
            engines.engine = name
    assert engines.engine == "x86"
