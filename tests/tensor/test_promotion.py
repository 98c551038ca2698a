"""Types: every pair of dtypes, with Python numbers and 0-d tensors, promotes as in PyTorch."""

from __future__ import annotations

import itertools
import operator

import numpy as np
import pytest

import labtorch
from tests.oracle import same, same_error

pytestmark = pytest.mark.oracle

DTYPES = "bool uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128".split()
OPERATORS = [operator.add, operator.mul, operator.truediv, operator.eq, operator.lt]


def _result(module, function, *made):
    try:
        result = function(*made)
    except Exception:
        return None
    return str(result.dtype), tuple(result.shape)


def _differ(found):
    """Do they differ where PyTorch has an answer that NumPy's dtypes can give?"""
    return found[1] is not None and found[1][0] != "torch.complex32" and found[0] != found[1]


@pytest.mark.parametrize("function", [operator.add, operator.truediv, operator.eq, operator.sub])
@pytest.mark.parametrize("shapes", [((2,), (2,)), ((), (2,)), ((2,), ()), ((), ())])
def test_pairs_of_dtypes(function, shapes):
    import torch

    wrong = {}
    for a, b in itertools.product(DTYPES, DTYPES):
        found = [
            _result(m, function, *(m.ones(s, dtype=getattr(m, d)) for s, d in zip(shapes, (a, b))))
            for m in (labtorch, torch)
        ]
        if _differ(found):
            wrong[a, b] = found
    assert not wrong


@pytest.mark.parametrize("shape", [(2,), ()])
@pytest.mark.parametrize("number", [True, 3, 2.5, 1j])
def test_dtypes_with_python_numbers(number, shape):
    import torch

    wrong = {}
    for function, dtype in itertools.product(OPERATORS + [operator.pow, operator.sub], DTYPES):
        for swap in (False, True):
            found = []
            for m in (labtorch, torch):
                pair = (m.ones(shape, dtype=getattr(m, dtype)), number)
                found.append(_result(m, function, *(pair[::-1] if swap else pair)))
            if _differ(found):
                wrong[function.__name__, dtype, swap] = found
    assert not wrong


UNARY = """exp log sqrt sin cos tanh sigmoid abs neg sign floor ceil round relu square reciprocal
rsqrt sum mean prod cumsum max argmax any all var std isnan logical_not bitwise_not""".split()


@pytest.mark.parametrize("name", UNARY)
def test_dtypes_of_results(name):
    import torch

    arguments = (0,) if name == "cumsum" else ()
    wrong = {}
    for dtype in DTYPES:
        found = [
            _result(m, lambda x: getattr(x, name)(*arguments), m.ones(2, dtype=getattr(m, dtype)))
            for m in (labtorch, torch)
        ]
        if _differ(found):
            wrong[dtype] = found
    assert not wrong


def test_result_type():
    import torch

    for a, b in itertools.product(DTYPES, DTYPES):
        if "float16" in (a, b) and ("complex64" in (a, b) or "complex128" in (a, b)):
            continue  # complex32
        found = [
            str(m.result_type(m.ones(2, dtype=getattr(m, a)), m.ones((), dtype=getattr(m, b))))
            for m in (labtorch, torch)
        ]
        assert found[0] == found[1], (a, b)


@pytest.mark.parametrize(
    ("a", "b"), [(7, 2), (-7, 2), (7, -2), (-7, -2), (7.5, 2.0), (-7.5, 2.0), (7, 2.5)]
)
def test_integer_division_and_remainder(a, b):
    a, b = np.array([a, 0 * a + 1]), np.array([b, b])
    for function in (operator.floordiv, operator.mod, operator.truediv):
        same(lambda t, x, y, f=function: f(x, y), a, b, gradients=False)
    for mode in ("trunc", "floor", None):
        same(lambda t, x, y, m=mode: t.div(x, y, rounding_mode=m), a, b, gradients=False)


REFUSED = {
    "sub": (lambda t, x: x - x, ["bool"]),
    "neg": (lambda t, x: -x, ["bool"]),
    "mean": (lambda t, x: x.mean(), ["bool", "int32", "int64", "uint8"]),
    "var": (lambda t, x: x.var(), ["bool", "int64"]),
    "std": (lambda t, x: x.std(), ["bool", "int64"]),
    "softmax": (lambda t, x: x.softmax(0), ["bool", "int64"]),
    "bitwise_not": (lambda t, x: t.bitwise_not(x), ["float32", "complex64"]),
    "bitwise_and": (lambda t, x: x & x, ["float32"]),
    "max": (lambda t, x: x.max(), ["complex64"]),
    "argmax": (lambda t, x: x.argmax(), ["complex64"]),
    "lt": (lambda t, x: x < x, ["complex64"]),
    "floor": (lambda t, x: x.floor(), ["complex64"]),
    "maximum": (lambda t, x: t.maximum(x, x), ["complex64"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_dtypes(name):
    function, dtypes = REFUSED[name]
    for dtype in dtypes:
        error = same_error(function, np.ones(2, dtype), parent=RuntimeError)
        assert name in str(error).lower() or dtype in str(error)


def test_the_default_dtype_can_be_set():
    import torch

    try:
        for m in (labtorch, torch):
            m.set_default_dtype(m.float64)
            assert str(m.tensor(1.5).dtype) == str(m.zeros(2).dtype) == "torch.float64"
            assert str((m.ones(2, dtype=m.int64) / 2).dtype) == "torch.float64"
            assert str(m.tensor(1j).dtype) == "torch.complex128"
            assert repr(m.ones(1)) == "tensor([1.])"
    finally:
        for m in (labtorch, torch):
            m.set_default_dtype(m.float32)
