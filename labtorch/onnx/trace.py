"""One run of a model, written down: every op, what it took and what it made.

The run records gradients, so that writing in place is announced as ops whose results take the
places of the tensors that were written to (see `engine.inplace`). Where no gradient flows, it is
done here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labtorch.engine import events
from labtorch.engine.events import Watcher
from labtorch.engine.inplace import copy_slices, recipe
from labtorch.engine.modes import enable_grad, no_grad
from labtorch.engine.op import Op
from labtorch.engine.variable import Variable, wrap
from labtorch.observe import source
from labtorch.onnx.errors import OnnxExporterError
from labtorch.onnx.quantized import weights_of
from labtorch.onnx.structure import results
from labtorch.ops.shape import cast

SMALL = 1024  # elements: up to here values are remembered
Place = tuple[Any, int]  # a code object and an instruction in it


@dataclass(eq=False)
class Ref:
    """What an argument of an op is: the value of that number."""

    number: int


@dataclass(eq=False)
class Constant:
    """What an argument of an op is: an array that no op of the run made."""

    array: np.ndarray
    name: str | None  # in the model's state_dict


class State:
    """A model's parameters and buffers as they are now, by name, and the paths of its modules."""

    def __init__(self, model: Any) -> None:
        self.constants: dict[int, Constant] = {}  # by the identities of the model's arrays
        self._kept: list[tuple[Any, np.ndarray]] = []
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            array = tensor._array.copy()
            self._kept.append((tensor, array))
            self.constants.setdefault(id(tensor._array), Constant(array, name))
        for name, tensor in weights_of(model):
            self.constants.setdefault(id(tensor._array), Constant(tensor._array, name))
        self.paths = {id(module): path for path, module in model.named_modules()}

    def restore(self) -> None:
        """Write back what has changed."""
        for tensor, array in self._kept:
            if not np.array_equal(tensor._array, array, equal_nan=array.dtype.kind in "fc"):
                tensor._array[...] = array


@dataclass
class Entry:
    """One op of the run; its results are the values `first`, `first + 1`, ..."""

    op: Op
    args: tuple
    scope: str
    place: Place | None
    first: int = -1
    outputs: list[np.ndarray] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The user's line that called the op."""
        if self.place is None:
            return "unknown"
        found = source.describe(*self.place)
        return f"{found['file']}:{found['line']}: {found['text'].strip()}"


class Trace(Watcher):
    """The ops of a run, what they took, and of what they made the shape, or all if it is small."""

    follows_writes = True

    def __init__(self, state: State) -> None:
        self.entries: list[Entry] = []
        self.arrays: list[np.ndarray] = []  # by number: the inputs, then what ops made
        self.results: list[tuple[str, Any, np.ndarray]] = []  # name, argument, value
        self.error: Exception | None = None
        self._by_node: dict[tuple[int, int], int] = {}
        self._by_array: dict[int, int] = {}
        self._constants: dict[int, Constant] = {}  # as they were when they were first seen
        self._alive: list[Any] = []  # so that no identity is used twice
        self._calls: dict[int, Entry] = {}
        self._state = state

    def input(self, tensor: Variable) -> None:
        self._made(tensor)

    def finish(self, result: Any) -> None:
        """Keep what the model returned, and let go of the memory that the run used."""
        self.results = [
            (name, self.argument(tensor), tensor._array.copy()) for name, tensor in results(result)
        ]
        self._alive, self._calls, self._constants = [], {}, {}

    # ---------------------------------------------------------------- what the engine announces
    def op_begun(self, call: events.Call) -> None:
        try:
            frame = source.calling_frame()
            place = None if frame is None else (frame.f_code, frame.f_lasti)
            args = tuple(self.argument(each) for each in call.args)
            if call.op is copy_slices:
                args = (self._before(call.args[0]), *args[1:])
            self._calls[call.sequence] = Entry(call.op, args, self._scope(call.scope), place)
        except Exception as error:  # one that left here would only be warned of
            self.error = self.error or error

    def op_ended(self, call: events.Call, outputs: tuple[Variable, ...]) -> None:
        entry = self._calls.pop(call.sequence, None)
        if entry is None:
            return
        entry.first = len(self.arrays)
        for at, out in enumerate(outputs):
            self._by_node[call.sequence, at] = len(self.arrays)
            self._made(out)
        entry.outputs = self.arrays[entry.first :]
        self.entries.append(entry)

    def mutated(self, tensor: Variable) -> None:
        """Whoever looks at the memory from now on sees what was written."""
        try:
            if tensor._node is None:
                self._written(tensor)
        except Exception as error:
            self.error = self.error or error
        for each in (tensor, tensor._base):
            if each is not None and each._node is not None:
                number = self._of_node(each)
                if number is not None:
                    self._stands(each, number)

    # ---------------------------------------------------------------- writes without gradients
    def _written(self, tensor: Variable) -> None:
        """The last op computed it; a view's base, and all views of it, follow, as in `inplace`."""
        last = self.entries[-1]
        number = last.first
        if last.outputs[0].dtype != tensor._array.dtype:
            number = self._add(cast, (Ref(number), tensor._array.dtype), tensor._array)
        base = tensor if tensor._base is None else tensor._base
        if base is not tensor:
            if tensor._view is None:
                raise OnnxExporterError(
                    "onnx.export: a view that was made under no_grad was written to in place, "
                    "which cannot be followed; make a new tensor, for example with torch.where"
                )
            args = (self._before(base), Ref(number), recipe(tensor), True)
            number = self._add(copy_slices, args, base._array)
        self._stands(base, number)
        for view in base.version().living_views():
            if view._base is base and view._view is not None:
                op, rest = view._view
                args = tuple(self.argument(each) for each in rest)
                self._stands(view, self._add(op, args, view._array))

    def _before(self, base: Variable) -> Any:
        """What the base of a view was before the view was written to, which is done by now."""
        made = self.argument(base)
        return self._constants[id(base._array)] if getattr(made, "name", "") is None else made

    def _add(self, op: Op, args: tuple, array: np.ndarray) -> int:
        """One more op, where the last one was called."""
        last, number = self.entries[-1], len(self.arrays)
        self.arrays.append(_remembered(array))
        self.entries.append(Entry(op, args, last.scope, last.place, number, [self.arrays[-1]]))
        return number

    def _stands(self, tensor: Variable, number: int) -> None:
        self._by_array[id(tensor._array)] = number
        self._alive += [tensor._array, tensor]

    # ---------------------------------------------------------------- values
    def argument(self, value: Any) -> Any:
        """An argument of an op, with what the run made as references and the rest as constants."""
        if isinstance(value, Variable):
            number = self._of_node(value)
            if number is None:
                number = self._by_array.get(id(value._array))
            if number is None:
                made = self._state.constants.get(id(value._array))
                if made is not None:
                    return made
                made = Constant(np.array(value._array), None)
                self._constants.setdefault(id(value._array), made)
                self._alive.append(value._array)
                return made
            return Ref(number)
        if isinstance(value, np.ndarray):
            number = self._by_array.get(id(value))
            return Constant(value.copy(), None) if number is None else Ref(number)
        if isinstance(value, (tuple, list)):
            return tuple(self.argument(each) for each in value)
        if isinstance(value, slice):
            return slice(*(self.argument(x) for x in (value.start, value.stop, value.step)))
        return value

    def _of_node(self, tensor: Variable) -> int | None:
        node = tensor._node
        return None if node is None else self._by_node.get((node.sequence, tensor._output))

    def _made(self, tensor: Variable) -> None:
        if tensor._node is not None:
            key = (tensor._node.sequence, tensor._output)
            self._by_node.setdefault(key, len(self.arrays))
        self._stands(tensor, len(self.arrays))
        self.arrays.append(_remembered(tensor._array))

    def _scope(self, scope: tuple | None) -> str:
        while scope is not None:
            module = scope[1]()
            path = self._state.paths.get(id(module))
            if path is not None:
                return path
            scope = scope[0]
        return ""


def _remembered(array: np.ndarray) -> np.ndarray:
    """A copy, as the memory may be written to; of a large one only its shape and dtype."""
    if array.size <= SMALL:
        return array.copy()
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def run(state: State, inputs: list[np.ndarray], call: Callable[[list], Any]) -> Trace:
    """`call(tensors)` of fresh copies of the inputs, traced.

    It is run so that floating-point inputs require gradients; where the model does not bear that
    (it asks for an input's NumPy array), it is run without.
    """
    try:
        with enable_grad():
            return _run(state, inputs, call, True)
    except OnnxExporterError:
        raise
    except Exception:
        state.restore()
        with no_grad():
            return _run(state, inputs, call, False)


def _run(state: State, inputs: list[np.ndarray], call: Callable[[list], Any], grad: bool) -> Trace:
    trace, tensors = Trace(state), []
    for array in inputs:
        tensor: Any = wrap(array.copy())
        if grad and array.dtype.kind == "f":
            tensor = tensor.requires_grad_().clone()  # not a leaf: the model may write into it
        trace.input(tensor)
        tensors.append(tensor)
    with events.watch(trace):
        result = call(tensors)
    if trace.error is not None:
        raise trace.error
    trace.finish(result)
    return trace
