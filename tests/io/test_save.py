"""Files travel both ways between labtorch and PyTorch; nothing in them is run."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import labtorch
from labtorch import nn
from tests.oracle import randn


def _round_trip(value, **options):
    file = io.BytesIO()
    labtorch.save(value, file)
    file.seek(0)
    return labtorch.load(file, **options)


def test_containers_numbers_and_tensors_come_back(tmp_path):
    base = labtorch.arange(12.0).reshape(3, 4)
    checkpoint = {
        "epoch": 3,
        "name": "run",
        "tensors": [base, base.t(), base[1:, ::2], labtorch.tensor(2), labtorch.empty(0, 3)],
        "size": base.shape,
        "dtype": labtorch.float16,
        "device": labtorch.device("cpu"),
        "ordered": OrderedDict(a=(1, 2.5, None, True), b={1, 2}),
        "half": labtorch.ones(2, dtype=labtorch.float16),
        "mask": labtorch.tensor([True, False]),
        "complex": labtorch.tensor([1 + 2j]),
    }
    path = tmp_path / "run.pth"
    labtorch.save(checkpoint, path)
    back = labtorch.load(path)
    assert list(back) == list(checkpoint)
    for mine, theirs in zip(checkpoint["tensors"], back["tensors"]):
        assert mine.dtype is theirs.dtype and labtorch.equal(mine, theirs)
    for name in ("epoch", "name", "size", "dtype", "device", "ordered"):
        assert back[name] == checkpoint[name]
    back["tensors"][0][1, 0] = 100  # views of one memory still are
    assert back["tensors"][1][0, 1] == 100 and back["tensors"][2][0, 0] == 100


def test_parameters_and_requires_grad_come_back():
    parameter = nn.Parameter(labtorch.ones(2))
    back = _round_trip([parameter, labtorch.ones(1, requires_grad=True), labtorch.ones(1)])
    assert isinstance(back[0], nn.Parameter) and back[0].requires_grad
    assert back[1].requires_grad and not back[2].requires_grad


def _models(t):
    n = t.nn
    return n.Sequential(
        n.Conv2d(1, 2, 3), n.BatchNorm2d(2), n.ReLU(), n.Flatten(), n.Linear(8, 3), n.LayerNorm(3)
    )


@pytest.mark.oracle
def test_weights_travel_both_ways(tmp_path):
    import torch

    ours, theirs = _models(labtorch), _models(torch)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    assert not ours.load_state_dict(labtorch.load(tmp_path / "theirs.pth")).missing_keys
    x = randn(2, 1, 4, 4, dtype="float32")
    expected = theirs.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(
        ours.eval()(labtorch.tensor(x)).detach().numpy(), expected, 1e-5, 1e-6
    )
    labtorch.save(ours.state_dict(), tmp_path / "ours.pth")
    assert not theirs.load_state_dict(torch.load(tmp_path / "ours.pth")).missing_keys


@pytest.mark.oracle
def test_checkpoints_travel_both_ways(tmp_path):
    import torch

    for writer, reader in ((labtorch, torch), (torch, labtorch)):
        model = writer.nn.Linear(2, 1)
        optimizer = writer.optim.Adam(model.parameters())
        model(writer.ones(3, 2)).sum().backward()
        optimizer.step()
        path = tmp_path / f"{writer.__name__}.pth"
        writer.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
        back = reader.load(path)
        other = reader.nn.Linear(2, 1)
        other.load_state_dict(back["model"])
        again = reader.optim.Adam(other.parameters())
        again.load_state_dict(back["optimizer"])
        moment = again.state_dict()["state"][0]["exp_avg"]
        np.testing.assert_array_equal(
            moment.numpy(), optimizer.state_dict()["state"][0]["exp_avg"].numpy()
        )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x)


def test_a_whole_model_needs_trust():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(pickle.UnpicklingError, match="weights_only=False"):
        _round_trip(model)
    back = _round_trip(model, weights_only=False)
    x = labtorch.ones(1, 2)
    assert labtorch.equal(back(x), model(x))


class Attack:
    def __reduce__(self):
        return os.system, ("echo no > /tmp/labtorch-was-here",)


def test_nothing_in_a_file_is_run(tmp_path):
    path = tmp_path / "hostile.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Attack(), protocol=2))
        archive.writestr("archive/version", "3\n")
    with pytest.raises(pickle.UnpicklingError, match="system"):
        labtorch.load(path)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "model.pth"
    labtorch.save({"w": labtorch.ones(100)}, path)
    whole = path.read_bytes()
    for cut in (0, 3, 10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(RuntimeError, match="load:"):
            labtorch.load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * 10**6)
    with pytest.raises(RuntimeError, match="compressed or larger"):
        labtorch.load(path)
    with pytest.raises(FileNotFoundError):
        labtorch.load(tmp_path / "absent.pth")


def test_a_tensor_outside_its_storage_is_refused():
    file = io.BytesIO()
    labtorch.save(labtorch.ones(4), file)
    text = file.getvalue()
    old = b"(K\x04\x85" if b"(K\x04\x85" in text else b"K\x04\x85"
    assert old in text
    bent = text.replace(old, old.replace(b"\x04", b"\x7f"))
    with pytest.raises((RuntimeError, zipfile.BadZipFile)):
        labtorch.load(io.BytesIO(bent))


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "model.pth"
    labtorch.save({"w": labtorch.ones(2)}, path)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        labtorch.save({"w": labtorch.zeros(2), "bad": lambda: 0}, path)
    assert labtorch.load(path)["w"].tolist() == [1, 1]
    assert [each.name for each in tmp_path.iterdir()] == ["model.pth"]
    with pytest.raises(RuntimeError, match="does not exist"):
        labtorch.save(1, tmp_path / "nowhere" / "model.pth")


@pytest.mark.oracle
def test_tensors_of_a_gpu_need_a_place():
    import torch

    file = io.BytesIO()
    torch.save(torch.ones(2), file)
    moved = file.getvalue().replace(b"X\x03\x00\x00\x00cpu", b"X\x03\x00\x00\x00mps")
    assert moved != file.getvalue()
    back = labtorch.load(io.BytesIO(_repaired(moved)), map_location="cpu")
    assert back.tolist() == [1, 1]


def _repaired(data):
    """The same archive with the checksums of its changed content."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            with old.open(info) as part:
                part._expected_crc = None  # it has changed
                new.writestr(info.filename, part.read())
    return out.getvalue()
