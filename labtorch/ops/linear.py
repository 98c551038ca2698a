"""Linear algebra that layers are made of: products of matrices, and the affine map of a layer."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.backend.threads import MUCH, split
from labtorch.engine.op import op
from labtorch.engine.public import public
from labtorch.engine.variable import Variable
from labtorch.ops.arithmetic import conj
from labtorch.ops.shape import sum_to, transpose, unsqueeze


def _rows(x: Any) -> Any:
    """All leading dimensions as one."""
    return x if x.ndim == 2 else x.reshape((-1, x.shape[-1]))


def _product(a: Any, b: Any) -> Any:
    """A B of two matrices, in a rule: on tensors, too."""
    return a @ b if isinstance(a, Variable) else _dot(a, b)


def _dot(a: Any, b: Any) -> Any:
    """A B of two arrays, the rows of a large product split over the threads.

    NumPy's dot starts in half the time of its matmul.
    """
    work = a.size * b.shape[-1] >> 5  # in elements that would be gone through in the time
    if work < MUCH or a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype:
        return a.dot(b)
    lib = namespace(a)
    y = lib.empty((a.shape[0], b.shape[1]), a.dtype)
    split(lambda part: lib.dot(a[part], b, out=y[part]), a, work)
    return y


def _same_dtype(*arrays: Any) -> None:
    dtypes = {a.dtype for a in arrays if a is not None}
    if len(dtypes) > 1:
        names = " and ".join(sorted(d.name for d in dtypes))
        raise RuntimeError(
            f"mat1 and mat2 must have the same dtype, but got {names}. "
            "Convert one of them, for example with x.float()."
        )


@op(r"y = x\,W^{\top} + b")
def linear(input, weight, bias=None):
    """y = x W^T + b, for x of shape (..., in), W (out, in), b (out) and y (..., out)."""
    if input.ndim == 2 and weight.ndim == 2:
        if input.dtype is not weight.dtype:
            _same_dtype(input, weight)
        y = _dot(input, weight.T)
    else:
        _same_dtype(input, weight)
        if input.ndim > 2 and weight.ndim == 2 and input.size:  # one product in place of a batch
            y = _dot(_rows(input), weight.T).reshape((*input.shape[:-1], weight.shape[0]))
        else:
            y = namespace(input).matmul(input, weight.T)
    if bias is not None:
        if bias.dtype is not y.dtype:
            _same_dtype(y, bias)
        y += bias
    return y


@linear.vjp("input", r"\bar x = \bar y\, W")
def _(g, weight):
    if weight.ndim == 1:
        return unsqueeze(g, -1) * conj(weight)
    return _product(g, conj(weight)) if g.ndim == 2 else g @ conj(weight)


@linear.vjp("weight", r"\bar W = \bar y^{\top} x")
def _(g, input):
    if g.ndim == 2 and input.ndim == 2:
        return _product(g.T, conj(input))
    if g.ndim < input.ndim:  # W is a vector
        return _rows(input).T @ g.reshape((-1,))
    return _rows(g).T @ conj(_rows(input))


@linear.vjp("bias", r"\bar b = \sum_n \bar y_n")
def _(g, bias_shape):
    if g.ndim != 2:
        return sum_to(g, bias_shape)
    if isinstance(g, Variable):
        return g.sum(0)
    return _ones(namespace(g), len(g), g.dtype).dot(g)  # starts in a third of a reduction's time


@lru_cache(maxsize=64)
def _ones(lib: Any, n: int, dtype: Any) -> Any:
    return lib.ones(n, dtype)


@linear.explains
def _(input, weight, bias):
    if input.ndim == 0 or input.shape[-1] != weight.shape[-1]:
        rows = tuple(_rows(input).shape) if input.ndim else ()
        wanted = weight.shape[-1]
        return (
            f"mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, rows))} and "
            f"{'x'.join(map(str, weight.shape[::-1]))}): the last dimension of the input is "
            f"{input.shape[-1] if input.ndim else 'missing'}, the layer takes {wanted}. "
            f"An input of shape (..., {wanted}) would fit"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        return f"bias of shape {bias.shape} does not fit; {weight.shape[:1]} would"
    return None


@public(aliases="linalg.matmul")
@op(r"y = A B")
def matmul(input, other):
    """The matrix product; 1-d operands are vectors, leading dimensions broadcast as batches."""
    if input.ndim == 0 or other.ndim == 0:
        raise RuntimeError(
            "both arguments to matmul need to be at least 1D, but they are "
            f"{input.ndim}D and {other.ndim}D"
        )
    _same_dtype(input, other)
    if input.ndim <= 2 and other.ndim <= 2:
        return _dot(input, other)
    return namespace(input).matmul(input, other)


@matmul.vjp("input", r"\bar A = \bar y\, B^{\top}")
def _(g, input_shape, other):
    rows = len(input_shape) > 1
    if other.ndim == 1:
        grad = unsqueeze(g, -1) * conj(other)
        return grad if rows else grad.reshape(input_shape)
    if not rows:
        return sum_to(unsqueeze(g, -2) @ transpose(conj(other), -1, -2), (1, *input_shape)).reshape(
            input_shape
        )
    grad = g @ transpose(conj(other), -1, -2)
    return grad if grad.shape == input_shape else sum_to(grad, input_shape)


@matmul.vjp("other", r"\bar B = A^{\top} \bar y")
def _(g, input, other_shape):
    columns = len(other_shape) > 1
    if input.ndim == 1:
        if not columns:
            return g * conj(input)
        grad = unsqueeze(conj(input), -1) @ unsqueeze(g, -2)
        return grad if grad.shape == other_shape else sum_to(grad, other_shape)
    if not columns:
        grad = transpose(conj(input), -1, -2) @ unsqueeze(g, -1)
        return sum_to(grad, (*other_shape, 1)).reshape(other_shape)
    grad = transpose(conj(input), -1, -2) @ g
    return grad if grad.shape == other_shape else sum_to(grad, other_shape)


@matmul.explains
def _(input, other):
    inner = other.shape[-2] if other.ndim > 1 else other.shape[0]
    if input.shape[-1] != inner:
        shapes = ["x".join(map(str, s.shape)) for s in (input, other)]
        return (
            f"mat1 and mat2 shapes cannot be multiplied ({shapes[0]} and {shapes[1]}): the last "
            f"dimension of the first, {input.shape[-1]}, must equal the "
            f"{'second-to-last' if other.ndim > 1 else 'only'} dimension of the second, {inner}"
        )
    return None
