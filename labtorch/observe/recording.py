"""The store of a recording: bounded, readable from any thread, and said what it dropped."""

from __future__ import annotations

import difflib
import gzip
import json
import os
import random
import tempfile
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from labtorch.engine.op import Op
from labtorch.observe import capture
from labtorch.observe.capture import Captured, Lens
from labtorch.observe.lazy import Lazy, LazyRow
from labtorch.observe.snapshot import Graph, Snapshot
from labtorch.observe.summary import Probe

LOSSES = 4096  # points that the loss line keeps, at most
ROW_BYTES = 260  # of a row without its probes
NODE_BYTES, EDGE_BYTES = 3000, 500  # of a graph, about
PROBED = ("value", "grad", "update")
TIMES = ("forward_start", "forward_seconds", "backward_start", "backward_seconds")


def _size(graph: Graph) -> int:
    return NODE_BYTES * len(graph["nodes"]) + EDGE_BYTES * len(graph["edges"])


class Measured:
    """One kept step in compact form: columns by name, with probes instead of plain summaries."""

    __slots__ = ("head", "columns", "contributions", "captured", "array_bytes", "nbytes")

    def __init__(
        self,
        head: dict,
        columns: dict[str, list],
        contributions: dict[int, Any],
        captured: dict[int, Captured],
    ) -> None:
        self.head, self.columns = head, columns
        self.contributions, self.captured = contributions, captured
        probes = [p for name in PROBED for p in columns[name] if p is not None]
        probes += contributions.values()
        arrays = {key: a.nbytes for c in captured.values() for key, a in c.arrays.items()}
        self.array_bytes = sum(arrays.values())
        summaries = ROW_BYTES * len(columns["value"]) + sum(p.nbytes for p in probes)
        self.nbytes = 1000 + summaries + self.array_bytes

    def let_arrays_go(self) -> int:
        """Keep the summaries alone; returns how many bytes that frees."""
        freed = self.array_bytes
        self.captured, self.array_bytes = {}, 0
        self.nbytes -= freed
        return freed

    def lazy(self) -> Snapshot:
        """As `plain`, with rows and contributions made when they are looked at."""
        sent = list(self.contributions.items())

        def row(at: int) -> LazyRow:
            return LazyRow(self.columns, at, _plain)

        def contribution(at: int) -> dict:
            return {"edge": sent[at][0], "grad": _plain(sent[at][1])}

        rows, contributions = Lazy(len(self.columns["value"]), row), Lazy(len(sent), contribution)
        return {**self.head, "rows": rows, "contributions": contributions}  # type: ignore[typeddict-item, return-value]

    def plain(self) -> Snapshot:
        columns = {
            name: [_plain(p) for p in column] if name in PROBED else column
            for name, column in self.columns.items()
        }
        rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
        contributions = [{"edge": at, "grad": _plain(p)} for at, p in self.contributions.items()]
        return {**self.head, "rows": rows, "contributions": contributions}  # type: ignore[typeddict-item, return-value]


def _matches(a: list, b: list) -> list[tuple[int, int]]:
    """Positions of what two sequences have in common. Their ends, where they mostly agree, are not
    left to difflib, whose time grows with the square of what it is given."""
    shorter = min(len(a), len(b))
    head = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if a[-1 - i] != b[-1 - i]), rest)
    inner = difflib.SequenceMatcher(
        None, a[head : len(a) - tail], b[head : len(b) - tail], autojunk=False
    )
    return [
        *((i, i) for i in range(head)),
        *(
            (head + block.a + i, head + block.b + i)
            for block in inner.get_matching_blocks()
            for i in range(block.size)
        ),
        *((len(a) - i, len(b) - i) for i in range(tail, 0, -1)),
    ]


def _plain(value: Any) -> Any:
    return value.plain() if isinstance(value, Probe) else value


def _whole(probe: Any) -> np.ndarray | None:
    """The tensor behind a probe, or behind a summary that was read from a file, if small."""
    if probe is None:
        return None
    if not isinstance(probe, dict):
        return probe.thumbnail if probe.exact else None
    picture = probe["thumbnail"]
    if not picture["exact"]:
        return None
    array = np.array(picture["values"], dtype=np.float64)  # None, where a glyph stands, is NaN
    for row, column, glyph in picture["glyphs"]:
        array[row, column] = float(glyph)
    return array


class Recording:
    """Steps, as the engine announced them: the last `keep`, a random sample of the earlier ones.

    Steps that were measured are kept whole; of the others only the loss. All methods may be called
    from another thread while the recording goes on.
    """

    def __init__(self, keep: int = 512, cap: int = 64 << 20) -> None:
        if keep < 1 or cap < 1 << 16:
            raise ValueError(f"keep must be at least 1 and cap at least 64 KiB, not {keep}, {cap}")
        self.keep, self.cap = keep, cap
        self.step_count = 0  # steps that ended, kept or not
        self._lock = threading.Lock()
        self._graphs: dict[str, Graph] = {}
        self._uses: Counter[str] = Counter()  # kept steps of each graph
        self._recent: dict[int, Measured] = {}
        self._earlier: dict[int, Measured] = {}
        self._nbytes = self._array_bytes = 0
        self._measured = 0  # steps ever measured
        self._evicted = 0
        self._losses: list[tuple[int, float]] = []
        self._stride = 1
        self._last_loss: tuple[int, float] | None = None
        self._wanted = False
        self._choice = random.Random(0)  # not the learner's generator: watching changes no number
        # the step under way, where somebody goes through it op by op; see `Recorder.partial`
        self.present: tuple[Graph, Snapshot] | None = None
        self.thread: Any = None  # the engine's thread that is recorded now, if one is
        self._lenses: tuple[Lens, ...] = ()
        self._tensors: dict[capture.Signature, weakref.ref] = {}
        self._requests: deque[tuple[Future, Callable[[], Any]]] = deque()
        self._before: tuple[Callable[[int], None], ...] = ()
        self._after: tuple[Callable[[int], None], ...] = ()
        self._listeners: tuple[Callable[[], None], ...] = ()

    def measure_next(self) -> None:
        """Have the next step measured, whatever the budget says: somebody wants to look at it."""
        self._wanted = True

    def look_into(
        self,
        *,
        ops: Iterable[str] = (),
        node: int | None = None,
        step: int = -1,
        where: Callable[[Graph], Iterable[int]] | None = None,
        parameters: bool = False,
        limit: int = capture.LIMIT,
        samples: int | None = None,
        backward: bool = True,
        part: Callable[[Op | None, tuple], capture.Part] | None = None,
    ) -> Lens:
        """Keep whole arrays in the steps measured from now on, until the lens is closed.

        Of all ops with a name in `ops`, of the node that is `node` in the graph of `step` and of
        its like in later graphs, of the nodes that `where` finds in a graph (asked once for each
        structure), or of all parameters; at most `limit` bytes of each array. Of what goes through
        an op, `samples` keeps only the first ones of the batch; without `backward`, no gradients
        are kept; `part`, called with an op and its arguments, may say what else is enough. Read
        them with `arrays`.
        """
        signature = None if node is None else capture.signatures(self.graph(step))[node]
        if part is None and (samples is not None or not backward):
            part = capture.samples_only(samples, backward)
        lens = Lens(ops, signature, where, parameters, limit, part, self._close_lens)
        self._lenses = (*self._lenses, lens)
        return lens

    def _close_lens(self, lens: Lens) -> None:
        self._lenses = tuple(each for each in self._lenses if each is not lens)

    def arrays(self, node: int, step: int = -1) -> Captured | None:
        """The arrays that a lens kept of `node` in `step`; None where none was on it."""
        return self._step(step).captured.get(node)

    # ---------------------------------------------------------------- work between steps
    def between_steps(self, act: Callable[[], Any]) -> Future:
        """Call `act()` between two steps, where it cannot disturb one: in the thread that computes
        them, or, where none is recorded or it is this one, at once. Its result comes by a Future.
        """
        future: Future = Future()
        self._requests.append((future, act))
        if self.idle:
            self.attend()
        self._tell()
        return future

    @property
    def has_requests(self) -> bool:
        """Does work wait to be done between two steps?"""
        return bool(self._requests)

    @property
    def idle(self) -> bool:
        """May this thread act as if between two steps?"""
        from labtorch.engine.thread import current

        return self.thread is None or (self.thread is current() and not self._under_way())

    _under_way: Callable[[], bool] = staticmethod(lambda: False)  # set by the session

    def attend(self, step: int | None = None) -> None:
        """Do what was asked for between steps; `step` is the one just kept, if one was."""
        while self._requests:
            try:
                future, act = self._requests.popleft()
            except IndexError:  # another thread was faster, where none is recorded
                break
            if not future.set_running_or_notify_cancel():
                continue  # nobody waits for it any more
            try:
                future.set_result(act())
            except Exception as error:  # told to the one who asked; the training goes on
                future.set_exception(error)
        if step is not None:
            for each in self._after:
                each(step)

    def after_kept_steps(self, act: Callable[[int], None]) -> Callable[[], None]:
        """Call `act(step)` after every kept step, in the thread that computes; what it costs counts
        as measuring. Returns a function that ends it."""
        self._after = (*self._after, act)

        def end() -> None:
            self._after = tuple(each for each in self._after if each is not act)

        return end

    def before_measured_steps(self, act: Callable[[int], None]) -> Callable[[], None]:
        """Call `act(step)` as a step begins that will be measured, while the parameters are those
        that it will use; otherwise as `after_kept_steps`."""
        self._before = (*self._before, act)

        def end() -> None:
            self._before = tuple(each for each in self._before if each is not act)

        return end

    def _prepare(self, step: int) -> None:
        for each in self._before:
            each(step)

    def listen(self, heard: Callable[[], None]) -> Callable[[], None]:
        """Call `heard()`, which has to be quick, when there is news: a step has ended, work waits
        to be done between steps, or the recording has ended. Returns a function that ends it."""
        self._listeners = (*self._listeners, heard)

        def end() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not heard)

        return end

    def _tell(self) -> None:
        for heard in self._listeners:
            heard()

    def edit(self, node: int, index: tuple[int, ...], value: float, step: int = -1) -> Future:
        """Write `value` into the parameter or buffer that is `node` in the graph of `step`, between
        two steps; the Future brings the number that was there. Raises LookupError where the tensor
        is gone, IndexError for a bad index."""
        tensor = self._tensor(node, step)
        tensor._array[index]  # raises where the index is no good

        def write() -> Any:
            former = tensor._array[index].item()
            tensor._array[index] = value
            tensor.version().written("an edit in a view", None)
            return former

        return self.between_steps(write)

    def read(self, node: int, index: tuple[int | slice, ...] = (), step: int = -1) -> Future:
        """Copy what is at `index` of the parameter or buffer that is `node` in the graph of `step`,
        as it is now, between two steps. Raises LookupError where the tensor is gone."""
        tensor = self._tensor(node, step)
        return self.between_steps(
            lambda: capture.copied(tensor._array[(*index, ...)], capture.LIMIT)
        )

    def _tensor(self, node: int, step: int) -> Any:
        graph = self.graph(step)
        reference = self._tensors.get(capture.signatures(graph)[node])
        tensor = reference() if reference is not None else None
        if tensor is None:
            name = graph["nodes"][node]["name"]
            raise LookupError(f"'{name}' is not there any more, or is no parameter or buffer")
        return tensor

    def _remember(self, leaves: dict[int, Any], graph: Graph) -> None:
        """Weakly, the tensors behind the parameters and buffers of the newest graph."""
        if self._remembered is not graph:
            self._remembered = graph
            self._tensors = {
                signature: weakref.ref(leaves[at])
                for at, signature in enumerate(capture.signatures(graph))
                if at in leaves and graph["nodes"][at]["kind"] in ("parameter", "buffer")
            }

    _remembered: Graph | None = None

    # ---------------------------------------------------------------- written by the recorder
    def _asked(self) -> bool:
        wanted, self._wanted = self._wanted, False
        return wanted

    def _add_loss(self, step: int, loss: float) -> None:
        self._last_loss = (step, loss)
        if step % self._stride == 0:
            self._losses.append((step, loss))
            if len(self._losses) > LOSSES:
                self._stride *= 2
                self._losses = [p for p in self._losses if p[0] % self._stride == 0]

    def _add(self, graph: Graph, measured: Measured) -> None:
        with self._lock:
            for pool in (self._recent, self._earlier):
                if measured.head["step"] in pool:  # a step that is run again takes its place
                    self._forget(pool, measured.head["step"])
                    self._evicted -= 1
                    self._measured -= 1
            if graph["key"] not in self._graphs:
                self._graphs[graph["key"]] = graph
                self._nbytes += _size(graph)
            self._uses[graph["key"]] += 1
            if measured.head["step"] in self._recent:  # computed anew: on other inputs, say
                self._forget(self._recent, measured.head["step"])
                self._evicted -= 1
                self._measured -= 1
            self._measured += 1
            self._recent[measured.head["step"]] = measured
            self._nbytes += measured.nbytes
            self._array_bytes += measured.array_bytes
            if len(self._recent) > self.keep:
                self._retire()
            while self._nbytes > self.cap and len(self._recent) + len(self._earlier) > 1:
                if self._array_bytes > self.cap // 2 and self._thin_arrays():
                    continue
                pool = self._earlier or self._recent
                self._forget(pool, next(iter(pool)))

    def _thin_arrays(self) -> bool:
        """Where whole arrays take more than half of the store, some go before any summary: those
        of the step whose neighbours are closest, so that what stays is spread over the training."""
        steps = self._with_arrays()
        if len(steps) < 3:
            return False
        gaps = [after - before for before, after in zip(steps, steps[2:])]
        step = steps[1 + gaps.index(min(gaps))]
        held = self._recent.get(step) or self._earlier[step]
        freed = held.let_arrays_go()
        self._nbytes -= freed
        self._array_bytes -= freed
        return True

    def _with_arrays(self) -> list[int]:
        pools = (self._earlier, self._recent)
        return sorted(step for pool in pools for step, m in pool.items() if m.captured)

    def _retire(self) -> None:
        """The oldest recent step joins the sample of earlier ones, or is let go (reservoir)."""
        oldest = next(iter(self._recent))
        seen = self._measured - self.keep  # steps that ever left the recent ones, this one included
        size = max(1, self.keep // 2)
        if len(self._earlier) < size:
            self._earlier[oldest] = self._recent.pop(oldest)
        elif self._choice.randrange(seen) < size:
            self._forget(self._earlier, self._choice.choice(list(self._earlier)))
            self._earlier[oldest] = self._recent.pop(oldest)
        else:
            self._forget(self._recent, oldest)

    def _forget(self, pool: dict[int, Measured], step: int) -> None:
        gone = pool.pop(step)
        self._nbytes -= gone.nbytes
        self._array_bytes -= gone.array_bytes
        self._evicted += 1
        key = gone.head["graph"]
        self._uses[key] -= 1
        if not self._uses[key]:
            del self._uses[key]
            self._nbytes -= _size(self._graphs.pop(key))

    # ---------------------------------------------------------------- read by everybody
    @property
    def steps(self) -> list[int]:
        """The numbers of the steps that can be looked at, ascending."""
        with self._lock:
            return sorted([*self._earlier, *self._recent])

    @property
    def steps_with_arrays(self) -> list[int]:
        """Those of the steps that a lens kept arrays of, ascending."""
        with self._lock:
            return self._with_arrays()

    @property
    def losses(self) -> list[tuple[int, float]]:
        """(step, loss), thinned evenly to a bounded length, the last one always there."""
        with self._lock:
            points = list(self._losses)
        last = self._last_loss
        return points if last is None or (points and points[-1] == last) else [*points, last]

    @property
    def nbytes(self) -> int:
        """What the kept steps take, by their own account."""
        return self._nbytes

    @property
    def dropped(self) -> str:
        """What the store let go, in a sentence; empty if nothing."""
        notes = []
        unmeasured = self.step_count - self._measured
        if unmeasured > 0:
            notes.append(
                f"{unmeasured} of {self.step_count} steps were not measured, only their loss"
            )
        if self._evicted:
            notes.append(f"{self._evicted} measured steps were dropped to stay within bounds")
        return "; ".join(notes)

    def _step(self, step: int) -> Measured:
        with self._lock:
            if not (self._recent or self._earlier):
                raise LookupError("nothing is recorded yet: run the model inside the with-block")
            if step < 0:
                kept = sorted([*self._earlier, *self._recent])
                if -step > len(kept):
                    raise LookupError(f"only {len(kept)} steps are kept, there is no step {step}")
                step = kept[step]
            found = self._recent.get(step) or self._earlier.get(step)
        if found is None:
            raise LookupError(
                f"step {step} is not kept; recording.steps lists those that are, for example "
                f"{min(self.steps, key=lambda s: abs(s - step))}"
            )
        return found

    def graph(self, step: int = -1) -> Graph:
        """The structure that `step` built; negative steps count from the last."""
        return self._graphs[self._step(step).head["graph"]]

    def snapshot(self, step: int = -1) -> Snapshot:
        """The numbers of `step`: one row per node of its graph."""
        return self._step(step).plain()

    def timings(self, step: int = -1) -> dict[str, Any]:
        """When the ops of `step` ran and for how long: the head of its snapshot, and, under
        "rows", the rows' times alone, as columns. Far cheaper than a snapshot."""
        measured = self._step(step)
        return {**measured.head, "rows": {name: measured.columns[name] for name in TIMES}}

    def loss_of(self, step: int) -> float | None:
        """The loss of a kept step; None where there was none or the step is not kept."""
        try:
            return self._step(step).head["loss"]
        except LookupError:
            return None

    def small_parameters(self, step: int) -> dict[str, np.ndarray]:
        """By name, the parameters of `step` that are so small that their thumbnail is the tensor
        itself, as the step used them, in rows. Empty where the step is not kept; a name that two
        parameters have is left out."""
        try:
            measured = self._step(step)
        except LookupError:
            return {}
        found: dict[str, Any] = {}
        for node, value in zip(
            self._graphs[measured.head["graph"]]["nodes"], measured.columns["value"]
        ):
            if node["kind"] == "parameter":
                found[node["name"]] = None if node["name"] in found else _whole(value)
        return {name: array for name, array in found.items() if array is not None}

    def glimpse(self, step: int = -1) -> Snapshot:
        """As `snapshot`, but what it says of a node is made when that is looked at: cheap where few
        of many nodes are shown."""
        return self._step(step).lazy()

    def series(
        self, node: int | str, statistic: str = "mean", of: str = "value"
    ) -> list[tuple[int, float | None]]:
        """(step, statistic) of a node's "value", "grad" or "update" over the kept steps, or of the
        "loss"."""
        if node == "loss":
            return list(self.losses)
        points = []
        for step in self.steps:
            try:
                measured = self._step(step)
            except LookupError:  # dropped since the list was made
                continue
            nodes = self._graphs[measured.head["graph"]]["nodes"]
            at = (
                node
                if isinstance(node, int)
                else next((n["id"] for n in nodes if n["name"] == node), None)
            )
            if at is None or at >= len(nodes):
                continue
            if of not in PROBED:
                raise ValueError(f"of must be one of {', '.join(PROBED)}, not '{of}'")
            plain = _plain(measured.columns[of][at])
            if plain is not None:
                if statistic not in plain:
                    raise ValueError(f"no statistic '{statistic}'; there are {', '.join(plain)}")
                points.append((step, plain[statistic]))
        if not points and not any(
            node == n["name"] or node == n["id"] for g in self._graphs.values() for n in g["nodes"]
        ):
            names = sorted({n["name"] for g in self._graphs.values() for n in g["nodes"]})
            raise LookupError(f"no node '{node}' was recorded; there are {', '.join(names)}")
        return points

    def diff(self, a: int, b: int, *, shapes: bool = True) -> dict[str, Any]:
        """What changed in the structure from step a to step b: nodes added, removed, and kept.

        Without `shapes`, a node whose shape alone changed (a last, smaller batch) is kept.
        """
        before, after = self.graph(a), self.graph(b)

        def labels(graph: Graph) -> list[tuple]:
            paths = [s["path"] for s in graph["scopes"]]
            return [
                (
                    n["kind"],
                    n["name"],
                    "" if n["scope"] is None else paths[n["scope"]],
                    tuple(n["shape"]) if shapes else None,
                )
                for n in graph["nodes"]
            ]

        same = _matches(labels(before), labels(after))
        kept_before, kept_after = {i for i, _ in same}, {j for _, j in same}
        return {
            "same": same,
            "removed": [n["id"] for n in before["nodes"] if n["id"] not in kept_before],
            "added": [n["id"] for n in after["nodes"] if n["id"] not in kept_after],
        }

    # ---------------------------------------------------------------- one file
    def save(self, path: str | os.PathLike) -> None:
        """Write all that is kept, but for whole arrays, to one file (gzipped JSON), atomically."""
        content = {
            "format": "labtorch recording 2",
            "step_count": self.step_count,
            "losses": self.losses,
            "graphs": self._graphs,
            "snapshots": [self.snapshot(step) for step in self.steps],
        }
        target = Path(path)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name)
        try:
            with os.fdopen(handle, "wb") as raw, gzip.open(raw, "wt", encoding="utf-8") as file:
                json.dump(content, file)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike) -> Recording:
        """Read a recording that `save` wrote."""
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                content = json.load(file)
            if content["format"] != "labtorch recording 2":
                raise KeyError("format")
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(f"{path} is not a recording that labtorch saved: {error}") from None
        recording = cls(keep=max(1, len(content["snapshots"])))
        recording.step_count = content["step_count"]
        recording._losses = [(step, loss) for step, loss in content["losses"]]
        recording._graphs = content["graphs"]
        for snapshot in content["snapshots"]:
            rows, sent = snapshot.pop("rows"), snapshot.pop("contributions")
            names = rows[0] if rows else (*PROBED, "forward_seconds")
            columns = {name: [row[name] for row in rows] for name in names}
            contributions = {each["edge"]: each["grad"] for each in sent}
            recording._recent[snapshot["step"]] = _Loaded(snapshot, columns, contributions)
        recording._measured = len(recording._recent)
        return recording

    def __repr__(self) -> str:
        kept = len(self._recent) + len(self._earlier)
        return f"Recording of {self.step_count} steps, {kept} kept"


class _Loaded(Measured):
    """A step from a file: its summaries are plain already."""

    def __init__(self, head: dict, columns: dict[str, list], contributions: dict) -> None:
        self.head, self.columns = head, columns
        self.contributions, self.captured = contributions, {}
        self.array_bytes = self.nbytes = 0
