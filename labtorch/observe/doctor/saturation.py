"""Sigmoids and tanhs where they are flat."""

from __future__ import annotations

from labtorch.observe.doctor.case import Case, parameters_behind, position
from labtorch.observe.doctor.finding import Finding, report, say

FLAT = 0.3  # mean slope of an activation, as a share of its steepest: below, and with so many
MOSTLY_FLAT = 0.5  # of its inputs where it is flat, it is saturated
STEEPEST = {"sigmoid": 0.25, "tanh": 1.0}
FLAT_BEYOND = {"sigmoid": 5.0, "tanh": 2.5}  # |x| from which on the slope is below 3 % of that


def mean_slope(case: Case, node: int) -> float | None:
    """The mean of y(1 - y) for a sigmoid, of 1 - y² for a tanh: exact from mean and std of y."""
    value = case.rows[node]["value"]
    if value is None or value["mean"] is None or value["std"] is None:
        return None
    square = value["std"] ** 2 + value["mean"] ** 2
    return max(0.0, (value["mean"] if case.nodes[node]["name"] == "sigmoid" else 1.0) - square)


def flat_share(case: Case, node: int) -> float | None:
    """About which share of an activation's inputs lies where it is flat, by their histogram."""
    value = case.rows[case.edge(case.into[node][0])["source"]]["value"]
    if value is None or value["histogram"] is None:
        return None
    beyond = FLAT_BEYOND[case.nodes[node]["name"]]
    edges, counts = value["histogram"]["edges"], value["histogram"]["counts"]
    outside = 0.0
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        inside = max(0.0, min(high, beyond) - max(low, -beyond))
        outside += count * (1 - inside / (high - low) if high > low else 0)
    return outside / max(1, sum(counts))


def saturated(case: Case) -> list[Finding]:
    """Hidden sigmoids and tanhs that pass next to nothing on."""
    found: list[tuple[float, int]] = []
    for node in case.nodes:
        at = node["id"]
        # a last sigmoid is saturated where the model is sure: that is what it is for
        if node["name"] not in STEEPEST or case.head[at] is None or not case.norm(at):
            continue
        slope = mean_slope(case, at)
        if slope is None or slope > FLAT * STEEPEST[node["name"]]:
            continue
        if (flat_share(case, at) or 0) > MOSTLY_FLAT:
            found.append((slope, at))
    if not found:
        return []
    slope, at = min(found)
    behind = parameters_behind(case, at)
    path = case.path(behind[0] if behind else at)
    flat = flat_share(case, at)
    hop = next((hop for hop in path if hop["node"] == at), None)
    says = [
        say(
            "saturated",
            op=case.label(at),
            slope=slope,
            flat_share=flat,
            beyond=FLAT_BEYOND[case.nodes[at]["name"]],
            factor_share=hop["factor"] if hop else None,
            more=len(found) - 1,
        )
    ]
    return [
        report(
            "saturated",
            "warning",
            says,
            advice="because_saturated",
            node=at,
            parameters=case.names(behind[:1]),
            path=path,
            worst=position(path, at),
            source=case.source(at),
        )
    ]
