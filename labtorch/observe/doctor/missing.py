"""Parameters that no gradient reached, by what stopped it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.observe.doctor.case import Case
from labtorch.observe.doctor.finding import Finding, Hop, Kind, Severity, report, say


def near(steps: list[int], step: int) -> list[int]:
    """Up to two kept steps on either side."""
    before = [each for each in steps if each < step][-2:]
    return before + [each for each in steps if each > step][:2]


def trained_nearby(recording: Any, steps: list[int], name: str) -> bool:
    """Did the parameter get a gradient in one of `steps`? Some are trained in turns (a GAN's)."""
    for step in steps:
        try:
            case = Case(recording.graph(step), recording.snapshot(step))
        except LookupError:
            continue
        if any(case.nodes[at]["name"] == name and case.rows[at]["grad"] for at in case.parameters):
            return True
    return False


def missing(case: Case, in_turns: Callable[[str], bool]) -> list[Finding]:
    """Parameters that no gradient reached, by what stopped it."""
    groups: dict[tuple[Kind, int], list[int]] = {}
    for at in case.parameters:
        if case.rows[at]["grad"] is None and case.nodes[at]["kind"] == "parameter":
            groups.setdefault(_stop(case, at), []).append(at)
    found = []
    for (kind, node), parameters in groups.items():
        names = case.names(parameters)
        whole = not any(case.rows[at]["grad"] for at in case.parameters)
        severity: Severity = "error" if whole else "warning"
        says = [say(kind, parameter=names[0], op=case.label(node), more=len(names) - 1)]
        if in_turns(names[0]):
            severity, says = "note", [*says, say("in_turns")]
        found.append(
            report(
                kind,
                severity,
                says,
                advice=kind,
                node=node,
                parameters=names,
                path=_severed(case, parameters[0], node),
                worst=0,
                source=case.source(node),
            )
        )
    unused = list(case.graph.get("unused", []))
    if unused:
        turns = in_turns(unused[0])
        says = [say("unused", parameter=unused[0], more=len(unused) - 1)]
        says += [say("in_turns")] if turns else []
        more = {"parameters": unused, "advice": "" if turns else "unused"}
        found.append(report("unused", "note" if turns else "warning", says, **more))
    leaves = [n for n in case.nodes if n["kind"] == "parameter"]
    if leaves and not case.parameters:
        says = [say("frozen", parameter=leaves[0]["name"], more=len(leaves) - 1)]
        names = [n["name"] for n in leaves]
        found.append(report("frozen", "error", says, parameters=names, advice="frozen"))
    return found


def _stop(case: Case, parameter: int) -> tuple[Kind, int]:
    """Where the way from a parameter to the loss is interrupted, and how."""
    stops: dict[Kind, int] = {}
    seen, stack = {parameter}, [parameter]
    while stack:
        node = stack.pop()
        if not case.out[node]:
            stops.setdefault("detached" if _continued(case, node) else "not_in_loss", node)
        for at in case.out[node]:
            target = case.edge(at)["target"]
            if target in seen:
                continue
            seen.add(target)
            if case.nodes[target]["requires_grad"]:
                stack.append(target)
            elif case.nodes[target]["dtype"].startswith(("float", "complex", "bfloat")):
                stops.setdefault("no_grad", target)
            else:
                stops.setdefault("not_differentiable", target)
    for kind in ("detached", "no_grad", "not_differentiable", "not_in_loss"):
        if kind in stops:
            return kind, stops[kind]  # type: ignore[return-value]
    return "not_in_loss", parameter


def _continued(case: Case, node: int) -> bool:
    """Do the very numbers that nobody took go on as a tensor that came from nowhere?"""
    made = case.rows[node]["value"]
    return made is not None and any(
        other["kind"] in ("input", "constant")
        and other["shape"] == case.nodes[node]["shape"]
        and (value := case.rows[other["id"]]["value"]) is not None
        and (value["norm"], value["mean"]) == (made["norm"], made["mean"])
        for other in case.nodes
    )


def _severed(case: Case, parameter: int, stop: int) -> list[Hop]:
    """From where the gradient stopped down to the parameter."""
    came: dict[int, int] = {}
    stack = [parameter]
    while stack and stop not in came:
        node = stack.pop()
        for at in case.out[node]:
            target = case.edge(at)["target"]
            if target not in came:
                came[target] = node
                stack.append(target)
    hops, node = [], stop
    while node != parameter and node in came:
        hops.append(case.hop(node, None))
        node = came[node]
    return [*hops, case.hop(parameter, None)]
