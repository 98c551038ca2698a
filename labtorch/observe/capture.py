"""Arrays kept whole, of the few nodes that somebody looks into.

A summary says how a tensor is; a lens shows the tensor itself. While one is open, every measured
step keeps copies of what the chosen ops took, made and got back, within a limit an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from labtorch.backend.arrays import on_cpu
from labtorch.engine.op import Op
from labtorch.observe import structure
from labtorch.observe.ferry import Ferry
from labtorch.observe.snapshot import Graph

LIMIT = 1 << 20  # bytes of one array, unless the lens says otherwise

Signature = tuple[str, str, tuple[str, ...], int]
# Which part of an array is to be kept, by its kind ("argument", "output", "cotangent", "gradient",
# "state") and name; None: nothing of it.
Part = Callable[[str, str, Any], Any]


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
    """A standing wish for arrays: of all ops of some names, of one node, of the nodes that a
    function finds in a graph, or of the parameters."""

    def __init__(
        self,
        ops: Iterable[str] = (),
        node: Signature | None = None,
        where: Callable[[Graph], Iterable[int]] | None = None,
        parameters: bool = False,
        limit: int = LIMIT,
        part: Callable[[Op | None, tuple], Part] | None = None,
        closed: Callable[[Lens], None] | None = None,
    ) -> None:
        self.ops, self.node, self.where = frozenset(ops), node, where
        self.parameters, self.limit, self.part = parameters, limit, part
        self._closed = closed

    def close(self) -> None:
        """Keep no more arrays for this wish; those that steps hold already stay with them."""
        if self._closed is not None:
            self._closed(self)
            self._closed = None


def places(lenses: Iterable[Lens], graph: Graph) -> dict[int, list[Lens]]:
    """The nodes of `graph` that lenses are on, apart from those that they name by op."""
    found: dict[int, list[Lens]] = {}
    known: dict[Signature, int] | None = None
    for lens in lenses:
        nodes = [] if lens.where is None else list(lens.where(graph))
        if lens.node is not None:
            if known is None:
                known = {each: at for at, each in enumerate(signatures(graph))}
            nodes += [known[lens.node]] if lens.node in known else []
        for node in nodes:
            found.setdefault(node, []).append(lens)
    return found


class Captured:
    """The arrays of one node in one step.

    `outputs` are what it made and `cotangents` the gradients of that, by output; `arguments` are
    the tensors that it took and `gradients` what its rules sent back to them, by argument name;
    `states` are its inner states (an LSTM's gates). An array beyond the limit is cut after its
    first rows along axis 0, or missing where one row is too large. `part` says, where it is not
    None, which part of the arrays was asked for.
    """

    __slots__ = (
        *("op", "args", "outputs", "cotangents", "arguments", "gradients", "states"),
        *("part", "_limit"),
    )

    def __init__(self, op: Op | None, args: tuple, lenses: list[Lens]) -> None:
        self.op = op  # None for a tensor that no op of the step made
        self._limit = max(lens.limit for lens in lenses)
        # whoever asks for less finds it in the whole that another one asks for
        makers = {lens.part for lens in lenses}
        maker = makers.pop() if len(makers) == 1 else None
        self.part: Part | None = None if maker is None else maker(op, args)
        self.args: tuple = ()  # of the op's call, arrays in the place of tensors
        self.outputs: list[np.ndarray | None] = []
        self.cotangents: list[np.ndarray | None] = []
        self.arguments: dict[str, np.ndarray | None] = {}
        self.gradients: dict[str, np.ndarray | None] = {}
        self.states: dict[str, np.ndarray | None] = {}

    def copy(self, kind: str, name: str, array: Any) -> np.ndarray | None:
        """Of `array`, a copy of the part that is to be kept."""
        if self.part is not None and hasattr(array, "nbytes"):
            array = self.part(kind, name, array)
        array = _cut(array, self._limit)
        return None if array is None else array.copy()

    def send(self, ferry: Ferry) -> None:
        """Have the copies that were made on a GPU brought over."""
        for place in (self.outputs, self.cotangents, self.arguments, self.gradients, self.states):
            places: Any = place.items() if isinstance(place, dict) else enumerate(place)
            for key, array in [*places]:
                if array is not None and not on_cpu(array):
                    ferry.later(array, partial(self._land, place, key, array))

    def _land(self, place: Any, key: Any, sent: Any, array: np.ndarray) -> None:
        place[key] = array
        self.args = tuple(array if each is sent else each for each in self.args)

    @property
    def arrays(self) -> dict[int, np.ndarray]:
        """Those that are there, each once, by identity: an output may be another's argument."""
        named = (*self.arguments.values(), *self.gradients.values(), *self.states.values())
        return {id(a): a for a in (*self.outputs, *self.cotangents, *named) if a is not None}


@lru_cache
def samples_only(samples: int | None, backward: bool) -> Callable[[Op | None, tuple], Part]:
    """The part of a lens that wants only the first samples of a batch, or no gradients.

    What goes through an op has a row for each sample: its outputs, its input, and what has the
    input's shape; weights do not.
    """

    def part(op: Op | None, args: tuple) -> Part:
        shape = getattr(args[0], "shape", None) if args else None
        batched = {
            structure.argument(op, at)
            for at, arg in enumerate(args)
            if hasattr(arg, "shape") and (at == 0 or arg.shape == shape)
        }

        def choose(kind: str, name: str, array: Any) -> Any:
            if kind in ("cotangent", "gradient") and not backward:
                return None
            whole = kind in ("argument", "gradient") and name not in batched
            if samples is None or whole or kind == "state" or not array.ndim or op is None:
                return array
            return array[:samples]

        return choose

    return part


def copied(array: Any, limit: int) -> np.ndarray | None:
    """A copy on the host, of the first rows only where the whole is beyond `limit` bytes."""
    array = _cut(array, limit)
    if array is None:
        return None
    return np.array(array) if on_cpu(array) else array.get()


def _cut(array: Any, limit: int) -> Any:
    """The first rows that fit into `limit` bytes, None where none does."""
    if array is None or not hasattr(array, "nbytes"):
        return None
    if array.nbytes > limit:
        rows = int(limit // (array.nbytes // array.shape[0])) if array.ndim and len(array) else 0
        if rows < 1:
            return None
        array = array[:rows]
    return np.asarray(array) if isinstance(array, np.generic) else array
