"""The backward pass: vector-Jacobian products, node by node, in reverse order of creation.

A node is always younger than the nodes it takes its inputs from, so by the time a node is the
youngest one waiting, every consumer of its output has run and its cotangent is complete. That is
the topological order; no recursion and no sorting pass are needed, and a chain of any length works.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from sys import getrefcount
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace, ones_like
from labtorch.engine import errors, events
from labtorch.engine.node import Node
from labtorch.engine.thread import Thread, local
from labtorch.engine.variable import Variable, wrap

ndarray = np.ndarray
_ones: dict[np.dtype, Any] = {}
HELD_HERE = 2  # references to an array held by nobody but this pass, as getrefcount counts them


def backward(
    roots: Sequence[Variable],
    cotangents: Sequence[Any],
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    inputs: Sequence[Variable] | None = None,
    accumulate: bool = True,
) -> list[Any] | None:
    """Carry `cotangents` (arrays, or tensors for create_graph) from `roots` back to the leaves.

    With `accumulate`, gradients are added to the `.grad` of the leaves (of `inputs` only, if
    given); without, those of `inputs` are returned, None where a root does not depend on one.
    """
    thread = local.thread
    mode = thread.grad_enabled
    if thread.watchers:
        events.emit(thread, "backward_begun", roots)
    thread.grad_enabled = create_graph
    try:
        found = _run(thread, roots, cotangents, retain_graph, create_graph, inputs)
        if accumulate:
            _accumulate(thread, found, create_graph)
            return None
        by_leaf = {id(leaf): gradient for leaf, gradient in found}
        return [by_leaf.get(id(each)) for each in inputs or []]
    finally:
        thread.grad_enabled = mode
        if thread.watchers:
            events.emit(thread, "backward_ended")


def _run(
    thread: Thread,
    roots: Sequence[Variable],
    cotangents: Sequence[Any],
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Variable] | None,
) -> list[list]:
    """The pass itself: [leaf or input, its gradient], in the order in which they were reached."""
    waiting: list[tuple[int, Node]] = []  # a heap: the youngest node first
    arrived: dict[Node, Any] = {}  # its cotangent so far; a list of them for a node of many outputs
    leaves: dict[int, list] = {}
    captured: list[list] = []
    wanted: Any = None
    through: Any = None
    visited: Any = None
    if inputs is not None:
        wanted, through, visited = _only_towards(roots, inputs)
    targets = [root._node or root for root in roots]
    indices = [root._output for root in roots]
    gradients: Sequence[Any] = cotangents
    while True:
        for target, index, g in zip(targets, indices, gradients):
            if g is None:
                continue
            if target.__class__ is not Node:  # a leaf
                entry = leaves.get(id(target))
                if entry is None:
                    leaves[id(target)] = [target, g]
                else:
                    entry[1] = entry[1] + g
                continue
            if visited is not None and target not in visited:
                continue
            before = arrived.get(target)
            if before is None:
                heappush(waiting, (-target.sequence, target))
                if target.outputs is None:
                    arrived[target] = g
                else:
                    slots = arrived[target] = [None] * len(target.outputs)
                    slots[index] = g
            elif target.outputs is None:
                arrived[target] = before + g
            else:
                before[index] = g if before[index] is None else before[index] + g
        g = None  # what is held here is not the leaf's own
        if not waiting:
            break
        node = heappop(waiting)[1]
        g = arrived.pop(node)
        if node.hooks is not None:
            g = _run_hooks(node, g)
        if wanted is not None and node in wanted:
            for index, tensor in wanted[node]:
                captured.append([tensor, g if node.outputs is None else g[index]])
        if wanted is not None and node not in through:
            gradients = []
            continue
        gradients = node_vjp(thread, node, g, create_graph)
        targets, indices = node.inputs, node.indices
        if not retain_graph:
            node.saved = None
    del gradients
    reached = list(leaves.values())
    if inputs is not None:
        asked = {id(each) for each in inputs}
        reached = [entry for entry in reached if id(entry[0]) in asked]
    for entry in reached:
        if entry[0]._hooks:
            entry[1] = _through(entry[0]._hooks, entry[1])
    return captured + reached if captured else reached


def _only_towards(roots: Sequence[Variable], inputs: Sequence[Variable]) -> tuple[dict, set, set]:
    """The nodes whose gradients are asked for, those on a way to an input, and both together."""
    wanted: dict[Node, list] = {}
    for each in inputs:
        if each._node is not None:
            wanted.setdefault(each._node, []).append((each._output, each))
    leaves = {id(each) for each in inputs if each._node is None}
    seen: set[Node] = set()
    stack = [root._node for root in roots if root._node is not None]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack += [each for each in node.inputs if each.__class__ is Node]
    needed: set[Node] = set()
    for node in sorted(seen, key=lambda n: n.sequence):
        for each in node.inputs:
            if id(each) in leaves or each in needed or each in wanted:
                needed.add(node)
                break
    return wanted, needed, needed | set(wanted)


def node_vjp(thread: Thread, node: Node, g: Any, create_graph: bool) -> list:
    """Run a node's rules on the cotangents of its outputs: one gradient per input of its plan."""
    plan, watched = node.plan, thread.watchers
    if node.outputs is not None:
        g = [_zeros(each, spec, create_graph, g) for each, spec in zip(g, node.outputs)]
    if watched:
        events.emit(thread, "node_begun", node, g if node.outputs is not None else [g])
    saved = node.unpack_tensors() if create_graph else node.unpack()
    try:
        if plan.only is not None:
            gradients = [plan.only(g, *saved)]
        elif plan.joint is None:
            gradients = []
            for rule, slots in plan.rules:
                if len(slots) == 1:
                    gradients.append(rule(g, saved[slots[0]]))
                else:
                    gradients.append(rule(g, *[saved[i] for i in slots]))
        else:
            rule, slots = plan.joint
            given = rule(g, *[plan.needs if i < 0 else saved[i] for i in slots])
            gradients = [given[i] for i in plan.inputs]
    except Exception as error:
        error.add_note(f"in the backward pass of {node.op.name}")
        raise
    if node.specs is not None:
        for at, (shape, dtype) in enumerate(node.specs):
            gradient = gradients[at]
            if gradient is not None and (
                gradient.shape != shape or gradient.dtype is not dtype  # a tensor's never is
            ):
                gradients[at] = _fit(gradient, shape, dtype)
    if watched:
        events.emit(thread, "node_ended", node, gradients)
    return gradients


def _zeros(g: Any, spec: tuple, create_graph: bool, others: list) -> Any:
    """A zero cotangent for an output that nothing used."""
    if g is not None:
        return g
    like = next(each for each in others if each is not None)
    array = like._array if isinstance(like, Variable) else like
    zeros = namespace(array).zeros(spec[0], spec[1])
    return wrap(zeros) if create_graph else zeros


sum_to_op: Any = None  # set by labtorch.ops.shape: sums a broadcast gradient back to a shape
cast_op: Any = None  # set by labtorch.ops.shape: converts a gradient to its input's dtype


def _fit(gradient: Any, shape: tuple, dtype: Any) -> Any:
    """Undo broadcasting and promotion: the gradient of an input has the input's shape and dtype."""
    array = gradient._array if isinstance(gradient, Variable) else gradient
    if isinstance(array, np.generic):
        gradient = array = np.asarray(array)
    if array.shape != shape:
        gradient = sum_to_op(gradient, shape)
    if array.dtype != dtype:
        if array.dtype.kind == "c" and np.dtype(dtype).kind == "f":
            gradient = gradient.real
        gradient = cast_op(gradient, dtype)
    return gradient


def _run_hooks(node: Node, g: Any) -> Any:
    """The hooks of the tensors that `node` made: each may replace the gradient."""
    for index, hooks in (node.hooks or {}).items():
        if node.outputs is None:
            g = _through(hooks, g)
        elif g[index] is not None:
            g[index] = _through(hooks, g[index])
    return g


def _through(hooks: dict, g: Any) -> Any:
    as_tensor = isinstance(g, Variable)
    tensor = g if as_tensor else wrap(np.asarray(g) if isinstance(g, np.generic) else g)
    for hook in list(hooks.values()):
        replaced = hook(tensor)
        if replaced is not None:
            tensor = replaced
    return tensor if as_tensor else tensor._array


def _accumulate(thread: Thread, reached: list[list], create_graph: bool) -> None:
    """Add each gradient to its leaf's `.grad`.

    A rule may hand on the cotangent it got, a view of it, or an array that it saved. A `.grad` that
    shared memory with one of these would change when the other does: an array becomes a leaf's own
    only if nobody else refers to it; otherwise it is copied.
    """
    watched = thread.watchers
    reached.reverse()
    while reached:
        leaf, g = reached.pop()
        before = leaf._grad
        if create_graph:
            leaf._grad = g if before is None else before + g
        elif before is None:
            if g.__class__ is not ndarray or g.base is not None or getrefcount(g) > HELD_HERE:
                g = np.asarray(g).copy() if isinstance(g, np.generic) else g.copy()
            leaf._grad = wrap(g)
        elif before._node is None and before._array.flags.writeable:
            array = before._array
            array += g
            if before._version is not None:
                before._version.count += 1
        else:
            leaf._grad = wrap(before._array + g)
        if watched:
            events.emit(thread, "leaf_accumulated", leaf, leaf._grad._array)
        if leaf._post_accumulate:
            for hook in list(leaf._post_accumulate.values()):
                hook(leaf)


def implicit_cotangent(root: Variable) -> Any:
    """The cotangent 1 of a scalar root; an error that says what to do for any other."""
    array = root._array
    if array.size != 1:
        raise errors.located(
            RuntimeError(
                "grad can be implicitly created only for scalar outputs; this tensor has shape "
                f"{list(array.shape)}. Reduce it first (loss.mean().backward()), or pass the "
                "gradient to start from: y.backward(gradient=labtorch.ones_like(y))"
            )
        )
    if array.ndim or array.__class__ is not ndarray:
        return ones_like(array)
    one = _ones.get(array.dtype)
    if one is None:
        # a NumPy scalar: it cannot be written to, and its arithmetic starts in a fifth of the time
        one = _ones[array.dtype] = array.dtype.type(1)
    return one


def require_graph(root: Variable) -> None:
    """Refuse a root that nothing can flow back from."""
    if not root._requires_grad:
        raise errors.located(
            RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn: no tensor "
                "it was computed from has requires_grad=True, or it was computed under no_grad()"
            )
        )
