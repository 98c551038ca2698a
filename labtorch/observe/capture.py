"""Arrays kept whole, of the few nodes that somebody looks into.

A summary says how a tensor is; a lens shows the tensor itself. While one is open, every measured
step keeps copies of what the chosen ops took, made and got back, within a limit an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from labtorch.engine.op import Op
from labtorch.observe.snapshot import Graph

LIMIT = 1 << 20  # bytes of one array, unless the lens says otherwise

Signature = tuple[str, str, tuple[str, ...], int]


def signatures(graph: Graph) -> list[Signature]:
    """What identifies nodes from one graph to the next: kind, name, modules, place among equals."""
    chains: list[tuple[str, ...]] = []
    for scope in graph["scopes"]:
        outer = chains[scope["parent"]] if scope["parent"] is not None else ()
        chains.append((*outer, scope["name"]))
    seen: dict[tuple, int] = {}
    found: list[Signature] = []
    for node in graph["nodes"]:
        where = chains[node["scope"]] if node["scope"] is not None else ()
        key = (node["kind"], node["name"], where)
        seen[key] = seen.get(key, -1) + 1
        found.append((node["kind"], node["name"], where, seen[key]))
    return found


class Lens:
    """A standing wish for arrays: of all ops of some names, of one node, or of the parameters."""

    def __init__(
        self,
        ops: Iterable[str] = (),
        node: Signature | None = None,
        parameters: bool = False,
        limit: int = LIMIT,
        samples: int | None = None,
        backward: bool = True,
        closed: Callable[[Lens], None] | None = None,
    ) -> None:
        self.ops, self.node = frozenset(ops), node
        self.parameters, self.limit = parameters, limit
        self.samples, self.backward = samples, backward
        self._closed = closed

    def close(self) -> None:
        """Keep no more arrays for this wish; those that steps hold already stay with them."""
        if self._closed is not None:
            self._closed(self)
            self._closed = None


class Wish(NamedTuple):
    """What all the lenses on one op ask for together."""

    limit: int
    samples: int | None
    backward: bool

    def of_batch(self, array: Any) -> np.ndarray | None:
        """A copy of what has a row for each sample of the batch."""
        if self.samples is not None and array is not None and array.ndim:
            array = array[: self.samples]
        return copied(array, self.limit)


def together(lenses: Iterable[Lens]) -> Wish | None:
    """The least that serves every one of the lenses; None where there is none."""
    found = list(lenses)
    if not found:
        return None
    samples = [lens.samples for lens in found if lens.samples is not None]
    return Wish(
        max(lens.limit for lens in found),
        max(samples) if len(samples) == len(found) else None,
        any(lens.backward for lens in found),
    )


class Captured:
    """The arrays of one node in one step.

    `outputs` are what it made and `cotangents` the gradients of that, by output; `arguments` are
    the tensors that it took and `gradients` what its rules sent back to them, by argument name;
    `states` are its inner states (an LSTM's gates). An array beyond the limit is cut after its
    first rows along axis 0 (`whole` is False then), or missing where one row is too large.
    """

    __slots__ = (
        "op", "args", "batched", "outputs", "cotangents", "arguments", "gradients", "states"
    )  # fmt: skip

    def __init__(self, op: Op | None = None) -> None:
        self.op = op  # None for a tensor that no op of the step made
        self.args: tuple = ()  # of the op's call, arrays in the place of tensors
        self.batched: set[str] = set()  # arguments that have a row for each sample
        self.outputs: list[np.ndarray | None] = []
        self.cotangents: list[np.ndarray | None] = []
        self.arguments: dict[str, np.ndarray | None] = {}
        self.gradients: dict[str, np.ndarray | None] = {}
        self.states: dict[str, np.ndarray | None] = {}

    @property
    def arrays(self) -> dict[int, np.ndarray]:
        """Those that are there, each once, by identity: an output may be another's argument."""
        named = (*self.arguments.values(), *self.gradients.values(), *self.states.values())
        return {id(a): a for a in (*self.outputs, *self.cotangents, *named) if a is not None}


def copied(array: Any, limit: int) -> np.ndarray | None:
    """A copy on the host, of the first rows only where the whole is beyond `limit` bytes."""
    if array is None or not hasattr(array, "nbytes"):
        return None
    if array.nbytes > limit:
        rows = int(limit // (array.nbytes // array.shape[0])) if array.ndim and len(array) else 0
        if rows < 1:
            return None
        array = array[:rows]
    return np.array(array) if isinstance(array, np.ndarray) else array.get()
