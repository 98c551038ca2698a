"""The watcher behind `record()`: it turns the engine's events into steps of a recording.

In every step it notes the structure (a tuple an op). A step's numbers are measured only while the
time spent on measuring stays within the budget; the loss is noted always. The structure is kept
once: steps whose notes are equal share a graph.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from time import perf_counter
from types import CodeType
from typing import Any

import numpy as np

from labtorch.engine import events
from labtorch.engine.events import Call, Watcher
from labtorch.engine.node import Node
from labtorch.engine.thread import local
from labtorch.engine.variable import Variable
from labtorch.observe import source, structure
from labtorch.observe.recording import Measured, Recording
from labtorch.observe.snapshot import Graph
from labtorch.observe.summary import Probe

MOST_NODES = 20_000  # in one step; what comes after is counted, not kept
SMALL = 4096  # elements: an output up to this size is checked for NaN and inf in every step
FIRST = 3  # steps that are measured whatever they cost
CREDIT = 0.05  # seconds of measuring that can be saved up, at most


class Entry:
    """One node of the step under way."""

    __slots__ = (
        "kind",
        "op",
        "inputs",
        "outputs",
        "scope",
        "function",
        "source",
        "extra",
        "tensor",
    )

    def __init__(self, kind: str, op: Any, inputs: tuple, outputs: tuple, scope: Any) -> None:
        self.kind, self.op, self.inputs, self.outputs, self.scope = kind, op, inputs, outputs, scope
        self.function: str | None = None
        self.source = -1
        self.extra: Any = None  # an op's arguments that are no tensors; a leaf's name
        self.tensor: Any = None  # (plan, requires_grad) of an op; a leaf's requires_grad


def _specs(outputs: tuple[Variable, ...]) -> tuple:
    if len(outputs) == 1:
        array = outputs[0]._array
        return ((array.shape, array.dtype),)
    return tuple((out._array.shape, out._array.dtype) for out in outputs)


class Recorder(Watcher):
    """Notes structure in every step, numbers in as many as the budget allows."""

    def __init__(self, recording: Recording, budget: float, head_start: float) -> None:
        self.recording, self.budget, self.head_start = recording, budget, head_start
        self.start = self.last = self.began = perf_counter()
        self.credit = 0.0
        self.known: dict[tuple, Graph] = {}
        self.sources: dict[tuple[int, int], int] = {}
        self.places: list[tuple[CodeType, int]] = []
        self.names: dict[tuple[int, int], str] = {}
        self.roots: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # model -> its variable
        self._begin()

    def _start(self) -> None:
        """The step's first op: is the step measured? A pause before it is credit, too."""
        self.waiting = False
        self.began = perf_counter()
        self.credit = min(CREDIT, self.credit + self.budget * (self.began - self.last))
        if self.credit < 0 < self.head_start:
            paid = min(self.head_start, -self.credit)
            self.head_start -= paid
            self.credit += paid
        self.last = self.began
        asked = self.recording._asked()
        self.measuring = asked or self.credit >= 0 or self.recording.step_count < FIRST

    def _begin(self) -> None:
        """Forget the last step and wait for the next."""
        self.waiting, self.measuring = True, False
        self.spent = 0.0
        self.entries: list[Entry] = []
        self.where: dict[int, tuple[int, int]] = {}  # tensor identity -> (entry, output)
        self.by_sequence: dict[int, int] = {}  # op call or leaf identity -> entry
        self.scopes: list[tuple] = []  # (parent, module reference, its class, its name)
        self.scope_at: dict[int, int] = {}
        self.values: dict[int, Probe] = {}
        self.gradients: dict[int, Probe] = {}
        self.forward: dict[int, float] = {}
        self.backward: dict[int, float] = {}
        self.loss: float | None = None
        self.rate: float | None = None
        self.went_backward = False
        self.failure: dict | None = None
        self.first_nonfinite: int | None = None
        self.large: list[tuple[int, weakref.ref]] = []  # outputs too large to check as they go by
        self.dropped = 0

    # ---------------------------------------------------------------- forward
    def op_begun(self, call: Call) -> None:
        if self.waiting:
            self._start()
        if self.measuring:
            call.note = perf_counter()

    def op_ended(self, call: Call, outputs: tuple[Variable, ...]) -> None:
        now = perf_counter() if self.measuring else 0.0
        at = self._enter(call, _specs(outputs))
        if at is None:
            return
        node = outputs[0]._node
        entry = self.entries[at]
        entry.tensor = (None if node is None else node.plan, outputs[0]._requires_grad)
        self.by_sequence[call.sequence] = at
        for index, out in enumerate(outputs):
            self.where[events.identity(out)] = (at, index)
        array = outputs[0]._array
        if array.dtype.kind == "f" and self.first_nonfinite is None:
            if array.size > SMALL:
                self.large.append((at, weakref.ref(array)))
            elif not isfinite(np.add.reduce(array, None)) and not np.isfinite(array).all():
                self.first_nonfinite = at
        if self.measuring:
            self.forward[at] = now - (call.note or now)
            self._probe(self.values, at, array)

    def _enter(self, call: Call, outputs: tuple) -> int | None:
        """Note an op call; the tensors it takes that nobody made become leaves."""
        if len(self.entries) >= MOST_NODES:
            self.dropped += 1
            return None
        scope = self._scope(call.scope)
        frame = source.calling_frame()
        place = -1
        if frame is not None:
            key = (id(frame.f_code), frame.f_lasti)  # `places` keeps the code alive: an id is safe
            found = self.sources.get(key)
            if found is None:
                found = self.sources[key] = len(self.places)
                self.places.append((frame.f_code, frame.f_lasti))
            place = found
        inputs, extra = [], []
        for position, arg in enumerate(call.args):
            if isinstance(arg, Variable):
                known = self.where.get(events.identity(arg))
                if known is None:
                    known = self._leaf(arg, position, place, frame, scope)
                inputs.append((position, *known))
            else:
                extra.append((position, arg))
        entry = Entry("op", call.op, tuple(inputs), outputs, scope)
        entry.function, entry.source, entry.extra = call.function, place, extra
        if not local.thread.grad_enabled:
            entry.kind = "op without grad"
        self.entries.append(entry)
        return len(self.entries) - 1

    def _leaf(
        self, tensor: Variable, position: int, place: int, frame: Any, scope: int | None
    ) -> tuple[int, int]:
        array = tensor._array
        entry = Entry("leaf", None, (), ((array.shape, array.dtype),), scope)
        name = self.names.get((place, position))
        if name is None:
            name = structure.variable_name(tensor, frame)
            self.names[place, position] = name
        entry.extra, entry.tensor = (name, tensor), tensor._requires_grad
        self.entries.append(entry)
        at = len(self.entries) - 1
        identity = events.identity(tensor)
        self.where[identity] = (at, 0)
        self.by_sequence[identity] = at
        if self.measuring:
            self._probe(self.values, at, array)
        return at, 0

    def _probe(self, into: dict[int, Probe], at: int, array: Any) -> None:
        start = perf_counter()
        into[at] = Probe(array)
        self.spent += perf_counter() - start

    def _scope(self, scope: tuple | None) -> int | None:
        """The number, within this step, of a module call; those around it are numbered first."""
        if scope is None:
            return None
        at = self.scope_at.get(scope[2] or id(scope))
        if at is None:
            parent = self._scope(scope[0])
            at = self.scope_at[scope[2] or id(scope)] = len(self.scopes)
            module = scope[1]()
            hash(scope[1])  # while the module lives: a reference to a dead one could not be hashed
            name = self.roots.get(module, "") if parent is None else ""
            self.scopes.append((parent, scope[1], type(module).__name__, name))
        return at

    def scope_entered(self, scope: tuple) -> None:
        """Learn what the user calls a model, where it is called."""
        if scope[0] is None:
            module = scope[1]()
            if module not in self.roots:
                self.roots[module] = structure.variable_name(module, source.calling_frame())

    def op_failed(self, call: Call, error: Exception) -> None:
        at = self._enter(call, (((), np.dtype("f4")),))
        self.failure = {"node": at, "op": call.op.name, "kind": "error", "message": str(error)}

    def mutated(self, tensor: Variable) -> None:
        pass

    # ---------------------------------------------------------------- backward
    def backward_begun(self, roots: list[Variable]) -> None:
        self.went_backward = True
        root = roots[0]
        if root._array.size == 1 and root._array.dtype.kind == "f":
            self.loss = float(root._array.reshape(()))
            if not np.isfinite(self.loss):
                self._explain_nonfinite(root)

    def _explain_nonfinite(self, root: Variable) -> None:
        """Which op made the first NaN or infinity of this step?"""
        if self.failure is not None:
            return
        at = self.first_nonfinite
        for made, reference in self.large:  # those that the graph, or the user, still holds
            array = reference()
            if array is not None and (at is None or made < at) and not np.isfinite(array).all():
                at = made
                break
        if at is None and root._node is not None:
            at = self.by_sequence.get(root._node.sequence)
        leaf = structure.nonfinite_leaf(self.entries, at)
        if leaf is not None:
            at = leaf
        # its name is known when the graph is: a parameter goes by its state_dict path
        self.failure = {"node": at, "op": "", "kind": "nonfinite", "message": ""}

    def node_begun(self, node: Node, cotangents: list) -> None:
        at = self.by_sequence.get(node.sequence)
        if at is None or not self.measuring:
            return
        g = next((c for c in cotangents if c is not None), None)
        if g is not None:
            self._probe(self.gradients, at, g._array if isinstance(g, Variable) else np.asarray(g))
        self.backward[at] = perf_counter()

    def node_ended(self, node: Node, gradients: list) -> None:
        at = self.by_sequence.get(node.sequence)
        if at is not None and self.measuring:
            self.backward[at] = perf_counter() - self.backward.get(at, perf_counter())

    def leaf_accumulated(self, leaf: Variable, gradient: Any) -> None:
        if self.measuring and leaf._identity is not None:
            at = self.by_sequence.get(leaf._identity)
            if at is not None:
                self._probe(self.gradients, at, gradient)

    # ---------------------------------------------------------------- steps
    def parameters_stepped(self, optimizer: Any) -> None:
        groups = getattr(optimizer, "param_groups", None)
        if groups:
            rate = groups[0].get("lr")
            self.rate = None if rate is None else float(rate)
        self.step_marked()

    def step_marked(self) -> None:
        """The step is over: keep it."""
        if not self.entries and self.loss is None:
            return
        end = perf_counter()
        number = self.recording.step_count
        if self.loss is not None:
            self.recording._add_loss(number, self.loss)
        if self.measuring or self.failure is not None:
            self._keep(number, end)
            self.credit -= perf_counter() - end + self.spent
        self.recording.step_count = number + 1
        self._begin()

    def _keep(self, number: int, end: float) -> None:
        order = self._kept_entries()
        graph = self._graph(order)
        new = {old: at for at, old in enumerate(order)}
        failure = self.failure
        if failure is not None:
            at = new.get(failure["node"])
            failure = {**failure, "node": at}
            if failure["kind"] == "nonfinite":
                name = "the loss" if at is None else graph["nodes"][at]["name"]
                failure["op"] = name
                failure["message"] = (
                    f"the loss is {self.loss}: the first value seen that is not finite is at "
                    f"'{name}'"
                )
        head = {
            "step": number,
            "graph": graph["key"],
            "seconds": end - self.start,
            "duration": end - self.began,
            "loss": self.loss,
            "learning_rate": self.rate,
            "measured": self.measuring,
            "failure": failure,
        }
        columns = (self.values, self.gradients, self.forward, self.backward)
        measured = Measured(head, *[[column.get(old) for old in order] for column in columns])
        self.recording._add(graph, measured)

    def _kept_entries(self) -> list[int]:
        """Where there was a backward pass, ops outside of grad mode (a validation, an update by
        hand) are not part of the model's graph, nor are leaves that only they used."""
        entries = self.entries
        if not self.went_backward:
            return list(range(len(entries)))
        ops = [i for i, e in enumerate(entries) if e.kind == "op"]
        keep = set(ops)
        for i in ops:
            stack = [source for _, source, _ in entries[i].inputs]
            while stack:
                each = stack.pop()
                if each not in keep:
                    keep.add(each)
                    stack += [source for _, source, _ in entries[each].inputs]
        return sorted(keep)

    def _graph(self, order: list[int]) -> Graph:
        entries = [self.entries[i] for i in order]
        notes = tuple(
            (e.op, e.inputs, e.outputs, e.scope, e.source, None if e.op else e.extra[0])
            for e in entries
        )
        key = (notes, tuple(self.scopes))
        graph = self.known.get(key)
        if graph is None:
            if len(self.known) >= 256:  # control flow that never repeats: start anew, stay bounded
                self.known.clear()
            graph = structure.build(entries, order, self.scopes, self.places)
            graph["key"] = hashlib.sha256(repr(graph).encode()).hexdigest()[:16]
            self.known[key] = graph
        return graph


@contextmanager
def record(
    *, budget: float = 0.05, head_start: float = 0.0, keep: int = 512, cap: int = 64 << 20
) -> Iterator[Recording]:
    """Record what this thread computes inside the block.

    A step ends at every `optimizer.step()`, at `observe.mark_step()`, and with the block. The first
    three steps are measured; after that, measuring takes at most the share `budget` of the time,
    and `head_start` seconds that are given once, for the beginning, where training changes most.
    The last `keep` measured steps and a sample of the earlier ones stay, within `cap` bytes.
    """
    if not (budget >= 0 and head_start >= 0):
        raise ValueError(
            "budget is the share of time that measuring may take (0.05) and head_start a number of "
            f"seconds, not {budget} and {head_start}"
        )
    recording = Recording(keep, cap)
    recorder = Recorder(recording, budget, head_start)
    try:
        with events.watch(recorder):
            yield recording
    finally:
        recorder.step_marked()
