"""What a view may know of the engine: a recording, or one step of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from labtorch.observe.snapshot import Graph, Snapshot
else:  # the contract is plain data: at run time any mapping of that form will do
    Graph = Snapshot = dict[str, Any]


@runtime_checkable
class Recording(Protocol):
    """The part of `labtorch.observe`'s recording that views read, from any thread.

    `steps` are the kept ones, ascending; `step_count` counts those let go too. A step may be let
    go between two calls: `graph` and `snapshot` raise LookupError then.
    """

    @property
    def steps(self) -> list[int]: ...

    @property
    def step_count(self) -> int: ...

    @property
    def losses(self) -> list[tuple[int, float]]: ...

    @property
    def dropped(self) -> str: ...

    def graph(self, step: int) -> Graph: ...

    def snapshot(self, step: int) -> Snapshot: ...

    def measure_next(self) -> None: ...


class SingleStep:
    """One graph and one snapshot, read as a recording of a single step."""

    dropped = ""
    step_count = 1

    def __init__(self, graph: Graph, snapshot: Snapshot) -> None:
        self._graph, self._snapshot = graph, snapshot
        self.steps = [snapshot["step"]]
        loss = snapshot["loss"]
        self.losses = [] if loss is None else [(snapshot["step"], loss)]

    def measure_next(self) -> None:
        """There is no next step."""

    def graph(self, step: int = -1) -> Graph:
        return self._graph

    def snapshot(self, step: int = -1) -> Snapshot:
        return self._snapshot
