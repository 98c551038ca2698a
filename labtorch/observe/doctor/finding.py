"""What the doctor found, as plain data."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from labtorch.observe.snapshot import Source

Kind = Literal[
    "raised",
    "nonfinite",
    "nonfinite_parameter",
    "nonfinite_input",
    "nonfinite_gradient",
    "no_backward",
    "unmeasured",
    "detached",
    "no_grad",
    "not_differentiable",
    "not_in_loss",
    "frozen",
    "unused",
    "dead",
    "blocked",
    "satisfied",
    "vanishing",
    "exploding",
    "forgetting",
    "amplifying",
    "learning_rate",
    "saturated",
    "softmax_twice",
    "first_loss",
    "input_scale",
    "target_scale",
    "healthy",
]
Severity = Literal["error", "warning", "note", "healthy"]


class Hop(TypedDict):
    """A node of a path, and what it did to the gradient."""

    node: int
    name: str
    place: str  # the module's path
    norm: float | None  # of the gradient that arrives at its output
    factor: float | None  # what it passes on towards the parameter, as a multiple of that


class Saying(TypedDict):
    """A sentence by its key, with what to put in. Names ending in "share" are shares of 1."""

    key: str
    values: dict[str, Any]


class Finding(TypedDict):
    kind: Kind
    severity: Severity
    says: list[Saying]
    advice: str  # key of the sentence that says what usually helps; "" where there is none
    node: int | None  # the op, or the tensor, that is to blame
    parameters: list[str]  # those concerned, the worst first
    path: list[Hop]  # from the loss to the first of them
    worst: int | None  # position in the path of the node to blame
    source: Source | None  # the user's line that made it


def report(kind: Kind, severity: Severity, says: list[Saying], **more: Any) -> Finding:
    finding: dict[str, Any] = {
        "kind": kind,
        "severity": severity,
        "says": says,
        "advice": "",
        "node": None,
        "parameters": [],
        "path": [],
        "worst": None,
        "source": None,
    }
    return finding | more  # type: ignore[return-value]


def say(key: str, **values: Any) -> Saying:
    return {"key": key, "values": values}
