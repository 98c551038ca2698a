"""Functions made from functions: their gradients, products with vectors, Jacobians, Hessians.

A transform differentiates at tensors of its own. What flows on from them alone is handed back
outside of any graph; what also depends on something the caller differentiates keeps its graph. So
transforms nest, and work on functions of parameters that require gradients.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from labtorch.autograd.functional import basis, pushed, zeros
from labtorch.autograd.gradients import grad as gradients
from labtorch.engine.modes import enable_grad
from labtorch.engine.node import Node
from labtorch.engine.thread import current
from labtorch.func.tree import flatten
from labtorch.ops.shape import alias, stack
from labtorch.tensor.tensor import Tensor


class _Level:
    """One running transform. Its leaves carry it, so that nobody takes them for the caller's."""

    def __init__(self) -> None:
        self.running = True
        self.recorded = current().grad_enabled  # does the caller want a graph at all?

    def enter(self, tree: Any) -> tuple[Any, list[Tensor]]:
        """The tree with each tensor as a place to differentiate at, and those places."""
        leaves, build = flatten(tree)
        places = []
        for i, each in enumerate(leaves):
            if isinstance(each, Tensor):
                if each._requires_grad:  # of an outer transform, or of the caller's graph
                    leaves[i] = alias(each)
                else:
                    leaves[i] = each.detach().requires_grad_()
                    leaves[i].__dict__["_level"] = self
                places.append(leaves[i])
        return build(leaves), places

    def ends_here(self, tensors: list[Tensor]) -> bool:
        """Do the tensors depend on nothing that somebody else still differentiates?"""
        if not self.recorded:
            return True
        seen: set[Node] = set()
        stack: list[Any] = [x._node or x for x in tensors if x._requires_grad]
        while stack:
            each = stack.pop()
            if isinstance(each, Node):
                if each not in seen:
                    seen.add(each)
                    stack += each.inputs
            else:
                level = each.__dict__.get("_level")
                if level is None or (level.running and level is not self):
                    return False
        return True

    def leave(self, tree: Any) -> Any:
        """The tree with the tensors that depend on nothing else outside of the graph."""
        leaves, build = flatten(tree)
        for i, each in enumerate(leaves):
            if isinstance(each, Tensor) and each._requires_grad and self.ends_here([each]):
                leaves[i] = each.detach()
        return build(leaves)


def _tensors(outputs: list, name: str) -> list[Tensor]:
    for each in outputs:
        if not isinstance(each, Tensor):
            raise RuntimeError(
                f"{name}: Expected f to return Tensors, got unsupported type {type(each)}"
            )
    return outputs


def _chosen(args: tuple, argnums: Any) -> tuple[int, ...]:
    """The positions that `argnums` names."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for each in numbers:
        if not -len(args) <= each < len(args):
            raise RuntimeError(f"Got argnum={each}, but only {len(args)} positional inputs")
    return tuple(each % len(args) for each in numbers)


class _Run:
    """A function run at places of its own: what every transform begins with."""

    def __init__(
        self, func: Callable, args: tuple, kwargs: dict, argnums: Any, has_aux: bool, name: str
    ) -> None:
        self.level, self.single = _Level(), isinstance(argnums, int)
        chosen = _chosen(args, argnums)
        with enable_grad():
            entered, self.places = self.level.enter(tuple(args[i] for i in chosen))
            inner = list(args)
            for i, each in zip(chosen, entered):
                inner[i] = each
            given = func(*inner, **kwargs)
        self.aux = None
        if has_aux:
            if not (isinstance(given, tuple) and len(given) == 2):
                raise RuntimeError(
                    f"{name}: output of function f should be a tuple: (output, aux) if has_aux is "
                    "True"
                )
            given, self.aux = given
        self.given = given
        self.outputs, self.build_output = flatten(given)
        # the structure of a result with an entry for each place
        self.build = flatten(entered[0] if self.single else entered)[1]

    def __enter__(self) -> _Run:
        self.graph = not self.level.ends_here(self.outputs)  # shall results be differentiable?
        return self

    def __exit__(self, *_: Any) -> None:
        self.level.running = False

    def pull(self, cotangents: list) -> list[Tensor]:
        """Gradients at the places for cotangents of the outputs; zeros where there is none."""
        pairs = [(y, v) for y, v in zip(self.outputs, cotangents) if y._requires_grad]
        graph = self.graph or any(v._requires_grad for _, v in pairs if v is not None)
        found: Any = [None] * len(self.places)
        if pairs:
            ys, vs = [y for y, _ in pairs], [v for _, v in pairs]
            found = gradients(
                ys, self.places, vs, retain_graph=True, create_graph=graph, allow_unused=True
            )
        return [zeros(x) if g is None else g for x, g in zip(self.places, found)]

    def push(self, tangents: list) -> list[Tensor]:
        """How the outputs change when the places change along `tangents`."""
        with enable_grad():
            graph = self.graph or any(v._requires_grad for v in tangents)
            found = pushed(self.outputs, self.places, tangents, graph)
        return [zeros(y) if g is None else g for y, g in zip(self.outputs, found)]

    def with_aux(self, *results: Any) -> Any:
        results = (*results, self.level.leave(self.aux)) if self.aux is not None else results
        return results if len(results) > 1 else results[0]


def grad_and_value(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that returns the gradient of the scalar `func(*args)`, and its value.

    The gradient is that with respect to the argument(s) `argnums`, in their structure. With
    `has_aux`, func returns (value, aux), and aux is handed on: (gradient, (value, aux)).
    """

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        name = "grad_and_value(f)(*args)"
        with _Run(func, args, kwargs, argnums, has_aux, name) as run:
            value = run.given
            if not isinstance(value, Tensor):
                raise RuntimeError(
                    f"{name}: Expected f(*args) to return a Tensor, got {type(value)}"
                )
            if value.ndim:
                raise RuntimeError(
                    f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with "
                    f"{value.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            found = run.build(run.pull([None]))
            value = run.level.leave(value)
            return found, (run.with_aux(value) if has_aux else value)

    return call


def grad(func: Callable, argnums: Any = 0, has_aux: bool = False) -> Callable:
    """A function that returns the gradient of the scalar `func(*args)`; see `grad_and_value`.

    >>> import labtorch
    >>> grad(grad(lambda x: x**3))(labtorch.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return call


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> Any:
    r"""`func(*primals)`, and a function that takes cotangents v of it to $v^{\top} J$."""
    with _Run(func, primals, {}, tuple(range(len(primals))), has_aux, "vjp") as run:
        _tensors(run.outputs, "vjp(f, *primals)")
        output = run.level.leave(run.given)

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool = True) -> Any:
        given = flatten(cotangents[0] if len(cotangents) == 1 else cotangents)[0]
        if len(given) != len(run.outputs):
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function: {len(run.outputs)} tensors, not {len(given)}"
            )
        return run.build(run.pull(given))

    results = run.with_aux(output)
    return (results[0], pull, results[1]) if has_aux else (results, pull)


def linearize(func: Callable, *primals: Any) -> Any:
    """`func(*primals)`, and a function that takes tangents v of the primals to J v."""
    with _Run(func, primals, {}, tuple(range(len(primals))), False, "linearize") as run:
        _tensors(run.outputs, "linearize(f, *primals)")
        output = run.level.leave(run.given)

    def push(*tangents: Any) -> Any:
        return run.build_output(run.push(flatten(tangents)[0]))

    return output, push


def jvp(
    func: Callable, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> Any:
    """`func(*primals)`, and J v: how it changes when the primals change along the tangents v.

    It takes two backward passes; see `labtorch.autograd.functional`.
    """
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple):
            raise RuntimeError(
                f"jvp(f, primals, tangents): Expected {what} to be a tuple. E.g. it should be "
                "valid to call f(*primals)."
            )
    flat = flatten(tangents)[0]
    with _Run(func, primals, {}, tuple(range(len(primals))), has_aux, "jvp") as run:
        _tensors(run.outputs, "jvp(f, primals, tangents)")
        if len(flat) != len(run.places):
            raise RuntimeError(
                "jvp(f, primals, tangents): Expected primals and tangents to have the same python "
                f"structure: {len(run.places)} and {len(flat)} tensors"
            )
        for x, v in zip(run.places, flat):
            if x.shape != v.shape:
                raise RuntimeError(
                    "Trying to set a forward gradient that has a different size than that of the "
                    "original Tensor, this is not supported. Tensor is of size "
                    f"{list(x.shape)} while the given forward gradient is of size {list(v.shape)}."
                )
        change = run.build_output(run.push(flat))
        return run.with_aux(run.level.leave(run.given), change)


def jacrev(
    func: Callable,
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable:
    """A function that returns the Jacobian of `func`, of shape (*output, *input), row by row: one
    backward pass for each element of the output.
    """

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _Run(func, args, kwargs, argnums, has_aux, "jacrev") as run:
            outputs = _tensors(run.outputs, "jacrev(f)(*args)")
            found = []
            for i, y in enumerate(outputs):
                rows = []
                for unit in basis(y):
                    cotangents = [zeros(each) for each in outputs]
                    cotangents[i] = unit
                    rows.append(run.pull(cotangents))
                found.append(
                    run.build(
                        [
                            stack([row[j] for row in rows]).reshape(y.shape + x.shape)
                            for j, x in enumerate(run.places)
                        ]
                    )
                )
            return run.with_aux(run.build_output(found))

    return call


def jacfwd(
    func: Callable,
    argnums: Any = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable:
    """A function that returns the Jacobian of `func`, of shape (*output, *input), column by column:
    one product J v for each element of the input.
    """

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _Run(func, args, kwargs, argnums, has_aux, "jacfwd") as run:
            outputs = _tensors(run.outputs, "jacfwd(f)(*args)")
            parts: list[list] = [[] for _ in outputs]  # by output, then by place
            for j, x in enumerate(run.places):
                columns = []
                for unit in basis(x):
                    tangents = [zeros(each) for each in run.places]
                    tangents[j] = unit
                    columns.append(run.push(tangents))
                for i, y in enumerate(outputs):
                    whole = stack([column[i] for column in columns], -1)
                    parts[i].append(whole.reshape(y.shape + x.shape))
            return run.with_aux(run.build_output([run.build(each) for each in parts]))

    return call


def hessian(func: Callable, argnums: Any = 0) -> Callable:
    """A function that returns the matrix of second derivatives of `func`: `jacrev` of `jacrev`."""
    return jacrev(jacrev(func, argnums), argnums)
