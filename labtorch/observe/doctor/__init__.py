"""Why a gradient vanishes, explodes, is dead, NaN or not there: a diagnosis of one recorded step.

A diagnosis is read from summaries alone and given as plain data; the words are the views'. The
central notion is the *path*: from the loss back to a parameter, along those tensors that carry most
of its gradient, with the factor |x̄| / |ȳ| by which each op y = f(x) changed the gradient's norm.
"""

from __future__ import annotations

from typing import Any

from labtorch.observe.doctor.case import Case, relative, update_ratio
from labtorch.observe.doctor.finding import Finding, Hop, Kind, Saying, report, say
from labtorch.observe.doctor.missing import missing, near, trained_nearby
from labtorch.observe.doctor.nonfinite import nonfinite, nonfinite_gradient, raised
from labtorch.observe.doctor.rate import learning_rate
from labtorch.observe.doctor.saturation import flat_share, mean_slope, saturated
from labtorch.observe.doctor.sizes import sizes
from labtorch.observe.doctor.structure import structure
from labtorch.observe.doctor.zero import dead, dead_share

__all__ = [
    "ACTIVATIONS",
    "Case",
    "Finding",
    "Hop",
    "Kind",
    "Saying",
    "dead_share",
    "examine",
    "flat_share",
    "mean_slope",
]

ACTIVATIONS = frozenset(
    "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus softsign sigmoid tanh "
    "hardtanh hardsigmoid hardswish logsigmoid softmax log_softmax".split()
)


def examine(recording: Any, step: int = -1) -> list[Finding]:
    """What is wrong with the gradients of `step`, the gravest first; else one finding "healthy".

    `recording` is a Recording, or whatever else has its `steps`, `graph`, `snapshot` and `losses`.
    Raises LookupError where the step is not kept.
    """
    steps = recording.steps
    if step < 0 and steps:
        step = steps[step]
    case = Case(recording.graph(step), recording.snapshot(step))
    earlier = [each for each in steps if each < step]
    failure = case.snapshot["failure"]
    if failure is not None and failure["kind"] == "error":
        return [raised(case, failure)]
    if failure is not None:
        return [nonfinite(recording, case, failure, earlier)]
    if not case.snapshot["measured"] or not case.rows:
        return [report("unmeasured", "note", [say("unmeasured")])]
    if bad := nonfinite_gradient(case):
        return [bad]
    if case.root is None:
        return [report("no_backward", "note", [say("no_backward")])]
    beside = near(steps, step)
    found = [
        *missing(case, lambda name: trained_nearby(recording, beside, name)),
        *learning_rate(recording, case, earlier),
        *dead(case),
        *sizes(case),
        *saturated(case),
        *structure(case),
    ]
    found.sort(key=lambda finding: ("error", "warning", "note").index(finding["severity"]))
    if all(finding["severity"] == "note" for finding in found):
        found.insert(0, _healthy(case))
    return found


def _healthy(case: Case) -> Finding:
    """What was looked at, in numbers."""
    ratios = [r for p in case.parameters if (r := relative(case, p)) is not None]
    ratio = update_ratio(case)
    says = [say("healthy", parameters=len(case.parameters))]
    if ratios:
        says.append(say("healthy_gradients", low=min(ratios), high=max(ratios)))
    if ratio is not None:
        says.append(say("healthy_update", ratio=ratio))
    return report("healthy", "healthy", says)
