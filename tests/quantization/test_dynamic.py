"""Weights of one byte, inputs quantized as they come: against PyTorch."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest

import labtorch
from labtorch import nn
from labtorch import quantization as q
from tests.quantization.both import carried, numbers, pair

pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated")
        yield


def results(make: Any, *arrays: np.ndarray, dtype: str = "qint8", call: Any = None) -> list:
    """What a model gives here and in PyTorch, dynamically quantized."""
    import torch

    found = []
    for t, model in zip((labtorch, torch), pair(lambda t: t.nn.ModuleList([make(t.nn)]).eval())):
        small = t.ao.quantization.quantize_dynamic(model, dtype=getattr(t, dtype))[0]
        given = [t.from_numpy(each) for each in arrays]
        found.append(call(t, small, *given) if call else small(*given))
    return found


def flat(result: Any) -> list[np.ndarray]:
    if isinstance(result, tuple):
        return [array for each in result for array in flat(each)]
    return [result.detach().numpy()]


def close(found: list, atol: float) -> None:
    ours, theirs = map(flat, found)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, atol=atol)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 6), (2, 3, 6)])
def test_linear(bias, shape):
    close(results(lambda n: n.Linear(6, 4, bias), numbers(*shape) + 1), 1e-6)


def test_float16_rounds_weights_only():
    close(results(lambda n: n.Linear(6, 4), numbers(5, 6), dtype="float16"), 1e-5)
    small = q.quantize_dynamic(nn.Sequential(nn.Linear(6, 4)), dtype=labtorch.float16)
    assert str(small[0].weight().dtype) == "torch.float16"


OPTIONS = {
    "plain": {},
    "layers": {"num_layers": 2},
    "both ways": {"bidirectional": True, "num_layers": 2},
    "batch first": {"batch_first": True},
}


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
@pytest.mark.parametrize("options", OPTIONS)
def test_recurrent_layers(name, options):
    # a value half between two codes may fall to either side, so that one step differs by a quantum
    close(results(lambda n: getattr(n, name)(6, 8, **OPTIONS[options]), numbers(7, 3, 6)), 5e-3)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_given_states(name):
    x, h, c = numbers(7, 3, 6), numbers(1, 3, 8, seed=1), numbers(1, 3, 8, seed=2)

    def call(t, model, x, h, c):
        return model(x, (h, c) if name == "LSTM" else h)

    close(results(lambda n: getattr(n, name)(6, 8), x, h, c, call=call), 5e-3)


def test_packed_sequences():
    def call(t, model, x):
        packed = t.nn.utils.rnn.pack_padded_sequence(x, t.tensor([7, 4, 2]))
        y, states = model(packed)
        return t.nn.utils.rnn.pad_packed_sequence(y)[0], states

    close(results(lambda n: n.LSTM(6, 8, bidirectional=True), numbers(7, 3, 6), call=call), 5e-3)


@pytest.mark.parametrize("name", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells(name):
    close(results(lambda n: getattr(n, name)(6, 8), numbers(3, 6)), 1e-5)


def language_model(t: Any) -> Any:
    class LanguageModel(t.nn.Module):
        def __init__(self):
            super().__init__()
            n = t.nn
            self.drop, self.encoder = n.Dropout(0.5), n.Embedding(30, 16)
            self.rnn, self.decoder = n.LSTM(16, 24, 2, dropout=0.5), n.Linear(24, 30)

        def forward(self, words, hidden):
            output, hidden = self.rnn(self.drop(self.encoder(words)), hidden)
            return self.decoder(self.drop(output)), hidden

    return LanguageModel().eval()


def test_a_language_model_is_quantized_as_by_pytorch():
    import torch

    words, found, texts = np.random.default_rng(0).integers(0, 30, (9, 4)), [], []
    for t, model in zip((labtorch, torch), pair(language_model)):
        small = t.quantization.quantize_dynamic(model, {t.nn.LSTM, t.nn.Linear}, dtype=t.qint8)
        hidden = t.zeros(2, 4, 24), t.zeros(2, 4, 24)
        texts.append(repr(small))
        with t.no_grad():
            found.append(small(t.from_numpy(words), hidden))
            exact = model(t.from_numpy(words), hidden)[0]
            assert abs(found[-1][0] - exact).max() < 0.02
    assert texts[0] == texts[1]
    close(found, 5e-3)


def test_float16_recurrence_is_near_the_floats():
    model = nn.LSTM(6, 8)
    small = q.quantize_dynamic(nn.ModuleList([model]), dtype=labtorch.float16)[0]
    x = labtorch.from_numpy(numbers(7, 3, 6))
    assert labtorch.allclose(small(x)[0], model(x)[0], atol=1e-3)


def test_states_of_linear_layers_travel_both_ways():
    import torch

    models = [
        t.ao.quantization.quantize_dynamic(model)
        for t, model in zip((labtorch, torch), pair(lambda t: t.nn.Sequential(t.nn.Linear(6, 4))))
    ]
    fresh = [
        t.ao.quantization.quantize_dynamic(t.nn.Sequential(t.nn.Linear(6, 4)))
        for t in (labtorch, torch)
    ]
    fresh[0].load_state_dict(carried(models[1].state_dict(), torch, labtorch))
    fresh[1].load_state_dict(carried(models[0].state_dict(), labtorch, torch))
    x = numbers(5, 6)
    want = models[1](torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(fresh[0](labtorch.from_numpy(x)).numpy(), want, atol=1e-6)
    np.testing.assert_allclose(fresh[1](torch.from_numpy(x)).numpy(), want, atol=1e-6)
    assert repr(fresh[0]) == repr(fresh[1])


@pytest.mark.parametrize("make", [lambda: nn.LSTM(30, 40, 2), lambda: nn.GRU(30, 40),
                                  lambda: nn.LSTMCell(30, 40)])  # fmt: skip
def test_recurrent_states_are_saved_in_a_quarter_and_load(make):
    model = nn.ModuleList([make()])
    small, fresh = q.quantize_dynamic(model), q.quantize_dynamic(nn.ModuleList([make()]))
    sizes = []
    for each in (small, model):
        file = io.BytesIO()
        labtorch.save(each.state_dict(), file)
        sizes.append(len(file.getvalue()))
        if each is small:
            file.seek(0)
            fresh.load_state_dict(labtorch.load(file))
    assert sizes[0] / sizes[1] < 0.4, "biases stay floats"
    cell = isinstance(model[0], nn.LSTMCell)
    x = labtorch.from_numpy(numbers(5, 30) if cell else numbers(5, 2, 30))
    for a, b in zip(flat(small[0](x)), flat(fresh[0](x))):
        assert (a == b).all()
    wrong = q.quantize_dynamic(nn.ModuleList([nn.LSTM(30, 41, 2)]))
    if isinstance(small[0], nn.LSTM):
        with pytest.raises(RuntimeError, match="size mismatch"):
            fresh.load_state_dict(wrong.state_dict())
        assert (flat(fresh[0](x))[0] == flat(small[0](x))[0]).all()


def test_names_and_types_choose_what_is_quantized():
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3)), nn.LSTM(3, 3))
    small = q.quantize_dynamic(model, {"1.0", nn.LSTM})
    assert type(small[0]) is nn.Linear and type(small[1][0]) is q.dynamic.Linear
    assert small[2]._get_name() == "DynamicQuantizedLSTM"
    per_channel = q.quantize_dynamic(model, {nn.Linear: q.per_channel_dynamic_qconfig})
    assert per_channel[0].weight().qscheme() is labtorch.per_channel_affine


def test_nan_is_refused():
    small = q.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(RuntimeError, match="NaN or infinity"):
        small(labtorch.tensor([[1.0, 2.0, float("nan")]]))
