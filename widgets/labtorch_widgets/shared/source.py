"""What a view may know of the engine: a recording, or one step of one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
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

    def timings(self, step: int) -> dict[str, Any]: ...  # a snapshot's head; times as columns

    def measure_next(self) -> None: ...

    @property
    def present(self) -> tuple[Graph, Snapshot] | None: ...  # the step under way, if shown

    @property
    def thread(self) -> Any: ...  # None where nothing is recorded any more

    @property
    def look_into(self) -> Callable[..., Any]: ...  # (ops=, node=, step=, ...): a lens

    def arrays(self, node: int, step: int = -1) -> Any: ...  # Captured, or None

    @property
    def steps_with_arrays(self) -> list[int]: ...

    def between_steps(self, act: Callable[[], Any]) -> Future: ...

    def attend(self, step: int | None = None) -> None: ...

    def edit(self, node: int, index: tuple[int, ...], value: float, step: int = -1) -> Future: ...

    def read(
        self, node: int, index: tuple[int | slice, ...] = (), step: int = -1
    ) -> Future: ...  # the parameter's numbers as they are now

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]: ...


class Finished:
    """The part of a recording that is the same wherever nothing is recorded any more."""

    dropped = ""
    has_requests = False
    present = None
    thread = None
    steps_with_arrays: list[int] = []

    def measure_next(self) -> None:
        """There is no next step."""

    def before_measured_steps(self, act: Callable[[int], None]) -> Callable[[], None]:
        return lambda: None

    def small_parameters(self, step: int) -> dict[str, Any]:
        return {}

    def loss_of(self, step: int) -> float | None:
        return self.snapshot(step)["loss"]

    def timings(self, step: int) -> dict[str, Any]:
        snapshot: dict[str, Any] = dict(self.snapshot(step))
        rows = snapshot.pop("rows")
        names = ("forward_start", "forward_seconds", "backward_start", "backward_seconds")
        return {**snapshot, "rows": {name: [row[name] for row in rows] for name in names}}

    def snapshot(self, step: int = -1) -> Snapshot:
        raise NotImplementedError

    def look_into(self, **wanted: Any) -> Any:
        return _Nothing()

    def arrays(self, node: int, step: int = -1) -> Any:
        return None

    def between_steps(self, act: Callable[[], Any]) -> Future:
        future: Future = Future()
        future.set_result(act())
        return future

    def attend(self, step: int | None = None) -> None:
        """Nothing waits to be done between steps."""

    def read(self, node: int, index: tuple[int | slice, ...] = (), step: int = -1) -> Future:
        raise LookupError("nothing is trained here that could be read")

    def edit(self, node: int, index: tuple[int, ...], value: float, step: int = -1) -> Future:
        raise LookupError("nothing is trained here that could be edited")

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class _Nothing:
    def close(self) -> None:
        """There is nothing to close."""


class SingleStep(Finished):
    """One graph and one snapshot, read as a recording of a single step."""

    step_count = 1

    def __init__(self, graph: Graph, snapshot: Snapshot) -> None:
        self._graph, self._snapshot = graph, snapshot
        self.steps = [snapshot["step"]]
        loss = snapshot["loss"]
        self.losses = [] if loss is None else [(snapshot["step"], loss)]

    def graph(self, step: int = -1) -> Graph:
        return self._graph

    def snapshot(self, step: int = -1) -> Snapshot:
        return self._snapshot
