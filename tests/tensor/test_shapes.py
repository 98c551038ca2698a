"""Broadcasting, reductions, and changes of shape, for any shapes."""

from __future__ import annotations

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labtorch
from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
FILLED = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)


@settings(max_examples=60, deadline=None)
@given(
    arrays.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=4),
    st.sampled_from(["add", "mul", "sub", "div", "maximum", "atan2", "pow"][:5]),
)
def test_broadcasting(shapes, name):
    a, b = shapes.input_shapes
    same(lambda t, x, y: getattr(t, name)(x, y), randn(*a), randn(*b, seed=1))


@settings(max_examples=60, deadline=None)
@given(arrays.mutually_broadcastable_shapes(num_shapes=3, min_side=1, max_dims=3))
def test_broadcasting_of_three(shapes):
    a, b, c = shapes.input_shapes
    same(
        lambda t, c, x, y: t.where(c > 0, x, y),
        *(randn(*s, seed=i) for i, s in enumerate((a, b, c))),
    )


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from("sum mean prod amax amin var std logsumexp all any norm".split()))
def test_reductions(data, name):
    shape = data.draw(FILLED)
    dims = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    dims = [d - len(shape) if data.draw(st.booleans()) else d for d in dims]
    keepdim = data.draw(st.booleans())
    if name == "prod" or data.draw(st.booleans()):
        dims = dims[0]
    if name in ("var", "std") and np.prod([shape[d] for d in np.atleast_1d(dims)]) < 2:
        return
    if name == "norm":
        dims = dims[:2] if isinstance(dims, list) else dims  # PyTorch's takes no more
        same(lambda t, x: x.norm(dim=dims, keepdim=keepdim), randn(*shape))
    elif name in ("all", "any"):
        same(lambda t, x: getattr(x > 0, name)(dim=dims, keepdim=keepdim), randn(*shape))
    else:
        same(lambda t, x: getattr(x, name)(dim=dims, keepdim=keepdim), randn(*shape))


@pytest.mark.parametrize("name", "sum mean prod max min argmax argmin all any".split())
def test_reductions_of_everything(name):
    for shape in [(), (3,), (2, 3)]:
        same(lambda t, x: getattr(x, name)(), randn(*shape))


@pytest.mark.parametrize("name", ["max", "min", "sort", "cumsum", "argmax", "softmax", "topk"])
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_along_a_dimension(name, data):
    shape = data.draw(FILLED)
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    arguments = (1, dim) if name == "topk" else (dim,)
    same(lambda t, x: getattr(x, name)(*arguments), randn(*shape))


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "all", "any"])
def test_reductions_of_nothing(name):
    def reduce(t, x):
        return getattr(x, name)(1)

    same(reduce, np.zeros((2, 0, 3)), gradients=False)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.data())
def test_permute_expand_reshape(shape, data):
    order = data.draw(st.permutations(range(len(shape))))
    lead = data.draw(st.integers(0, 2))
    same(lambda t, x: x.permute(*order) if order else x.permute(()), randn(*shape))
    same(lambda t, x: x.expand((2,) * lead + tuple(x.shape)), randn(*shape))
    same(lambda t, x: x.permute(order).reshape(-1) if x.numel() else x, randn(*shape))
    same(lambda t, x: x.flatten(), randn(*shape))
    same(lambda t, x: [x.squeeze(), x.unsqueeze(-1), x.unsqueeze(0)], randn(*shape))


@settings(max_examples=60, deadline=None)
@given(FILLED, st.data())
def test_split_cat_stack(shape, data):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    size = data.draw(st.integers(1, 3))
    same(lambda t, x: x.split(size, dim), randn(*shape))
    same(lambda t, x: x.chunk(size, dim), randn(*shape))
    same(lambda t, x: x.unbind(dim), randn(*shape))
    same(lambda t, x, y: t.cat([x, y, x], dim), randn(*shape), randn(*shape, seed=1))
    same(lambda t, x, y: t.stack([x, y], dim), randn(*shape), randn(*shape, seed=1))


@pytest.mark.parametrize(
    "expression",
    [
        lambda t, x: x.T,
        lambda t, x: x.t(),
        lambda t, x: x.mT,
        lambda t, x: x.transpose(0, -1),
        lambda t, x: x.swapaxes(0, 1),
        lambda t, x: x.view(4, -1),
        lambda t, x: x.view_as(t.zeros(2, 6)),
        lambda t, x: x.reshape(2, 2, 3),
        lambda t, x: x.unflatten(1, (2, 2)),
        lambda t, x: x.repeat(2, 1, 3),
        lambda t, x: x.flip(0),
        lambda t, x: x.flip([0, 1]),
        lambda t, x: x.triu(),
        lambda t, x: x.tril(-1),
        lambda t, x: x.diagonal(1),
        lambda t, x: x.narrow(1, 1, 2),
        lambda t, x: t.meshgrid(x[0], x[:, 0], indexing="ij"),
        lambda t, x: t.meshgrid(x[0], x[:, 0], indexing="xy"),
        lambda t, x: x.contiguous(),
        lambda t, x: x.t().contiguous().stride(),
        lambda t, x: [x.stride(), x.t().stride(), x[1:, ::2].stride(), x[1:, 2:].storage_offset()],
        lambda t, x: [x.is_contiguous(), x.t().is_contiguous()],
        lambda t, x: [x.shape, x.size(1), x.dim(), x.ndim, x.numel(), x.nelement(), len(x)],
        lambda t, x: [x.element_size(), x.nbytes, x.itemsize, x.is_floating_point()],
    ],
)
def test_shapes_of_a_matrix(expression):
    same(expression, randn(3, 4))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda t, x: x.permute(0, 0), (2, 3)),
        (lambda t, x: x.reshape(-1, -1), (2, 3)),
        (lambda t, x: x.squeeze(5), (2, 3)),
        (lambda t, x: x.unsqueeze(4), (2, 3)),
        (lambda t, x: x.transpose(0, 2), (2, 3)),
        (lambda t, x: x.expand(3), (2, 3)),
        (lambda t, x: x.chunk(0), (2, 3)),
        (lambda t, x: x.split([1, 2]), (2, 3)),
        (lambda t, x: t.cat([]), (2, 3)),
        (lambda t, x: t.stack([x, x[0]]), (2, 3)),
        (lambda t, x: x.t(), (2, 3, 4)),
        (lambda t, x: x.sum((0, 0)), (2, 3)),
        (lambda t, x: x.max(2), (2, 3)),
        (lambda t, x: t.zeros(0).max(), (2, 3)),
        (lambda t, x: t.zeros(2, 0).argmax(1), (2, 3)),
        (lambda t, x: x.narrow(0, 1, 5), (2, 3)),
        (lambda t, x: x.topk(9), (2, 3)),
        (lambda t, x: x.repeat(2), (2, 3)),
        (lambda t, x: x.dot(x), (2, 3)),
        (lambda t, x: x.mm(x), (2, 3)),
        (lambda t, x: x.bmm(x), (2, 3, 4)),
    ],
)
def test_refused_shapes(function, shape):
    same_error(function, randn(*shape))


def test_size_is_a_tuple():
    size = labtorch.zeros(2, 3, 4).shape
    assert size == (2, 3, 4) and isinstance(size, tuple) and size.numel() == 24
    assert (
        repr(size[1:]) == "torch.Size([3, 4])" and repr(size + (1,)) == "torch.Size([2, 3, 4, 1])"
    )
