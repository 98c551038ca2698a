"""What PyTorch saved gives the same outputs here, and what is saved here gives them there."""

from __future__ import annotations

import copy
import importlib
import io
import math
import pickle
import warnings
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import labtorch

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
pytestmark = pytest.mark.oracle
harness = importlib.import_module("tests.conformance.harness")  # it imports PyTorch
INFOS = {
    info.name: info
    for info in importlib.import_module("torch.testing._internal.common_modules").module_db
}
# layers of tier 1 that PyTorch has no samples for: how they are made, and the shape of an input
OTHERS = {
    "nn.Sequential": (lambda n: n.Sequential(n.Linear(4, 3), n.ReLU(), n.Linear(3, 2)), (5, 4)),
    "nn.ModuleList": (lambda n: _Listed(n), (5, 4)),
    "nn.Dropout": (lambda n: n.Dropout(0.5), (5, 4)),
    "nn.Dropout2d": (lambda n: n.Dropout2d(0.5), (5, 4, 2, 2)),
    "nn.Flatten": (lambda n: n.Flatten(), (5, 4, 2)),
    "nn.Identity": (lambda n: n.Identity(), (5, 4)),
    "nn.TransformerEncoder": (
        lambda n: n.TransformerEncoder(
            n.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2, enable_nested_tensor=False
        ),
        (2, 3, 4),
    ),
}


def _Listed(n: Any) -> Any:
    class Listed(n.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = n.ModuleList([n.Linear(4, 4), n.Linear(4, 2)])

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    return Listed()


def _carried(state: Any, writer: Any, reader: Any) -> Any:
    """Saved by one library, loaded by the other, from memory."""
    file = io.BytesIO()
    writer.save(state, file)
    file.seek(0)
    return reader.load(file, weights_only=True)


def _exchange(theirs: Any, ours: Any, other: Any) -> None:
    """PyTorch's weights to ours, and ours to another of PyTorch's."""
    assert not any(ours.load_state_dict(_carried(theirs.state_dict(), torch, labtorch)))
    assert not any(other.load_state_dict(_carried(ours.state_dict(), labtorch, torch)))
    for name, value in theirs.state_dict().items():  # there and back: to the last bit
        assert torch.equal(other.state_dict()[name], value), name


def _same(found: Any, expected: Any, other: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert torch.equal(other, expected) or torch.isnan(expected).any()
        mine = found.detach().numpy()
        largest = max(1.0, float(np.abs(np.nan_to_num(expected.detach().numpy())).max(initial=0)))
        np.testing.assert_allclose(mine, expected.detach().numpy(), 1e-4, 1e-5 * largest)
    elif isinstance(expected, (tuple, list)):
        for parts in zip(found, expected, other, strict=True):
            _same(*parts)


@pytest.mark.parametrize("name", harness.names("modules.txt"))
def test_weights_of_a_layer_travel_both_ways(name):
    info, ran = INFOS[name], 0
    torch.manual_seed(0)
    for sample in info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=False
    )[:6]:
        to = harness.Translation()
        given, call = sample.constructor_input, sample.forward_input
        try:
            args, kwargs = to(given.args), to(given.kwargs)
            inputs = to(call.args), to(call.kwargs)
        except harness.Unposable:
            continue
        with warnings.catch_warnings(action="ignore"):
            theirs, other = (
                info.module_cls(*given.args, **copy.deepcopy(given.kwargs)).eval() for _ in "ab"
            )
            ours = harness.find(labtorch, name)(*args, **kwargs).eval()
            expected = theirs(*call.args, **call.kwargs)  # a lazy one learns its shapes
            _exchange(theirs, ours, other)
            found = ours(*inputs[0], **inputs[1])
            again = other(*call.args, **call.kwargs)
        _same(found, expected, again)
        ran += 1
    assert ran


@pytest.mark.parametrize("name", OTHERS)
def test_weights_of_other_layers_travel_both_ways(name):
    make, shape = OTHERS[name]
    torch.manual_seed(0)
    theirs, ours, other = make(torch.nn).eval(), make(labtorch.nn).eval(), make(torch.nn).eval()
    _exchange(theirs, ours, other)
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    _same(ours(labtorch.tensor(x)), theirs(torch.tensor(x)), other(torch.tensor(x)))


OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adadelta": {},
    "Adagrad": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
    "ASGD": {},
    "Rprop": {},
    "Adafactor": {},
    "LBFGS": {"lr": 0.1, "max_iter": 3},
}
SCHEDULES = {
    "StepLR": lambda s, o: s.StepLR(o, 2, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5], 0.3),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.9**epoch),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 8),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, total_iters=6),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 7, 2.0),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, patience=1),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.5, 20, cycle_momentum=False),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, cycle_momentum=False),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9)], [3]
    ),
}


class _Run:
    """A least-squares fit with an optimizer and a schedule, in either library."""

    def __init__(self, t: Any, optimizer: str, schedule: str) -> None:
        draw = np.random.default_rng(0)
        self.t = t
        self.x = t.tensor(draw.standard_normal((8, 3)).astype("float32"))
        self.w = t.nn.Parameter(t.tensor(draw.standard_normal((3, 2)).astype("float32")))
        self.b = t.nn.Parameter(t.tensor(draw.standard_normal(2).astype("float32")))
        self.optimizer = getattr(t.optim, optimizer)([self.w, self.b], **OPTIMIZERS[optimizer])
        self.schedule = SCHEDULES[schedule](t.optim.lr_scheduler, self.optimizer)

    def loss(self) -> Any:
        self.optimizer.zero_grad()
        loss = ((self.x @ self.w + self.b - 1) ** 2).mean()
        loss.backward()
        return loss

    def steps(self, n: int) -> None:
        for _ in range(n):
            loss = self.optimizer.step(self.loss)
            metric = [1.0] if "Plateau" in type(self.schedule).__name__ else []
            assert math.isfinite(loss.item())
            with warnings.catch_warnings(action="ignore"):
                self.schedule.step(*metric)

    def state(self) -> dict:
        weights = OrderedDict(w=self.w.detach(), b=self.b.detach())
        parts = {"optimizer": self.optimizer, "schedule": self.schedule}
        return {"w": weights} | {name: part.state_dict() for name, part in parts.items()}

    def load(self, state: dict) -> None:
        with self.t.no_grad():
            self.w.copy_(state["w"]["w"]), self.b.copy_(state["w"]["b"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])


@pytest.mark.parametrize("writer", ["torch", "labtorch"])
@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [*((each, "StepLR") for each in OPTIMIZERS), *(("SGD", each) for each in SCHEDULES)],
)
def test_a_training_goes_on_in_the_other_library(optimizer, schedule, writer):
    first, second = (torch, labtorch) if writer == "torch" else (labtorch, torch)
    run, other = _Run(first, optimizer, schedule), _Run(second, optimizer, schedule)
    run.steps(4)
    other.load(_carried(run.state(), first, second))
    run.steps(4), other.steps(4)
    for mine, its in ((run.w, other.w), (run.b, other.b)):
        np.testing.assert_allclose(
            mine.detach().numpy(), its.detach().numpy(), rtol=2e-5, atol=2e-6
        )
    rates = [group["lr"] for group in run.optimizer.param_groups]
    np.testing.assert_allclose(rates, [group["lr"] for group in other.optimizer.param_groups], 1e-9)


KINDS = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64 float16 float32 float64"
KINDS += " complex64 complex128"


def _everything(t: Any) -> dict:
    base = t.arange(24.0).reshape(2, 3, 4)
    return {
        "kinds": {name: t.tensor([0, 1], dtype=getattr(t, name)) for name in KINDS.split()},
        "views": [base, base[1], base.permute(2, 0, 1), base[..., 1::2], base[:0]],
        "expanded": t.tensor([1.0, 2.0]).reshape(2, 1).expand(2, 5),
        "0-d": t.tensor(3),
        "empty": t.empty(0),
        "parameter": t.nn.Parameter(t.ones(2)),
        "frozen": t.nn.Parameter(t.ones(2), requires_grad=False),
        "leaf": t.ones(2, requires_grad=True),
        "result": t.ones(2, requires_grad=True) * 2,
        "size": t.Size([2, 3]),
        "dtypes": [t.float32, t.bool, t.complex64, t.bfloat16],
        "device": [t.device("cpu"), t.device("cuda", 1)],
        "numbers": [0, -1, 2**31, 2**63, -(2**200), 1.5, math.inf, -0.0, 1 + 2j, True, None],
        "text": ["", "naïve 数 🙂", "a\nb"],
        "bytes": [b"\x00\xff", bytearray(b"ab")],
        "ordered": OrderedDict(b=1, a=OrderedDict()),
        "keys": {1: "int", (1, "a"): "tuple", None: "none", 2.5: "float"},
        "sets": [{1, 2}, set()],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    }


def _plain(value: Any) -> Any:
    """A value in words that both libraries share."""
    if isinstance(value, (torch.Tensor, labtorch.Tensor)):
        array = value.detach().numpy()
        kind = type(value).__name__
        return kind, str(value.dtype), array.shape, array.tobytes(), value.requires_grad
    if isinstance(value, dict):
        return type(value).__name__, [(_plain(k), _plain(v)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [_plain(each) for each in value]
    if isinstance(value, (bool, int, float, complex, str, bytes, bytearray, set, type(None))):
        return type(value).__name__, repr(value)
    return str(value)


@pytest.mark.parametrize("writer", [torch, labtorch])
@pytest.mark.parametrize("reader", [torch, labtorch])
def test_everything_a_checkpoint_may_hold_arrives(writer, reader):
    back = _carried(_everything(writer), writer, reader)
    assert list(back) == list(_everything(torch))
    for name, value in _everything(torch).items():
        assert _plain(back[name]) == _plain(value), name
    back["views"][0][1, 0, 0] = 100  # what shared memory shares it again
    assert back["views"][1][0, 0] == 100 and back["views"][2][0, 1, 0] == 100


def test_bfloat16_is_read_exactly_as_float32(tmp_path):
    from safetensors.torch import save_file

    state = {"w": torch.randn(3, 4).bfloat16(), "odd": torch.tensor([math.inf, -0.0]).bfloat16()}
    torch.save(state | {"row": state["w"][1]}, tmp_path / "a.pth")
    save_file(state, tmp_path / "b.safetensors")
    for name in ("a.pth", "b.safetensors"):
        back = labtorch.load(tmp_path / name)
        for key, value in state.items():
            assert back[key].dtype is labtorch.float32
            np.testing.assert_array_equal(back[key].numpy(), value.float().numpy())
    row = labtorch.load(tmp_path / "a.pth")["row"]
    np.testing.assert_array_equal(row.numpy(), state["w"][1].float().numpy())


def test_lazy_conjugates_are_resolved():
    z = torch.tensor([1 + 2j, 3 - 4j])
    back = _carried([z, z.conj()], torch, labtorch)
    assert back[1].tolist() == [1 - 2j, 3 + 4j]
    assert _carried(z.conj().imag, torch, labtorch).tolist() == [-2, 4]  # a lazy minus


def test_safetensors_travel_both_ways(tmp_path):
    from safetensors.torch import load_file, save_file

    state = {
        name: labtorch.tensor([[0, 1], [1, 0]], dtype=getattr(labtorch, name)).t()
        for name in KINDS.split()
        if name != "complex128"
    }
    labtorch.save(state, tmp_path / "ours")
    there = load_file(tmp_path / "ours")
    save_file({name: value.contiguous() for name, value in there.items()}, tmp_path / "theirs")
    back = labtorch.load(tmp_path / "theirs")
    for name, value in state.items():
        assert str(there[name].dtype) == str(value.dtype)
        assert there[name].tolist() == value.tolist() == back[name].tolist()
        assert back[name].dtype is value.dtype


def test_files_are_mapped_into_memory(tmp_path):
    labtorch.save({"w": labtorch.arange(1000.0), "b": labtorch.ones(3)}, tmp_path / "ours.pth")
    torch.save({"w": torch.arange(1000.0), "b": torch.ones(3)}, tmp_path / "theirs.pth")
    for name in ("ours.pth", "theirs.pth"):
        for library in (torch, labtorch):
            back = library.load(tmp_path / name, mmap=True)
            assert back["w"].tolist() == [float(i) for i in range(1000)]
            assert back["b"].tolist() == [1, 1, 1]
            back["w"][0] = 7  # private: the file keeps what it has
        back = labtorch.load(tmp_path / name, mmap=True)
        assert back["w"].numpy().flags.aligned and back["w"][0] == 0
    with pytest.raises(ValueError, match="file name"):
        labtorch.load(io.BytesIO(), mmap=True)


def test_names_of_ones_own_can_be_allowed():
    value = {"score": np.float64(1.5)}
    names = [np._core.multiarray.scalar, np.dtype, type(np.dtype("float64"))]
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
        _carried(value, torch, labtorch)
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    asked = labtorch.serialization.get_unsafe_globals_in_checkpoint(file)
    assert "numpy.dtype" in asked and any(name.endswith("multiarray.scalar") for name in asked)
    for writer in (torch, labtorch):
        with labtorch.serialization.safe_globals(names):
            assert _carried(value, writer, labtorch) == value
    assert not labtorch.serialization.get_safe_globals()


# ---------------------------------------------------------------- files of before 2020
def _old(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def _old_checkpoint() -> dict:
    base = torch.arange(12.0).view(3, 4)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    return {
        "model": net.state_dict(),
        "views": [base.t(), base[1], base],
        "kinds": [torch.ones(2).half(), torch.tensor([True, False]), torch.tensor(3), base[:0]],
        "narrow": torch.ones(3).bfloat16() / 3,
        "codes": torch.quantize_per_tensor(base, 0.1, 0, torch.qint8),
        "epoch": 3,
    }


def test_old_files_are_read():
    theirs = _old_checkpoint()
    file = io.BytesIO(b"before" + _old(theirs))
    file.seek(6)
    ours = labtorch.load(file)
    assert list(ours) == list(theirs) and ours["epoch"] == 3
    assert ours["model"]._metadata == theirs["model"]._metadata
    for a, b in zip(
        (*ours["model"].values(), *ours["views"], *ours["kinds"]),
        (*theirs["model"].values(), *theirs["views"], *theirs["kinds"]),
    ):
        assert str(a.dtype) == str(b.dtype)
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    np.testing.assert_array_equal(ours["narrow"].numpy(), theirs["narrow"].float().numpy())
    assert ours["codes"].int_repr().tolist() == theirs["codes"].int_repr().tolist()
    ours["views"][1][0] = 99  # one storage, as there
    assert ours["views"][2][1, 0] == ours["views"][0][0, 1] == 99


def test_old_files_that_are_damaged_raise_no_other_error():
    content = _old(_old_checkpoint())
    damaged = [content[:n] for n in range(len(content) - 1, 0, -97)]
    damaged += [
        content[:n] + bytes([content[n] ^ 1 << n % 8]) + content[n + 1 :]
        for n in range(24, len(content), 41)
    ]
    refused = 0
    for each in damaged:
        try:
            labtorch.load(io.BytesIO(each))  # a changed number is read as it stands
        except (RuntimeError, pickle.UnpicklingError):
            refused += 1
    assert refused > len(content) // 97
    one = _old(torch.ones(2))  # eight bytes of a count, and eight of two numbers
    for count in (2**40, 2**62, -1, 1, 3):
        lies = one[:-16] + count.to_bytes(8, "little", signed=True) + one[-8:]
        with pytest.raises(RuntimeError, match="cut off|not 2 of"):
            labtorch.load(io.BytesIO(lies))


@pytest.mark.parametrize("weights_only", [True, False])
def test_a_model_in_an_old_file_is_not_run(weights_only):
    said = "Weights only load failed" if weights_only else r"state_dict\(\) can be saved"
    with warnings.catch_warnings(), pytest.raises(pickle.UnpicklingError, match=said):
        warnings.simplefilter("ignore")
        labtorch.load(io.BytesIO(_old(torch.nn.ReLU())), weights_only=weights_only)
