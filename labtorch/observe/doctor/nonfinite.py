"""Where NaN and infinity came from, forward and backward."""

from __future__ import annotations

import math
from typing import Any

from labtorch.observe.doctor.case import Case, _turn, odd, position, update_ratio
from labtorch.observe.doctor.finding import Finding, Hop, Saying, report, say
from labtorch.observe.doctor.rate import LARGE_UPDATE, USUAL_UPDATE
from labtorch.observe.snapshot import Failure, Summary


def nonfinite_gradient(case: Case) -> Finding | None:
    """The first op on the way back that got finite numbers and sent others on."""
    bad = [at for at in case.parameters if odd(case.rows[at]["grad"])]
    order = sorted(
        (at for at, row in enumerate(case.rows) if row["grad"] is not None),
        key=lambda at: (_turn(case.rows[at]), -at),
    )
    for node in order:
        if odd(case.rows[node]["grad"]):
            continue
        for at in case.into[node]:
            sent = case.sent(at)
            if sent is not None and odd(sent):
                return _blame(case, node, at, sent, bad)
    return None


def _blame(case: Case, node: int, at: int, sent: Summary, bad: list[int]) -> Finding:
    leaf = _leaf_behind(case, case.edge(at)["source"], bad)
    path = case.path(leaf, at if leaf == case.edge(at)["source"] else None)
    says = [
        say(
            "nonfinite_gradient",
            op=case.label(node),
            count=sent["nan"] + sent["inf"],
            what="NaN" if sent["nan"] else "∞",
            of=math.prod(sent["shape"]),
        )
    ]
    says += _domain(case, node, backward=True)
    return report(
        "nonfinite_gradient",
        "error",
        says,
        advice=_advice_for_domain(case.nodes[node]["name"]),
        node=node,
        parameters=case.names([leaf, *bad]) if bad else [],
        path=path,
        worst=position(path, node),
        source=case.source(node),
    )


def _leaf_behind(case: Case, node: int, bad: list[int]) -> int:
    """A parameter that the gradient arriving at `node` reaches."""
    seen, stack = {node}, [node]
    while stack:
        each = stack.pop()
        if each in bad:
            return each
        for at in case.into[each]:
            source = case.edge(at)["source"]
            if source not in seen and case.rows[source]["grad"] is not None:
                seen.add(source)
                stack.append(source)
    return node


def raised(case: Case, failure: Failure) -> Finding:
    node = failure["node"]
    return report(
        "raised",
        "error",
        [say("raised", op=failure["op"] if node is None else case.label(node))],
        node=node,
        source=None if node is None else case.source(node),
    )


def nonfinite(recording: Any, case: Case, failure: Failure, earlier: list[int]) -> Finding:
    node = failure["node"]
    loss = case.snapshot["loss"]
    opening = say("nonfinite", loss=loss)
    if node is None:
        return report("nonfinite", "error", [opening], advice="nonfinite")
    kind = case.nodes[node]["kind"]
    if kind in ("parameter", "buffer"):
        return _spoilt(recording, case, node, opening, earlier)
    if kind != "op":
        says = [opening, say("nonfinite_input", name=case.label(node))]
        more = {"node": node, "source": case.source(node), "advice": "nonfinite_input"}
        return report("nonfinite_input", "error", says, **more)
    says = [opening, say("nonfinite_first", op=case.label(node))]
    says += _domain(case, node, backward=False)
    path = _backbone(case, node)
    return report(
        "nonfinite",
        "error",
        says,
        advice=_advice_for_domain(case.nodes[node]["name"]),
        node=node,
        path=path,
        worst=position(path, node),
        source=case.source(node),
    )


def _backbone(case: Case, node: int) -> list[Hop]:
    """From the loss to `node` whether or not a gradient came by."""
    hops = [case.hop(node, None)]
    while case.out[node]:
        node = case.edge(case.out[node][-1])["target"]
        hops.append(case.hop(node, None))
    return hops[::-1]


def _spoilt(recording: Any, case: Case, node: int, opening: Saying, earlier: list[int]) -> Finding:
    """A parameter that was NaN before any op used it: what happened to it, steps ago?"""
    name = case.nodes[node]["name"]
    since = case.snapshot["step"]
    before: Case | None = None
    for step in reversed(earlier):
        try:
            before = Case(recording.graph(step), recording.snapshot(step))
        except LookupError:  # let go meanwhile
            continue
        if before.snapshot["failure"] is None:
            break
        since, before = step, None
    if before is not None and before.snapshot["measured"]:
        says = [opening, say("nonfinite_parameter", name=name, step=since)]
        cause = nonfinite_gradient(before)
        if cause is not None:
            when = say("in_step", step=before.snapshot["step"])
            return cause | {"says": [*says, when, *cause["says"]]}  # type: ignore[return-value]
        ratio = update_ratio(before)
        if ratio is not None and ratio > LARGE_UPDATE:
            says.append(say("diverged", ratio=ratio, times=ratio / USUAL_UPDATE))
        more = {"advice": "learning_rate"}
    else:
        says, more = [opening, say("nonfinite_parameter", name=name, step=since)], {}
    return report(
        "nonfinite_parameter",
        "error",
        says,
        node=node,
        parameters=[name],
        source=case.source(node),
        **({"advice": "nonfinite"} | more),
    )


def _domain(case: Case, node: int, *, backward: bool) -> list[Saying]:
    """What it was about an op's input that made it leave the finite numbers."""
    op = case.nodes[node]["name"]
    inputs = {
        case.edge(at)["argument"]: case.rows[case.edge(at)["source"]]["value"]
        for at in case.into[node]
    }
    first = next(iter(inputs.values()), None)
    if op in ("div", "true_divide", "reciprocal", "rsqrt"):
        divisor = list(inputs.values())[-1] if inputs else None
        if divisor is not None and divisor["zeros"]:
            return [say("domain_division", count=_count(divisor))]
    if first is None:
        return []
    lowest = first["min"]
    if op in ("log", "log2", "log10", "log1p", "logit", "xlogy", "sqrt", "rsqrt", "pow", "norm"):
        edge = -1.0 if op == "log1p" else 0.0
        if op in ("sqrt", "pow", "norm", "rsqrt") and backward and first["zeros"]:
            return [say("domain_zero", count=_count(first))]
        if lowest is not None and lowest < edge:
            return [say("domain_negative", lowest=lowest, zeros=_count(first))]
        if first["zeros"] and edge == 0.0:
            return [say("domain_zero", count=_count(first))]
    largest = first["max"]
    if op in ("exp", "expm1", "cosh", "sinh", "exp2") and largest is not None and largest > 80:
        return [say("domain_overflow", largest=largest)]
    size = max((abs(s["max"] or 0) for s in inputs.values() if s is not None), default=0)
    if size > 1e15:
        return [say("domain_large", largest=size)]
    return []


def _count(summary: Summary) -> int:
    return round(summary["zeros"] * math.prod(summary["shape"]))


def _advice_for_domain(op: str) -> str:
    if op in ("log", "log2", "log10", "sqrt", "rsqrt", "norm", "pow", "xlogy", "logit"):
        return "domain_eps"
    if op in ("div", "true_divide", "reciprocal"):
        return "domain_division"
    if op in ("exp", "expm1", "exp2", "softmax"):
        return "domain_overflow"
    return "nonfinite"
