"""Steps that are too large beside the weights."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from labtorch.observe import series
from labtorch.observe.doctor.case import Case, norm_of, update_ratio
from labtorch.observe.doctor.finding import Finding, report, say

USUAL_UPDATE = 1e-3  # |update| / |weight| of a training that goes well
LARGE_UPDATE, HUGE_UPDATE = 0.1, 1.0
RECENT = 5  # steps that are averaged, as one step's update may be an exception
LOOK_BACK = 30  # steps in which a training may have been thrown off


def learning_rate(recording: Any, case: Case, earlier: list[int]) -> list[Finding]:
    """Steps that are too large beside the weights, now or when the training was thrown off."""
    ratios = {case.snapshot["step"]: update_ratio(case)}
    for step in reversed(earlier[-LOOK_BACK:]):
        with contextlib.suppress(LookupError):
            ratios[step] = _recorded_ratio(recording, step)
    known = {step: ratio for step, ratio in ratios.items() if ratio}
    if not known:
        return []
    recent = [math.log(ratio) for ratio in list(known.values())[:RECENT]]
    typical = math.exp(sum(recent) / len(recent))
    falling = _falls(recording.losses, case.snapshot["step"])
    wild = [step for step in sorted(known) if known[step] > HUGE_UPDATE]
    thrown_off = next((s for s in wild if _higher(recording.losses, case, s)), None)
    rate = case.snapshot["learning_rate"]
    if not falling and (
        typical > HUGE_UPDATE or (typical > LARGE_UPDATE and len(recent) == RECENT)
    ):
        key = "learning_rate" if rate is None else "learning_rate_of"
        says = [say(key, ratio=typical, times=typical / USUAL_UPDATE, rate=rate)]
    elif thrown_off is not None:
        typical = known[thrown_off]
        times = typical / USUAL_UPDATE
        says = [say("learning_rate_was", step=thrown_off, ratio=typical, times=times)]
    else:
        return []
    at = max(
        (p for p in case.parameters if len(case.nodes[p]["shape"]) > 1),
        key=lambda p: (
            (norm_of(case.rows[p]["update"]) or 0) / (norm_of(case.rows[p]["value"]) or 1)
        ),
    )
    return [
        report(
            "learning_rate",
            "error" if typical > HUGE_UPDATE else "warning",
            says,
            advice="learning_rate",
            parameters=case.names([at]),
            path=case.path(at),
        )
    ]


def _recorded_ratio(recording: Any, step: int) -> float | None:
    """`update_ratio` of a step that need not be unpacked for it."""
    nodes, measured = recording.graph(step)["nodes"], series.moments(recording, step)
    updates = values = 0.0
    for node, update, value in zip(nodes, measured["update"], measured["value"], strict=False):
        if update is None or value is None or len(node["shape"]) < 2:
            continue
        updates += (update[series.NORM] or 0.0) ** 2
        values += (value[series.NORM] or 0.0) ** 2
    return math.sqrt(updates / values) if values and updates else None


def _higher(losses: list[tuple[int, float]], case: Case, since: int) -> bool:
    """Is the loss above what it was in the step `since`?"""
    now = case.snapshot["loss"]
    before = next((loss for step, loss in losses if step == since), None)
    return now is not None and before is not None and now > before


def _falls(losses: list[tuple[int, float]], step: int) -> bool:
    """Is the loss up to `step` on its way down? True also while too few steps are known."""
    until = [loss for at, loss in losses if at <= step]
    if len(until) < 4:
        return not until or not (until[-1] > until[0])
    size = min(10, len(until) // 2)
    now, before = until[-size:], until[-2 * size : -size]
    return all(map(math.isfinite, now)) and sum(now) < 0.98 * sum(before)
