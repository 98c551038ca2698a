"""The stand-in refuses what CuPy refuses: else the other tests here would say nothing."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch as torch
from tests.gpu import list_names
from tests.gpu import standin as stand_in


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (lambda x: np.tanh(x), "numpy.tanh was called"),
        (lambda x: np.sum(x), "numpy.sum was called"),
        (lambda x: np.asarray(x), "Implicit conversion"),
        (lambda x: x + np.ones(3, "f4"), "Unsupported type"),
        (lambda x: stand_in.module.add(x, np.ones(3, "f4")), "Unsupported type"),
        (lambda x: stand_in.module.sum(x, where=True), "unexpected keyword"),
        (lambda x: stand_in.module.maximum.accumulate(x), "not supported"),
        (lambda x: x.__setitem__(0, np.ones(1, "f4")), "Unsupported type"),
        (lambda x: stand_in.module.no_such_function(x), "no attribute"),
        (lambda x: stand_in.module.array(["text"]), "no arrays of"),
    ],
)
def test_what_cupy_refuses_is_refused(standin, attempt, says):
    with pytest.raises((TypeError, AttributeError, NotImplementedError), match=says):
        attempt(stand_in.module.ones(3, "f4"))


def test_what_crosses_is_counted_with_its_line(standin):
    x = torch.ones(3).to("cuda")
    assert stand_in.crossings == {"to device": 1}
    x.sum().item(), x.cpu(), bool((x > 0).all())
    assert stand_in.crossings == {"to device": 1, "number": 2, "to host": 1}
    assert all("tensor.py" in place or "devices.py" in place for place in stand_in.places)


def test_arrays_of_two_devices_do_not_meet(standin):
    x, y = torch.ones(3, device="cuda:0"), torch.ones(3, device="cuda:1")
    with pytest.raises(RuntimeError):
        x + y


def test_the_names_are_those_of_the_cupy_that_is_installed():
    cupy = pytest.importorskip("cupy", reason="needs CuPy, but no GPU")
    if cupy.__version__ != stand_in.NAMES["version"]:
        pytest.skip(f"the names are those of CuPy {stand_in.NAMES['version']}")
    assert list_names.table() == stand_in.NAMES
