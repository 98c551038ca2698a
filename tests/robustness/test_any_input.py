"""Whatever is given to a public op, the answer is a result or one of PyTorch's exceptions."""

from __future__ import annotations

import warnings

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import labtorch
from labtorch.engine.op import Op
from labtorch.engine.public import SPELLINGS

PYTORCHS = (TypeError, ValueError, RuntimeError, IndexError, NotImplementedError)
# Their numbers say how large a result is to be, which is tried below, on purpose
SIZES = {"repeat", "tile", "expand", "resize_", "matrix_power", "vander", "repeat_interleave"}
OPS = {each.name: each for each in SPELLINGS.values() if isinstance(each, Op)}
KINDS = ["float32", "float64", "int64", "int32", "uint8", "bool", "complex64"]


@st.composite
def tensors(draw):
    """Small tensors of any kind: empty, 0-d, with NaN, transposed, strided, reversed, expanded."""
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    array = np.asarray(draw(arrays.arrays(draw(st.sampled_from(KINDS)), shape)))
    form = draw(st.sampled_from(["as it is", "transposed", "strided", "reversed", "expanded"]))
    if form == "transposed":
        array = array.T
    elif form == "strided" and array.ndim:
        array = array[::2]
    elif form == "reversed":
        array = array[(slice(None, None, -1),) * array.ndim]
    elif form == "expanded":
        array = np.broadcast_to(array, (2, *array.shape))
    array = np.asarray(array)
    made = labtorch.from_numpy(array if array.flags.writeable else array.copy())
    if made.is_floating_point() and draw(st.booleans()):
        made.requires_grad_()
    return made


NUMBERS = st.integers(-4, 4) | st.floats(-4, 4) | st.booleans()
WORDS = st.sampled_from(["mean", "sum", "none", "nonsense"])
VALUES = tensors() | NUMBERS | WORDS | st.none() | st.tuples(st.integers(-3, 3)) | st.just(())


@pytest.mark.parametrize("name", sorted(set(OPS) - SIZES))
@hypothesis.settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(data=st.data())
def test_any_arguments_give_a_result_or_pytorchs_exceptions(name, data):
    op = OPS[name]
    needed = list(op.parameters)[: data.draw(st.integers(1, 4))]
    args = [data.draw(tensors())] + [data.draw(VALUES) for _ in needed[1:]]
    with warnings.catch_warnings(action="ignore"):
        try:
            result = op(*args)
            if isinstance(result, labtorch.Tensor) and result.requires_grad:
                result.sum().abs().backward()
        except PYTORCHS as error:
            assert str(error)


@pytest.mark.parametrize(
    "build",
    [
        lambda: labtorch.zeros(10**13),
        lambda: labtorch.empty(10**7, 10**7),
        lambda: labtorch.ones(2**62, 8),
        lambda: labtorch.arange(10**14),
        lambda: labtorch.eye(10**8),
        lambda: labtorch.rand(10**13),
        lambda: labtorch.zeros(1).expand(10**13).clone(),
        lambda: labtorch.zeros(10).repeat(10**13),
        lambda: labtorch.full((10**13,), 1.0),
        lambda: labtorch.zeros(1).expand(10**7) @ labtorch.zeros(3),
        lambda: labtorch.outer(labtorch.zeros(10**7), labtorch.zeros(10**7)),
    ],
)
def test_huge_sizes_are_refused_in_words(build):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        build()
    assert str(caught.value)
