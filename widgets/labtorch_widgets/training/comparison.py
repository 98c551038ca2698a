"""Several trainings in one chart."""

from __future__ import annotations

from typing import Any

import traitlets

from ..shared.cursor import TimeCursor
from ..shared.view import View, bundle
from . import drawn, still
from .run import Run

CHOICES = ("logarithmic", "tabled", "hidden", "closed", "drawer")


class ChartView(View):
    """What the panel's chart and that of a comparison have in common: lines, and how to see them.

    What a learner chose stays in the traits, so that it is there again after the page is reloaded,
    and the same in every tab.
    """

    _esm = bundle("training.js")
    _css = bundle("training.css")
    each_step = True

    logarithmic = traitlets.Bool(False).tag(sync=True)
    tabled = traitlets.Bool(False).tag(sync=True)
    drawer = traitlets.Bool(False).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)  # keys of runs
    closed = traitlets.List(traitlets.Unicode()).tag(sync=True)  # names of metrics
    controls = traitlets.Bool(True).tag(sync=True)
    steps = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, cursor: TimeCursor, **traits: Any) -> None:
        super().__init__(cursor, **traits)
        self.commands |= {"keep": self._on_keep}

    def _on_keep(self, name: str, value: Any) -> None:
        if name not in CHOICES:
            raise ValueError(f"there is no choice {name!r}")
        if isinstance(value, list):
            value = value[:64]
        self.update(**{name: value})
        self.refresh(now=True)


class ComparisonView(ChartView):
    """The lines of several panels: see `labtorch_widgets.compare`."""

    def __init__(self, cursors: list[TimeCursor], shown: list[Run], lang: str | None) -> None:
        self.runs, self._cursors = shown, cursors
        super().__init__(cursors[0], lang=lang, controls=False)
        for cursor in cursors[1:]:
            cursor.watch(self.refresh)
        self.refresh(now=True)

    def make_frame(self) -> dict[str, Any]:
        return {
            "time": {"first": None, "last": None, "step": None, "live": True, "kept": 0}
            | {"dropped": ""},
            "runs": drawn.runs(self.runs, 0, self.language),
            "metrics": drawn.metrics(self.runs),
            "epochs": {"starts": []},
            "edits": [],
        }

    def still(self) -> str:
        return still.draw(self.runs, self.language)

    def summary(self) -> str:
        return f"ComparisonView({len(self.runs)} runs)"

    def close(self) -> None:
        for cursor in self._cursors[1:]:
            cursor.unwatch(self.refresh)
        super().close()
