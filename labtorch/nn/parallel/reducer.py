"""Gradients over the ranks, in buckets, while the backward pass still computes.

Parameters stand in buckets in the reverse order of the model, which is about the order in which
their gradients come. When the last gradient of a bucket is there, its sum over the ranks is
started; the pass goes on meanwhile. Buckets are started in one order, the same on every rank.

A parameter's gradient is complete when every node that uses it has run: at the start of a pass the
graph is searched for these nodes, from the loss, so that uses outside the model count as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

import numpy as np

from labtorch.backend import devices
from labtorch.backend.arrays import writeable
from labtorch.distributed import mpi
from labtorch.distributed.groups import ProcessGroup
from labtorch.engine.node import Node
from labtorch.engine.thread import after_backward, current
from labtorch.engine.variable import Variable, wrap

FIRST_BUCKET = 1 << 20  # bytes: a small one, so that the ranks begin to talk early


class Bucket:
    """Some parameters, and the numbers that the ranks send each other for them.

    `numbers` are the gradients in a row, times the rank's weight, and the weight itself: after the
    sum over ranks, sum(w g) / sum(w) is their weighted mean.
    """

    def __init__(self, parameters: list[Any], carrier: Any) -> None:
        self.parameters, self.carrier = parameters, carrier
        sizes = [each.numel() for each in parameters]
        self.ends = np.cumsum([0, *sizes]).tolist()
        kind = parameters[0]._array.dtype
        kind = np.float32 if kind == np.float16 else kind
        self.numbers = carrier.zeros(self.ends[-1] + 1, kind)
        self.missing: set[int] = set()
        self.request: Any = None

    def begin(self, weight: float) -> None:
        self.numbers[:] = 0
        self.numbers[-1] = weight
        self.missing = set(range(len(self.parameters)))
        self.request = None

    def put(self, at: int, gradient: Any) -> None:
        part = self.numbers[self.ends[at] : self.ends[at + 1]]
        part[...] = self.carrier.own(gradient).reshape(-1)
        part *= self.numbers[-1]
        self.missing.discard(at)

    def put_own(self, at: int) -> None:
        """The gradient that the parameter has already; zero if it has none."""
        own = self.parameters[at]._grad
        if own is not None:
            self.put(at, own._array)
        self.missing.discard(at)

    def means(self) -> list[Any]:
        """The weighted mean over the ranks of each parameter's gradient."""
        weight = self.numbers[-1:]
        self.numbers[:-1] /= weight + (weight == 0)
        return [
            self.numbers[a:b].reshape(each.shape)
            for a, b, each in zip(self.ends, self.ends[1:], self.parameters)
        ]


def buckets_of(parameters: Sequence[Any], cap: int, group: ProcessGroup) -> list[Bucket]:
    """Parameters in reverse order, cut by size, dtype and device."""
    cut: list[list[Any]] = []
    size, limit = 0, min(FIRST_BUCKET, cap)
    for each in reversed(parameters):
        nbytes = each._array.nbytes
        kind = each._array.dtype, each.device
        other = bool(cut) and kind != (cut[-1][0]._array.dtype, cut[-1][0].device)
        if not cut or other or size + nbytes > limit:
            limit = cap if cut else limit
            cut.append([])
            size = 0
        cut[-1].append(each)
        size += nbytes
    return [Bucket(each, group.carrier(each[0])) for each in cut]


class Reducer:
    """Reduces the gradients of one model; one for each `DistributedDataParallel`."""

    def __init__(
        self, named: Sequence[tuple[str, Any]], group: ProcessGroup, cap: int, unused: bool
    ) -> None:
        self.names = {id(each): name for name, each in named}
        self.group, self.unused = group, unused
        self.buckets = buckets_of([each for _, each in named], cap, group)
        self.places = {
            id(each): (bucket, at)
            for bucket in self.buckets
            for at, each in enumerate(bucket.parameters)
        }
        self.weight = 1.0
        self.armed = self.reducing = False
        self.started = 0  # buckets of this pass
        self.waiting: dict[int, int] = {}  # by parameter: uses whose gradient is to come
        self.sums: dict[int, Any] = {}
        self._begins = _beginning(self)

    # ------------------------------------------------------------ one pass
    def arm(self, weight: float) -> None:
        """Reduce the gradients of the next backward pass through the model."""
        self.weight, self.armed = weight, True
        thread = current()
        if self._begins not in thread.before_backward:
            thread.before_backward = (*thread.before_backward, self._begins)

    def disarm(self) -> None:
        self.armed = self.reducing = False
        _forget(self._begins)

    def begin(self, roots: Sequence[Variable]) -> None:
        """Find out which nodes give which parameter its gradient, and listen there."""
        if not self.armed:
            return
        uses = _uses(roots, self.places)
        if not uses and not self.unused:
            return  # another model's pass
        lacking = [name for each, name in self.names.items() if each not in uses]
        if lacking and not self.unused:
            self.disarm()
            raise RuntimeError(
                "Expected to have finished reduction: these parameters of the module got no "
                f"gradient in this pass: {', '.join(lacking)}. If they are not always used, wrap "
                "the module with find_unused_parameters=True; if never, let them require no "
                "gradient."
            )
        self.armed, self.reducing, self.started = False, True, 0
        for bucket in self.buckets:
            bucket.begin(self.weight)
        self.waiting, self.sums = {k: len(v) for k, v in uses.items()}, {}
        by_node: dict[Node, list[tuple[int, int]]] = {}
        for parameter, nodes in uses.items():
            for node, index in nodes:
                by_node.setdefault(node, []).append((index, parameter))
        for node, places in by_node.items():
            _listen(node, places, self)
        for parameter, (bucket, at) in self.places.items():
            if parameter not in uses:
                bucket.put_own(at)
        self._start_full()
        after_backward(current(), self.finish)

    def arrived(self, parameter: int, gradient: Any) -> None:
        """One use of a parameter has given its part of the gradient."""
        if gradient is not None:
            before = self.sums.get(parameter)
            self.sums[parameter] = gradient if before is None else before + gradient
        self.waiting[parameter] -= 1
        bucket, at = self.places[parameter]
        leaf = bucket.parameters[at]
        if self.waiting[parameter] or leaf._hooks or leaf._post_accumulate:
            return  # or hooks change it at the end of the pass
        total = self.sums.pop(parameter, None)
        if total is None:
            return
        if leaf._grad is not None:  # of passes under no_sync()
            total = leaf._grad._array + total
        bucket.put(at, total)
        self._start_full()

    def _start_full(self) -> None:
        while self.started < len(self.buckets) and not self.buckets[self.started].missing:
            bucket = self.buckets[self.started]
            self.started += 1
            bucket.request = bucket.carrier.all_reduce(bucket.numbers, "SUM")
        for bucket in self.buckets[: self.started]:
            bucket.request.Test()  # MPI moves on only when it is called

    def finish(self) -> None:
        """Wait for the other ranks, and give each parameter its mean gradient."""
        if not self.reducing:
            return
        for bucket in self.buckets:
            for at in list(bucket.missing):  # those that hooks have changed
                bucket.put_own(at)
        self._start_full()
        used = self._used_by_anyone()
        for bucket in self.buckets:
            self.group.wait(bucket.request, "DistributedDataParallel")
            for leaf, mean in zip(bucket.parameters, bucket.means()):
                if used is None or used[id(leaf)]:
                    _give(leaf, mean)
        self.disarm()
        self.waiting.clear()
        self.sums.clear()

    def _used_by_anyone(self) -> dict[int, bool] | None:
        """A parameter that no rank has used gets no gradient; None if that cannot be."""
        if not self.unused:
            return None
        MPI = mpi.library()
        flags = np.array([each in self.waiting for each in self.places], np.uint8)
        request = self.group.comm.Iallreduce(MPI.IN_PLACE, flags, MPI.MAX)
        self.group.wait(request, "DistributedDataParallel")
        return dict(zip(self.places, flags.astype(bool).tolist()))

    def shadow(self, weight: float) -> None:
        """Take part in a pass of the other ranks, with nothing to give."""
        for bucket in self.buckets:
            bucket.begin(weight)
            bucket.missing.clear()
        self.started, self.waiting = 0, {}
        self._start_full()
        self._used_by_anyone()
        for bucket in self.buckets:
            self.group.wait(bucket.request, "DistributedDataParallel.join")


def _beginning(reducer: Reducer) -> Callable[[Sequence[Variable]], None]:
    """What a thread calls before a pass; a model that it never comes to is not kept alive."""
    whom = ref(reducer)

    def begins(roots: Sequence[Variable]) -> None:
        told = whom()
        if told is None:
            _forget(begins)
        else:
            told.begin(roots)

    return begins


def _forget(begins: Callable[[Sequence[Variable]], None]) -> None:
    thread = current()
    thread.before_backward = tuple(each for each in thread.before_backward if each is not begins)


def _listen(node: Node, places: list[tuple[int, int]], reducer: Reducer) -> None:
    """Let `node` tell the reducer, once, the gradients of the parameters among its inputs."""
    whom = ref(reducer)

    def tell(inputs: tuple, outputs: tuple) -> None:
        handle.remove()
        told = whom()
        if told is not None and told.reducing:
            for index, parameter in places:
                gradient = inputs[index]
                told.arrived(parameter, None if gradient is None else gradient._array)

    handle = node.register_hook(tell)


def _uses(roots: Sequence[Variable], wanted: dict[int, Any]) -> dict[int, list[tuple[Node, int]]]:
    """The nodes below `roots` that take a parameter, and as which of their inputs."""
    found: dict[int, list[tuple[Node, int]]] = {}
    stack = [root._node for root in roots if root._node is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        for index, each in enumerate(node.inputs):
            if isinstance(each, Node):
                if each not in seen:
                    seen.add(each)
                    stack.append(each)
            elif id(each) in wanted:
                found.setdefault(id(each), []).append((node, index))
    return found


def _give(leaf: Any, mean: Any) -> None:
    """Make `mean` the gradient of a parameter, in the place of its own."""
    own = leaf._grad
    if own is None or not writeable(own._array):
        leaf._grad = wrap(devices.move(mean.astype(leaf._array.dtype), leaf.device))
    else:
        own.version().written("DistributedDataParallel")
        own._array[...] = devices.move(mean, leaf.device)
