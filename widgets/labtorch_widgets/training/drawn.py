"""Runs as the browser draws them: lines thinned to what a chart can show, on one axis."""

from __future__ import annotations

from typing import Any

from ..shared.numbers import number
from ..shared.words import word
from .history import DRAWN
from .metrics import falls
from .run import Run

POINTS = 2400  # of all lines of a frame together
BOUNDARIES = 80


def runs(shown: list[Run], base: int, lang: str, ghost: Run | None = None) -> list[dict[str, Any]]:
    """Every run's lines, its first step put at `base`; `ghost` is the former run of a cell."""
    lines = sum(1 for run in shown for _ in run.lines()) or 1
    buckets = max(30, min(DRAWN, POINTS // (2 * lines)))
    names = _names(shown, lang, ghost)
    return [
        {
            "key": run.key,
            "name": name,
            "state": run.state,
            "count": run.count,
            "ghost": run is ghost,
            "lines": [
                {
                    "metric": metric,
                    "part": part,
                    "points": [
                        [step - run.first + base, number(value)]
                        for step, value in history.points(buckets)
                    ],
                    "best": _moved(run.best(metric, history), base - run.first),
                }
                for metric, part, history in run.lines()
            ],
        }
        for run, name in zip(shown, names, strict=True)
    ]


def metrics(shown: list[Run]) -> list[dict[str, Any]]:
    """The metrics of all the runs, the loss first; does less of one mean better?"""
    names = dict.fromkeys(name for run in shown for name in run.metrics)
    return [{"name": name, "falls": falls(name)} for name in names]


def boundaries(run: Run) -> list[list[int]]:
    """[epoch, the step it began with], thinned where there are many."""
    starts = [[epoch + 1, step] for epoch, step in enumerate(run.epochs)]
    every = -(-len(starts) // BOUNDARIES) or 1
    return starts[::every]


def _moved(point: tuple[int, float] | None, by: int) -> list[Any] | None:
    return None if point is None else [point[0] + by, number(point[1])]


def _names(shown: list[Run], lang: str, ghost: Run | None) -> list[str]:
    """What each is called; those without a name by number, those with an equal one told apart."""
    taken: list[str] = []
    for at, run in enumerate(shown):
        name = run.name or word("run.numbered", lang, number=at + 1)
        if run is ghost:
            name = word("run.former", lang)
        unique, again = name, 2
        while unique in taken:
            unique, again = f"{name} ({again})", again + 1
        taken.append(unique)
    return taken
