"""Observers, fake quantizers and QConfigs, with PyTorch as the oracle."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import labtorch
from labtorch import quantization as q
from tests.oracle import same, same_error
from tests.quantization.both import numbers

pytestmark = pytest.mark.oracle
SCHEMES = ("per_tensor_affine", "per_tensor_symmetric")
CHANNELS = ("per_channel_affine", "per_channel_symmetric", "per_channel_affine_float_qparams")


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated|.*reduce_range")
        yield


def batches() -> list[np.ndarray]:
    """Of different ranges, one with outliers, one empty."""
    made = [numbers(8, 6, seed=i) * (i + 1) + i for i in range(4)]
    made[2][0, 0] = 60.0
    return [*made, np.zeros((0, 6), "float32")]


def qparams(t: Any, observer: Any, data: list[np.ndarray]) -> Any:
    for each in data:
        observer(t.from_numpy(each.copy()))
    return observer.calculate_qparams()


@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "name", ["MinMaxObserver", "MovingAverageMinMaxObserver", "HistogramObserver"]
)
def test_ranges_of_tensors_are_pytorchs(name, scheme, dtype):
    def run(t):
        made = getattr(t.ao.quantization, name)(dtype=getattr(t, dtype), qscheme=getattr(t, scheme))
        return qparams(t, made, batches())

    same(lambda t: run(t), gradients=False, rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("scheme", CHANNELS)
@pytest.mark.parametrize(
    "name", ["PerChannelMinMaxObserver", "MovingAveragePerChannelMinMaxObserver"]
)
def test_ranges_of_channels_are_pytorchs(name, scheme, axis):
    def run(t):
        made = getattr(t.ao.quantization, name)(ch_axis=axis, qscheme=getattr(t, scheme))
        return qparams(t, made, batches()[:4])

    same(lambda t: run(t), gradients=False, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("options", [{"reduce_range": True}, {"quant_min": 0, "quant_max": 15}])
def test_levels_are_pytorchs(options):
    same(
        lambda t: qparams(t, t.ao.quantization.MinMaxObserver(**options), batches()),
        gradients=False,
        rtol=1e-6,
    )


QCONFIGS = [n for n in dir(q) if n.endswith("qconfig") and isinstance(getattr(q, n), q.QConfig)]


def _both_parts(t: Any, qconfig: Any) -> Any:
    """What the observers of a QConfig choose, or what they say they are."""
    found = []
    for part in qconfig:
        made = part()
        try:
            found.append(qparams(t, made, batches()[:3]))
        except Exception:
            found.append(type(made).__name__)
    return found


@pytest.mark.parametrize("name", QCONFIGS)
def test_default_qconfigs_are_pytorchs(name):
    same(
        lambda t: _both_parts(t, getattr(t.ao.quantization, name)),
        gradients=False,
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("backend", ["x86", "fbgemm", "qnnpack", "onednn"])
@pytest.mark.parametrize("qat", [False, True])
def test_qconfigs_of_backends_are_pytorchs(backend, qat):
    name = "get_default_qat_qconfig" if qat else "get_default_qconfig"

    def run(t):
        found = getattr(t.ao.quantization, name)(backend)
        made = [make() for make in found]
        told = [(str(p.dtype), str(p.qscheme), p.quant_min, p.quant_max) for p in made]
        return told, _both_parts(t, found)

    same(lambda t: run(t), gradients=False, rtol=1e-5, atol=1e-5)


def test_fake_quantizers_round_and_learn_as_pytorchs():
    def run(t, x):
        made = t.ao.quantization.FakeQuantize(
            t.ao.quantization.MovingAverageMinMaxObserver, quant_min=0, quant_max=255
        )
        first, second = made(x), made(x * 2)
        made.apply(t.ao.quantization.disable_observer)
        third = made(x * 5)
        made.apply(t.ao.quantization.disable_fake_quant)
        return first, second, third, made(x * 7), made.scale, made.zero_point

    same(run, numbers(4, 5))


def test_states_of_observers_travel():
    import torch

    from tests.quantization.both import carried

    ours, theirs = (
        t.ao.quantization.FakeQuantize(t.ao.quantization.MovingAveragePerChannelMinMaxObserver,
                                       quant_min=0, quant_max=255)
        for t in (labtorch, torch)
    )  # fmt: skip
    theirs(torch.from_numpy(numbers(3, 4)))
    ours.load_state_dict(carried(theirs.state_dict(), torch, labtorch))
    np.testing.assert_array_equal(ours.scale.numpy(), theirs.scale.numpy())
    fresh = torch.ao.quantization.FakeQuantize(
        torch.ao.quantization.MovingAveragePerChannelMinMaxObserver, quant_min=0, quant_max=255
    )
    fresh.load_state_dict(carried(ours.state_dict(), labtorch, torch))
    assert fresh.scale.equal(theirs.scale)


# ---------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    "make",
    [
        lambda q, t: q.MinMaxObserver(qscheme=t.per_channel_affine),
        lambda q, t: q.PerChannelMinMaxObserver(qscheme=t.per_tensor_affine),
        lambda q, t: q.MinMaxObserver(dtype=t.float32),
        lambda q, t: q.MinMaxObserver(quant_min=5, quant_max=10),
        lambda q, t: q.FakeQuantize(quant_min=10, quant_max=5),
        lambda q, t: q.FakeQuantize(quant_min=-5, quant_max=5),
        lambda q, t: q.get_default_qconfig("fpga"),
        lambda q, t: q.QConfig(activation=q.MinMaxObserver(), weight=q.MinMaxObserver),
        lambda q, t: q.PlaceholderObserver().calculate_qparams(),
    ],
)
def test_what_pytorch_refuses_is_refused(make):
    same_error(lambda t: make(t.ao.quantization, t))


def test_there_are_no_more_levels_than_integers():
    with pytest.raises(AssertionError, match="more than 256 integers"):
        q.MinMaxObserver(quant_min=-300, quant_max=300)


def test_an_observer_that_saw_nothing_says_so():
    with pytest.warns(UserWarning, match="must run observer"):
        scale, zero = q.MinMaxObserver().calculate_qparams()
    assert (scale.item(), zero.item()) == (1.0, 0)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "observer", [q.MinMaxObserver(), q.MovingAverageMinMaxObserver(), q.PerChannelMinMaxObserver()]
)
def test_nan_and_infinity_have_no_grid(observer, value):
    before = observer.min_val.clone()
    with pytest.raises(RuntimeError, match="NaN|infinity"):
        observer(labtorch.tensor([[1.0, float(value)]]))
    assert observer.min_val.tolist() == before.tolist()


def test_a_histogram_leaves_infinity_out():
    observer = q.HistogramObserver()
    with pytest.warns(UserWarning, match="inf"):
        observer(labtorch.tensor([0.0, 1.0, float("inf")]))
    assert observer.max_val.item() == 1.0
    with pytest.raises(RuntimeError, match="NaN"):
        observer(labtorch.tensor([0.0, float("nan")]))


def test_an_axis_that_is_not_there():
    with pytest.raises(IndexError, match="ch_axis is 3"):
        q.PerChannelMinMaxObserver(ch_axis=3)(labtorch.zeros(2, 2))
