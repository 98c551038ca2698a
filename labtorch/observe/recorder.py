"""The watcher that turns the engine's events into steps of a recording; see `observe.session`.

In every step it notes the structure (a tuple an op). A step's numbers are measured only while the
time spent on measuring stays within the budget; the loss is noted always. The structure is kept
once: steps whose notes are equal share a graph.
"""

from __future__ import annotations

import hashlib
import weakref
from collections import Counter
from math import isfinite
from time import perf_counter
from types import CodeType
from typing import Any

import numpy as np

from labtorch.backend.arrays import on_cpu
from labtorch.engine import events
from labtorch.engine.events import Call, Watcher
from labtorch.engine.node import Node
from labtorch.engine.thread import local
from labtorch.engine.variable import Variable
from labtorch.observe import source, structure
from labtorch.observe.capture import Captured, Lens, places
from labtorch.observe.ferry import Ferry
from labtorch.observe.recording import Measured, Recording
from labtorch.observe.snapshot import Graph, Row, Snapshot
from labtorch.observe.summary import Probe, probe

MOST_NODES = 20_000  # in one step; what comes after is counted, not kept
SMALL = 4096  # elements: an output up to this size is checked for NaN and inf in every step
FORMS = 64  # sequences of ops that are told apart: control flow that never repeats stays bounded
FIRST = 3  # steps that are measured whatever they cost
CREDIT = 0.05  # seconds of measuring that can be saved up, at most
LARGEST_UPDATE = (
    1 << 22
)  # elements: a larger parameter's update is not measured, as it takes a copy

NOT_YET: Row = {
    "value": None,
    "grad": None,
    "update": None,
    "forward_seconds": None,
    "backward_seconds": None,
    "forward_start": None,
    "backward_start": None,
    "turn": None,
}


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
        "kept",
    )

    def __init__(self, kind: str, op: Any, inputs: tuple, outputs: tuple, scope: Any) -> None:
        self.kind, self.op, self.inputs, self.outputs, self.scope = kind, op, inputs, outputs, scope
        self.function: str | None = None
        self.source = -1
        self.extra: Any = None  # an op's arguments that are no tensors; a leaf's name
        self.tensor: Any = None  # (plan, requires_grad) of an op; a leaf's requires_grad
        self.kept: dict[str, tuple] = {}  # shape and dtype of an op's inner states


def _specs(outputs: tuple[Variable, ...]) -> tuple:
    if len(outputs) == 1:
        array = outputs[0]._array
        return ((array.shape, array.dtype),)
    return tuple((out._array.shape, out._array.dtype) for out in outputs)


class Recorder(Watcher):
    """Notes structure in every step, numbers in as many as the budget allows."""

    def __init__(
        self, recording: Recording, budget: float, head_start: float, model: Any = None
    ) -> None:
        self.recording, self.budget, self.head_start = recording, budget, head_start
        # with a model, what has to do with it is kept and all else that the thread does is not
        self.model = None if model is None else weakref.ref(model)
        self.learned = False  # has any step gone backward?
        self.last: tuple[Graph, list[int]] | None = None  # the newest graph, and its entries
        self.lenses: tuple[Lens, ...] = ()
        self.looked_into: dict[int, list[Lens]] = {}  # entries that lenses of some nodes are on
        self.placed: tuple = ()  # for which graph, entries and lenses these were found
        self.start = self.ended = self.began = perf_counter()
        self.credit = 0.0
        self.ferry = Ferry()  # what the step is to be told about that is on a GPU
        self.known: dict[tuple, Graph] = {}
        self.forms: set[int] = set()  # sequences of ops that steps were made of
        self.known_nodes = 0
        self.sources: dict[tuple[int, int], int] = {}
        self.places: list[tuple[CodeType, int]] = []
        self.names: dict[tuple[int, int], str] = {}
        self.roots: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # model -> its variable
        self._begin()

    def _start(self) -> None:
        """The step's first op: is the step measured? A pause before it is credit, too."""
        self.waiting = False
        self.began = perf_counter()
        self.credit = min(CREDIT, self.credit + self.budget * (self.began - self.ended))
        if self.credit < 0 < self.head_start:
            paid = min(self.head_start, -self.credit)
            self.head_start -= paid
            self.credit += paid
        self.ended = self.began
        asked = self.recording._asked()
        self.measuring = asked or self.credit >= 0 or self.recording.step_count < FIRST
        self._place_lenses()
        if self.measuring and self.recording._before:
            self.recording._prepare(self.recording.step_count)
            self.spent += perf_counter() - self.began

    def _place_lenses(self) -> None:
        """Which entries the lenses are on, if this step is built like the last one."""
        self.lenses = self.recording._lenses
        if self.last is None:
            return
        graph, order = self.last
        if self.placed != (graph["key"], order, self.lenses):
            self.placed = graph["key"], order, self.lenses
            found = places(self.lenses, graph)
            self.looked_into = {order[node]: lenses for node, lenses in found.items()}

    def _begin(self) -> None:
        """Forget the last step and wait for the next."""
        self.waiting, self.measuring = True, False
        self.spent = 0.0
        if self.ferry.waiting:
            self.ferry = Ferry()
        self.recording.present = None
        self.entries: list[Entry] = []
        self.where: dict[int, tuple[int, int]] = {}  # tensor identity -> (entry, output)
        self.by_sequence: dict[int, int] = {}  # op call or leaf identity -> entry
        self.scopes: list[tuple] = []  # (parent, module reference, its class, its name)
        self.scope_at: dict[int, int] = {}
        self.values: dict[int, Probe] = {}
        self.gradients: dict[int, Probe] = {}
        self.updates: dict[int, Probe] = {}
        self.before: dict[int, Any] = {}  # copies of the parameters, for their updates
        self.forward: dict[int, float] = {}
        self.backward: dict[int, float] = {}
        self.forward_start: dict[int, float] = {}
        self.backward_start: dict[int, float] = {}
        self.turns: dict[int, int] = {}
        self.consumers: Counter[tuple[int, int]] = Counter()
        self.contributions: dict[tuple[int, int], Probe] = {}  # (consumer's entry, position)
        self.captured: dict[int, Captured] = {}
        self.roots_at: list[int] = []  # entries that backward() started from
        self.loss_at: int | None = None  # the entry that made the loss, where that is on a GPU
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
        entry.kept = {
            name: (state.shape, state.dtype)
            for name, state in call.kept.items()
            if isinstance(getattr(state, "dtype", None), np.dtype)
        }
        entry.tensor = (None if node is None else node.plan, outputs[0]._requires_grad)
        self.by_sequence[call.sequence] = at
        for index, out in enumerate(outputs):
            self.where[events.identity(out)] = (at, index)
        array = outputs[0]._array
        if array.dtype.kind == "f" and self.first_nonfinite is None:
            if not on_cpu(array):
                self._check_later(at, array)
            elif array.size > SMALL:
                self.large.append((at, weakref.ref(array)))
            elif not isfinite(np.add.reduce(array, None)) and not np.isfinite(array).all():
                self.first_nonfinite = at
        if self.measuring:
            began = call.note or now
            self.forward[at], self.forward_start[at] = now - began, began - self.began
            self._probe(self.values, at, array)
            if self.lenses and (lenses := self._lenses_on(at, call.op.name)):
                self._capture(at, call, outputs, lenses)

    def _check_later(self, at: int, array: Any) -> None:
        """Of an array on a GPU, learn at the step's end whether it is finite: from its sum, which
        is one kernel. Large ones are looked at in measured steps only."""
        if not array.size or (array.size > SMALL and not self.measuring):
            return

        def hear(total: np.ndarray) -> None:
            first = self.first_nonfinite
            if not isfinite(total) and (first is None or at < first):
                self.first_nonfinite = at

        self.ferry.later(array.sum(dtype=np.promote_types(array.dtype, np.float32)), hear)

    def _lenses_on(self, at: int, op: str) -> list[Lens]:
        named = [lens for lens in self.lenses if op in lens.ops]
        return [*named, *self.looked_into.get(at, ())]

    def _capture(
        self, at: int, call: Call, outputs: tuple[Variable, ...], lenses: list[Lens]
    ) -> None:
        start = perf_counter()
        found = self.captured[at] = Captured(call.op, call.args, lenses)
        args: list[Any] = list(call.args)
        for position, arg in enumerate(args):
            if isinstance(arg, Variable):
                name = structure.argument(call.op, position)
                kept = self._once(arg, found.copy("argument", name, arg._array))
                args[position] = found.arguments[name] = kept
        found.args = tuple(args)
        found.outputs = [found.copy("output", str(i), y._array) for i, y in enumerate(outputs)]
        found.cotangents = [None] * len(outputs)
        found.states = {
            name: array
            for name, state in call.kept.items()
            if (array := found.copy("state", name, state)) is not None
        }
        self.spent += perf_counter() - start

    def _once(self, arg: Variable, copy: np.ndarray | None) -> np.ndarray | None:
        """The copy; or, where the op that made the argument is looked into too, that one's own."""
        made, output = self.where.get(events.identity(arg), (-1, 0))
        source = self.captured.get(made)
        if copy is None or not on_cpu(copy):  # to compare on a GPU is to wait for it
            return copy
        if source is not None and source.op is not None:
            same = source.outputs[output]
            # written in place since, it is another
            if same is not None and np.array_equal(same, copy, equal_nan=True):
                return same
        return copy

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
                found = self.sources[key] = self._new_place(frame.f_code, frame.f_lasti)
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

    def _new_place(self, code: CodeType, instruction: int) -> int:
        """The number of a place in the source. Python may call from another instruction of the
        same expression once it has seen it often enough: that is no new place."""
        position = source.position(code, instruction)
        for at, (other, known) in enumerate(self.places):
            if other is code and source.position(other, known) == position:
                return at
        self.places.append((code, instruction))
        return len(self.places) - 1

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
            if tensor._requires_grad and array.size <= LARGEST_UPDATE:
                start = perf_counter()
                self.before[at] = array.copy()
                self.spent += perf_counter() - start
            if self.lenses and (lenses := self._lenses_on_leaf(at, tensor)):
                found = self.captured[at] = Captured(None, (), lenses)
                found.outputs, found.cotangents = [found.copy("output", "0", array)], [None]
        return at, 0

    def _lenses_on_leaf(self, at: int, tensor: Variable) -> list[Lens]:
        wanted = [each for each in self.lenses if each.parameters and tensor._requires_grad]
        return [*wanted, *self.looked_into.get(at, ())]

    def _probe(self, into: dict[Any, Probe], at: Any, array: Any) -> None:
        start = perf_counter()
        into[at] = probe(array, self.ferry)
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
        """A write is an op call, too, and recorded as that."""

    # ---------------------------------------------------------------- backward
    def backward_begun(self, roots: list[Variable]) -> None:
        self.went_backward = self.learned = True
        root = roots[0]
        for each in roots:
            if each._node is not None and each._node.sequence in self.by_sequence:
                self.roots_at.append(self.by_sequence[each._node.sequence])
        if self.measuring and not self.consumers:
            for entry in self.entries:
                if entry.kind == "op" and entry.tensor and entry.tensor[1]:
                    self.consumers.update((at, output) for _, at, output in entry.inputs)
        if root._array.size == 1 and root._array.dtype.kind == "f":
            made = None if root._node is None else self.by_sequence.get(root._node.sequence)
            if on_cpu(root._array):
                self.loss = float(root._array.reshape(()))
                if not np.isfinite(self.loss):
                    self._explain_nonfinite(made)
            else:
                self.loss_at = made
                self.ferry.later(root._array.reshape(()).copy(), self._hear_loss)

    def _hear_loss(self, loss: np.ndarray) -> None:
        self.loss = float(loss)

    def _hear_rate(self, rate: np.ndarray) -> None:
        self.rate = float(rate)

    def _settle(self) -> None:
        """Fetch what waits on a GPU, in one copy: the step's numbers are complete after it."""
        for each in self.captured.values():
            each.send(self.ferry)
        if not self.ferry.waiting:
            return
        self.ferry.fetch()
        if self.loss is not None and not isfinite(self.loss):
            self._explain_nonfinite(self.loss_at)

    def _explain_nonfinite(self, made_at: int | None) -> None:
        """Which op made the first NaN or infinity of this step?"""
        if self.failure is not None:
            return
        at = self.first_nonfinite
        for made, reference in self.large:  # those that the graph, or the user, still holds
            array = reference()
            if array is not None and (at is None or made < at) and not np.isfinite(array).all():
                at = made
                break
        if at is None:
            at = made_at
        leaf = structure.nonfinite_leaf(self.entries, at)
        if leaf is not None:
            at = leaf
        # its name is known when the graph is: a parameter goes by its state_dict path
        self.failure = {"node": at, "op": "", "kind": "nonfinite", "message": ""}

    def node_begun(self, node: Node, cotangents: list) -> None:
        at = self.by_sequence.get(node.sequence)
        if at is None or not self.measuring:
            return
        arrays = [_array(c) for c in cotangents]
        g = next((c for c in arrays if c is not None), None)
        if g is not None:
            self._probe(self.gradients, at, g)
        self.turns.setdefault(at, len(self.turns))
        if (found := self.captured.get(at)) is not None:
            found.cotangents = [found.copy("cotangent", str(i), c) for i, c in enumerate(arrays)]
        now = perf_counter()
        self.backward[at], self.backward_start[at] = now, now - self.began

    def node_ended(self, node: Node, gradients: list) -> None:
        at = self.by_sequence.get(node.sequence)
        if at is None or not self.measuring:
            return
        now = perf_counter()
        self.backward[at] = now - self.backward.get(at, now)
        sources = {position: (origin, out) for position, origin, out in self.entries[at].inputs}
        found = self.captured.get(at)
        for position, gradient in zip(node.plan.inputs, gradients):
            array = _array(gradient)
            if array is None:
                continue
            if self.consumers[sources.get(position, (-1, 0))] > 1:
                self._probe(self.contributions, (at, position), array)
            if found is not None:
                name = structure.argument(node.op, position)
                found.gradients[name] = found.copy("gradient", name, array)

    def leaf_accumulated(self, leaf: Variable, gradient: Any) -> None:
        if self.measuring and leaf._identity is not None:
            at = self.by_sequence.get(leaf._identity)
            if at is not None:
                self._probe(self.gradients, at, gradient)
                self.turns.setdefault(at, len(self.turns))
                if (found := self.captured.get(at)) is not None:
                    found.cotangents = [found.copy("cotangent", "0", gradient)]

    # ---------------------------------------------------------------- steps
    def parameters_stepped(self, optimizer: Any) -> None:
        if self.measuring:
            start = perf_counter()
            for at, before in self.before.items():
                now = self.entries[at].extra[1]._array
                if now.shape == before.shape:
                    self.updates[at] = probe(now - before, self.ferry)
            self.spent += perf_counter() - start
        groups = getattr(optimizer, "param_groups", None)
        if groups:
            rate = groups[0].get("lr")
            array = getattr(rate, "_array", None)
            if array is None or on_cpu(array):
                self.rate = None if rate is None else float(rate)
            else:
                self.ferry.later(array.reshape(()).copy(), self._hear_rate)
        self.step_marked()

    def step_marked(self) -> None:
        """The step is over: keep it, and do what was asked for between steps."""
        if not self._is_step():
            self._begin()
            return
        self._settle()
        end = perf_counter()
        number = self.recording.step_count
        if self.loss is not None:
            self.recording._add_loss(number, self.loss)
        kept = self._is_new() or self.measuring or self.failure is not None
        if kept:
            self._keep(number, end)
        self.recording.step_count = number + 1
        spent = self.spent
        self._begin()
        self.recording.attend(step=number if kept else None)
        if kept:
            self.credit -= perf_counter() - end + spent
        self.recording._tell()

    def _is_new(self) -> bool:
        """Is the step made of other ops than any before? Its structure is kept, measured or not."""
        form = hash(tuple([entry.op for entry in self.entries]))
        new = form not in self.forms and len(self.forms) < FORMS
        if new:
            self.forms.add(form)
        return new

    def _is_step(self) -> bool:
        """Did anything happen that is worth a step? Of a model's session: anything of the model's,
        but no evaluation after it was seen to learn."""
        if self.model is None:
            return bool(self.entries) or self.loss is not None
        if self.learned and not any(e.kind == "op" and self._in_model(e) for e in self.entries):
            return False
        return bool(self._kept_entries())

    def partial(self, sequence: int | None = None) -> tuple[Graph, Snapshot] | None:
        """The step under way as far as it has come; for the thread that computes it.

        Where it goes as the last step went, it is shown on that step's graph. `sequence` is the
        number of what was just done.
        """
        order = self._kept_entries(partial=True)
        if not order:
            return None
        self._settle()
        entries = [self.entries[i] for i in order]
        graph = structure.build(entries, order, self.scopes, self.places)
        graph["key"] = f"partial {hash(tuple(order)) & 0xFFFFFFFF:x} {len(order)}"
        at = self.by_sequence.get(sequence) if sequence is not None else None
        current = order.index(at) if at in order else None
        head = self._head(self.recording.step_count, graph, perf_counter(), None)
        head |= {"partial": True, "current": current}
        snapshot = self._measured(head, order).plain()
        if self.last is not None and structure.begins(self.last[0], graph):
            graph = self.last[0]
            missing = len(graph["nodes"]) - len(order)
            snapshot["graph"] = graph["key"]
            snapshot["rows"] += [{**NOT_YET} for _ in range(missing)]
        return graph, snapshot

    def _keep(self, number: int, end: float) -> None:
        order = self._kept_entries()
        graph = self._graph(order)
        self.last = graph, order
        new = {old: at for at, old in enumerate(order)}
        self.recording._remember(
            {at: self.entries[old].extra[1] for old, at in new.items() if not self.entries[old].op},
            graph,
        )
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
        self.recording._add(graph, self._measured(self._head(number, graph, end, failure), order))

    def _head(self, number: int, graph: Graph, end: float, failure: dict | None) -> dict:
        return {
            "step": number,
            "graph": graph["key"],
            "seconds": end - self.start,
            "duration": end - self.began,
            "measuring_seconds": self.spent,
            "loss": self.loss,
            "learning_rate": self.rate,
            "measured": self.measuring,
            "failure": failure,
            "partial": False,
            "current": None,
        }

    def _measured(self, head: dict, order: list[int]) -> Measured:
        columns: dict[str, dict[int, Any]] = {
            "value": self.values,
            "grad": self.gradients,
            "update": self.updates,
            "forward_seconds": self.forward,
            "backward_seconds": self.backward,
            "forward_start": self.forward_start,
            "backward_start": self.backward_start,
            "turn": self.turns,
        }
        edges = [(old, position) for old in order for position, _, _ in self.entries[old].inputs]
        return Measured(
            head,
            {name: [column.get(old) for old in order] for name, column in columns.items()},
            {at: p for at, edge in enumerate(edges) if (p := self.contributions.get(edge))},
            {at: c for at, old in enumerate(order) if (c := self.captured.get(old))},
        )

    def _kept_entries(self, partial: bool = False) -> list[int]:
        """Where there was a backward pass, ops outside of grad mode (a validation, an update by
        hand) are not part of the model's graph, nor are leaves that only they used. Of a partial
        step it is not known yet what leads to the loss: what comes of the model's outputs may."""
        entries = self.entries
        if not self.went_backward and self.model is None:
            return list(range(len(entries)))
        of_graph = [
            i for i, e in enumerate(entries) if e.kind == "op" or e.op and not self.went_backward
        ]
        if self.model is not None:
            of_model = {i for i in of_graph if self._in_model(entries[i])}
            roots = [i for i in self.roots_at if of_model & self._with_sources([i])]
            of_graph = [*of_model, *roots]
            if partial and not self.went_backward:
                of_graph = self._descending(of_graph)
        return sorted(self._with_sources(of_graph))

    def _with_sources(self, nodes: list[int]) -> set[int]:
        """These entries and all that they were computed from."""
        found = set(nodes)
        stack = list(found)
        while stack:
            for _, origin, _ in self.entries[stack.pop()].inputs:
                if origin not in found:
                    found.add(origin)
                    stack.append(origin)
        return found

    def _descending(self, ops: list[int]) -> list[int]:
        """`ops`, and the differentiable ops that take what they made."""
        found = set(ops)
        for at, entry in enumerate(self.entries):
            differentiable = entry.kind == "op" and entry.tensor and entry.tensor[1]
            if differentiable and any(made in found for _, made, _ in entry.inputs):
                found.add(at)
        return list(found)

    def _in_model(self, entry: Entry) -> bool:
        scope = entry.scope
        while scope is not None:
            if self.scopes[scope][1] == self.model:
                return True
            scope = self.scopes[scope][0]
        return False

    def _graph(self, order: list[int]) -> Graph:
        entries = [self.entries[i] for i in order]
        notes = tuple(
            (e.op, e.inputs, e.outputs, e.scope, e.source, None if e.op else e.extra[0])
            for e in entries
        )
        key = (notes, tuple(self.scopes))
        graph = self.known.get(key)
        if graph is None:
            self.known_nodes += len(entries)
            if self.known_nodes > MOST_NODES:  # control flow that never repeats: stay bounded
                self.known.clear()
                self.known_nodes = len(entries)
            graph = structure.build(entries, order, self.scopes, self.places)
            graph["key"] = hashlib.sha256(repr(graph).encode()).hexdigest()[:16]
            self.known[key] = graph
        return graph


def _array(gradient: Any) -> Any:
    if isinstance(gradient, Variable):
        return gradient._array
    return np.asarray(gradient) if isinstance(gradient, np.generic) else gradient
