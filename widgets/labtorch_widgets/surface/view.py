"""The widget of the loss surface."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from ..shared.cursor import TimeCursor
from ..shared.numbers import number, plain
from ..shared.view import View, bundle
from .contour import chart
from .still import draw

MOST_POINTS = 400  # of the path, that the browser gets
MOST_ELEMENTS = 120  # single parameters that can be chosen from a list
PATIENCE = 1.5  # seconds that a still waits for the landscape


class SurfaceView(View):
    """The loss over a plane through the weights: see `labtorch_widgets.surface`."""

    _esm = bundle("surface.js")
    _css = bundle("surface.css")

    map: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    _surface: Any = None
    elements: Any = traitlets.List().tag(sync=True)  # single parameters to choose from

    def __init__(
        self,
        cursor: TimeCursor,
        model: Any,
        loss: Callable[..., Any],
        *,
        parameters: Sequence[str] | None = None,
        directions: Any = None,
        span: Any = None,
        resolution: int = 49,
        training: bool = False,
        lang: str | None = None,
    ) -> None:
        import contourpy  # noqa: F401  # that it is missing is told now, not when it is needed

        from labtorch.observe.surface import Surface

        recording: Any = cursor.recording
        self._span = _checked(span)
        self._model = weakref.ref(model)
        self._options: dict[str, Any] = {"resolution": resolution, "training": training}
        self._lay: Callable[..., Any] = lambda **plane: Surface(
            recording, self._living(), loss, **plane, **self._options
        )
        self._surface = self._lay(parameters=parameters, directions=directions)
        self._given = directions if self._surface.kind == "given" else None
        self._window: tuple[float, float, float, float] | None = None  # chosen by hand
        self._drawn: Any = None
        super().__init__(cursor, lang=lang, elements=self._elements())
        self.commands |= {
            "window": self._on_window,
            "fit": self.fit,
            "put": self.put,
            "plane": self._on_plane,
            "stop": self.stop,
            "resume": self.resume,
            "recentre": self.recentre,
        }
        self._listen()
        self.refresh(now=True)

    # What a learner does, also from Python

    def fit(self) -> None:
        """Let the window follow the path again."""
        self._window = None
        self.refresh(now=True)

    def look_at(self, across: tuple[float, float], up: tuple[float, float]) -> None:
        """Show this part of the plane. Raises ValueError for what is no range."""
        bounds = (*map(float, across), *map(float, up))
        if not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[1] or bounds[2] >= bounds[3]:
            raise ValueError(f"not two ranges of finite numbers: {across}, {up}")
        self._window = bounds  # type: ignore[assignment]
        self.refresh(now=True)

    def put(self, u: float, v: float) -> None:
        """Write u and v into the two parameters, between two steps. Raises ValueError where the
        plane is not one of two parameters."""
        self._surface.put(float(u), float(v))
        self.cursor.move(None)  # what comes of it is the newest step

    def stop(self) -> None:
        """Compute no more for now."""
        self._surface.cancel()

    def resume(self) -> None:
        """Go on computing."""
        self._surface.resume()

    def recentre(self) -> None:
        """Lay the plane anew, through the weights as they are now."""
        self._window = None
        self._surface.recentre()

    def wait(self, timeout: float = 60.0) -> SurfaceView:
        """Block until nothing is left to compute; raises TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            self._surface.wait(max(0.0, deadline - time.monotonic()))
            self.refresh(now=True)
            if not self._surface.busy:
                return self
            if time.monotonic() > deadline:
                raise TimeoutError(f"still computing after {timeout} s")

    def close(self) -> None:
        if self._surface is None:  # it was refused before it was a view
            return
        self._surface.close()
        super().close()

    # What the base asks for

    def make_frame(self) -> dict[str, Any]:
        surface, step = self._surface, self.cursor.step
        if step is not None:
            surface.follow(step)
        surface.refit()
        path = surface.path()
        if self._window is not None:
            grid = surface.look(self._window, exactly=True)
        else:
            grid = surface.look(surface.needed(path, step, self._span))
        self._draw_map(grid)
        plane = surface.plane
        total = surface.shape[0] * surface.shape[1]
        ball = next((p for p in reversed(path) if step is not None and p.step <= step), None)
        return {
            "time": self.cursor.span() | {"shown": step},
            "kind": surface.kind,
            "given": self._given is not None,
            "labels": list(plane.labels) if plane else ["", ""],
            "chosen": self._chosen(),
            "share": plain(plane.share, 4) if plane and plane.share else None,
            "ball": _plain_point(ball) if ball is not None else None,
            "trail": [_plain_point(p) for p in thin(path, ball)],
            "known": len(path),
            "phase": surface.phase,
            "error": surface.error,
            "progress": None
            if grid is None
            else {
                "count": grid.count,
                "total": total,
                "stride": grid.stride,
                "shape": [len(axis) for axis in grid.computed[:2]],
                "seconds": number(grid.seconds, 3),
            },
            "byHand": self._window is not None,
            "canPut": surface.kind == "parameters" and self._model() is not None,
        }

    def still(self) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.refresh(now=True)
            phase = self._surface.phase
            if phase in ("failed", "stopped") or (phase in ("done", "waiting") and self._rested()):
                break
            self._surface.wait(0.1)
        with self._lock:
            return draw(self.map, self.frame, self.language)

    def summary(self) -> str:
        return f"SurfaceView({self._surface.kind})"

    # Inside

    def _rested(self) -> bool:
        return not self._surface.busy and (self.map is not None or self._surface.kind == "pca")

    def _listen(self) -> None:
        refresh = weakref.WeakMethod(self.refresh)

        def changed() -> None:
            if (method := refresh()) is not None:
                method(now=True)

        self._surface.changed = changed

    def _living(self) -> Any:
        model = self._model()
        if model is None:
            raise LookupError("the model is gone")
        return model

    def _elements(self) -> list[str]:
        """Single parameters, by name and index, where there are few enough for a list."""
        return self._surface.elements() if self._surface.size <= MOST_ELEMENTS else []

    def _chosen(self) -> list[str]:
        return self._surface.chosen_elements() if self._surface.kind == "parameters" else []

    def _draw_map(self, grid: Any) -> None:
        drawn = None if grid is None else (id(grid), grid.stride, grid.bounds)
        if drawn == self._drawn or grid is None and self._surface.busy:
            return
        self._drawn = drawn
        if grid is None or not grid.stride:
            self.map = None
        else:
            us, vs, values = grid.computed
            self.map = chart(us, vs, values, grid.bounds)

    def _on_window(self, window: Any) -> None:
        u0, u1, v0, v1 = map(float, window)
        self.look_at((u0, u1), (v0, v1))

    def _on_plane(self, kind: Any, parameters: Any = None) -> None:
        """Lay another plane; one that cannot be is told, and the old one stays."""
        if kind == "parameters" and isinstance(parameters, list):
            other = self._lay(parameters=[str(each) for each in parameters])
        elif kind == "given" and self._given is not None:
            other = self._lay(directions=self._given)
        elif kind in ("random", "pca", "gradient"):
            other = self._lay(directions=kind)
        else:
            raise ValueError(f"there is no plane {kind!r}")
        with self._lock:
            self._surface.close()
            self._surface = other
            self._window, self._drawn, self.map = None, None, None
            self._listen()
            self.refresh(now=True)


def thin(path: list[Any], ball: Any) -> list[Any]:
    """At most MOST_POINTS of the path, its ends and the ball's place among them."""
    if len(path) <= MOST_POINTS:
        return path
    every = -(-len(path) // MOST_POINTS)
    return [p for at, p in enumerate(path) if at % every == 0 or p is ball or at == len(path) - 1]


def _plain_point(point: Any) -> dict[str, Any]:
    return {
        "step": point.step,
        "u": number(point.u, 7),
        "v": number(point.v, 7),
        "off": number(point.off, 4),
        "loss": number(point.loss),
    }


def _checked(span: Any) -> Any:
    """A span as the surface wants it. Raises ValueError for what is none."""
    if span is None:
        return None
    try:
        if isinstance(span, int | float):
            if math.isfinite(span) and span > 0:
                return float(span)
        else:
            (u0, u1), (v0, v1) = ((float(a), float(b)) for a, b in span)
            if all(map(math.isfinite, (u0, u1, v0, v1))) and u0 < u1 and v0 < v1:
                return (u0, u1), (v0, v1)
    except TypeError:
        pass
    raise ValueError(
        f"span is a number above zero, or two ranges such as ((-1, 2), (0, 1)): {span}"
    )
