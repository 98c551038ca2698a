"""Indexing, reading and writing: slices, None, ellipsis, masks, integer arrays, and mixtures."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labtorch
from tests.oracle import randn, same, same_error

SHAPE = (3, 4, 5)


@st.composite
def indices(draw: Any) -> Any:
    """An index that fits SHAPE: basic parts, at most a mask, and integer arrays that broadcast."""
    parts: list[Any] = []
    left = list(SHAPE)
    shape = draw(st.sampled_from([(), (2,), (2, 1)]))
    while left and draw(st.booleans() if parts else st.just(True)):
        n = left[0]
        kind = draw(st.sampled_from(["int", "slice", "none", "array", "list"]))
        if kind == "none":
            parts.append(None)
            continue
        left.pop(0)
        if kind == "int":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-n - 1, n + 1)
            parts.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
        elif kind == "array":
            parts.append(draw(arrays.arrays(np.int64, shape, elements=st.integers(-n, n - 1))))
        else:
            parts.append(draw(st.lists(st.integers(0, n - 1), min_size=2, max_size=2)))
    if draw(st.booleans()):
        if draw(st.booleans()):  # what follows counts from the last dimension
            return (..., draw(st.integers(-4, 3)), slice(None))
        parts.append(...)
    return parts[0] if len(parts) == 1 else tuple(parts)


def _slices(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(each, (list, np.ndarray)) for each in parts)


def _for(module: Any, index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_for(module, each) for each in index)
    return module.from_numpy(index.copy()) if isinstance(index, np.ndarray) else index


@pytest.mark.oracle
@settings(max_examples=60, deadline=None)
@given(indices())
def test_any_index_reads_as_in_pytorch(index):
    same(lambda t, x: x[_for(t, index)], randn(*SHAPE))


@pytest.mark.oracle
@settings(max_examples=60, deadline=None)
@given(indices())
def test_any_index_writes_a_number_as_in_pytorch(index):
    def write(t, x):
        y = x * 1
        y[_for(t, index)] = 7.0
        return y

    same(write, randn(*SHAPE))


@pytest.mark.oracle
@settings(max_examples=60, deadline=None)
@given(indices().filter(_slices))
def test_any_slice_writes_a_tensor_as_in_pytorch(index):
    def write(t, x, v):
        y = x * 1
        y[index] = v.expand(y[index].shape) * 2
        return y

    same(write, randn(*SHAPE), np.array(1.5))


READS = {
    "mask": lambda t, x: x[x > 0],
    "mask of the first dimensions": lambda t, x: x[t.tensor([True, False, True])],
    "mask of the middle": lambda t, x: x[:, t.tensor([True, False, True, True])],
    "mask of two dimensions": lambda t, x: x[x[:, :, 0] > 0],
    "mask and int": lambda t, x: x[t.tensor([True, False, True]), 1],
    "empty mask": lambda t, x: x[x > 100],
    "uint8 tensor": lambda t, x: x[t.tensor([0, 2])],
    "0-d tensor": lambda t, x: x[t.tensor(1)],
    "True": lambda t, x: x[True],
    "False": lambda t, x: x[False],
    "list": lambda t, x: x[[2, 0]],
    "list of bools": lambda t, x: x[[True, False, True]],
    "array of NumPy": lambda t, x: x[np.array([2, 0])],
    "range of rows": lambda t, x: x[t.arange(2), t.arange(2)],
    "arrays apart": lambda t, x: x[t.tensor([0, 1]), :, t.tensor([2, 3])],
    "arrays that broadcast": lambda t, x: x[t.tensor([[0], [1]]), t.tensor([2, 3])],
    "empty list": lambda t, x: x[[]],
    "nothing": lambda t, x: x[()],
    "ellipsis": lambda t, x: x[...],
    "int32 indices": lambda t, x: x[t.tensor([1, 0], dtype=t.int32)],
    "the same row twice": lambda t, x: x[t.tensor([1, 1, 1])] * 2,
    "new dimensions": lambda t, x: x[None, :, None, 1],
    "iteration": lambda t, x: list(x),
    "unpacking": lambda t, x: (lambda a, b, c: a * b + c)(*x),
    "index_select": lambda t, x: x.index_select(1, t.tensor([3, 0, 3])),
    "gather": lambda t, x: x.gather(1, t.tensor([[[0], [3]], [[1], [1]]])),
    "masked_fill": lambda t, x: x.masked_fill(x > 0, 9.0),
    "where": lambda t, x: t.where(x > 0, x, -x),
    "nonzero": lambda t, x: (x > 0).nonzero(),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", READS)
def test_reads(name):
    same(READS[name], randn(*SHAPE))


WRITES = {
    "row": lambda t, x, v: x.__setitem__(0, v[0]),
    "number": lambda t, x, v: x.__setitem__((slice(None), 1), 3.0),
    "mask and number": lambda t, x, v: x.__setitem__(x > 0, 3.0),
    "mask and vector": lambda t, x, v: x.__setitem__(x[:, :, 0] > 0, v[0, 0]),
    "mask of a dimension": lambda t, x, v: x.__setitem__(t.tensor([True, False, True]), v[:2]),
    "rows": lambda t, x, v: x.__setitem__(t.tensor([2, 0]), v[:2]),
    "rows and columns": lambda t, x, v: x.__setitem__(
        (t.tensor([2, 0]), t.tensor([1, 1])), v[0, :2]
    ),
    "broadcast": lambda t, x, v: x.__setitem__(..., v[0]),
    "extra leading 1": lambda t, x, v: x.__setitem__(0, v[:1]),
    "a tensor of one number": lambda t, x, v: x.__setitem__((0, 0, 0), v.sum()),
    "slice of slices": lambda t, x, v: x[1:].__setitem__((0, slice(1, 3)), v[0, :2]),
    "add in place": lambda t, x, v: x[1].add_(v[1]),
    "augmented": lambda t, x, v: x.__setitem__(slice(1, 3), x[1:3] * 2),
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", WRITES)
def test_writes(name):
    def write(t, x, v):
        y = x * 1
        WRITES[name](t, y, v)
        return y

    same(write, randn(*SHAPE), randn(*SHAPE, seed=1))


@pytest.mark.oracle
@pytest.mark.parametrize("name", WRITES)
def test_writes_without_gradients(name):
    def write(t, x, v):
        WRITES[name](t, x, v)
        return x

    same(write, randn(*SHAPE), randn(*SHAPE, seed=1), gradients=False)


def test_a_write_of_another_dtype_takes_the_tensors_dtype():
    x = labtorch.zeros(3, dtype=labtorch.int64)
    x[0] = 2.7
    x[1] = labtorch.tensor(3.9)
    assert x.tolist() == [2, 3, 0]


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda t, x: x[3], "out of bounds"),
        (lambda t, x: x[0, 0, 0, 0], "too many indices for tensor of dimension 3"),
        (lambda t, x: x[1.5], None),
        (lambda t, x: x[t.tensor([0.5])], "tensors used as indices must be"),
        (lambda t, x: x[::-1], "step must be greater than zero"),
        (lambda t, x: x[t.tensor([0, 9])], "out of bounds"),
        (lambda t, x: x[t.tensor([True, False])], "does not match the shape of the indexed tensor"),
        (lambda t, x: x[t.tensor([0, 1]), t.tensor([0, 1, 2])], "shape mismatch: indexing tensors"),
        (lambda t, x: x.__setitem__(0, t.ones(7)), None),
        (lambda t, x: x.__setitem__(9, 1.0), "out of bounds"),
        (lambda t, x: x.gather(1, t.tensor([[[9]]])), "out of bounds"),
        (lambda t, x: x.index_select(0, t.tensor([5])), "out of range"),
        (lambda t, x: x.select(0, 3), None),
        (lambda t, x: iter(t.tensor(1.0)), "iteration over a 0-d tensor"),
        (lambda t, x: len(t.tensor(1.0)), "len() of a 0-d tensor"),
    ],
)
def test_refused_indices(function, match):
    same_error(function, randn(*SHAPE), match=match)


def test_numbers_of_numpy_are_ints_among_ints():
    x = labtorch.arange(12).reshape(2, 2, 3)
    assert x[-1, 1, np.int64(0)].item() == 9
    assert x[np.int32(1), :, np.int64(2)].tolist() == [8, 11]
    x[0, np.int64(1), np.int64(1)] = 50
    assert x[0, 1].tolist() == [3, 50, 5]
