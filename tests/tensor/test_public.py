"""The spellings that `@public` declares, and `out=`."""

from operator import attrgetter

import pytest

import labtorch
from labtorch.engine.public import SPELLINGS
from tests.oracle import randn, same, same_error


def test_every_spelling_is_there():
    for path in SPELLINGS:
        space, _, name = path.rpartition(".")
        assert hasattr(attrgetter(space)(labtorch) if space else labtorch, name), path


@pytest.mark.oracle
def test_out_is_written_and_returned():
    def add(t, x, y):
        out = t.empty(0)
        result = t.add(x, y, out=out)
        assert result is out
        into = t.zeros(2, 3, dtype=t.float64)
        t.sin(x, out=into)
        return result, into, t.max(x, 1, out=(t.empty(2), t.empty(2, dtype=t.int64)))

    same(add, randn(2, 3, dtype="float32"), randn(2, 3, dtype="float32", seed=1), gradients=False)


@pytest.mark.oracle
def test_out_of_another_shape_is_resized_with_a_warning():
    def wrong_shape(t, x):
        out = t.zeros(3)
        with pytest.warns(UserWarning, match="was resized since it had shape"):
            return t.exp(x, out=out), out

    same(wrong_shape, randn(2, 3, dtype="float32"), gradients=False)


@pytest.mark.oracle
def test_out_refuses_gradients_and_a_lower_dtype():
    x = randn(3, dtype="float32")
    needs = "support automatic differentiation, but one of the arguments requires grad"
    same_error(lambda t, x: t.exp(x.requires_grad_(), out=t.empty(3)), x, match=needs)
    lower = "can't be cast to the desired output type"
    same_error(lambda t, x: t.add(x, x, out=t.empty(3, dtype=t.int64)), x, match=lower)


@pytest.mark.oracle
def test_numpys_names_of_arguments_are_taken():
    def named(t, x):
        return (
            x.sum(axis=0),
            t.mean(x, axis=1, keepdims=True),
            x.max(axis=1, keepdims=True),
            x.softmax(axis=0),
            t.cat([x, x], axis=1),
            t.stack([x, x], axis=1),
            x.argmax(axis=0),
        )

    same(named, randn(2, 3))
