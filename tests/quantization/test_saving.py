"""Quantized tensors in files: PyTorch's zip both ways, copies, and files that make no sense."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
import zipfile
from typing import Any

import numpy as np
import pytest

import labtorch
from labtorch import nn
from labtorch import quantization as q
from tests.quantization.both import carried, numbers


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated")
        yield


def tensors(t: Any) -> dict[str, Any]:
    """Of every kind there is, views and two names of one memory among them."""
    x = t.from_numpy(numbers(4, 3))
    scales, zeros = t.tensor([0.1, 0.2, 0.3, 0.4], dtype=t.float64), t.tensor([0, 1, 2, 3])
    a = t.quantize_per_tensor(x, 0.1, 10, t.quint8)
    return {
        "quint8": a,
        "qint8": t.quantize_per_tensor(x, 0.02, -3, t.qint8),
        "qint32": t.quantize_per_tensor(x, 0.001, 10, t.qint32),
        "channels": t.quantize_per_channel(x, scales, zeros, 0, t.qint8),
        "float zeros": t.quantize_per_channel(x, scales.float(), zeros + 0.3, 0, t.quint8),
        "view": a[1:3],
        "transposed": a.t(),
        "same": a,
        "dtype": t.qint8,
        "scheme": t.per_channel_symmetric,
    }


@pytest.mark.oracle
@pytest.mark.parametrize("way", ["there", "here", "within"])
def test_tensors_travel(way):
    import torch

    writer, reader = {
        "there": (labtorch, torch),
        "here": (torch, labtorch),
        "within": (labtorch, labtorch),
    }[way]
    given = tensors(writer)
    found = carried(given, writer, reader)
    assert list(found) == list(given)
    for name, value in given.items():
        assert repr(found[name]).split() == repr(value).split(), name
    assert found["same"].data_ptr() == found["quint8"].data_ptr()


def test_codes_are_saved_once_and_in_a_byte_each():
    big = labtorch.quantize_per_tensor(labtorch.ones(100, 100), 0.1, 0, labtorch.qint8)
    file = io.BytesIO()
    labtorch.save([big, big, big[:50]], file)
    assert len(file.getvalue()) < 11_500


def test_a_whole_model_is_saved_and_copied():
    model = q.QuantWrapper(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))
    model.qconfig = q.default_qconfig
    x = labtorch.from_numpy(numbers(2, 1, 5, 5))
    small = q.quantize(model, lambda m: m(x), ())
    file = io.BytesIO()
    labtorch.save(small, file)
    file.seek(0)
    for again in (
        labtorch.load(file, weights_only=False),
        copy.deepcopy(small),
        pickle.loads(pickle.dumps(small)),
    ):
        assert (again(x) == small(x)).all()


def test_safetensors_has_no_such_dtype():
    state = {"w": labtorch.quantize_per_tensor(labtorch.ones(2), 0.1, 0, labtorch.qint8)}
    with pytest.raises(ValueError, match="torch.qint8, which the format does not have.*pth"):
        labtorch.save(state, "/nonexistent/model.safetensors")


# ---------------------------------------------------------------- files that make no sense
class _Call:
    def __init__(self, *args: Any) -> None:
        self.args = args


def _file(grid: Any, kind: str = "QInt8Storage", size: tuple = (2, 2), content: int = 4) -> Any:
    """A file as `save` writes it, with a grid of one's own."""
    from labtorch.io.pickler import _Global, _Pickler, _Storage

    class Pickler(_Pickler):
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, _Call):
                return _Global("torch._utils", "_rebuild_qtensor"), obj.args
            return super().reducer_override(obj)

    buffer, file = io.BytesIO(), io.BytesIO()
    storage = _Storage(_Global("torch", kind), 9, "cpu", content)
    pickler = Pickler(buffer)
    pickler.dump(_Call(storage, 0, size, (2, 1), grid, False, {}))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/data/9", bytes(content))
        for key, array in enumerate(pickler.storages):
            archive.writestr(f"archive/data/{key}", np.ascontiguousarray(array).tobytes())
    file.seek(0)
    return file


AFFINE, CHANNELS = labtorch.per_tensor_affine, labtorch.per_channel_affine
TWO = labtorch.ones(2, dtype=labtorch.float64)
ZEROS = labtorch.zeros(2, dtype=labtorch.int64)
HOSTILE = {
    "no grid": {"grid": ()},
    "a scale of none": {"grid": (AFFINE, None, 0)},
    "a negative scale": {"grid": (AFFINE, -1.0, 0)},
    "a scale of NaN": {"grid": (AFFINE, float("nan"), 0)},
    "a zero point out of reach": {"grid": (AFFINE, 1.0, 1000)},
    "a scheme that is none": {"grid": ("affine", 1.0, 0)},
    "an axis out of reach": {"grid": (CHANNELS, TWO, ZEROS, 7)},
    "an axis that is none": {"grid": (CHANNELS, TWO, ZEROS, None)},
    "too few scales": {"grid": (CHANNELS, TWO[:1], ZEROS, 0)},
    "scales that are numbers": {"grid": (CHANNELS, 1.0, 0, 0)},
    "too many parts": {"grid": (AFFINE, 1.0, 0, 0, 0, 0)},
    "a grid that is no tuple": {"grid": 5},
    "a storage of floats": {"grid": (AFFINE, 1.0, 0), "kind": "FloatStorage", "content": 4},
    "more than there is": {"grid": (AFFINE, 1.0, 0), "size": (1000, 1000)},
}


def test_the_file_of_these_tests_is_sound():
    made = labtorch.load(_file((AFFINE, 0.5, 1)))
    assert made.tolist() == [[-0.5, -0.5], [-0.5, -0.5]]


@pytest.mark.parametrize("what", HOSTILE)
def test_files_that_make_no_sense_are_refused(what):
    with pytest.raises((RuntimeError, pickle.UnpicklingError), match="load"):
        labtorch.load(_file(**HOSTILE[what]))
