"""A function over one example as a function over a batch of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from labtorch.func.tree import flatten, spread
from labtorch.ops.shape import stack
from labtorch.tensor.random import default_generator
from labtorch.tensor.tensor import Tensor


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable:
    """A function that calls `func` on each slice of its inputs and stacks the results.

    `in_dims` says along which dimension each input is sliced (None: all of it, each time),
    `out_dims` along which the results are stacked. It is a loop: it computes what PyTorch's vmap
    does, but not faster than the loop would. With `randomness="same"`, every slice meets the same
    random numbers; with "error", drawing any is refused.

    >>> import labtorch
    >>> vmap(labtorch.dot)(labtorch.ones(2, 3), labtorch.ones(2, 3))
    tensor([3., 3.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, build = flatten(args)
        dims = _in_dims(name, in_dims, args, leaves)
        sizes = {leaf.shape[dim] for leaf, dim in zip(leaves, dims) if dim is not None}
        if len(sizes) > 1:
            found = [leaf.shape[dim] for leaf, dim in zip(leaves, dims) if dim is not None]
            raise ValueError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got "
                f"sizes {found} for the mapped dimension"
            )
        (count,) = sizes
        if not count:
            raise ValueError("vmap: the mapped dimension has size 0: there is nothing to call on")
        start, results = _random_state(), []
        for i in range(count):
            if randomness == "same":
                default_generator.numpy.bit_generator.state = start
            parts = [
                leaf if dim is None else leaf.select(dim, i) for leaf, dim in zip(leaves, dims)
            ]
            results.append(func(*build(parts), **kwargs))
            if randomness == "error" and _random_state() != start:
                raise RuntimeError(
                    "vmap: called random operation while in randomness error mode. Please either "
                    "use the 'same' or 'different' randomness flags on vmap or perform the "
                    "randomness operation out of vmap"
                )
        return _stacked(name, results, out_dims)

    return call


def _random_state() -> Any:
    return default_generator.numpy.bit_generator.state


def _in_dims(name: str, in_dims: Any, args: tuple, leaves: list) -> list:
    """The dimension to slice along, or None, for each leaf of the arguments."""
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple, list)):
        raise ValueError(
            f"{where}: expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    try:
        dims = spread(in_dims, args)
    except ValueError:
        raise ValueError(
            f"{where}: in_dims is not compatible with the structure of `inputs`."
        ) from None
    found: list[Any] = []
    for leaf, dim in zip(leaves, dims):
        if dim is None:
            found.append(None)
            continue
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{where}: Got in_dim={dim} for an input but the input is of type {type(leaf)}. We "
                "cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -leaf.ndim <= dim < leaf.ndim:
            raise ValueError(
                f"{where}: Got in_dim={dim} for some input, but that input is a Tensor of "
                f"dimensionality {leaf.ndim} so expected in_dim to satisfy -{leaf.ndim} <= in_dim "
                f"< {leaf.ndim}."
            )
        found.append(dim % leaf.ndim)
    if all(dim is None for dim in found):
        raise ValueError(
            f"{where}: at least one input must be mapped over; in_dims is None for all of them"
        )
    return found


def _stacked(name: str, results: list, out_dims: Any) -> Any:
    """The results of all slices as one, each tensor stacked along its dimension."""
    rows = [flatten(each)[0] for each in results]
    build = flatten(results[0])[1]
    try:
        dims = spread(out_dims, results[0])
    except ValueError:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): out_dims is not compatible with the "
            "structure of `outputs`."
        ) from None
    columns: list[Any] = []
    for dim, column in zip(dims, zip(*rows)):
        if dim is None:
            columns.append(column[0])
            continue
        for each in column:
            if not isinstance(each, Tensor):
                raise ValueError(
                    f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(each)}. "
                    "Did you mean to set out_dims= to None for output?"
                )
        columns.append(stack(list(column), dim))
    return build(columns)
