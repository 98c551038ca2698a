"""The moment that views show, held in one object so that they all rewind together."""

from __future__ import annotations

import bisect
import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from .live import Publisher, at_the_end_of_cells, serve_between_cells
from .source import Graph, Recording, SingleStep, Snapshot

Watch = Callable[..., None]  # (*, now: bool)


class TimeCursor:
    """Points at one recorded step, or follows the newest one.

    Views that share a cursor show the same step. `watch` holds a view's method weakly, so a view
    that nobody keeps is not kept alive by its cursor.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._at: int | None = None
        self._watchers: list[weakref.WeakMethod[Watch]] = []
        self.publisher: Publisher | None = None

    def __repr__(self) -> str:
        return f"TimeCursor({'live' if self.live else f'step {self.step}'})"

    @property
    def live(self) -> bool:
        """Does the cursor follow the newest step?"""
        return self._at is None

    @property
    def step(self) -> int | None:
        """The recorded step shown now; the nearest kept one where the store let the asked one go.

        None while nothing has been recorded.
        """
        if self.live and (present := self.recording.present) is not None:
            return present[1]["step"]
        steps = self.recording.steps
        if not steps:
            return None
        return steps[-1] if self._at is None else nearest(steps, self._at)

    @property
    def moment(self) -> tuple[Any, ...]:
        """What changes when there is something new to show: step, newest step, step under way."""
        steps = self.recording.steps
        return self.step, steps[-1] if steps else None, self.recording.present

    def move(self, step: int | None) -> None:
        """Go to `step`, or, with None, follow the newest step from now on."""
        self._at = None if step is None else int(step)
        self._tell(now=True)

    def shift(self, count: int) -> None:
        """Go `count` kept steps forward (or back, where negative)."""
        steps = self.recording.steps
        if not steps:
            return
        here = bisect.bisect_left(steps, self.step if self.step is not None else steps[-1])
        self.move(steps[min(max(here + count, 0), len(steps) - 1)])

    def advance(self, *, now: bool = False) -> None:
        """Say that more has been recorded. Rewound views are told too: their slider grows.

        Views may skip this news if more is to come; they may not where it is the last (`now`).
        """
        self._tell(now=now)

    def watch(self, method: Watch) -> None:
        """Call `method(now=...)` of an object that lives when the step or the recording changes."""
        self._watchers.append(weakref.WeakMethod(method))

    def unwatch(self, method: Watch) -> None:
        self._watchers = [ref for ref in self._watchers if ref() not in (method, None)]

    def look(self) -> tuple[int, Graph, Snapshot] | None:
        """The step shown with its graph and numbers; None while nothing is recorded.

        A live cursor looks at the step under way where the training goes op by op. The store may
        let a step go while it is being asked for: then the nearest is looked at.
        """
        if self.live and (present := self.recording.present) is not None:
            return present[1]["step"], *present
        for _ in range(8):
            if (step := self.step) is None:
                return None
            with contextlib.suppress(LookupError):
                recording = self.recording
                glimpse = getattr(recording, "glimpse", recording.snapshot)
                return step, recording.graph(step), glimpse(step)
        return None

    def span(self) -> dict[str, Any]:
        """What a time slider draws: the recorded range, the step shown, what was let go."""
        steps = self.recording.steps
        return {
            "first": steps[0] if steps else None,
            "last": steps[-1] if steps else None,
            "kept": len(steps),
            "step": self.step,
            "live": self.live,
            "dropped": self.recording.dropped,
        }

    def _tell(self, *, now: bool) -> None:
        for ref in list(self._watchers):
            method = ref()
            if method is None:
                self._watchers.remove(ref)
            else:
                method(now=now)


def nearest(steps: list[int], step: int) -> int:
    """The member of the ascending `steps` closest to `step`; the earlier one on a tie."""
    after = bisect.bisect_left(steps, step)
    if after == 0:
        return steps[0]
    if after == len(steps):
        return steps[-1]
    before = steps[after - 1]
    return before if step - before <= steps[after] - step else steps[after]


# By the recording's id, which is its own for as long as the cursor (that holds it) lives.
_cursors: weakref.WeakValueDictionary[int, TimeCursor] = weakref.WeakValueDictionary()


def cursor_of(source: Any) -> TimeCursor:
    """The cursor of a recording (all its views share it), of a panel, a model or a single step.

    A model is watched from then on, in the thread that asks. Raises TypeError where `source` is
    none of these.
    """
    if isinstance(source, TimeCursor):
        return source
    if isinstance(getattr(source, "cursor", None), TimeCursor):
        return source.cursor
    if isinstance(source, tuple | list) and len(source) == 2 and "nodes" in source[0]:
        return TimeCursor(SingleStep(*source))
    if hasattr(source, "named_modules"):
        source = _watched(source)
    if not isinstance(source, Recording):
        raise TypeError(
            f"cannot show a {type(source).__name__}: expected a model, what "
            "labtorch.observe.record() gives, a (graph, snapshot) pair, or a training panel"
        )
    cursor = _cursors.get(id(source))
    if cursor is None:
        cursor = _cursors[id(source)] = TimeCursor(source)
        cursor.publisher = Publisher(cursor)
        serve_between_cells(source)
    return cursor


def _watched(model: Any) -> Any:
    from labtorch import observe

    session = observe.watching(model)
    at_the_end_of_cells(session.end_step)
    return session.recording
