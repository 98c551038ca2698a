"""A node: one op call in the graph, with its edges and what it keeps for the backward pass."""

from __future__ import annotations

from typing import Any

from labtorch.engine import errors
from labtorch.engine.op import ARGUMENT, KEPT, OUTPUT, SHAPE, Op, Plan
from labtorch.engine.thread import Thread
from labtorch.engine.variable import Variable, Version, wrap

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


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
        "saved",
        "versions",
        "outputs",
        "scope",
        "function",
        "hooks",
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
        self.hooks: dict[int, dict] | None = None
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
                    counter = value._version
                    version = 0 if counter is None else counter.count
                elif isinstance(value, tuple) and value and isinstance(value[0], Variable):
                    version = tuple(0 if v._version is None else v._version.count for v in value)
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
        self.saved: list | None = saved
        self.versions = versions

    @property
    def name(self) -> str:
        return self.op.name

    def __repr__(self) -> str:
        return f"<{self.op.name.title().replace('_', '')}Backward0 object>"

    def _stale(self, value: Any, version: int, now: int) -> RuntimeError:
        """What to say when memory that the node saved has been written to since."""
        shape = list(value._array.shape if isinstance(value, Variable) else value.shape)
        label = next(n for n, held in zip(self.plan.names, self.saved or ()) if held is value)
        return RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: '{label}' of shape {shape}, which {self.op.name} saved, is at version "
            f"{now}; expected version {version} instead. Change a copy (x = x + 1, or x.clone()) "
            "instead of changing it in place between the forward and the backward pass."
        )

    def unpack(self) -> list[Any]:
        """The saved values as arrays, for an ordinary pass; stale ones raise."""
        if self.saved is None:
            raise errors.located(RuntimeError(FREED))
        values = []
        for value, version in zip(self.saved, self.versions):
            if version is None:
                values.append(value)
            elif version.__class__ is int:
                counter = value._version
                if (0 if counter is None else counter.count) != version:
                    raise self._stale(value, version, counter.count)
                values.append(value._array)
            elif isinstance(value, tuple):
                for each, before in zip(value, version):
                    counter = each._version
                    if (0 if counter is None else counter.count) != before:
                        raise self._stale(each, before, counter.count)
                values.append(tuple(each._array for each in value))
            else:
                counter, before = version
                if counter.count != before:
                    raise self._stale(value, before, counter.count)
                values.append(value)
        return values

    def unpack_tensors(self) -> list[Any]:
        """The saved values as tensors in their places in the graph, for create_graph."""
        arrays = self.unpack()  # raises on stale ones
        values = []
        for array, value, version, (kind, at) in zip(
            arrays, self.saved or (), self.versions, self.plan.saves
        ):
            if kind == ARGUMENT:
                values.append(value)
            elif kind == OUTPUT:
                values.append(self.output(array, at, version[0]))
            elif kind == KEPT:
                values.append(None)  # it has no place in the graph: the rule recomputes it
            else:
                values.append(value)
        return values

    def output(self, array: Any, index: int, counter: Version) -> Variable:
        """The node's own output as a tensor again, in its place in the graph."""
        tensor = wrap(array)
        tensor._node, tensor._output, tensor._requires_grad = self, index, True
        tensor._version = counter
        return tensor

    # ------------------------------------------------------------------ for those who look
    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """PyTorch's view of the edges: (node or AccumulateGrad, index of its output)."""
        return tuple(
            (each if isinstance(each, Node) else AccumulateGrad(each), index)
            for each, index in zip(self.inputs, self.indices)
        )

    def register_hook(self, hook: Any) -> Any:
        raise NotImplementedError(
            "hooks on graph nodes are not there yet; Tensor.register_hook is, on the node's output"
        )


class AccumulateGrad:
    """The end of the graph at a leaf: where gradients are added to `variable.grad`."""

    __slots__ = ("variable",)

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def __repr__(self) -> str:
        return "<AccumulateGrad object>"

    @property
    def next_functions(self) -> tuple:
        return ()
