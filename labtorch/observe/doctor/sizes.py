"""Gradients that shrink or grow beyond measure on the way back."""

from __future__ import annotations

import math

from labtorch.observe.doctor.case import Case, norm_of, position, relative, size_of
from labtorch.observe.doctor.finding import Finding, Hop, Kind, Saying, report, say
from labtorch.observe.doctor.saturation import (
    FLAT_BEYOND,
    STEEPEST,
    flat_share,
    mean_slope,
)

# Where a gradient's norm at the first layers has shrunk (grown) to this multiple of its norm at the
# last one, they learn next to nothing (far too fast). Default initialisation alone costs a factor
# of 0.4 a ReLU layer, so that eight healthy layers stay above the first threshold.
VANISHING, VANISHED = 1e-3, 1e-6
EXPLODING, EXPLODED = 1e2, 1e4
GROWTH = 2.0  # per layer with weights: below, many layers amplify together what none does alone


def sizes(case: Case) -> list[Finding]:
    """Gradients that shrink or grow beyond measure on the way back."""
    changes: list[tuple[float, int, int]] = []  # (multiple, parameter, edge to its consumer)
    for parameter in case.parameters:
        if len(case.nodes[parameter]["shape"]) < 2:
            continue
        for at in case.out[parameter]:
            op = case.edge(at)["target"]
            head = case.head[op]
            arrived = case.norm(op)
            if head is None or head == op or not arrived or not (there := case.norm(head)):
                continue
            changes.append((arrived / there, parameter, at))
    if not changes:
        return []
    found = []
    smallest, largest = min(changes), max(changes)
    if smallest[0] < VANISHING and _learns_less(case, smallest):
        found.append(_changed(case, smallest, [c for c in changes if c[0] < VANISHING]))
    if largest[0] > EXPLODING and _per_layer(case, largest) > GROWTH:
        found.append(_changed(case, largest, [c for c in changes if c[0] > EXPLODING]))
    return found


def _uses(case: Case, parameter: int) -> int:
    return sum(case.rows[case.edge(at)["target"]]["grad"] is not None for at in case.out[parameter])


def _learns_less(case: Case, change: tuple[float, int, int]) -> bool:
    """Is the parameter's gradient small beside its weights, compared with the last layer's?"""
    _, parameter, at = change
    head = case.head[case.edge(at)["target"]]
    weight = None if head is None else case.weight(head)
    if weight is None or _uses(case, parameter) > 1:
        return True
    here, there = relative(case, parameter), relative(case, weight)
    return here is None or there is None or here < 0.01 * there


def _between(case: Case, change: tuple[float, int, int]) -> list[Hop]:
    """The part of the path between the last layer and the one that was reached, which is not
    part of it."""
    _, parameter, at = change
    path = case.path(parameter, at)
    head = position(path, case.head[case.edge(at)["target"]] or -1) or 0
    return path[head:-2]


def _per_layer(case: Case, change: tuple[float, int, int]) -> float:
    layers = sum(case.has_weights[hop["node"]] for hop in _between(case, change))
    return change[0] ** (1 / max(1, layers))


def _changed(
    case: Case, change: tuple[float, int, int], alike: list[tuple[float, int, int]]
) -> Finding:
    multiple, parameter, at = change
    shrinks = multiple < 1
    names = case.names(p for _, p, _ in sorted(alike, reverse=not shrinks))
    recurrent = _uses(case, parameter) > 2
    kind: Kind = (
        ("forgetting" if recurrent else "vanishing")
        if shrinks
        else ("amplifying" if recurrent else "exploding")
    )
    grave = multiple < VANISHED if shrinks else multiple > EXPLODED
    path, between = case.path(parameter, at), _between(case, change)
    head = case.head[case.edge(at)["target"]]
    worst = _culprit(case, between, shrinks)
    says = [
        say(
            kind,
            parameter=names[0],
            norm=case.norm(parameter),
            more=len(names) - 1,
            multiple=multiple,
            per_layer=_per_layer(case, change),
            head=case.label(head) if head is not None else "",
            uses=_uses(case, parameter),
        )
    ]
    cause, advice = ([], kind) if worst is None else _cause(case, worst, shrinks)
    if recurrent:
        advice = kind
    return report(
        kind,
        "error" if grave and not (recurrent and shrinks) else "warning",
        says + cause,
        advice=advice,
        node=None if worst is None else worst["node"],
        parameters=names,
        path=path,
        worst=None if worst is None else position(path, worst["node"]),
        source=None if worst is None else case.source(worst["node"]),
    )


def _culprit(case: Case, hops: list[Hop], shrinks: bool) -> Hop | None:
    """The op that changed the norm most among those of the sort that did most in all."""
    sign = -1 if shrinks else 1
    sorts: dict[str, float] = {}
    for hop in hops:
        if hop["factor"]:
            sort = _sort(case, hop["node"])
            sorts[sort] = sorts.get(sort, 0.0) + sign * math.log(hop["factor"])
    if not sorts:
        return None
    main = max(sorts, key=lambda sort: sorts[sort])
    return max(
        (hop for hop in hops if hop["factor"] and _sort(case, hop["node"]) == main),
        key=lambda hop: sign * math.log(hop["factor"] or 1),
    )


def _sort(case: Case, node: int) -> str:
    return "weights" if case.has_weights[node] else case.nodes[node]["name"]


def _cause(case: Case, hop: Hop, shrinks: bool) -> tuple[list[Saying], str]:
    """Why this op changes the norm, and the key of the advice."""
    node = hop["node"]
    name = case.nodes[node]["name"]
    values = {"op": case.label(node), "factor_share": hop["factor"]}
    if name in STEEPEST and shrinks:
        slope, flat = mean_slope(case, node), flat_share(case, node)
        saturated = slope is not None and slope < 0.4 * STEEPEST[name] and (flat or 0) > 0.2
        key = "because_saturated" if saturated else f"because_{name}"
        beyond = FLAT_BEYOND[name]
        return [say(key, **values, slope=slope, flat_share=flat, beyond=beyond)], key
    weight = case.weight(node)
    if weight is not None:
        value = case.rows[weight]["value"]
        shape = case.nodes[weight]["shape"]
        keeps = 1 / math.sqrt(max(1, math.prod(shape[1:])))
        key = "because_small_weights" if shrinks else "because_large_weights"
        because = say(
            key,
            op=values["op"],
            weight=case.nodes[weight]["name"],
            factor_share=hop["factor"],
            factor=hop["factor"],
            std=size_of(value),
            keeps=keeps,
            norm=norm_of(value),
        )
        return [because], key
    key = "because_shrinks" if shrinks else "because_grows"
    return [say(key, **values, factor=hop["factor"])], "vanishing" if shrinks else "exploding"
