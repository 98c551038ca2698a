"""The graph behind tensors that exist already: what backward() would go through.

Nothing has to be recorded for it: nodes know their op, their inputs and what they keep. What nobody
keeps (most values, the times) is not known, and said to be so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

import numpy as np

from labtorch.backend.arrays import is_array
from labtorch.engine import events
from labtorch.engine.backward import backward
from labtorch.engine.node import Node, Packed
from labtorch.engine.op import ARGUMENT, OUTPUT
from labtorch.engine.thread import current
from labtorch.engine.variable import Variable
from labtorch.observe import source, structure
from labtorch.observe.recorder import Entry
from labtorch.observe.snapshot import Graph, Snapshot
from labtorch.observe.summary import Probe


class _Unknown:
    """The dtype of what nothing is known of any more."""

    name, itemsize = "unknown", 0


UNKNOWN: tuple[tuple, Any] = ((), _Unknown())
ROW = (
    "value", "grad", "update", "forward_seconds", "backward_seconds", "forward_start",
    "backward_start", "turn",
)  # fmt: skip


def autograd_graph(*things: Any) -> tuple[Graph, Snapshot]:
    """The graph that ends in the tensors in `things`, and a snapshot of what is known of them.

    `things` are tensors, or lists, tuples, dicts, sets or dataclasses of tensors, nested at will.
    A node's value is known where the graph keeps it for the backward pass, a gradient where it is
    in `.grad`. Shapes that are not kept are found by a backward pass of which nothing remains,
    unless hooks or functions of the user's would run in it. Raises TypeError where there is no
    tensor.
    """
    roots = list(tensors_in(things))
    if not roots:
        kinds = ", ".join(sorted({type(each).__name__ for each in things}))
        raise TypeError(f"expected tensors, or containers of tensors, and found none in {kinds}")
    walk = _Walk(roots, source.calling_frame())
    order = list(range(len(walk.entries)))
    graph = structure.build(walk.entries, order, walk.scopes, [])
    graph["key"] = hashlib.sha256(repr(graph).encode()).hexdigest()[:16]
    return graph, _snapshot(graph, walk, roots)


def tensors_in(thing: Any) -> Iterable[Variable]:
    """The tensors in containers nested at will, in order, each once."""
    found: dict[int, Variable] = {}
    seen: set[int] = set()
    stack = [thing]
    while stack:
        each = stack.pop()
        if isinstance(each, Variable):
            found.setdefault(id(each), each)
            continue
        if id(each) in seen:
            continue
        seen.add(id(each))
        inside: list[Any] = []
        if isinstance(each, Mapping):
            inside = list(each.values())
        elif isinstance(each, list | tuple | set | frozenset):
            inside = list(each)
        elif dataclasses.is_dataclass(each) and not isinstance(each, type):
            inside = [getattr(each, field.name) for field in dataclasses.fields(each)]
        stack += reversed(inside)
    return found.values()


class _Walk:
    """Notes of the graph's nodes, oldest first, in the form in which a recorder takes them."""

    def __init__(self, roots: list[Variable], frame: FrameType | None) -> None:
        self.frame = frame
        self.nodes = _nodes_behind(roots)
        self.entries: list[Entry] = []
        self.scopes: list[tuple] = []
        self.values: dict[int, Any] = {}  # arrays that something keeps, by entry
        self.gradients: dict[int, Any] = {}
        self._scope_at: dict[int, int] = {}
        self._at: dict[int, int] = {}  # entries by the identity of a node or of a leaf
        self._specs: dict[tuple[int, int], tuple] = {}  # (shape, dtype) by (node, output)
        self._kept: dict[tuple[int, int], Any] = {}  # arrays by (node, output)
        self._learn(roots)
        for node in self.nodes:
            self._enter(node)
        for root in roots:
            if root._node is None:
                self._leaf(root, None)

    def _learn(self, roots: list[Variable]) -> None:
        """What is kept of each node's outputs: by the user, by those who take them, by itself."""
        for root in roots:
            self._know(root._node, root._output, root._array)
            if root._node is not None and root._grad is not None:
                self.gradients[id(root._node)] = root._grad._array
        for node in self.nodes:
            for output, spec in enumerate(node.outputs or ()):
                self._specs.setdefault((id(node), output), (tuple(spec[0]), spec[1]))
            makers = dict(zip(node.plan.inputs, zip(node.inputs, node.indices)))
            if node.specs is not None:
                for (maker, output), spec in zip(makers.values(), node.specs):
                    self._specs.setdefault((id(maker), output), spec)
            for (kind, at), value in zip(node.plan.saves, node.kept or ()):
                if kind == ARGUMENT:
                    for tensor in value if isinstance(value, tuple) else (value,):
                        if isinstance(tensor, Variable):
                            self._know(tensor._node, tensor._output, tensor._array)
                elif kind == OUTPUT and is_array(value):
                    self._know(node, at, value)
        if any(self._unknown(node) for node in self.nodes):
            self._ask(roots)

    def _know(self, node: Node | None, output: int, array: Any) -> None:
        if node is not None:
            self._kept.setdefault((id(node), output), array)
            self._specs.setdefault((id(node), output), (array.shape, array.dtype))

    def _unknown(self, node: Node) -> bool:
        return (id(node), 0) not in self._specs

    def _ask(self, roots: list[Variable]) -> None:
        """A gradient has its tensor's shape: let them come by once, if nobody would notice."""
        leaves = [each for node in self.nodes for each in node.inputs if isinstance(each, Variable)]
        noticed = any(node.hooks is not None or "ctx" in node.plan.names for node in self.nodes)
        noticed = noticed or any(leaf._hooks or leaf._post_accumulate for leaf in leaves)
        if noticed or not leaves:
            return
        ends = [root for root in roots if root._node is not None]
        ones = [np.ones_like(root._array) for root in ends]
        thread = current()
        before = thread.watchers
        try:
            thread.watchers = ()
            # a graph that was freed, or is stale, keeps its secrets
            with events.watch(_Shapes(self._specs)), contextlib.suppress(Exception):
                backward(ends, ones, retain_graph=True, inputs=leaves, accumulate=False)
        finally:
            thread.watchers = before

    def _enter(self, node: Node) -> None:
        scope = self._scope(node.scope)
        inputs: dict[int, tuple] = {}
        for at, each, output in zip(node.plan.inputs, node.inputs, node.indices):
            made = self._leaf(each, scope) if isinstance(each, Variable) else self._at[id(each)]
            inputs[at] = (at, made, output)
        extra: list[tuple[int, Any]] = []
        for (kind, at), value in zip(node.plan.saves, node.kept or ()):
            if kind != ARGUMENT or isinstance(at, slice) or at in inputs:
                continue
            if isinstance(value, Variable):  # it needs no gradient, but a rule needs it
                maker = value._node
                known = None if maker is None else self._at.get(id(maker))
                made = self._leaf(value, scope) if known is None else known
                inputs[at] = (at, made, value._output)
            elif not isinstance(value, Packed):
                extra.append((at, value))
        count = max([1, *(output + 1 for at, output in self._specs if at == id(node))][:64])
        specs = tuple(self._specs.get((id(node), output), UNKNOWN) for output in range(count))
        entry = Entry("op", node.op, tuple(inputs[at] for at in sorted(inputs)), specs, scope)
        entry.function, entry.extra = node.function, extra
        entry.tensor = (node.plan if node.kept is not None else None, True)
        self._at[id(node)] = len(self.entries)
        if (id(node), 0) in self._kept:
            self.values[len(self.entries)] = self._kept[id(node), 0]
        if id(node) in self.gradients:
            self.gradients[len(self.entries)] = self.gradients.pop(id(node))
        self.entries.append(entry)

    def _leaf(self, tensor: Variable, scope: int | None) -> int:
        known = self._at.get(id(tensor))
        if known is not None:
            return known
        entry = Entry("leaf", None, (), ((tensor._array.shape, tensor._array.dtype),), scope)
        entry.extra = (structure.variable_name(tensor, self.frame), tensor)
        entry.tensor = tensor._requires_grad
        at = self._at[id(tensor)] = len(self.entries)
        self.entries.append(entry)
        self.values[at] = tensor._array
        if tensor._grad is not None:
            self.gradients[at] = tensor._grad._array
        return at

    def _scope(self, scope: tuple | None) -> int | None:
        if scope is None:
            return None
        at = self._scope_at.get(id(scope))
        if at is None:
            parent = self._scope(scope[0])
            at = self._scope_at[id(scope)] = len(self.scopes)
            module = scope[1]()
            called = ""
            if parent is None and module is not None:
                called = structure.variable_name(module, self.frame)
            self.scopes.append((parent, scope[1], type(module).__name__, called))
        return at


class _Shapes(events.Watcher):
    """Notes of which shape the gradient of each output is."""

    def __init__(self, specs: dict[tuple[int, int], tuple]) -> None:
        self.specs = specs

    def node_begun(self, node: Any, cotangents: list) -> None:
        for output, each in enumerate(cotangents):
            array = each._array if isinstance(each, Variable) else each
            if array is not None:
                array = np.asarray(array) if isinstance(array, np.generic) else array
                self.specs.setdefault((id(node), output), (array.shape, array.dtype))


def _nodes_behind(roots: list[Variable]) -> list[Node]:
    found: dict[int, Node] = {}
    stack = [root._node for root in roots if root._node is not None]
    while stack:
        node = stack.pop()
        if id(node) not in found:
            found[id(node)] = node
            stack += [each for each in node.inputs if isinstance(each, Node)]
    return sorted(found.values(), key=lambda node: node.sequence)


def _snapshot(graph: Graph, walk: _Walk, roots: list[Variable]) -> Snapshot:
    def summary(arrays: dict[int, Any], at: int) -> Any:
        return Probe(arrays[at]).plain() if at in arrays else None

    unknown = dict.fromkeys(ROW)
    rows = [
        unknown | {"value": summary(walk.values, at), "grad": summary(walk.gradients, at)}
        for at in range(len(graph["nodes"]))
    ]
    only = roots[0]._array if len(roots) == 1 and roots[0]._array.size == 1 else None
    return {
        "step": 0,
        "graph": graph["key"],
        "seconds": 0.0,
        "duration": 0.0,
        "loss": None if only is None else float(only.reshape(())),
        "learning_rate": None,
        "measured": True,
        "failure": None,
        "partial": False,
        "rows": rows,  # type: ignore[typeddict-item]
        "contributions": [],
    }
