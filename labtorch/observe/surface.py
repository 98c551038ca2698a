"""The loss over a plane through a model's weights, and the path that training walks over it.

The grid is filled in a thread of its own, coarse points first, from a copy of the model, so that
training is not held up. Only a loss that cannot be asked about a copy (a function of no arguments)
or that draws random numbers (a model in training mode) is computed by the thread that trains,
between two of its steps, a few milliseconds at a time; the weights are put back bit by bit.
"""

from __future__ import annotations

import copy
import inspect
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, TimeoutError
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import Any, Literal, NamedTuple

import numpy as np

from labtorch.engine.thread import current
from labtorch.observe import plane as planes
from labtorch.observe.plane import Plane, Weights
from labtorch.observe.recording import Recording
from labtorch.random import fork_rng

STRIDES = (8, 4, 2, 1)  # of the grids that are filled one after the other
BURST = 0.01  # seconds of work at a time
EXACT = 100_000  # numbers: weights up to here are compared in float64
MEMORY = 32 << 20  # bytes of weights that are kept along the path, at most
MARGIN = 1.4  # how much larger a window is than what it has to show
POSITIONS = 8192  # places on the plane that are kept along the path, at most
SHORTEST = 3  # points that a path needs to give directions
FITTED = 100  # points of the path that a plane is fitted to, at most

Bounds = tuple[float, float, float, float]  # u from, to; v from, to
Phase = Literal["waiting", "computing", "done", "stopped", "failed"]


class Point(NamedTuple):
    """Where the weights stood when a step used them."""

    step: int
    u: float
    v: float
    off: float  # distance from the plane
    loss: float | None  # that the step recorded


class Grid:
    """Losses over a window of the plane: `values[j, i]` at us[i], vs[j]; NaN where none came out.

    All points whose indices are multiples of `stride` are computed; 0: none is yet.
    """

    def __init__(self, bounds: Bounds, shape: tuple[int, int]) -> None:
        self.bounds = bounds
        self.us = np.linspace(bounds[0], bounds[1], shape[0])
        self.vs = np.linspace(bounds[2], bounds[3], shape[1])
        self.values = np.full((shape[1], shape[0]), np.nan)
        self.known = np.zeros(self.values.shape, bool)  # which points are computed
        self.stride = 0
        self.seconds = 0.0  # that computing them took

    @property
    def count(self) -> int:
        """How many points are computed."""
        return int(np.count_nonzero(self.known))

    @property
    def computed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """us, vs and values of the finest grid that is complete."""
        s = self.stride or STRIDES[0]
        return self.us[::s], self.vs[::s], self.values[::s, ::s]

    def order(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """For each stride the points (i, j) that are not computed, nor in a coarser grid."""
        seen = self.known.copy()
        for s in STRIDES:
            new = [
                (i, j)
                for j in range(0, len(self.vs), s)
                for i in range(0, len(self.us), s)
                if not seen[j, i]
            ]
            seen[::s, ::s] = True
            yield s, new

    def fits(self, needed: Bounds) -> bool:
        """Does the window show all of `needed`, and not much else?"""
        u0, u1, v0, v1 = self.bounds
        n0, n1, m0, m1 = needed
        inside = u0 <= n0 and n1 <= u1 and v0 <= m0 and m1 <= v1
        return inside and (u1 - u0 <= 4 * (n1 - n0) or v1 - v0 <= 4 * (m1 - m0))


class Surface:
    """The loss of `model` over a plane, and the path over it.

    `loss(model)` gives a number for a model of that form, on data that stay the same; a function of
    no arguments gives it for the model itself. The plane is that of two `parameters`, given as
    "fc.weight[0, 0]", or of two `directions`: "random", "gradient" (uphill, and a random one
    across it), "pca" (the plane that the path stays closest to), or a pair of arrays a parameter.
    The model is evaluated as `model.eval()` has it unless `training` is true. A window takes at
    most `seconds` to fill.
    """

    def __init__(
        self,
        recording: Recording,
        model: Any,
        loss: Callable[..., Any],
        *,
        parameters: Sequence[str] | None = None,
        directions: Any = None,
        resolution: int = 49,
        training: bool = False,
        seconds: float = 30.0,
        seed: int = 0,
    ) -> None:
        self.recording, self.seconds, self.seed = recording, seconds, seed
        self._model, self._loss, self._training = weakref.ref(model), loss, training
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if not named:
            raise ValueError("the model has no parameter that learns")
        self.names = [name for name, _ in named]
        self._tensors = [weakref.ref(p) for _, p in named]
        self.size = sum(p._array.size for _, p in named)
        self._takes_model = takes_argument(loss)
        self._in_place = training or not self._takes_model
        self.kind, self._chosen = self._choice(parameters, directions)
        self._given = directions
        self.shape = grid_shape(resolution)
        self.plane: Plane | None = None
        self.phase: Phase = "waiting"
        self.error = ""
        self.changed: Callable[[], None] = lambda: (
            None
        )  # called, from any thread, when there is news
        self.fitted = 0  # points of the path that a plane of its own was fitted to
        self._grids: list[Grid] = []
        self._shown: Grid | None = None
        self._job: threading.Thread | None = None
        self._wanted: Bounds | None = None
        self._halt = threading.Event()
        self._lock = threading.RLock()
        self._copy: Any = None
        self._positions: dict[int, tuple[float, float, float]] = {}
        self._weights: dict[int, Weights] = {}
        self._every = 1  # which measured steps keep their weights
        self._noted = 0
        note = weakref.WeakMethod(self._note)  # the recording keeps no surface alive

        def note_if_alive(step: int) -> None:
            if (method := note()) is not None:
                method(step)
            else:
                end()

        self._end = end = recording.before_measured_steps(note_if_alive)

    def _choice(self, parameters: Any, directions: Any) -> tuple[str, list]:
        """What kind of plane was asked for, and the two elements if it is one of parameters."""
        present = self._present()
        if parameters is not None:
            if directions is not None:
                raise ValueError("choose two parameters or two directions, not both")
            if isinstance(parameters, str) or len(parameters) != 2:
                raise ValueError("a surface has two parameters, such as ('weight[0, 0]', 'bias')")
            chosen = [planes.element(spec, self.names, present) for spec in parameters]
            if chosen[0] == chosen[1]:
                raise ValueError("choose two parameters that differ")
            return "parameters", chosen
        if directions is None:
            if self.size == 2:
                every = [
                    (at, index) for at, w in enumerate(present) for index in np.ndindex(w.shape)
                ]
                return "parameters", every
            return "random", []
        if isinstance(directions, str):
            if directions not in ("random", "pca", "gradient"):
                raise ValueError(
                    f"directions are 'random', 'pca', 'gradient' or a pair, not '{directions}'"
                )
            return directions, []
        planes.of_directions(directions, self.names, present, _host)  # raises if they do not fit
        return "given", []

    def elements(self) -> list[str]:
        """Every single number among the weights, as `parameters` takes it."""
        return [
            planes.label(name, index, tensor._array)
            for name, reference in zip(self.names, self._tensors)
            if (tensor := reference()) is not None
            for index in np.ndindex(tensor._array.shape)
        ]

    def chosen_elements(self) -> list[str]:
        """The two parameters of the plane, as `elements` has them; none where it is another."""
        return [
            planes.label(self.names[at], index, tensor._array)
            for at, index in self._chosen
            if (tensor := self._tensors[at]()) is not None
        ]

    # ---------------------------------------------------------------- weights
    def _present(self) -> Weights:
        """Copies of the model's weights as they are now; to be called between steps."""
        arrays = []
        for reference in self._tensors:
            tensor = reference()
            if tensor is None:
                raise LookupError("the model is gone")
            arrays.append(self._comparable(tensor._array))
        return arrays

    def _comparable(self, array: Any) -> np.ndarray:
        return _host(array).astype(np.float64 if self.size <= EXACT else np.float32)

    def _note(self, step: int) -> None:
        """Where a step that is measured starts from; in the thread that trains."""
        if self.plane is None and self.kind != "pca" and self.size > EXACT:
            return
        try:
            weights = self._present()
        except LookupError:
            self._end()
            return
        if self.plane is not None:
            self._positions[step] = self.plane.project(weights)
        self._noted += 1
        if (self.size <= EXACT or self.kind == "pca") and self._noted % self._every == 0:
            self._weights[step] = weights
            if len(self._weights) * weights[0].itemsize * self.size > MEMORY:
                self._every *= 2
                self._weights = dict(list(self._weights.items())[::2])
        if len(self._positions) > POSITIONS:
            kept = set(self.recording.steps)
            self._positions = {s: at for s, at in self._positions.items() if s in kept}

    def weights_at(self, step: int) -> Weights | None:
        """The weights that `step` used, where they are known: kept along the path, or small enough
        for the recording to have them whole."""
        if (kept := self._weights.get(step)) is not None:
            return kept
        found = self.recording.small_parameters(step)
        if any(name not in found for name in self.names):
            return None
        weights = [self._comparable(found[name]) for name in self.names]
        shapes = [t._array.shape if (t := r()) is not None else None for r in self._tensors]
        flat = zip(weights, shapes, strict=True)
        if any(shape is None or w.size != np.prod(shape, dtype=int) for w, shape in flat):
            return None
        return [w.reshape(shape) for w, shape in zip(weights, shapes)]

    def path(self) -> list[Point]:
        """Where the kept steps stood, as far as it is known; in the order of the steps."""
        plane, points = self.plane, []
        if plane is None:
            return []
        for step in self.recording.steps:
            at = self._positions.get(step)
            if at is None:
                weights = self.weights_at(step)
                if weights is None:
                    continue
                at = self._positions[step] = plane.project(weights)
            points.append(Point(step, *at, self.recording.loss_of(step)))
        return points

    # ---------------------------------------------------------------- the plane
    def recentre(self) -> None:
        """Lay the plane anew, through the weights as they are now, and forget what was computed."""
        self._anew = True
        self._halt.set()
        if self.phase != "computing":
            self.phase = "waiting"
        self.changed()

    _anew = False

    def _forget(self) -> None:
        self._anew, self.plane, self._copy = False, None, None
        self.fitted, self.error, self.phase = 0, "", "waiting"
        self._grids, self._positions = [], {}

    def follow(self, step: int) -> None:
        """Take the slice through the weights of `step`, where the plane is one of two parameters
        among more and those of `step` are known."""
        plane = self.plane
        if plane is None or self.kind != "parameters" or self.size == 2 or self.busy:
            return
        weights = self.weights_at(step)
        if weights is None or not finite(weights):
            return
        if plane.project(weights)[2] > 1e-3 * planes.norm(weights):
            self.plane = planes.of_two_parameters(self.names, weights, self._chosen)
            self._grids, self._positions = [], {}

    def refit(self) -> None:
        """Fit the plane to the path again, where it is the path's own and has grown much."""
        if self.kind == "pca" and self.plane is not None and not self.busy:
            if len(self.recording.steps) >= 2 * self.fitted:
                self.recentre()

    def _lay(self, present: Weights) -> Plane | None:
        """The plane that was asked for; None while the path is too short for its own."""
        if not finite(present):
            present = self._last_finite()
        if self.kind == "parameters":
            return planes.of_two_parameters(self.names, present, self._chosen)
        if self.kind == "given":
            return planes.of_directions(self._given, self.names, present, _host)
        if self.kind == "random":
            return planes.of_random_directions(present, self.seed)
        if self.kind == "gradient":
            return planes.of_gradient(present, self._gradient(), self.seed)
        steps = self.recording.steps
        known = [w for s in steps if (w := self.weights_at(s)) is not None]
        known = [w for w in known if finite(w)]
        if len(known) < SHORTEST:
            return None
        self.fitted = len(steps)
        every = -(-len(known) // FITTED)
        return planes.of_path([*known[:-1:every], known[-1]], self.seed)

    def _last_finite(self) -> Weights:
        """The weights of the last step that had finite ones."""
        for step in reversed(self.recording.steps):
            weights = self.weights_at(step)
            if weights is not None and finite(weights):
                return weights
        raise ValueError("the weights are no longer finite: no plane goes through them")

    def _gradient(self) -> Weights:
        """Of the loss at the weights of the copy (or of the model itself, between steps)."""

        def compute() -> Weights:
            model = self._evaluated()
            tensors = self._parameters_of(model)
            grads = [t._grad for t in tensors]
            with undisturbed(model, self._training, self._in_place, grad=True):
                try:
                    for tensor in tensors:
                        tensor._grad = None
                    self._call(model).backward()
                    return [
                        self._comparable(t._array * 0 if t._grad is None else t._grad._array)
                        for t in tensors
                    ]
                finally:
                    for tensor, grad in zip(tensors, grads):
                        tensor._grad = grad

        return self._between(compute) if self._in_place else compute()

    # ---------------------------------------------------------------- computing
    @property
    def busy(self) -> bool:
        return self._job is not None and self._job.is_alive()

    def look(self, needed: Bounds | None, *, exactly: bool = False) -> Grid | None:
        """The grid of a window around `needed` (or `exactly` that), as far as it is computed;
        computing goes on, or begins, unless it was cancelled. While nothing of it is there, the
        last one that was."""
        with self._lock:
            if self._anew and not self.busy:
                self._forget()
            if self._anew or self.phase in ("failed", "stopped"):
                return self._shown
            if self.plane is None:
                if self.kind != "pca" or len(self.recording.steps) >= SHORTEST:
                    self._begin(None)
                return None
            if needed is None:
                return self._shown
            window = self._window(needed, 1.0 if exactly else MARGIN)
            grid = next(
                (g for g in self._grids if g.bounds == window or not exactly and g.fits(needed)),
                None,
            )
            if grid is None:
                grid = Grid(window, self.shape)
                self._grids = [grid, *self._grids[:7]]
            if grid.stride != 1 and grid.seconds < self.seconds:
                self._begin(grid)
            elif not self.busy:
                self.phase = "done"
            if grid.stride or self._shown is None:
                self._shown = grid
            return self._shown

    def needed(self, points: list[Point], step: int | None, span: Any = None) -> Bounds | None:
        """What a window has to show with the cursor at `step`: the path so far, and of the rest all
        that is no worse than where it began, so that a path that climbs away does not shrink its
        beginning to a dot. `span` is how far to see around that beginning in any case."""
        plane = self.plane
        if plane is None:
            return None
        points = [p for p in points if np.isfinite((p.u, p.v)).all()]
        start = points[0].loss if points else None
        shown = [
            (p.u, p.v)
            for p in points
            if step is None
            or p.step <= step
            or (start is not None and p.loss is not None and p.loss <= start)
        ]
        if isinstance(span, tuple):
            (u0, u1), (v0, v1) = span
            shown += [(u0, v0), (u1, v1)]
        else:
            moved = shown and self.kind in ("pca", "gradient") and np.ptp(shown, 0).max() > 0
            reach = span if span is not None else 0.0 if moved else 1.0
            u, v = (points[0].u, points[0].v) if points else plane.origin
            shown += [(u - reach, v - reach), (u + reach, v + reach)] if reach else []
        us, vs = zip(*shown)
        return min(us), max(us), min(vs), max(vs)

    def _window(self, needed: Bounds, margin: float) -> Bounds:
        """`needed` with a margin, widened so that a unit is as long across as it is upward."""
        u0, u1, v0, v1 = needed
        across, upward = self.shape[0] - 1, self.shape[1] - 1
        u, v = (u0 + u1) / 2, (v0 + v1) / 2
        # far out, numbers lie apart: a window has to be wider than that
        least = 1e-9 * max(abs(u), abs(v), 1e-9)
        unit = max(margin * max((u1 - u0) / across, (v1 - v0) / upward), least / upward)
        half_u, half_v = unit * across / 2, unit * upward / 2
        return u - half_u, u + half_u, v - half_v, v + half_v

    def resume(self) -> None:
        """Go on computing after `cancel`, or try again after an error."""
        if self.phase in ("stopped", "failed"):
            self.phase, self.error = "waiting", ""
            self.changed()

    def cancel(self) -> None:
        """Compute no more until `resume`."""
        self._halt.set()
        self.phase = "stopped"
        self.changed()

    def close(self) -> None:
        """Compute no more, and follow the path no longer."""
        self.changed = lambda: None
        self._end()
        self.cancel()

    def wait(self, timeout: float = 60.0) -> None:
        """Until the job under way has ended."""
        deadline = perf_counter() + timeout
        while (job := self._job) is not None and perf_counter() < deadline:
            if self.recording.idle:  # the job may wait for this very thread
                self.recording.attend()
            if job.ident is None:  # another thread is about to start it
                sleep(0.001)
            else:
                job.join(0.01)

    def _begin(self, grid: Grid | None) -> None:
        """Start a job for `grid`, unless one is under way for it; one for another gives way."""
        if self.busy:
            if grid is None or self._filling is grid:
                return
            self._halt.set()
            return  # the next look begins the new one
        self._halt.clear()
        self._filling = grid
        self.phase = "computing"
        self._job = threading.Thread(
            target=self._work, args=(grid,), name="labtorch-surface", daemon=True
        )
        self._job.start()

    _filling: Grid | None = None

    def _work(self, grid: Grid | None) -> None:
        try:
            if self._copy is None and not self._in_place:
                self._copy = self._between(self._copied)
            if self.plane is None:
                plane = self._lay(self._between(self._present))
                if plane is None:
                    self.phase = "waiting"
                    return
                self._positions = {}
                self.plane = plane
            if grid is not None:
                self._fill(grid)
        except _Halted:
            pass  # another grid is wanted, or none: what is filled in stays
        except Exception as error:  # told in the view
            self.phase, self.error = "failed", f"{type(error).__name__}: {error}"
        finally:
            if self.phase == "computing":
                self.phase = "done"
            self._job = None
            self.changed()

    def _copied(self) -> Any:
        try:
            return copy.deepcopy(self._model())
        except Exception:  # a model that holds more than weights: ask it itself, between steps
            self._in_place = True
            return None

    def _between(self, act: Callable[[], Any]) -> Any:
        """What `act()` gives between two steps; gives up when the job is halted."""
        future: Future = self.recording.between_steps(act)
        while True:
            try:
                return future.result(0.1)
            except TimeoutError:
                if self._halt.is_set() and future.cancel():
                    raise _Halted from None

    def _fill(self, grid: Grid) -> None:
        for stride, points in grid.order():
            at = 0
            while at < len(points):
                if self._halt.is_set() or grid.seconds > self.seconds:
                    return
                began = perf_counter()

                def burst(rest: list = points[at:]) -> int:
                    return self._evaluate(grid, rest)

                at += self._between(burst) if self._in_place else burst()
                spent = perf_counter() - began
                grid.seconds += spent
                if self.recording.thread is not None:
                    sleep(spent)  # at least half of the time is the training's
            if not grid.stride or stride < grid.stride:
                grid.stride = stride
                self.changed()

    def _evaluate(self, grid: Grid, points: list[tuple[int, int]]) -> int:
        """Compute the loss at the first of these points, for BURST seconds; how many they were."""
        plane, model = self.plane, self._evaluated()
        assert plane is not None
        tensors = self._parameters_of(model)
        began, done = perf_counter(), 0
        with undisturbed(model, self._training, self._in_place), np.errstate(all="ignore"):
            for at, tensor in enumerate(tensors):
                if at not in plane.moved:
                    tensor._array[...] = _like(plane.centre[at], tensor._array)
            for i, j in points:
                for at in plane.moved:
                    here = plane.at(grid.us[i], grid.vs[j], at)
                    tensors[at]._array[...] = _like(here, tensors[at]._array)
                grid.values[j, i] = number(self._call(model))
                grid.known[j, i] = True
                done += 1
                if perf_counter() - began > BURST:
                    break
        return done

    def _evaluated(self) -> Any:
        model = self._model() if self._in_place else self._copy
        if model is None:
            raise LookupError("the model is gone")
        return model

    def _parameters_of(self, model: Any) -> list[Any]:
        own = dict(model.named_parameters())
        return [own[name] for name in self.names]

    def _call(self, model: Any) -> Any:
        return self._loss(model) if self._takes_model else self._loss()

    # ---------------------------------------------------------------- the ball
    def put(self, u: float, v: float) -> Future:
        """Write u and v into the two parameters, between two steps: training goes on from there.

        Raises ValueError where the plane is not one of two parameters, or for what is no number.
        """
        if self.kind != "parameters":
            raise ValueError("only a surface of two parameters can put them somewhere")
        if not (np.isfinite(u) and np.isfinite(v)):
            raise ValueError(f"cannot go to ({u}, {v})")

        def write() -> None:
            for (at, index), value in zip(self._chosen, (u, v)):
                tensor = self._tensors[at]()
                if tensor is None:
                    raise LookupError("the model is gone")
                tensor._array[index] = value
                tensor.version().written("an edit in a view", None)

        return self.recording.between_steps(write)


class _Halted(Exception):
    """The job was asked to end while it waited."""


@contextmanager
def undisturbed(model: Any, training: bool, in_place: bool, grad: bool = False) -> Iterator[None]:
    """Unwatched, in evaluation mode unless `training`; and afterwards all is as it was before:
    modes and, of a model that is not a copy, weights, buffers and the stream of random numbers."""
    thread = current()
    before = thread.grad_enabled, thread.scope, thread.watchers
    held = [*model.parameters(), *model.buffers()] if in_place else []
    arrays = [tensor._array.copy() for tensor in held]
    modes = [] if training else [module for module in model.modules() if module.training]
    # the stream belongs to all threads: another one may draw from it while a copy is evaluated
    with fork_rng(enabled=in_place):
        try:
            for module in modes:
                module.training = False
            thread.grad_enabled, thread.scope, thread.watchers = grad, None, ()
            yield
        finally:
            thread.grad_enabled, thread.scope, thread.watchers = before
            for module in modes:
                module.training = True
            for tensor, array in zip(held, arrays):
                tensor._array[...] = array


def finite(weights: Weights) -> bool:
    return all(np.isfinite(w).all() for w in weights)


def takes_argument(loss: Callable[..., Any]) -> bool:
    """Does `loss` want the model? Raises TypeError for what cannot be called with it or without."""
    if not callable(loss):
        raise TypeError(f"loss must be a function of the model, not {loss!r}")
    try:
        signature = inspect.signature(loss)
    except ValueError:  # a builtin that does not say
        return True
    for arguments in ((None,), ()):
        try:
            signature.bind(*arguments)
            return bool(arguments)
        except TypeError:
            continue
    raise TypeError("loss must be a function of the model, or of nothing")


def number(loss: Any) -> float:
    """A loss as a number, whatever it comes as."""
    array = np.asarray(_host(getattr(loss, "_array", loss)))
    if array.size != 1:
        raise ValueError(f"the loss must be one number, not an array of the shape {array.shape}")
    return float(array.reshape(()))


def grid_shape(resolution: int) -> tuple[int, int]:
    """Points across and upward: three to two, both a multiple of the coarsest stride and one."""
    coarsest = STRIDES[0]
    if not 2 <= resolution <= 400:
        raise ValueError(f"resolution is a number of points from 2 to 400, not {resolution}")
    across = max(1, -(-(resolution - 1) // coarsest))
    return across * coarsest + 1, max(1, round(across * 2 / 3)) * coarsest + 1


def _host(array: Any) -> np.ndarray:
    array = getattr(array, "_array", array)  # a tensor's
    return array.get() if hasattr(array, "get") else np.asarray(array)


def _like(array: np.ndarray, other: Any) -> Any:
    """`array` where `other` is: on the host or on its device."""
    if isinstance(other, np.ndarray):
        return array
    from labtorch.backend.arrays import namespace

    return namespace(other).asarray(array)
