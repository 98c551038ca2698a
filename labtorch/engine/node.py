"""A node: one op call in the graph, with its edges and what it keeps for the backward pass."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import ref

import labtorch.engine.thread as thread_module
from labtorch.backend.arrays import is_array
from labtorch.engine import errors
from labtorch.engine.names import node_name
from labtorch.engine.op import ARGUMENT, KEPT, OUTPUT, SHAPE, Op, Plan
from labtorch.engine.thread import Thread, local, saved_hooks, sequence
from labtorch.engine.variable import Variable, Version, wrap

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


# what a node may have saved, under PyTorch's names (`_saved_self`), and where ours differ
SAVED = """self result input other weight bias target mat1 mat2 exponent mask index indices dim dims
keepdim alpha beta min max negative_slope""".split()
SAVED_AS = {"self": "input", "result": "output", "mat1": "input", "mat2": "weight"}


class RemovableHandle:
    """Removes a hook; what the `register_*hook` methods return."""

    also: tuple[RemovableHandle, ...] = ()  # others, removed with it

    def __init__(self, hooks: dict) -> None:
        self.hooks, self.id = hooks, sequence()

    @classmethod
    def of(cls, hooks: dict, hook: Any) -> RemovableHandle:
        """Add `hook` to `hooks`."""
        handle = cls(hooks)
        hooks[handle.id] = hook
        return handle

    def remove(self) -> None:
        self.hooks.pop(self.id, None)
        for each in self.also:
            each.remove()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: Any) -> None:
        self.remove()


class Hooks:
    """Who listens at a node, in the order in which they are called.

    First the hooks of the tensors that it made, each may replace the gradient; then the tensors
    that retain their gradient; then, if the node runs, those before and those after it.
    """

    __slots__ = ("tensors", "retained", "before", "after")

    def __init__(self) -> None:
        self.tensors: dict[int, OrderedDict] = {}  # by the index of the output
        self.retained: dict[int, ref] = {}  # weakly: a node does not hold its output
        self.before: OrderedDict = OrderedDict()
        self.after: OrderedDict = OrderedDict()


class Packed:
    """A saved tensor in the hands of a pair of saved-tensor hooks, in place of its version too.

    Its count is no number, so that the version check fails and asks it for the tensor.
    """

    __slots__ = ("content", "unpack", "node", "index", "leaf")
    count = None

    def __init__(self, tensor: Variable, hooks: tuple) -> None:
        pack, self.unpack = hooks
        self.content = pack(wrap(tensor._array))
        # what flows back to the tensor goes where it would have gone
        self.node, self.index = tensor._node, tensor._output
        self.leaf = tensor if tensor._node is None and tensor._requires_grad else None

    def unpacked(self) -> Any:
        """The array that the hook gives back."""
        thread = local.thread
        mode, thread.grad_enabled = thread.grad_enabled, False
        try:
            tensor = self.unpack(self.content)
        finally:
            thread.grad_enabled = mode
        if not isinstance(tensor, Variable):
            raise TypeError("Output of saved tensor unpack_hook expected to be a Tensor")
        return tensor._array

    def restored(self, array: Any) -> Any:
        """The tensor in its place in the graph; a leaf is itself."""
        if self.leaf is not None:
            return self.leaf
        tensor = wrap(array)
        if self.node is not None:
            tensor._node, tensor._output, tensor._requires_grad = self.node, self.index, True
        return tensor


class Node:
    """One op call that a backward pass can go through.

    It holds its inputs (nodes, or leaf tensors) strongly and its own output not at all, so that a
    graph is a tree of references and is freed by counting them.
    """

    __slots__ = (
        "sequence",
        "op",
        "plan",
        "inputs",
        "indices",
        "specs",
        "kept",
        "versions",
        "outputs",
        "scope",
        "function",
        "hooks",
        "_metadata",  # made when first asked for
        "__weakref__",
    )

    def __init__(
        self,
        sequence: int,
        op: Op,
        plan: Plan,
        args: tuple,
        arrays: list,
        results: tuple,
        kept: tuple,
        outs: tuple,
        thread: Thread,
    ) -> None:
        """Note the edges of the inputs in `plan`, and keep what its rules name."""
        self.sequence, self.op, self.plan = sequence, op, plan
        self.scope, self.function = thread.scope, thread.function
        self.hooks: Hooks | None = None
        self.outputs: list | None = None  # (shape, dtype) of each of several results
        inputs, indices = [], []
        specs: list | None = [] if op.broadcasts else None
        for at in plan.inputs:
            each = args[at]
            inputs.append(each._node or each)
            indices.append(each._output)
            if specs is not None:
                specs.append((arrays[at].shape, arrays[at].dtype))
        self.inputs, self.indices, self.specs = inputs, indices, specs
        saved: list[Any] = []
        versions: list[Any] = []  # of a tensor: the version of its memory; of anything else: None
        for kind, at in plan.saves:
            version: Any = None
            if kind == ARGUMENT:
                value = args[at]
                if isinstance(value, Variable):
                    counter = value._counter
                    version = 0 if counter is None else counter.count
                elif isinstance(value, tuple) and value and isinstance(value[0], Variable):
                    version = tuple(0 if v._counter is None else v._counter.count for v in value)
            elif kind == OUTPUT:  # the array and its counter: the tensor itself would be a cycle
                value = results[at]
                counter = outs[at].version()
                version = (counter, counter.count)
            elif kind == KEPT:
                value = kept[at]
            else:
                here = arrays[at]
                name = "shape" if kind == SHAPE else "dtype"
                several = isinstance(at, slice)
                value = [getattr(a, name) for a in here] if several else getattr(here, name)
            saved.append(value)
            versions.append(version)
        self.kept: list | None = saved  # None once the graph is freed
        self.versions = versions

    def _stale(self, value: Any, counter: Any, version: int) -> RuntimeError:
        """What to say when memory that the node saved has been written to since."""
        shape = list(value._array.shape if isinstance(value, Variable) else value.shape)
        kept = [
            (name, each)
            for name, held in zip(self.plan.names, self.kept or ())
            for each in (held if isinstance(held, tuple) else (held,))
        ]
        label = next(name for name, held in kept if held is value)
        return RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: '{label}' of shape {shape}, which {self.op.name} saved, is at version "
            f"{counter.count}; expected version {version} instead{errors.changed_by(counter)}.\n"
            "Change a copy (x = x + 1, or x.clone()) instead of changing it in place between the "
            "forward and the backward pass."
        )

    def holds_tensors(self) -> bool:
        """Is any of the saved arguments a tensor?"""
        return any(version is not None for version in self.versions)

    def unpack(self) -> list[Any]:
        """The saved values as arrays, for an ordinary pass; stale ones raise."""
        if self.kept is None:
            raise errors.located(RuntimeError(FREED))
        values = []
        for value, version in zip(self.kept, self.versions):
            if version is None:
                values.append(value)
            elif version.__class__ is int:
                counter = value._counter
                if (0 if counter is None else counter.count) != version:
                    raise self._stale(value, counter, version)
                values.append(value._array)
            elif isinstance(value, tuple):
                for each, before in zip(value, version):
                    counter = each._counter
                    if (0 if counter is None else counter.count) != before:
                        raise self._stale(each, counter, before)
                values.append(tuple(each._array for each in value))
            else:
                counter, before = version
                if counter.count != before:
                    if counter.__class__ is not Packed:
                        raise self._stale(value, counter, before)
                    value = counter.unpacked()
                values.append(value)
        return values

    def unpack_tensors(self) -> list[Any]:
        """The saved values as tensors in their places in the graph, for create_graph."""
        arrays = self.unpack()  # raises on stale ones
        values = []
        for array, value, version, (kind, at) in zip(
            arrays, self.kept or (), self.versions, self.plan.saves
        ):
            if kind == ARGUMENT:
                values.append(value.restored(array) if isinstance(value, Packed) else value)
            elif kind == OUTPUT:
                counter = version[0]
                values.append(
                    self.output(array, at, Version() if counter.__class__ is Packed else counter)
                )
            elif kind == KEPT:
                values.append(None)  # it has no place in the graph: the rule recomputes it
            else:
                values.append(value)
        return values

    def output(self, array: Any, index: int, counter: Version) -> Variable:
        """The node's own output as a tensor again, in its place in the graph."""
        tensor = wrap(array)
        tensor._node, tensor._output, tensor._requires_grad = self, index, True
        tensor._counter = counter
        return tensor

    # ------------------------------------------------------------------ for those who look
    def name(self) -> str:
        """PyTorch's name for the node; see `engine.names`."""
        return node_name(self.op, dict(zip(self.plan.names, self.kept or ())))

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    @property
    def saved(self) -> dict[str, Any]:
        """What the node keeps for its rules, by name; tensors in their places in the graph."""
        if self.kept is None:
            raise RuntimeError(FREED)
        found = zip(self.plan.names, self.unpack(), self.unpack_tensors(), self.plan.saves)
        return {
            name: wrap(array) if kind == KEPT and is_array(array) else tensor
            for name, array, tensor, (kind, _) in found
        }

    @property
    def saved_tensors(self) -> tuple:
        """What the forward of a user's `autograd.Function` saved."""
        if "ctx" not in self.plan.names:
            raise AttributeError(f"'{self.name()}' object has no attribute 'saved_tensors'")
        return self.saved["ctx"].ctx.saved_tensors

    @property
    def metadata(self) -> dict[Any, Any]:
        """A place for notes about the node."""
        if not hasattr(self, "_metadata"):
            self._metadata: dict[Any, Any] = {}
        return self._metadata

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """PyTorch's view of the edges: (node or AccumulateGrad, index of its output).

        An input that requires no gradient is (None, 0).
        """
        edges: dict[int, tuple[Any, int]] = {}
        for at, each, index in zip(self.plan.inputs, self.inputs, self.indices):
            edges[at] = (named(each) if isinstance(each, Node) else accumulator(each), index)
        able = self.op.differentiable
        count = able.bit_length() if able > 0 else max(edges) + 1
        return tuple(edges.get(at, (None, 0)) for at in range(count) if able >> at & 1)

    def own_hooks(self) -> Hooks:
        if self.hooks is None:
            self.hooks = Hooks()
        return self.hooks

    def register_hook(self, fn: Callable[[tuple, tuple], Any]) -> RemovableHandle:
        """Call `fn(grad_inputs, grad_outputs)` after the node; it may return new grad_inputs."""
        return RemovableHandle.of(self.own_hooks().after, fn)

    def register_prehook(self, fn: Callable[[tuple], Any]) -> RemovableHandle:
        """Call `fn(grad_outputs)` before the node runs; it may return new grad_outputs."""
        return RemovableHandle.of(self.own_hooks().before, fn)


def _saved_as(name: str) -> property:
    """`_saved_<name>`: what is saved, under PyTorch's name.

    A property a name, and no `__getattr__`: that would slow every other attribute of a node down.
    """

    def get(node: Node) -> Any:
        wanted = SAVED_AS.get(name, name)
        if wanted not in node.plan.names:
            raise AttributeError(f"'{node.name()}' object has no attribute '_saved_{name}'")
        return node.saved[wanted]

    return property(get)


for _name in SAVED:
    setattr(Node, f"_saved_{_name}", _saved_as(_name))


def choose_node(thread: Thread) -> None:
    """Let the thread make nodes as its modes ask; called when one of them changes."""
    careful = thread.anomaly is not None or saved_hooks(thread) is not None
    thread.make_node = _make_carefully if careful else Node


def _make_carefully(*given: Any) -> Node:
    """A node that knows the user's line (anomaly mode) or whose saved tensors hooks have packed."""
    node, thread = Node(*given), given[-1]
    if thread.anomaly is not None:
        node.metadata["traceback_"] = [errors.place(errors.user_frame())]
    hooks = saved_hooks(thread)
    if hooks is not None:
        mode, thread.grad_enabled = thread.grad_enabled, False
        try:
            _pack(node, hooks)
        finally:
            thread.grad_enabled = mode
    return node


def _pack(node: Node, hooks: tuple) -> None:
    """Give what the node has saved to a (pack, unpack) pair of hooks.

    The tensors of a variable number of arguments, as those of `einsum`, stay where they are.
    """
    kept, versions = node.kept or [], node.versions
    for i, (kind, _) in enumerate(node.plan.saves):
        value = kept[i]
        if kind == ARGUMENT and isinstance(value, Variable):
            packed = Packed(value, hooks)
        elif kind in (OUTPUT, KEPT) and is_array(value):
            packed = Packed(wrap(value), hooks)
        else:
            continue
        kept[i], versions[i] = packed, (packed, 0)


def named(node: Node) -> Node:
    """The node as an instance of a class of its name, which PyTorch has for each op.

    The class is made, and the node moved to it, when somebody looks: a training step never pays.
    """
    if node.__class__ is Node:
        node.__class__ = _class_of(node.name())
    return node


@functools.cache
def _class_of(name: str) -> type[Node]:
    return type(name, (Node,), {"__slots__": (), "__module__": Node.__module__})


class AccumulateGrad:
    """The end of the graph at a leaf: where gradients are added to `variable.grad`."""

    __slots__ = ("variable", "metadata", "__weakref__")

    def __init__(self, variable: Variable) -> None:
        self.variable = variable
        self.metadata: dict[Any, Any] = {}

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"

    @property
    def next_functions(self) -> tuple:
        return ()

    def register_prehook(self, fn: Callable[[tuple], Any]) -> RemovableHandle:
        """Call `fn((gradient,))` before it is added; it may return another in a tuple."""

        def before(gradient: Variable) -> Any:
            given = fn((gradient,))
            return given[0] if isinstance(given, tuple) else given

        return RemovableHandle.of(self.variable.own_hooks("_hooks"), before)

    def register_hook(self, fn: Callable[[tuple, tuple], Any]) -> RemovableHandle:
        """Call `fn((), (gradient,))` once it has been added."""
        arrived: list[Variable] = []
        noting = RemovableHandle.of(self.variable.own_hooks("_hooks"), arrived.append)

        def after(leaf: Variable) -> None:
            fn((), (arrived.pop(),))
            arrived.clear()

        handle = RemovableHandle.of(self.variable.own_hooks("_post_accumulate"), after)
        handle.also = (noting,)
        return handle


def accumulator(leaf: Variable) -> AccumulateGrad:
    """The leaf's AccumulateGrad: one and the same while somebody holds it."""
    found = None if leaf._accumulator is None else leaf._accumulator()
    if found is None:
        found = AccumulateGrad(leaf)
        leaf._accumulator = ref(found)
    return found


thread_module.node_class = local.thread.make_node = Node  # of other threads, and of this one
