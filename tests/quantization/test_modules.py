"""Modules on integers: equal to PyTorch's kernels to a quantum."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import labtorch
from labtorch.nn import quantized as nnq
from labtorch.ops.quantization import quantized_linear_dynamic
from tests.oracle import same_error
from tests.quantization.both import carried, numbers, quanta

pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated")
        yield


def weight(t: Any, array: np.ndarray, per_channel: bool) -> Any:
    w = t.from_numpy(array)
    if not per_channel:
        return t.quantize_per_tensor(w, 0.03, 0, t.qint8)
    n = len(array)
    scales = t.linspace(0.01, 0.05, n, dtype=t.float64)
    return t.quantize_per_channel(w, scales, t.zeros(n, dtype=t.int64), 0, t.qint8)


def outputs(make: Any, w: np.ndarray, b: Any, x: np.ndarray, per_channel: bool) -> tuple:
    import torch

    found = []
    for t in (labtorch, torch):
        module = make(t.ao.nn)
        module.set_weight_bias(weight(t, w, per_channel), None if b is None else t.from_numpy(b))
        module.scale, module.zero_point = 0.11, 97
        found.append(module(t.quantize_per_tensor(t.from_numpy(x), 0.04, 110, t.quint8)))
    return tuple(found)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(5, 12), (2, 3, 12), (1, 700)])
def test_linear(per_channel, bias, relu, shape):
    def make(nn):
        made = nn.intrinsic.quantized.LinearReLU if relu else nn.quantized.Linear
        return made(shape[-1], 7)

    b = numbers(7, seed=2) if bias else None
    ours, theirs = outputs(make, numbers(7, shape[-1], seed=1), b, numbers(*shape), per_channel)
    assert quanta(ours, theirs) <= 1
    assert ours.int_repr().float().std() > 1, "the test sees more than the edges"


CONVOLUTIONS = {
    "plain": (2, {}),
    "padded": (2, {"padding": 1}),
    "strided": (2, {"stride": 2, "padding": (1, 0)}),
    "dilated": (2, {"dilation": 2}),
    "grouped": (2, {"groups": 2}),
    "reflected": (2, {"padding": 1, "padding_mode": "reflect"}),
    "of lines": (1, {"padding": 1, "stride": 2}),
    "of volumes": (3, {"padding": 1}),
}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, relu, per_channel):
    n, options = CONVOLUTIONS[name]

    def make(nn):
        space = nn.intrinsic.quantized if relu else nn.quantized
        return getattr(space, f"Conv{'ReLU' if relu else ''}{n}d")(4, 6, 3, **options)

    w = numbers(6, 4 // options.get("groups", 1), *(3,) * n, seed=1)
    x = numbers(2, 4, *(7,) * n)
    ours, theirs = outputs(make, w, numbers(6, seed=2), x, per_channel)
    assert quanta(ours, theirs) <= 1
    assert str(ours.shape) == str(labtorch.Size(theirs.shape))


def test_sums_are_those_of_integers():
    """The largest sums there are, which float32 does not hold: rows of 127 times codes of 255."""
    n = 40_000
    codes = np.full((1, n), 255, "uint8")
    codes[0, ::7] = 254
    w = np.full((2, n), 127, "int8")
    w[1, ::3] = 126
    exact = codes.astype(np.int64) @ w.T.astype(np.int64)
    assert exact.max() > 2**24
    x, laid = (
        labtorch.quantize_per_tensor(labtorch.from_numpy(each.astype("f")), 1.0, 0, kind)
        for each, kind in ((codes, labtorch.quint8), (w, labtorch.qint8))
    )
    layer = nnq.Linear(n, 2, bias_=False)
    layer.set_weight_bias(laid, None)
    layer.scale = float(exact[0, 0] / 250)
    assert layer(x).int_repr().tolist() == np.rint(exact / layer.scale).astype(int).tolist()
    unscaled = quantized_linear_dynamic(x.codes, laid.codes, None, x.grid, laid.grid)
    assert unscaled.tolist() == exact.astype(np.float32).tolist()


def test_ends_are_pytorchs():
    import torch

    x = numbers(3, 4)
    found = []
    for t in (labtorch, torch):
        end = t.ao.nn.quantized.Quantize(0.1, 30, t.quint8)
        found.append(end(t.from_numpy(x)))
        assert list(end.state_dict()) == ["scale", "zero_point"]
        back = t.ao.nn.quantized.DeQuantize()(found[-1])
        assert str(back.dtype) == "torch.float32"
    assert quanta(*found) == 0


PAIRS = {
    "add": lambda f, a, b: f.add(a, b),
    "mul": lambda f, a, b: f.mul(a, b),
    "add_relu": lambda f, a, b: f.add_relu(a, b),
    "cat": lambda f, a, b: f.cat([a, b], 1),
    "matmul": lambda f, a, b: f.matmul(a, b),
    **{f"add_scalar {c}": lambda f, a, b, c=c: f.add_scalar(a, c) for c in (0.5, -0.5, 9.0, -9.0)},
    **{f"mul_scalar {c}": lambda f, a, b, c=c: f.mul_scalar(a, c) for c in (0.5, -0.5, 0.0)},
}


@pytest.mark.parametrize("name", PAIRS)
def test_functionals_are_pytorchs(name):
    import torch

    found = []
    for t in (labtorch, torch):
        f = t.ao.nn.quantized.QFunctional()
        f.scale, f.zero_point = 0.07, 100
        a = t.quantize_per_tensor(t.from_numpy(numbers(4, 4)), 0.03, 120, t.quint8)
        b = t.quantize_per_tensor(t.from_numpy(numbers(4, 4, seed=1)), 0.05, 90, t.quint8)
        found.append(PAIRS[name](f, a, b))
    assert quanta(*found) <= 1


def test_embeddings_are_pytorchs():
    import torch

    found = []
    for t in (labtorch, torch):
        table = t.nn.Embedding(10, 5)
        table.weight.data = t.from_numpy(numbers(10, 5))
        small = t.ao.quantization.quantize_dynamic(t.nn.Sequential(table), dtype=t.quint8)
        found.append((small, small(t.tensor([[1, 2], [9, 0]])).numpy()))
    (ours, y), (theirs, reference) = found
    np.testing.assert_allclose(y, reference, atol=1e-5)
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(carried(theirs.state_dict(), torch, labtorch))
    theirs.load_state_dict(carried(ours.state_dict(), labtorch, torch))
    np.testing.assert_allclose(
        ours(labtorch.arange(10)).numpy(), theirs(torch.arange(10)), atol=1e-5
    )
    with pytest.raises(IndexError, match="10 rows"):
        ours(labtorch.tensor([10]))


def test_bags_are_pytorchs():
    import torch

    found = []
    for t in (labtorch, torch):
        table = t.nn.EmbeddingBag(10, 5, mode="sum")
        table.weight.data = t.from_numpy(numbers(10, 5))
        small = t.ao.quantization.quantize_dynamic(t.nn.Sequential(table), dtype=t.quint8)[0]
        found.append(small(t.tensor([1, 2, 9, 0]), t.tensor([0, 3])).numpy())
    np.testing.assert_allclose(*found, atol=1e-5)


# ---------------------------------------------------------------- bad input
def test_floats_are_refused_where_integers_are_taken():
    x = numbers(1, 4, 4, 4)
    for make in (lambda nnq: nnq.Linear(4, 2), lambda nnq: nnq.Conv2d(4, 2, 3)):
        with pytest.raises(NotImplementedError, match="takes a quantized tensor.*QuantStub"):
            make(nnq)(labtorch.from_numpy(x))
        same_error(lambda t, x, make=make: make(t.ao.nn.quantized)(x), x)
    with pytest.raises(NotImplementedError, match="takes a quantized tensor.*QuantStub"):
        nnq.DeQuantize()(labtorch.from_numpy(x))


def test_integers_are_refused_where_floats_are_taken():
    q = labtorch.quantize_per_tensor(labtorch.ones(1, 4), 0.1, 0, labtorch.quint8)
    with pytest.raises(NotImplementedError, match="nn.quantized.Linear"):
        labtorch.nn.Linear(4, 2)(q)
    with pytest.raises(RuntimeError, match="takes floats"):
        nnq.dynamic.Linear(4, 2)(q)


def test_shapes_that_do_not_fit_are_named():
    def quantized(*shape):
        return labtorch.quantize_per_tensor(labtorch.ones(*shape), 0.1, 0, labtorch.quint8)

    with pytest.raises(RuntimeError, match="input is 5, the layer takes 4"):
        nnq.Linear(4, 2)(quantized(3, 5))
    with pytest.raises(RuntimeError, match="3 channels, the layer takes 4"):
        nnq.Conv2d(4, 2, 3)(quantized(1, 3, 5, 5))
    with pytest.raises(ValueError, match="N, C, H, W"):
        nnq.Conv2d(4, 2, 3)(quantized(4, 5, 5))
    large = labtorch.quantize_per_tensor(labtorch.ones(2, 4, 5, 5), 0.1, 0, labtorch.qint8)
    with pytest.raises(ValueError, match="size mismatch"):
        nnq.Conv2d(4, 2, 3).set_weight_bias(large, None)
    with pytest.raises(TypeError, match="qint8"):
        nnq.Linear(4, 2).set_weight_bias(labtorch.ones(2, 4), None)


def test_a_state_that_does_not_fit_leaves_the_module_as_it_was():
    layer, other = nnq.Linear(4, 2), nnq.Linear(5, 2)
    layer.scale, layer.zero_point = 0.5, 3
    before = layer.weight()
    with pytest.raises(RuntimeError, match="size mismatch"):
        layer.load_state_dict(other.state_dict())
    assert (layer.scale, layer.zero_point) == (0.5, 3) and layer.weight() is before
    state = layer.state_dict()
    state["scale"] = labtorch.tensor(-1.0)
    with pytest.raises(RuntimeError, match="should be positive"):
        layer.load_state_dict(state)
    state["scale"], state["zero_point"] = labtorch.tensor(0.5), labtorch.tensor(999)
    with pytest.raises(RuntimeError, match="zero_point.*eight bits, not 999"):
        layer.load_state_dict(state)
    assert (layer.scale, layer.zero_point) == (0.5, 3)
    del state["scale"]
    with pytest.raises(RuntimeError, match="Missing key.*scale"):
        layer.load_state_dict(state)
    state = layer.state_dict()
    state["more"] = labtorch.ones(1)
    with pytest.raises(RuntimeError, match="Unexpected key.*more"):
        layer.load_state_dict(state)


def test_old_paths_lead_to_the_same_names():
    import labtorch.nn.quantized.dynamic as older

    import labtorch.ao.nn.quantized.dynamic as newer

    assert newer.Linear is older.Linear is labtorch.nn.quantized.dynamic.Linear
    from labtorch.ao.quantization.observer import MinMaxObserver

    assert labtorch.quantization.MinMaxObserver is MinMaxObserver
    assert labtorch.ao.quantization is labtorch.quantization
    with pytest.raises(AttributeError, match="quantize_dynamic"):
        labtorch.quantization.quantize_weighter


def test_layers_refuse_what_is_on_a_gpu():
    class There(labtorch.Tensor):
        """What a tensor on a GPU says of itself."""

        is_cuda = True
        device = labtorch.device("cuda")

    x = labtorch.ones(1, 3)
    x.__class__ = There
    codes = labtorch.quantize_per_tensor(labtorch.ones(1, 3), 0.1, 0, labtorch.quint8)
    codes.codes.__class__ = There
    fixed, dynamic = nnq.Linear(3, 2), nnq.dynamic.Linear(3, 2)
    for layer, given in ((fixed, codes), (dynamic, x)):
        with pytest.raises(NotImplementedError, match=r"on the CPU only.*cuda.*x\.cpu\(\)"):
            layer(given)
