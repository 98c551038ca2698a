"""Gradients that are exactly zero: dead units, and ops that let nothing through."""

from __future__ import annotations

import math

from labtorch.observe.doctor.case import Case, odd, parameters_behind, position
from labtorch.observe.doctor.finding import Finding, Severity, report, say
from labtorch.observe.snapshot import Summary

DEAD, MOSTLY_DEAD = 0.6, 0.9  # share of a layer's units; half of them may be idle for a while
FEWEST = 16  # elements of a unit; with fewer of them it may be zero in all by chance


def dead_share(case: Case, node: int) -> float | None:
    """Which share of a ReLU's units is zero in the whole batch; at least, where it is estimated.

    Exact where a bias stands before it: nothing flows to the bias of such a unit, and only to that.
    """
    value = case.rows[node]["value"]
    if value is None or not value["shape"]:
        return None
    before = case.origin(node)
    bias = [
        case.edge(at)["source"] for at in case.into[before] if case.edge(at)["argument"] == "bias"
    ]
    if bias:
        units = case.nodes[bias[0]]["shape"][0]
        gradient = case.rows[bias[0]]["grad"]
        if math.prod(value["shape"]) / units < FEWEST or gradient is None or odd(gradient):
            return None
        if gradient["zeros"] <= value["zeros"] + 1e-9:
            return gradient["zeros"]
    return _zero_columns(value)


def _zero_columns(value: Summary) -> float | None:
    """The share of a thumbnail's columns without anything in them: a mean of ReLUs is 0 only if
    all of them are."""
    thumbnail = value["thumbnail"]
    rows = math.prod(value["shape"][:-1])
    if thumbnail is None or len(value["shape"]) != 2 or rows < FEWEST or thumbnail["glyphs"]:
        return None
    columns = list(zip(*thumbnail["values"], strict=True))
    return sum(not any(column) for column in columns) / max(1, len(columns))


def dead(case: Case) -> list[Finding]:
    found: list[Finding] = []
    explained: set[int] = set()
    for node in case.nodes:
        at = node["id"]
        arrived = case.norm(at)
        if node["name"] not in ("relu", "relu6") or not arrived:
            continue
        share = dead_share(case, at)
        if share is None or share < DEAD:
            continue
        behind = parameters_behind(case, at)
        parameter = behind[0] if behind else at
        path = case.path(parameter)
        zero = [p for p in behind if case.norm(p) == 0]
        explained.update(zero)
        if share == 1:  # what multiplies with nothing gets no gradient either
            for e in case.out[at]:
                explained.update(case.weights(case.edge(e)["target"]))
        found.append(
            report(
                "dead",
                "error" if share >= MOSTLY_DEAD else "warning",
                [say("dead_all" if share == 1 else "dead", op=case.label(at), share=share)],
                advice="dead",
                node=at,
                parameters=case.names(zero or behind),
                path=path,
                worst=position(path, at),
                source=case.source(at),
            )
        )
    return found + _blocked(case, explained)


def _blocked(case: Case, explained: set[int]) -> list[Finding]:
    """Other parameters whose gradient is exactly zero, by the op that lets nothing through."""
    groups: dict[int, list[int]] = {}
    for at in case.parameters:
        if case.norm(at) == 0 and at not in explained and case.nodes[at]["kind"] == "parameter":
            culprit = next((hop["node"] for hop in case.path(at) if hop["factor"] == 0), None)
            if culprit is not None:
                groups.setdefault(culprit, []).append(at)
    found = []
    for node, parameters in groups.items():
        path = case.path(parameters[0])
        names = case.names(parameters)
        more = {
            "node": node,
            "parameters": names,
            "path": path,
            "worst": position(path, node),
            "source": case.source(node),
        }
        values = {"parameter": names[0], "op": case.label(node), "more": len(names) - 1}
        if node == case.root and case.snapshot["loss"] == 0:
            found.append(report("satisfied", "note", [say("satisfied")], **more))
        elif (weight := case.weight(node)) is not None and _is_zero(case.rows[weight]["value"]):
            # zero weights that are learned themselves let something through after one step
            severity: Severity = "note" if case.norm(weight) else "warning"
            says = [say("zero_weights", **values, weight=case.nodes[weight]["name"])]
            found.append(report("blocked", severity, says, advice="zero_weights", **more))
        else:
            says = [say("blocked", **values)]
            found.append(report("blocked", "warning", says, advice="blocked", **more))
    return found


def _is_zero(summary: Summary | None) -> bool:
    return summary is not None and summary["zeros"] == 1
