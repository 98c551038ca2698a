"""The choke point: every op call, also of a recorded backward pass, goes through here."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import labtorch.engine.op as op_module
import labtorch.engine.variable as variable
from labtorch.backend import devices
from labtorch.backend.arrays import is_array
from labtorch.backend.dtypes import promote
from labtorch.engine import errors, events
from labtorch.engine.op import Op
from labtorch.engine.thread import local, sequence
from labtorch.engine.variable import NoArray, Variable

ndarray = np.ndarray
new = object.__new__


def apply(op: Op, args: tuple) -> Any:
    """Compute `op` on the arrays of `args`; where a gradient may be asked for, make its node."""
    thread = local.thread
    arrays = []
    needs, bit = 0, 1
    try:
        for each in args:
            if isinstance(each, Variable):
                arrays.append(each._array)
                if each._requires_grad:
                    needs |= bit
            else:
                arrays.append(each)
            bit <<= 1
    except NoArray as without:
        return without.tensor.take(op, args)  # type: ignore[attr-defined]
    call = None
    if thread.watchers:
        together = _together(args)
        if together is not None:
            return apply(op, together)
        call = events.op_begun(thread, op, args, arrays)
    try:
        if op.promotes:
            forward_arrays = _promoted(op, arrays)
            result = op.forward(*forward_arrays)
        else:
            result = op.forward(*arrays)
    except Exception as error:
        together = _together(args)
        if together is not None:
            return apply(op, together)
        explained = errors.explain(op, args, arrays, error)
        if call is not None:
            events.op_failed(thread, call, explained)
        try:
            raise explained from errors.cause(error)
        finally:
            del explained  # its traceback holds this frame: together they would hold the graph
    if op.keeps or op.many:
        return _wrap_several(op, args, arrays, result, needs, thread, call)

    if result.__class__ is not ndarray and isinstance(result, np.generic):
        result = np.asarray(result)  # a ufunc on 0-d arrays gives a scalar
    out = new(variable.tensor_class)
    out._array = result
    if op.view:
        _share(out, op, args, arrays[0], thread.grad_enabled)
    needs &= op.differentiable
    if needs and thread.grad_enabled and result.dtype.kind in "fc":
        plan = op.plans.get(needs) or op.plan(needs)
        number = sequence() if call is None else call.sequence
        out._node = thread.make_node(number, op, plan, args, arrays, (result,), (), (out,), thread)
        out._requires_grad = True
    elif thread.inference and out._counter is None:
        out._counter = variable.INFERENCE
    if call is not None:
        events.op_ended(thread, call, (out,))
    return out


def _together(args: tuple) -> tuple | None:
    """The arguments with 0-d tensors of the CPU moved to the GPU of the others, as PyTorch allows;
    None where nothing is to be moved."""
    if "cupy" not in sys.modules:
        return None
    given = [each for each in args if isinstance(each, Variable)]
    gpu = next((x._array for x in given if not isinstance(x._array, ndarray)), None)
    if gpu is None or not any(isinstance(x._array, ndarray) and not x._array.ndim for x in given):
        return None
    where = devices.of_array(gpu)

    def moved(each: Any) -> Any:
        if not isinstance(each, Variable) or not isinstance(each._array, ndarray):
            return each
        return each if each._array.ndim else apply(variable.to_device, (each, where, False))

    return tuple(map(moved, args))


def _promoted(op: Op, arrays: list) -> list:
    """The operands in their common dtype, by PyTorch's rules."""
    a, b = arrays[0], arrays[1]
    kind = getattr(b, "dtype", None)
    if kind is not None and a.__class__ is b.__class__ and kind == a.dtype:
        return arrays
    common = promote(*(x for x in arrays[:2]))
    converted = [x.astype(common) if is_array(x) and x.dtype != common else x for x in arrays[:2]]
    for i, x in enumerate(converted):  # a Python number takes the common dtype as it is (NEP 50)
        if not is_array(x):
            converted[i] = common.type(x) if not is_array(converted[1 - i]) else x
    return converted + arrays[2:]


def _share(out: Variable, op: Op, args: tuple, array: Any, recorded: bool) -> None:
    """Make `out` a view of its source if it shows the same memory; see `engine.inplace`."""
    shown, source = out._array, args[0]
    base = getattr(shown, "base", None)
    if shown is array or base is array or (base is not None and base is array.base):
        out._base = source if source._base is None else source._base
        out._counter = version = source.version()
        if recorded and (source._view is not None or source._base is None):
            out._view = (op, args)
            version.add_view(out)


def _wrap_several(
    op: Op, args: tuple, arrays: list, result: tuple, needs: int, thread: Any, call: Any
) -> Any:
    """As in `apply`, for an op with several results or with arrays kept for its rules."""
    last = len(result) - len(op.keeps)
    results, kept = result[:last], result[last:]
    results = tuple(np.asarray(r) if isinstance(r, np.generic) else r for r in results)
    made = []
    for array in results:
        out = new(variable.tensor_class)
        out._array = array
        if op.view:
            _share(out, op, args, arrays[0], thread.grad_enabled)
        made.append(out)
    outs = tuple(made)
    needs &= op.differentiable
    if needs and thread.grad_enabled:
        plan = op.plans.get(needs) or op.plan(needs)
        number = sequence() if call is None else call.sequence
        node = thread.make_node(number, op, plan, args, arrays, results, kept, outs, thread)
        if op.many:
            node.outputs = [(r.shape, r.dtype) for r in results]
        for index, out in enumerate(outs):
            if out._array.dtype.kind in "fc":
                out._node, out._output, out._requires_grad = node, index, True
    elif thread.inference:
        for out in outs:
            if out._counter is None:
                out._counter = variable.INFERENCE
    if call is not None:
        call.kept = dict(zip(op.keeps, kept))
        events.op_ended(thread, call, outs)
    if op.result is not None:
        return op.result(*outs)
    return outs if op.many else outs[0]


op_module._apply = apply
