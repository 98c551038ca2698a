"""State dicts are safetensors files unless the name says otherwise, and load by their content."""

from __future__ import annotations

import io
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.numpy

import labtorch
from labtorch import nn, optim


def _is_zip(path) -> bool:
    return zipfile.is_zipfile(path)


def _model():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 5))
    model[3].weight = model[0].weight  # tied
    return model


@pytest.mark.parametrize("name", ["weights", "model.safetensors", "model.v2", "model.SAFETENSORS"])
def test_a_state_dict_is_written_as_safetensors(tmp_path, name):
    model, path = _model(), tmp_path / name
    labtorch.save(model.state_dict(), path)
    there = safetensors.numpy.load_file(path)
    assert set(there) == set(model.state_dict())
    back = labtorch.load(path)
    assert list(back) == list(model.state_dict()), "in the order in which it was saved"
    other = _model()
    assert not any(other.load_state_dict(back))
    assert other[3].weight is other[0].weight
    for key, value in model.state_dict().items():
        assert labtorch.equal(other.state_dict()[key], value)
        np.testing.assert_array_equal(there[key], value.numpy())


@pytest.mark.parametrize(
    "name", ["m.pt", "m.pth", "m.bin", "m.ckpt", "m.pth.tar", "m.pkl", "m.PTH", "m.th"]
)
def test_names_of_pytorchs_format_get_it(tmp_path, name):
    labtorch.save(_model().state_dict(), tmp_path / name)
    assert _is_zip(tmp_path / name)
    assert not any(_model().load_state_dict(labtorch.load(tmp_path / name)))


@pytest.mark.parametrize(
    "value",
    [
        {"model": {"w": labtorch.ones(1)}},
        {"w": labtorch.ones(1), "epoch": 3},
        {1: labtorch.ones(1)},
        {"w": nn.Parameter(labtorch.ones(1))},  # it asks for a gradient
        {"w": labtorch.ones(1, dtype=labtorch.complex128)},
        [labtorch.ones(1)],
        labtorch.ones(1),
        {},
    ],
)
def test_more_than_a_dict_of_tensors_gets_pytorchs_format(tmp_path, value):
    labtorch.save(value, tmp_path / "thing")
    assert _is_zip(tmp_path / "thing")
    assert str(labtorch.load(tmp_path / "thing")) == str(value)
    file = io.BytesIO()
    labtorch.save({"w": labtorch.ones(1)}, file)
    assert _is_zip(file)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"w": labtorch.ones(1), "epoch": 3}, "'epoch' is a int, not a tensor"),
        ({1: labtorch.ones(1)}, "the key 1 is not a string"),
        (labtorch.ones(1), "not a dict"),
        ({"w": labtorch.ones(1, dtype=labtorch.complex128)}, "complex128"),
        ({"__metadata__": labtorch.ones(1)}, "for itself"),
    ],
)
def test_what_safetensors_cannot_hold_is_refused_by_name(tmp_path, value, match):
    path = tmp_path / "model.safetensors"
    labtorch.save({"w": labtorch.zeros(1)}, path)
    with pytest.raises(ValueError, match=match):
        labtorch.save(value, path)
    assert labtorch.load(path)["w"].tolist() == [0]
    assert [each.name for each in tmp_path.iterdir()] == ["model.safetensors"]


def test_views_are_written_as_what_they_show(tmp_path):
    base = labtorch.arange(24.0).reshape(2, 3, 4)
    state = OrderedDict(
        all=base, t=base.permute(2, 0, 1), part=base[1, :, ::2], wide=base[0, 0, :1].expand(3),
        scalar=base[0, 1, 2], empty=base[:0], flipped=base.flip(0),
    )  # fmt: skip
    labtorch.save(state, tmp_path / "views.safetensors")
    there = safetensors.numpy.load_file(tmp_path / "views.safetensors")
    for name, value in labtorch.load(tmp_path / "views.safetensors").items():
        assert value.shape == state[name].shape and labtorch.equal(value, state[name])
        np.testing.assert_array_equal(there[name], state[name].numpy())
    labtorch.load(tmp_path / "views.safetensors")["all"][0] = 1  # writable


def test_a_place_is_given_in_every_way(tmp_path):
    labtorch.save({"w": labtorch.ones(1)}, tmp_path / "m")
    for where in ("cpu", labtorch.device("cpu"), {"cpu": "cpu"}, lambda tensor, tag: tensor):
        assert labtorch.load(tmp_path / "m", map_location=where)["w"].device.type == "cpu"


# ---------------------------------------------------------------- states that do not fit
def _bits(model) -> list[bytes]:
    return [value.numpy().tobytes() for value in model.state_dict().values()]


def _bent(change) -> dict:
    state = OrderedDict((k, v.clone() + 1) for k, v in _model().state_dict().items())
    change(state)
    return state


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda s: s.update({"3.bias": labtorch.ones(6)}), "size mismatch for 3.bias"),
        (lambda s: s.update({"3.bias": 3}), "expected torch.Tensor"),
        (lambda s: s.update({"3.bias": labtorch.ones(5) * 1j}), "dtype mismatch for 3.bias"),
        (lambda s: s.update({"2.num_batches_tracked": labtorch.tensor(1.5)}), "dtype mismatch"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, match, strict):
    model = _model()
    before = _bits(model)
    with pytest.raises(RuntimeError, match=match):
        model.load_state_dict(_bent(change), strict=strict)
    assert _bits(model) == before


def test_all_that_is_wrong_is_told_at_once():
    def change(state):
        del state["1.weight"]
        state["other"] = labtorch.ones(1)
        state["1.bias"] = labtorch.ones(9)
        state["3.bias"] = labtorch.ones(9)

    model = _model()
    before = _bits(model)
    with pytest.raises(RuntimeError) as raised:
        model.load_state_dict(_bent(change))
    for words in (
        'Missing key(s) in state_dict: "1.weight"',
        'Unexpected key(s) in state_dict: "o',
    ):
        assert words in str(raised.value)
    assert str(raised.value).count("size mismatch") == 2
    assert _bits(model) == before


def test_a_lazy_layer_stays_lazy_when_its_state_does_not_fit():
    model = nn.Sequential(nn.LazyLinear(2), nn.Linear(2, 2))
    state = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.load_state_dict(state | {"1.bias": labtorch.ones(3)})
    assert nn.parameter.is_lazy(model[0].weight)
    model.load_state_dict(state)
    assert model[0].weight.shape == (2, 3)


def test_an_extra_state_that_fails_leaves_the_weights():
    class Fussy(nn.Linear):
        def get_extra_state(self):
            return 1

        def set_extra_state(self, state):
            raise ValueError("not this one")

    model, other = Fussy(2, 2), Fussy(2, 2)
    weights = model.weight.detach().clone()
    with pytest.raises(ValueError, match="not this one"):
        model.load_state_dict(other.state_dict())
    assert labtorch.equal(model.weight, weights)


def _trained():
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    model(labtorch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["state"][1].update(exp_avg=labtorch.ones(3)),
        lambda s: s["state"][0].update(exp_avg_sq=labtorch.ones(3, 2)),
        lambda s: s["state"][1].update(exp_avg=labtorch.ones(2) * 1j),
        lambda s: s["state"].update({1: 5}),
        lambda s: s["param_groups"].append({"params": []}),
        lambda s: s["param_groups"][0]["params"].append(2),
        lambda s: s["param_groups"][0].pop("params"),
        lambda s: s.pop("state"),
    ],
)
def test_an_optimizer_takes_a_whole_state_or_nothing(change):
    optimizer, state = _trained(), _trained().state_dict()
    state = {"state": {k: dict(v) for k, v in state["state"].items()}} | {
        "param_groups": [dict(g, params=[*g["params"]]) for g in state["param_groups"]]
    }
    change(state)
    before, tensors = str(optimizer.state_dict()), [*optimizer.state.values()]
    with pytest.raises(ValueError):
        optimizer.load_state_dict(state)
    assert str(optimizer.state_dict()) == before
    assert all(a is b for a, b in zip(optimizer.state.values(), tensors))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda net: {"model": net.state_dict(), "epoch": 3}, r"checkpoint\['model'\]"),
        (lambda net: nn.DataParallel(net).state_dict(), "consume_prefix_in_state_dict_if_present"),
    ],
)
def test_where_the_names_are_is_told(given, said):
    net = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(RuntimeError, match=said):
        net.load_state_dict(given(net))
    with pytest.raises(RuntimeError, match="model.module.load_state_dict"):
        nn.DataParallel(net).load_state_dict(net.state_dict())
