"""A node: one op call in the graph, with its edges and what it keeps for the backward pass."""

from __future__ import annotations

from typing import Any

from labtorch.engine.op import ARGUMENT, DTYPE, KEPT, OUTPUT, SHAPE, Op, Plan
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
        "prehooks",
        "where",
        "__weakref__",
    )

    def __init__(
        self, sequence: int, op: Op, plan: Plan, args: tuple, arrays: list, thread: Thread
    ) -> None:
        self.sequence, self.op, self.plan = sequence, op, plan
        self.inputs = [args[i]._node or args[i] for i in plan.inputs]
        self.indices = [args[i]._output for i in plan.inputs]
        self.specs: list | None = None
        if op.broadcasts:
            self.specs = [(arrays[i].shape, arrays[i].dtype) for i in plan.inputs]
        self.outputs: list | None = None  # (shape, dtype) of each of several results
        self.scope, self.function = thread.scope, thread.function
        self.hooks: dict[int, dict] | None = None
        self.prehooks: dict | None = None
        self.where: Any = None

    def keep(self, args: tuple, arrays: list, results: tuple, kept: tuple, tensors: tuple) -> None:
        """Keep what the plan's rules name, and note the version of each tensor's memory."""
        saved: list[Any] = []
        versions: list[Any] = []
        for kind, at in self.plan.saves:
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
                counter = tensors[at].version()
                version = (counter, counter.count)
            elif kind == KEPT:
                value = kept[at]
            elif kind == SHAPE:
                here = arrays[at]
                value = [a.shape for a in here] if isinstance(at, slice) else here.shape
            else:
                here = arrays[at]
                value = [a.dtype for a in here] if isinstance(at, slice) else here.dtype
            saved.append(value)
            versions.append(version)
        self.saved: list | None = saved
        self.versions = versions

    @property
    def name(self) -> str:
        return self.op.name

    def __repr__(self) -> str:
        return f"<{self.op.name.title().replace('_', '')}Backward0 object>"

    def _stale(self, value: Any, version: int, now: int, label: str) -> RuntimeError:
        shape = list(value._array.shape if isinstance(value, Variable) else value.shape)
        return RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: '{label}' of shape {shape}, which {self.op.name} saved, is at version "
            f"{now}; expected version {version} instead. Change a copy (x = x + 1, or x.clone()) "
            "instead of changing it in place between the forward and the backward pass."
        )

    def unpack(self, as_tensors: bool) -> list[Any]:
        """The saved values: arrays for an ordinary pass, tensors in the graph for create_graph."""
        if self.saved is None:
            raise RuntimeError(FREED)
        values = []
        for label, value, version, (kind, at) in zip(
            self.plan.names, self.saved, self.versions, self.plan.saves
        ):
            if kind == ARGUMENT and version is not None:
                if isinstance(value, tuple):
                    for each, before in zip(value, version):
                        now = 0 if each._version is None else each._version.count
                        if now != before:
                            raise self._stale(each, before, now, label)
                    value = value if as_tensors else tuple(each._array for each in value)
                else:
                    now = 0 if value._version is None else value._version.count
                    if now != version:
                        raise self._stale(value, version, now, label)
                    value = value if as_tensors else value._array
            elif kind == OUTPUT:
                counter, before = version
                if counter.count != before:
                    raise self._stale(value, before, counter.count, label)
                if as_tensors:
                    value = self.output(value, at, counter)
            elif kind == KEPT and as_tensors:
                value = None  # it has no place in the graph: the rule recomputes it
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


__all__ = ["AccumulateGrad", "Node", "DTYPE"]
