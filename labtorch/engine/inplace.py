"""Writing into memory that the graph knows: in-place ops, version checks, and views.

A view made while gradients are recorded knows its recipe: the op call that made it (`_view`), from
its base or from another view. When memory is written to and the writing is recorded, the base gets
the history: of the op itself if it was applied to the base, else of `copy_slices`, the base with
the view's part replaced. Every view of the base then takes its place in the graph anew, by its
recipe. Ordinary ops pay nothing; making a view costs a weak reference.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

import labtorch.engine.variable as variable
from labtorch.backend.arrays import namespace, writeable
from labtorch.engine import errors, events
from labtorch.engine.apply import apply
from labtorch.engine.node import Node, Packed
from labtorch.engine.op import OUTPUT, Op, op
from labtorch.engine.thread import local, saved_hooks
from labtorch.engine.variable import NoArray, Variable

CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}


def apply_inplace(op: Op, args: tuple) -> Any:
    """Compute `op` and write the result into its first argument's memory: `x.add_(y)`.

    The tensor then stands for the new op call in the graph; the version of its memory goes up, so
    that a rule which saved the old value says so instead of computing with the new one.
    """
    target = args[0]
    if local.thread.grad_enabled and any(
        isinstance(each, Variable) and each._requires_grad for each in args
    ):
        check_writable(target, op.name)
    try:
        before = former(target)
    except NoArray as without:
        return without.tensor.take_inplace(op, args)  # type: ignore[attr-defined]
    if saved_hooks(local.thread) is not None:  # what a hook is given may not change under its hands
        before._array = before._array.copy()
    result = apply(op, (before, *args[1:]))
    if result._array.shape != target._array.shape:
        raise errors.located(
            RuntimeError(
                f"output with shape {list(target._array.shape)} doesn't match the broadcast shape "
                f"{list(result._array.shape)}: an in-place {op.name}_ cannot change the shape"
            )
        )
    node = result._node
    if node is not None and any(value is before for value in node.kept):
        before._array = before._array.copy()  # a rule needs the old value, which is about to go
    write(target, result, op.name + "_")
    if node is not None:
        for i, (kind, _) in enumerate(node.plan.saves):
            if (
                kind == OUTPUT and node.versions[i][0].__class__ is not Packed
            ):  # the memory now holds it: no second copy
                counter = target.version()
                node.kept[i], node.versions[i] = target._array, (counter, counter.count)
    return target


def former(target: Variable) -> Variable:
    """The tensor as it is before a write, for the node that the write makes: the node must hold
    neither `target`, whose node it is, nor `target`'s base."""
    before = variable.wrap(target._array)
    before._node, before._output = target._node, target._output
    before._requires_grad = target._requires_grad
    return before


def check_writable(target: Variable, name: str) -> None:
    """Refuse a recorded in-place change that would destroy a leaf of the graph."""
    base, array = target._base, target._array
    whose = None
    if target._node is None and target._requires_grad:
        whose = "a leaf Variable that requires grad"
    elif base is not None and base._node is None and base._requires_grad:
        whose = "a view of a leaf Variable that requires grad"
    if whose is not None:
        raise errors.located(
            RuntimeError(
                f"{whose} is being used in an in-place operation ({name}_). Do it under "
                "labtorch.no_grad(), or on a copy: x = x.clone()"
            )
        )
    if base is not None and target._view is None:
        raise errors.located(
            RuntimeError(
                "A view was created in no_grad mode and is being modified inplace with grad mode "
                f"enabled ({name}_). Make the view with gradients enabled, or write to a copy"
            )
        )
    if 0 in array.strides and array.size > 1 and not writeable(array):
        refuse_overlap(name)


def refuse_overlap(name: str) -> None:
    """Refuse to write where several elements are one place in memory, as after expand()."""
    raise errors.located(
        RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            f"single memory location. Please clone() the tensor before performing {name}_"
        )
    )


def write(target: Variable, result: Variable, name: str = "an in-place operation") -> None:
    """Put the result of an in-place op into `target`: memory, version, and place in the graph."""
    array, value = target._array, result._array
    if CATEGORY[value.dtype.kind] > CATEGORY[array.dtype.kind]:
        raise errors.located(
            RuntimeError(
                f"result type {value.dtype} can't be cast to the desired output type {array.dtype}"
            )
        )
    if not writeable(array):
        refuse_overlap("this operation")
    target.version().written(name, errors.user_line())
    array[...] = value
    if result._node is not None:
        if value.dtype != array.dtype:
            raise errors.located(
                RuntimeError("an in-place op on a tensor of lower precision cannot be recorded")
            )
        record(target, result)
    if local.thread.watchers:
        events.mutated(local.thread, target)


def record(target: Variable, result: Variable) -> None:
    """After a recorded write: `target` stands for `result`, and its base and all views follow."""
    base = target if target._base is None else target._base
    if base is not target:
        steps = recipe(target)
        result = apply(copy_slices, (former(base), result, steps, True))
    views = [each for each in base.version().living_views() if each._base is base]
    _break_rings([base, *views], result._node)
    _move(base, result)
    for each in views:
        _move(each, apply(*each._view))


MOST_SEARCHED = 256  # nodes: a write never costs more than a few ops do


def _break_rings(moved: list[Variable], node: Any) -> None:
    """Free what the tensors that are about to move to `node`, or past it, would hold in a ring.

    In `b.add_(b * w)` the product saved `b`. It is stale now; but were `b` to stand after the
    product, it would hold the node that holds it, until the garbage collector comes. Each such node
    gets a tensor in `b`'s former place instead. Only nodes younger than those places can have saved
    the tensors as they were.
    """
    oldest = min(0 if each._node is None else each._node.sequence for each in moved)
    places = {id(each): each for each in moved}
    queue, seen = [node], {node}
    while queue and len(seen) < MOST_SEARCHED:
        at = queue.pop()
        for i, value in enumerate(at.kept or ()):
            tensor = places.get(id(value))
            if tensor is not None:
                at.kept[i] = former(tensor)
                at.kept[i]._counter = tensor.version()  # so that it is seen to be stale
        for each in at.inputs:
            if isinstance(each, Node) and each.sequence > oldest and each not in seen:
                seen.add(each)
                queue.append(each)


def _move(tensor: Variable, to: Variable) -> None:
    """Give `tensor` the place of `to` in the graph; a gradient that it retains is the new one's.

    Hooks stay at the node where they were registered, as in PyTorch.
    """
    node: Any = to._node
    if tensor._retains and tensor._node is not None:
        del tensor._node.own_hooks().retained[tensor._output]
        node.own_hooks().retained[to._output] = ref(tensor)
    tensor._node, tensor._output, tensor._requires_grad = node, to._output, True


def recipe(view: Variable) -> tuple:
    """The op calls that lead from the base to `view`: (op, its arguments but the first), ..."""
    steps: list[tuple] = []
    while view._view is not None:
        op, args = view._view
        steps.append((op, args[1:]))
        view = args[0]
    return tuple(reversed(steps))


def follow(steps: tuple, x: Any) -> Any:
    """The part of `x` (an array or a tensor) that a recipe shows."""
    for step, rest in steps:
        x = step(x, *rest)
    return x


@op(r"y = x, \quad y_{\mathrm{part}} = v")
def copy_slices(input, value, steps, written=False):
    """`input` with the part that `steps` show replaced; where it is already `written`, as it is."""
    if written:
        return input
    y = input.copy()
    part = follow(steps, y)
    lib = namespace(y)
    if lib.may_share_memory(part, y):
        part[...] = value
    else:  # in this layout the part is no view: find its places
        places = lib.arange(y.size).reshape(y.shape)
        y.reshape(-1)[follow(steps, places)] = value
    return y


@copy_slices.vjp("input", r"\bar x = \bar y, \quad \bar x_{\mathrm{part}} = 0")
def _(g, steps):
    return copy_slices(g, 0.0, steps)


@copy_slices.vjp("value", r"\bar v = \bar y_{\mathrm{part}}")
def _(g, steps):
    return follow(steps, g)
