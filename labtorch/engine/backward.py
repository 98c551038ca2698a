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

from labtorch.backend.arrays import namespace, ones_like, writeable
from labtorch.engine import errors, events
from labtorch.engine.node import Hooks, Node
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
        if accumulate and thread.before_backward:
            for callback in thread.before_backward:
                callback(roots)
        found = _run(thread, roots, cotangents, retain_graph, create_graph, inputs)
        if accumulate:
            _accumulate(thread, found, create_graph)
        if thread.after_backward is not None:
            callbacks, thread.after_backward = thread.after_backward, None
            for callback in callbacks:
                callback()
        if accumulate:
            return None
        by_leaf = {id(leaf): gradient for leaf, gradient in found}
        return [by_leaf.get(id(each)) for each in inputs or []]
    except BaseException:
        thread.after_backward = None
        raise
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
    vjp = node_vjp if thread.anomaly is None else _checked_vjp
    while True:
        for target, index, g in zip(targets, indices, gradients):
            if g is None:
                continue
            if not isinstance(target, Node):  # a leaf
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
        hooks = node.hooks
        if hooks is not None:
            g = _tensor_hooks(node, hooks, g)
        if wanted is not None and node in wanted:
            for index, tensor in wanted[node]:
                captured.append([tensor, g if node.outputs is None else g[index]])
        if wanted is not None and node not in through:
            gradients = []
            continue
        if hooks is not None and (hooks.before or hooks.after):
            gradients = _between_hooks(thread, node, hooks, g, create_graph, vjp)
        else:
            gradients = vjp(thread, node, g, create_graph)
        targets, indices = node.inputs, node.indices
        if not retain_graph:
            frees = node.plan.frees
            if frees or (frees is None and node.holds_tensors()):
                node.kept = None
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
        stack += [each for each in node.inputs if isinstance(each, Node)]
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
                gradients[at] = fit(gradient, shape, dtype)
    if watched:
        events.emit(thread, "node_ended", node, gradients)
    return gradients


def _zeros(g: Any, spec: tuple, create_graph: bool, others: list) -> Any:
    """A zero cotangent for an output that nothing used."""
    if g is not None or spec is None:  # a node that makes its own zeros has no spec
        return g
    like = next(each for each in others if each is not None)
    array = like._array if isinstance(like, Variable) else like
    zeros = namespace(array).zeros(spec[0], spec[1])
    return wrap(zeros) if create_graph else zeros


sum_to_op: Any = None  # set by labtorch.ops.shape: sums a broadcast gradient back to a shape
cast_op: Any = None  # set by labtorch.ops.shape: converts a gradient to its input's dtype


def fit(gradient: Any, shape: tuple, dtype: Any) -> Any:
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


def _checked_vjp(thread: Thread, node: Node, g: Any, create_graph: bool) -> list:
    """`node_vjp` in anomaly mode: a NaN among the gradients raises and names the forward call."""
    try:
        gradients = node_vjp(thread, node, g, create_graph)
    except Exception as error:
        error.add_note(_called(node))
        raise
    for index, gradient in enumerate(gradients if thread.anomaly == "check" else ()):
        array = gradient._array if isinstance(gradient, Variable) else gradient
        if array is not None and np.dtype(array.dtype).kind in "fc" and (array != array).any():
            raise RuntimeError(
                f"Function '{node.name()}' returned nan values in its {index}th output.\n"
                + _called(node)
            )
    return gradients


def _called(node: Node) -> str:
    """Where the user called a node's op, if it was called in anomaly mode."""
    traced = node.metadata.get("traceback_")
    if not traced:
        return (
            f"{node.op.name} was called outside of anomaly mode: run the forward pass, too, under "
            "autograd.detect_anomaly() to see where."
        )
    return f"{node.op.name} was called at {traced[0]}"


def _tensor_hooks(node: Node, hooks: Hooks, g: Any) -> Any:
    """The hooks of the tensors that `node` made, and those of them that retain their gradient."""
    several = node.outputs is not None
    for index, table in hooks.tensors.items():
        if not several:
            g = _through(table, g)
        elif g[index] is not None:
            g[index] = _through(table, g[index])
    for index, reference in hooks.retained.items():
        tensor, gradient = reference(), g[index] if several else g
        if tensor is not None and gradient is not None:
            gradient = _tensor(gradient)
            before = tensor._grad
            tensor._grad = gradient.clone() if before is None else before + gradient
    return g


def _between_hooks(
    thread: Thread, node: Node, hooks: Hooks, g: Any, create_graph: bool, vjp: Any
) -> list:
    """Run a node between the hooks before it, which may replace the gradients of its outputs, and
    those after it, which may replace the gradients of its inputs."""
    several = node.outputs is not None
    outputs = tuple(_tensor(each) for each in (g if several else [g]))
    for before in list(hooks.before.values()):
        outputs = _replaced(before(outputs), outputs)
    given = [each if create_graph or each is None else each._array for each in outputs]
    gradients = vjp(thread, node, given if several else given[0], create_graph)
    inputs = tuple(_tensor(each) for each in gradients)
    for after in list(hooks.after.values()):
        inputs = _replaced(after(inputs, outputs), inputs)
    return [each if create_graph or each is None else each._array for each in inputs]


def _replaced(given: Any, before: tuple) -> tuple:
    """What a hook makes of gradients: those it returns, or the same ones."""
    if given is None:
        return before
    given = given if isinstance(given, tuple) else (given,)
    if len(given) != len(before):
        raise RuntimeError(
            f"hook has returned an incorrect number of values (got {len(given)}, but expected "
            f"{len(before)})"
        )
    return given


def _tensor(gradient: Any) -> Any:
    """A gradient as the tensor that a hook sees."""
    if gradient is None or isinstance(gradient, Variable):
        return gradient
    return wrap(np.asarray(gradient) if isinstance(gradient, np.generic) else gradient)


def _through(hooks: dict, g: Any) -> Any:
    """A gradient through the hooks of its tensor: each may replace it."""
    tensor = _tensor(g)
    for hook in list(hooks.values()):
        replaced = hook(tensor)
        if replaced is not None:
            tensor = _checked_hook_result(replaced, tensor)
    return tensor if isinstance(g, Variable) else tensor._array


def _checked_hook_result(replaced: Any, gradient: Any) -> Any:
    if not isinstance(replaced, Variable):
        raise TypeError(
            f"expected Variable, but hook returned '{type(replaced).__name__}': return a tensor, "
            "or nothing to keep the gradient"
        )
    if replaced._array.shape != gradient._array.shape:
        raise RuntimeError(
            "hook has changed the size of value: it got a gradient of shape "
            f"{list(gradient._array.shape)} and returned {list(replaced._array.shape)}"
        )
    return replaced


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
            if g.base is not None or getrefcount(g) > HELD_HERE or isinstance(g, np.generic):
                g = np.asarray(g).copy() if isinstance(g, np.generic) else g.copy()
            leaf._grad = wrap(g)
        elif before._node is None and writeable(before._array):
            array = before._array
            array += g
            if before._counter is not None:
                before._counter.written("backward()")
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


def require_graph(root: Variable, at: int = 0) -> None:
    """Refuse a root, the one at position `at`, that nothing can flow back from."""
    if not root._requires_grad:
        raise errors.located(
            RuntimeError(
                f"element {at} of tensors does not require grad and does not have a grad_fn: no "
                "tensor it was computed from has requires_grad=True, or it was computed under "
                "no_grad()"
            )
        )
