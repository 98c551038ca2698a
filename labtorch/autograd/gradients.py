"""Gradients on demand: `grad` and `backward`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labtorch.autograd.graph import GradientEdge, at_edge
from labtorch.engine import backward as engine_backward
from labtorch.engine.variable import wrap
from labtorch.ops.shape import stack
from labtorch.tensor.tensor import Tensor, _cotangent


def _seeds(roots: Sequence[Tensor], given: Any, create_graph: bool) -> list[Any]:
    given = [given] if isinstance(given, Tensor) else given
    given = [None] * len(roots) if given is None else list(given)
    if len(given) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(given)} gradients")
    seeds = []
    for at, (root, cotangent) in enumerate(zip(roots, given)):
        engine_backward.require_graph(root, at)
        if cotangent is None:
            seed = engine_backward.implicit_cotangent(root)
            seeds.append(wrap(seed) if create_graph else seed)
        else:
            seed = _cotangent(root, cotangent)
            seeds.append(cotangent if create_graph else seed)
    return seeds


def _whole(array: Any) -> Tensor:
    """A tensor of `array`, which is a scalar where arithmetic on 0-d arrays made it."""
    out: Tensor = wrap(np.asarray(array) if isinstance(array, np.generic) else array)
    return out


def _listed(tensors: Any) -> list[Any]:
    several = [tensors] if isinstance(tensors, (Tensor, GradientEdge)) else list(tensors)
    return [at_edge(each) if isinstance(each, GradientEdge) else each for each in several]


def _batched(
    outputs: Any, inputs: Any, grad_outputs: Any, keep: bool, options: tuple
) -> tuple[Any, ...]:
    """`grad` once per row of the cotangents, and the rows of the results stacked."""
    several = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    count = len(next(each for each in several if each is not None))
    rows = []
    for i in range(count):
        row = [None if each is None else each[i] for each in several]
        rows.append(grad(outputs, inputs, row, keep or i < count - 1, *options))
    return tuple(None if g[0] is None else stack(g) for g in zip(*rows))


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Accumulate the gradients of the sum of `tensors` into the `.grad` of the leaves."""
    if inputs is not None and not isinstance(inputs, Tensor) and len(inputs) == 0:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    roots = _listed(tensors)
    seeds = _seeds(roots, grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    engine_backward.backward(
        roots,
        seeds,
        retain_graph=keep,
        create_graph=create_graph,
        inputs=None if inputs is None else _listed(inputs),
    )


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of `outputs` with respect to `inputs`; no `.grad` is touched.

    >>> import labtorch
    >>> x = labtorch.tensor(3.0, requires_grad=True)
    >>> grad(x * x, x)
    (tensor(6.),)

    With `is_grads_batched`, the first dimension of `grad_outputs` counts cotangents, and that of
    the gradients the results: one pass each.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )
    if is_grads_batched:
        keep = create_graph if retain_graph is None else retain_graph
        again = (create_graph, only_inputs, allow_unused, False, materialize_grads)
        return _batched(outputs, inputs, grad_outputs, keep, again)
    roots, leaves = _listed(outputs), _listed(inputs)
    if not leaves:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    for each in leaves:
        if not each._requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    found = engine_backward.backward(
        roots,
        _seeds(roots, grad_outputs, create_graph),
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
        inputs=leaves,
        accumulate=False,
    )
    gradients: list[Any] = []
    for at, (leaf, gradient) in enumerate(zip(leaves, found or [])):
        if gradient is None:
            if materialize_grads:
                gradients.append(wrap(leaf._array * 0))
                continue
            if not allow_unused:
                raise RuntimeError(
                    f"The differentiated Tensor at index {at} appears to not have been used in the "
                    "graph. Set allow_unused=True if this is the desired behavior."
                )
            gradients.append(None)
        else:
            gradients.append(gradient if isinstance(gradient, Tensor) else _whole(gradient))
    return tuple(gradients)
