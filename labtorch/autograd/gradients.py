"""Gradients on demand: `grad` and `backward`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labtorch.engine import backward as engine_backward
from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import Tensor, _cotangent


def _seeds(roots: Sequence[Tensor], given: Any, create_graph: bool) -> list[Any]:
    given = [given] if isinstance(given, Tensor) else given
    given = [None] * len(roots) if given is None else list(given)
    if len(given) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(given)} gradients")
    seeds = []
    for root, cotangent in zip(roots, given):
        engine_backward.require_graph(root)
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


def _listed(tensors: Any) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Accumulate the gradients of the sum of `tensors` into the `.grad` of the leaves."""
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
    """
    roots, leaves = _listed(outputs), _listed(inputs)
    if not leaves:
        raise ValueError("grad requires non-empty inputs.")
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
    for leaf, gradient in zip(leaves, found or []):
        if gradient is None:
            if materialize_grads:
                gradients.append(wrap(leaf._array * 0))
                continue
            if not allow_unused:
                raise RuntimeError(
                    "One of the differentiated Tensors appears to not have been used in the graph. "
                    "Set allow_unused=True if this is the desired behavior."
                )
            gradients.append(None)
        else:
            gradients.append(gradient if isinstance(gradient, Tensor) else _whole(gradient))
    return tuple(gradients)
