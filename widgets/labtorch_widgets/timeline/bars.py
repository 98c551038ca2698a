"""From the times of a step to bars: phases, below them modules level by level, then the ops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MOST_BARS = 6000  # that the browser gets; the shortest are left out

Times = Mapping[str, Sequence[float | None]]


class Span(NamedTuple):
    """One op's turn in one of the two passes."""

    node: int
    phase: str  # "forward" or "backward"
    start: float
    seconds: float

    @property
    def end(self) -> float:
        return self.start + self.seconds


class Bar(NamedTuple):
    kind: str  # "phase", "scope", "op", or "gap": no op was running
    of: int  # the node or the scope; -1 where there is none
    row: int
    phase: str  # "forward", "backward" or "rest"
    start: float
    seconds: float


def spans(graph: Any, times: Times) -> list[Span]:
    """Every op's turns, in the order in which they began."""
    found = [
        Span(node["id"], phase, start, seconds)
        for node in graph["nodes"]
        if node["kind"] == "op"
        for phase in ("forward", "backward")
        if (start := times[f"{phase}_start"][node["id"]]) is not None
        and (seconds := times[f"{phase}_seconds"][node["id"]]) is not None
    ]
    return sorted(found, key=lambda span: span.start)


def chains(graph: Any) -> list[tuple[int, ...]]:
    """For each node the module calls around it, the outermost first."""
    scopes: list[tuple[int, ...]] = []
    for scope in graph["scopes"]:
        outer = scopes[scope["parent"]] if scope["parent"] is not None else ()
        scopes.append((*outer, scope["id"]))
    return [() if n["scope"] is None else scopes[n["scope"]] for n in graph["nodes"]]


def depth(graph: Any) -> int:
    """How many levels of modules there are."""
    return max(
        (len(c) for c, n in zip(chains(graph), graph["nodes"]) if n["kind"] == "op"), default=0
    )


def bars(graph: Any, times: Times, duration: float) -> list[Bar]:
    """All bars of a step; ops stand in the last row, with the gaps between them."""
    turns, around, deepest = spans(graph, times), chains(graph), depth(graph)
    if not turns:
        return []
    last = deepest + 1
    found = [Bar("op", t.node, last, t.phase, t.start, t.seconds) for t in turns]
    found += _gaps(turns, last, duration)
    for run in _runs(turns, lambda t: t.phase):
        found.append(_over(run, "phase", -1, 0))
    end = max(t.end for t in turns)
    if duration > end:
        found.append(Bar("phase", -1, 0, "rest", end, duration - end))
    for level in range(deepest):

        def module(turn: Span, level: int = level) -> Any:
            chain = around[turn.node]
            return (chain[level] if level < len(chain) else -1, turn.phase)

        for run in _runs(turns, module):
            scope = module(run[0])[0]
            if scope >= 0:
                found.append(_over(run, "scope", scope, level + 1))
    if len(found) > MOST_BARS:
        found = sorted(found, key=lambda bar: -bar.seconds)[:MOST_BARS]
    return sorted(found, key=lambda bar: (bar.row, bar.start))


def _runs(turns: list[Span], key: Any) -> Iterator[list[Span]]:
    """Neighbours in time that have the same key."""
    run: list[Span] = []
    for turn in turns:
        if run and key(turn) != key(run[-1]):
            yield run
            run = []
        run.append(turn)
    if run:
        yield run


def _over(run: list[Span], kind: str, of: int, row: int) -> Bar:
    start = run[0].start
    return Bar(kind, of, row, run[0].phase, start, max(t.end for t in run) - start)


def _gaps(turns: list[Span], row: int, duration: float) -> Iterator[Bar]:
    """Where no op was running: Python between two ops, the optimizer after them, and measuring."""
    reached, phase = 0.0, turns[0].phase
    for turn in turns:
        if turn.start > reached:
            yield Bar("gap", -1, row, phase, reached, turn.start - reached)
        reached, phase = max(reached, turn.end), turn.phase
    if duration > reached:
        yield Bar("gap", -1, row, "rest", reached, duration - reached)
