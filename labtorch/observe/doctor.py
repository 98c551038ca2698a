"""Why a gradient vanishes, explodes, is dead, NaN or not there: a diagnosis of one recorded step.

A diagnosis is read from summaries alone and given as plain data; the words are the views'. The
central notion is the *path*: from the loss back to a parameter, along those tensors that carry most
of its gradient, with the factor |x̄| / |ȳ| by which each op y = f(x) changed the gradient's norm.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Literal, TypedDict

from labtorch.observe import series
from labtorch.observe.snapshot import Edge, Failure, Graph, Row, Snapshot, Source, Summary

# Where a gradient's norm at the first layers has shrunk (grown) to this multiple of its norm at the
# last one, they learn next to nothing (far too fast). Default initialisation alone costs a factor
# of 0.4 a ReLU layer, so that eight healthy layers stay above the first threshold.
VANISHING, VANISHED = 1e-3, 1e-6
EXPLODING, EXPLODED = 1e2, 1e4
GROWTH = 2.0  # per layer with weights: below, many layers amplify together what none does alone

USUAL_UPDATE = 1e-3  # |update| / |weight| of a training that goes well
LARGE_UPDATE, HUGE_UPDATE = 0.1, 1.0
RECENT = 5  # steps that are averaged, as one step's update may be an exception
LOOK_BACK = 30  # steps in which a training may have been thrown off

DEAD, MOSTLY_DEAD = 0.6, 0.9  # share of a layer's units; half of them may be idle for a while
FEWEST = 16  # elements of a unit; with fewer of them it may be zero in all by chance
FLAT = 0.3  # mean slope of an activation, as a share of its steepest: below, and with so many
MOSTLY_FLAT = 0.5  # of its inputs where it is flat, it is saturated

FAR = 100.0  # mean or standard deviation of an input that ought to be normalised
FAR_TARGET = 30.0
FIRST_LOSS = 3.0  # times ln C, what guessing evenly among C classes costs

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


ACTIVATIONS = frozenset(
    "relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish softplus softsign sigmoid tanh "
    "hardtanh hardsigmoid hardswish logsigmoid softmax log_softmax".split()
)
_STEEPEST = {"sigmoid": 0.25, "tanh": 1.0}
_FLAT_BEYOND = {"sigmoid": 5.0, "tanh": 2.5}  # |x| from which on the slope is below 3 % of that
_RESHAPING = frozenset(
    "view reshape flatten unflatten squeeze unsqueeze transpose permute t contiguous cast "
    "clone select expand movedim".split()
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
        return [_raised(case, failure)]
    if failure is not None:
        return [_nonfinite(recording, case, failure, earlier)]
    if not case.snapshot["measured"] or not case.rows:
        return [_finding("unmeasured", "note", [_say("unmeasured")])]
    if bad := case.nonfinite_gradient():
        return [bad]
    if case.root is None:
        return [_finding("no_backward", "note", [_say("no_backward")])]
    near = _near(steps, step)
    found = [
        *_missing(case, lambda name: _trained_nearby(recording, near, name)),
        *_learning_rate(recording, case, earlier),
        *_dead(case),
        *_sizes(case),
        *_saturated(case),
        *_structure(case),
    ]
    found.sort(key=lambda finding: ("error", "warning", "note").index(finding["severity"]))
    if all(finding["severity"] == "note" for finding in found):
        found.insert(0, _healthy(case))
    return found


def _finding(kind: Kind, severity: Severity, says: list[Saying], **more: Any) -> Finding:
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


def _say(key: str, **values: Any) -> Saying:
    return {"key": key, "values": values}


# -------------------------------------------------------------------------- one step's graph
class Case:
    """A step with its graph, asked the way a doctor asks."""

    def __init__(self, graph: Graph, snapshot: Snapshot) -> None:
        self.graph, self.snapshot = graph, snapshot
        self.nodes, self.rows = graph["nodes"], snapshot["rows"]
        self.into: list[list[int]] = [[] for _ in self.nodes]  # edges by their target
        self.out: list[list[int]] = [[] for _ in self.nodes]  # edges by their source
        for at, edge in enumerate(graph["edges"]):
            self.into[edge["target"]].append(at)
            self.out[edge["source"]].append(at)
        self.contributions = {c["edge"]: c["grad"] for c in snapshot["contributions"]}

    def edge(self, at: int) -> Edge:
        return self.graph["edges"][at]

    def place(self, node: int) -> str:
        """The path of the module that a node belongs to; "" for none and for a root."""
        scope = self.nodes[node]["scope"]
        return "" if scope is None else self.graph["scopes"][scope]["path"]

    def label(self, node: int) -> str:
        """A node as a sentence names it: "sigmoid (encoder.3)"."""
        name = self.nodes[node]["name"] or self.nodes[node]["kind"]
        place = self.place(node) if self.nodes[node]["kind"] == "op" else ""
        return f"{name} ({place})" if place else name

    @cached_property
    def root(self) -> int | None:
        """The node that the backward pass began with."""
        turns = [(row["turn"], at) for at, row in enumerate(self.rows) if row["turn"] is not None]
        return min(turns)[1] if turns else self._root_by_gradients()

    def _root_by_gradients(self) -> int | None:
        return max((at for at in range(len(self.rows)) if self.rows[at]["grad"]), default=None)

    @cached_property
    def parameters(self) -> list[int]:
        """The leaves that ask for a gradient."""
        return [
            node["id"]
            for node in self.nodes
            if node["kind"] != "op" and node["requires_grad"]
        ]  # fmt: skip

    def sent(self, at: int) -> Summary | None:
        """The gradient that an edge carried back."""
        if (found := self.contributions.get(at)) is not None:
            return found
        source = self.edge(at)["source"]
        receiving = [e for e in self.out[source] if self.rows[self.edge(e)["target"]]["grad"]]
        return self.rows[source]["grad"] if receiving == [at] else None

    def norm(self, node: int) -> float | None:
        """|ȳ| of a node's output."""
        return _norm(self.rows[node]["grad"])

    @cached_property
    def onward(self) -> list[int | None]:
        """For each node the edge by which most of its gradient came, towards the loss."""
        chosen: list[int | None] = []
        for node in range(len(self.nodes)):
            candidates = [e for e in self.out[node] if self.rows[self.edge(e)["target"]]["grad"]]
            chosen.append(max(candidates, key=self._weight, default=None))
        return chosen

    def _weight(self, at: int) -> float:
        summary = self.sent(at)
        if summary is None:
            return -1.0
        return math.inf if summary["nan"] or summary["inf"] else summary["norm"] or 0.0

    @cached_property
    def has_weights(self) -> list[bool]:
        """Does a node combine its input with a parameter of two or more dimensions?"""
        return [any(True for _ in self._weights(at)) for at in range(len(self.nodes))]

    def _weights(self, node: int) -> Iterable[int]:
        for at in self.into[node]:
            source = self.nodes[self.edge(at)["source"]]
            if source["kind"] == "parameter" and len(source["shape"]) > 1:
                yield source["id"]

    def weight(self, node: int) -> int | None:
        """The largest parameter that an op multiplies with."""
        return max(
            self._weights(node), key=lambda at: math.prod(self.nodes[at]["shape"]), default=None
        )

    @cached_property
    def head(self) -> list[int | None]:
        """For each node the op with weights that is nearest to the loss on its way there."""
        heads: list[int | None] = [None] * len(self.nodes)
        for node in range(len(self.nodes) - 1, -1, -1):
            at = self.onward[node]
            further = None if at is None else heads[self.edge(at)["target"]]
            if further is None and self.has_weights[node] and self.rows[node]["grad"]:
                further = node
            heads[node] = further
        return heads

    def path(self, node: int, first: int | None = None) -> list[Hop]:
        """From the loss to `node`, whose first edge towards the loss is `first` if given."""
        hops: list[Hop] = [self._hop(node, None)]
        at = self.onward[node] if first is None else first
        while at is not None:
            target = self.edge(at)["target"]
            hops.append(self._hop(target, self.factor(at)))
            at = self.onward[target]
        return hops[::-1]

    def _hop(self, node: int, factor: float | None) -> Hop:
        name = self.nodes[node]["name"] or self.nodes[node]["kind"]
        return {
            "node": node,
            "name": name,
            "place": self.place(node),
            "norm": _reach(self.rows[node]["grad"] if self.rows else None),
            "factor": factor,
        }

    def factor(self, at: int) -> float | None:
        """|x̄| / |ȳ| of an edge from x to y."""
        arrived, passed = self.norm(self.edge(at)["target"]), _reach(self.sent(at))
        return None if not arrived or passed is None else passed / arrived

    def source(self, node: int) -> Source | None:
        """The user's line behind a node; of a leaf, that of its first use."""
        if self.nodes[node]["source"] is not None or not self.out[node]:
            return self.nodes[node]["source"]
        return self.nodes[self.edge(self.out[node][0])["target"]]["source"]

    def names(self, nodes: Iterable[int]) -> list[str]:
        return list(dict.fromkeys(self.nodes[at]["name"] for at in nodes))

    def origin(self, node: int) -> int:
        """What a node's first input was made by, ops that only rearrange left out."""
        at = self.into[node][0] if self.into[node] else None
        while at is not None:
            node = self.edge(at)["source"]
            again = self.nodes[node]["name"] in _RESHAPING and self.into[node]
            at = self.into[node][0] if again else None
        return node

    # ---------------------------------------------------------------- not finite, backward
    def nonfinite_gradient(self) -> Finding | None:
        """The first op on the way back that got finite numbers and sent others on."""
        bad = [at for at in self.parameters if _odd(self.rows[at]["grad"])]
        order = sorted(
            (at for at, row in enumerate(self.rows) if row["grad"] is not None),
            key=lambda at: (_turn(self.rows[at]), -at),
        )
        for node in order:
            if _odd(self.rows[node]["grad"]):
                continue
            for at in self.into[node]:
                sent = self.sent(at)
                if sent is not None and _odd(sent):
                    return self._blame(node, at, sent, bad)
        return None

    def _blame(self, node: int, at: int, sent: Summary, bad: list[int]) -> Finding:
        leaf = self._leaf_behind(self.edge(at)["source"], bad)
        path = self.path(leaf, at if leaf == self.edge(at)["source"] else None)
        says = [
            _say(
                "nonfinite_gradient",
                op=self.label(node),
                count=sent["nan"] + sent["inf"],
                what="NaN" if sent["nan"] else "∞",
                of=math.prod(sent["shape"]),
            )
        ]
        says += _domain(self, node, backward=True)
        return _finding(
            "nonfinite_gradient",
            "error",
            says,
            advice=_advice_for_domain(self.nodes[node]["name"]),
            node=node,
            parameters=self.names([leaf, *bad]) if bad else [],
            path=path,
            worst=_position(path, node),
            source=self.source(node),
        )

    def _leaf_behind(self, node: int, bad: list[int]) -> int:
        """A parameter that the gradient arriving at `node` reaches."""
        seen, stack = {node}, [node]
        while stack:
            each = stack.pop()
            if each in bad:
                return each
            for at in self.into[each]:
                source = self.edge(at)["source"]
                if source not in seen and self.rows[source]["grad"] is not None:
                    seen.add(source)
                    stack.append(source)
        return node


def _norm(summary: Summary | None) -> float | None:
    """None also where some elements are not finite: their norm says nothing."""
    return None if summary is None or _odd(summary) else summary["norm"]


def _reach(summary: Summary | None) -> float | None:
    """The norm, infinite or NaN where an element is."""
    if summary is None or not _odd(summary):
        return _norm(summary)
    return math.nan if summary["nan"] else math.inf


def _odd(summary: Summary | None) -> bool:
    return summary is not None and bool(summary["nan"] or summary["inf"])


def _turn(row: Row) -> int:
    return row["turn"] if row["turn"] is not None else 1 << 30


def _position(path: list[Hop], node: int) -> int | None:
    return next((at for at, hop in enumerate(path) if hop["node"] == node), None)


def _size(summary: Summary | None) -> float:
    """Root mean square."""
    if summary is None or summary["norm"] is None:
        return 0.0
    return summary["norm"] / math.sqrt(max(1, math.prod(summary["shape"])))


# -------------------------------------------------------------------------- errors, NaN, infinity
def _raised(case: Case, failure: Failure) -> Finding:
    node = failure["node"]
    return _finding(
        "raised",
        "error",
        [_say("raised", op=failure["op"] if node is None else case.label(node))],
        node=node,
        source=None if node is None else case.source(node),
    )


def _nonfinite(recording: Any, case: Case, failure: Failure, earlier: list[int]) -> Finding:
    node = failure["node"]
    loss = case.snapshot["loss"]
    opening = _say("nonfinite", loss=loss)
    if node is None:
        return _finding("nonfinite", "error", [opening], advice="nonfinite")
    kind = case.nodes[node]["kind"]
    if kind in ("parameter", "buffer"):
        return _spoilt(recording, case, node, opening, earlier)
    if kind != "op":
        says = [opening, _say("nonfinite_input", name=case.label(node))]
        more = {"node": node, "source": case.source(node), "advice": "nonfinite_input"}
        return _finding("nonfinite_input", "error", says, **more)
    says = [opening, _say("nonfinite_first", op=case.label(node))]
    says += _domain(case, node, backward=False)
    path = _backbone(case, node)
    return _finding(
        "nonfinite",
        "error",
        says,
        advice=_advice_for_domain(case.nodes[node]["name"]),
        node=node,
        path=path,
        worst=_position(path, node),
        source=case.source(node),
    )


def _backbone(case: Case, node: int) -> list[Hop]:
    """From the loss to `node` whether or not a gradient came by."""
    hops = [case._hop(node, None)]
    while case.out[node]:
        node = case.edge(case.out[node][-1])["target"]
        hops.append(case._hop(node, None))
    return hops[::-1]


def _spoilt(recording: Any, case: Case, node: int, say: Saying, earlier: list[int]) -> Finding:
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
        says = [say, _say("nonfinite_parameter", name=name, step=since)]
        cause = before.nonfinite_gradient()
        if cause is not None:
            when = _say("in_step", step=before.snapshot["step"])
            return cause | {"says": [*says, when, *cause["says"]]}  # type: ignore[return-value]
        ratio = _update_ratio(before)
        if ratio is not None and ratio > LARGE_UPDATE:
            says.append(_say("diverged", ratio=ratio, times=ratio / USUAL_UPDATE))
        more = {"advice": "learning_rate"}
    else:
        says, more = [say, _say("nonfinite_parameter", name=name, step=since)], {}
    return _finding(
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
            return [_say("domain_division", count=_count(divisor))]
    if first is None:
        return []
    lowest = first["min"]
    if op in ("log", "log2", "log10", "log1p", "logit", "xlogy", "sqrt", "rsqrt", "pow", "norm"):
        edge = -1.0 if op == "log1p" else 0.0
        if op in ("sqrt", "pow", "norm", "rsqrt") and backward and first["zeros"]:
            return [_say("domain_zero", count=_count(first))]
        if lowest is not None and lowest < edge:
            return [_say("domain_negative", lowest=lowest, zeros=_count(first))]
        if first["zeros"] and edge == 0.0:
            return [_say("domain_zero", count=_count(first))]
    largest = first["max"]
    if op in ("exp", "expm1", "cosh", "sinh", "exp2") and largest is not None and largest > 80:
        return [_say("domain_overflow", largest=largest)]
    size = max((abs(s["max"] or 0) for s in inputs.values() if s is not None), default=0)
    if size > 1e15:
        return [_say("domain_large", largest=size)]
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


# -------------------------------------------------------------------------- no gradient at all
def _near(steps: list[int], step: int) -> list[int]:
    """Up to two kept steps on either side."""
    before = [each for each in steps if each < step][-2:]
    return before + [each for each in steps if each > step][:2]


def _trained_nearby(recording: Any, steps: list[int], name: str) -> bool:
    """Did the parameter get a gradient in one of `steps`? Some are trained in turns (a GAN's)."""
    for step in steps:
        try:
            case = Case(recording.graph(step), recording.snapshot(step))
        except LookupError:
            continue
        if any(case.nodes[at]["name"] == name and case.rows[at]["grad"] for at in case.parameters):
            return True
    return False


def _missing(case: Case, in_turns: Callable[[str], bool]) -> list[Finding]:
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
        says = [_say(kind, parameter=names[0], op=case.label(node), more=len(names) - 1)]
        if in_turns(names[0]):
            severity, says = "note", [*says, _say("in_turns")]
        found.append(
            _finding(
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
        says = [_say("unused", parameter=unused[0], more=len(unused) - 1)]
        says += [_say("in_turns")] if turns else []
        more = {"parameters": unused, "advice": "" if turns else "unused"}
        found.append(_finding("unused", "note" if turns else "warning", says, **more))
    leaves = [n for n in case.nodes if n["kind"] == "parameter"]
    if leaves and not case.parameters:
        says = [_say("frozen", parameter=leaves[0]["name"], more=len(leaves) - 1)]
        names = [n["name"] for n in leaves]
        found.append(_finding("frozen", "error", says, parameters=names, advice="frozen"))
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
        hops.append(case._hop(node, None))
        node = came[node]
    return [*hops, case._hop(parameter, None)]


# -------------------------------------------------------------------------- zero gradients
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
        if math.prod(value["shape"]) / units < FEWEST or gradient is None or _odd(gradient):
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


def _dead(case: Case) -> list[Finding]:
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
        behind = _parameters_behind(case, at)
        parameter = behind[0] if behind else at
        path = case.path(parameter)
        zero = [p for p in behind if case.norm(p) == 0]
        explained.update(zero)
        if share == 1:  # what multiplies with nothing gets no gradient either
            for e in case.out[at]:
                explained.update(case._weights(case.edge(e)["target"]))
        found.append(
            _finding(
                "dead",
                "error" if share >= MOSTLY_DEAD else "warning",
                [_say("dead_all" if share == 1 else "dead", op=case.label(at), share=share)],
                advice="dead",
                node=at,
                parameters=case.names(zero or behind),
                path=path,
                worst=_position(path, at),
                source=case.source(at),
            )
        )
    return found + _blocked(case, explained)


def _parameters_behind(case: Case, node: int) -> list[int]:
    """The parameters that get their gradient through a node, the nearest first."""
    found, seen, line = [], {node}, [node]
    for each in line:  # grows while it is gone through: breadth first
        for at in case.into[each]:
            source = case.edge(at)["source"]
            if source in seen or case.rows[source]["grad"] is None:
                continue
            seen.add(source)
            if case.nodes[source]["kind"] == "parameter":
                found.append(source)
            else:
                line.append(source)
    return found


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
            "worst": _position(path, node),
            "source": case.source(node),
        }
        values = {"parameter": names[0], "op": case.label(node), "more": len(names) - 1}
        if node == case.root and case.snapshot["loss"] == 0:
            found.append(_finding("satisfied", "note", [_say("satisfied")], **more))
        elif (weight := case.weight(node)) is not None and _is_zero(case.rows[weight]["value"]):
            # zero weights that are learned themselves let something through after one step
            severity: Severity = "note" if case.norm(weight) else "warning"
            says = [_say("zero_weights", **values, weight=case.nodes[weight]["name"])]
            found.append(_finding("blocked", severity, says, advice="zero_weights", **more))
        else:
            says = [_say("blocked", **values)]
            found.append(_finding("blocked", "warning", says, advice="blocked", **more))
    return found


def _is_zero(summary: Summary | None) -> bool:
    return summary is not None and summary["zeros"] == 1


# -------------------------------------------------------------------------- small and large ones
def _sizes(case: Case) -> list[Finding]:
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
    here, there = _relative(case, parameter), _relative(case, weight)
    return here is None or there is None or here < 0.01 * there


def _relative(case: Case, parameter: int) -> float | None:
    """|gradient| / |weights|."""
    gradient, value = case.norm(parameter), _norm(case.rows[parameter]["value"])
    return gradient / value if gradient is not None and value else None


def _between(case: Case, change: tuple[float, int, int]) -> list[Hop]:
    """The part of the path between the last layer and the one that was reached, which is not
    part of it."""
    _, parameter, at = change
    path = case.path(parameter, at)
    head = _position(path, case.head[case.edge(at)["target"]] or -1) or 0
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
        _say(
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
    return _finding(
        kind,
        "error" if grave and not (recurrent and shrinks) else "warning",
        says + cause,
        advice=advice,
        node=None if worst is None else worst["node"],
        parameters=names,
        path=path,
        worst=None if worst is None else _position(path, worst["node"]),
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
    if name in _STEEPEST and shrinks:
        slope, flat = mean_slope(case, node), flat_share(case, node)
        saturated = slope is not None and slope < 0.4 * _STEEPEST[name] and (flat or 0) > 0.2
        key = "because_saturated" if saturated else f"because_{name}"
        beyond = _FLAT_BEYOND[name]
        return [_say(key, **values, slope=slope, flat_share=flat, beyond=beyond)], key
    weight = case.weight(node)
    if weight is not None:
        value = case.rows[weight]["value"]
        shape = case.nodes[weight]["shape"]
        keeps = 1 / math.sqrt(max(1, math.prod(shape[1:])))
        key = "because_small_weights" if shrinks else "because_large_weights"
        say = _say(
            key,
            op=values["op"],
            weight=case.nodes[weight]["name"],
            factor_share=hop["factor"],
            factor=hop["factor"],
            std=_size(value),
            keeps=keeps,
            norm=_norm(value),
        )
        return [say], key
    key = "because_shrinks" if shrinks else "because_grows"
    return [_say(key, **values, factor=hop["factor"])], "vanishing" if shrinks else "exploding"


# -------------------------------------------------------------------------- activations
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
    beyond = _FLAT_BEYOND[case.nodes[node]["name"]]
    edges, counts = value["histogram"]["edges"], value["histogram"]["counts"]
    outside = 0.0
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        inside = max(0.0, min(high, beyond) - max(low, -beyond))
        outside += count * (1 - inside / (high - low) if high > low else 0)
    return outside / max(1, sum(counts))


def _saturated(case: Case) -> list[Finding]:
    """Hidden sigmoids and tanhs that pass next to nothing on."""
    found: list[tuple[float, int]] = []
    for node in case.nodes:
        at = node["id"]
        # a last sigmoid is saturated where the model is sure: that is what it is for
        if node["name"] not in _STEEPEST or case.head[at] is None or not case.norm(at):
            continue
        slope = mean_slope(case, at)
        if slope is None or slope > FLAT * _STEEPEST[node["name"]]:
            continue
        if (flat_share(case, at) or 0) > MOSTLY_FLAT:
            found.append((slope, at))
    if not found:
        return []
    slope, at = min(found)
    behind = _parameters_behind(case, at)
    path = case.path(behind[0] if behind else at)
    flat = flat_share(case, at)
    hop = next((hop for hop in path if hop["node"] == at), None)
    says = [
        _say(
            "saturated",
            op=case.label(at),
            slope=slope,
            flat_share=flat,
            beyond=_FLAT_BEYOND[case.nodes[at]["name"]],
            factor_share=hop["factor"] if hop else None,
            more=len(found) - 1,
        )
    ]
    return [
        _finding(
            "saturated",
            "warning",
            says,
            advice="because_saturated",
            node=at,
            parameters=case.names(behind[:1]),
            path=path,
            worst=_position(path, at),
            source=case.source(at),
        )
    ]


# -------------------------------------------------------------------------- the learning rate
def _update_ratio(case: Case) -> float | None:
    """|update| / |weights| over all weight matrices together."""
    updates = values = 0.0
    for at in case.parameters:
        update, value = _norm(case.rows[at]["update"]), _norm(case.rows[at]["value"])
        if update is not None and value is not None and len(case.nodes[at]["shape"]) > 1:
            updates, values = updates + update**2, values + value**2
    return math.sqrt(updates / values) if values and updates else None


def _learning_rate(recording: Any, case: Case, earlier: list[int]) -> list[Finding]:
    """Steps that are too large beside the weights, now or when the training was thrown off."""
    ratios = {case.snapshot["step"]: _update_ratio(case)}
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
        says = [_say(key, ratio=typical, times=typical / USUAL_UPDATE, rate=rate)]
    elif thrown_off is not None:
        typical = known[thrown_off]
        times = typical / USUAL_UPDATE
        says = [_say("learning_rate_was", step=thrown_off, ratio=typical, times=times)]
    else:
        return []
    at = max(
        (p for p in case.parameters if len(case.nodes[p]["shape"]) > 1),
        key=lambda p: (_norm(case.rows[p]["update"]) or 0) / (_norm(case.rows[p]["value"]) or 1),
    )
    return [
        _finding(
            "learning_rate",
            "error" if typical > HUGE_UPDATE else "warning",
            says,
            advice="learning_rate",
            parameters=case.names([at]),
            path=case.path(at),
        )
    ]


def _recorded_ratio(recording: Any, step: int) -> float | None:
    """`_update_ratio` of a step that need not be unpacked for it."""
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


# -------------------------------------------------------------------------- how it is put together
def _structure(case: Case) -> list[Finding]:
    found = []
    for node in case.nodes:
        at = node["id"]
        if node["name"] in ("cross_entropy", "binary_cross_entropy_with_logits", "nll_loss"):
            before = case.origin(at)
            made = case.nodes[before]["name"]
            wrong = {
                "cross_entropy": "softmax",
                "nll_loss": "softmax",
                "binary_cross_entropy_with_logits": "sigmoid",
            }
            if made == wrong[node["name"]]:
                says = [_say("softmax_twice", op=case.label(before), loss=node["name"])]
                key = "nll_loss" if node["name"] == "nll_loss" else "softmax_twice"
                path = case.path(before)
                more = {"node": before, "path": path, "worst": _position(path, before)}
                more |= {"source": case.source(before), "advice": key}
                found.append(_finding("softmax_twice", "warning", says, **more))
            found += _first_loss(case, at)
        if node["name"] == "mse_loss":
            found += _far(case, at, "target", "target_scale", FAR_TARGET)
        elif case.has_weights[at]:
            found += _far(case, at, "input", "input_scale", FAR)
    return found


def _first_loss(case: Case, at: int) -> list[Finding]:
    """Before anything is learned, the loss should be that of guessing evenly."""
    loss = case.snapshot["loss"]
    shape = case.edge(case.into[at][0])["shape"]
    if case.nodes[at]["name"] != "cross_entropy" or len(shape) < 2 or shape[1] < 2:
        return []
    even = math.log(shape[1])
    if case.snapshot["step"] or loss is None or loss < FIRST_LOSS * even:
        return []
    says = [_say("first_loss", loss=loss, even=even, classes=shape[1])]
    path = case.path(case.edge(case.into[at][0])["source"])
    more = {"node": at, "path": path, "source": case.source(at), "advice": "first_loss"}
    return [_finding("first_loss", "warning", says, **more)]


def _far(case: Case, node: int, argument: str, kind: Kind, far: float) -> list[Finding]:
    """Data that are far from the size of the numbers that a fresh model computes."""
    for at in case.into[node]:
        edge = case.edge(at)
        value = case.rows[edge["source"]]["value"]
        if edge["argument"] != argument or case.nodes[edge["source"]]["kind"] == "op":
            continue
        if value is None or not value["dtype"].startswith("float"):
            continue
        mean, std = value["mean"] or 0.0, value["std"] or 0.0
        if max(abs(mean), std) > far:
            name = case.label(edge["source"])
            says = [_say(kind, name=name, mean=mean, std=std)]
            more = {"node": edge["source"], "source": case.source(node), "advice": kind}
            return [_finding(kind, "note", says, **more)]
    return []


# -------------------------------------------------------------------------- nothing wrong
def _healthy(case: Case) -> Finding:
    """What was looked at, in numbers."""
    ratios = [r for p in case.parameters if (r := _relative(case, p)) is not None]
    ratio = _update_ratio(case)
    says = [_say("healthy", parameters=len(case.parameters))]
    if ratios:
        says.append(_say("healthy_gradients", low=min(ratios), high=max(ratios)))
    if ratio is not None:
        says.append(_say("healthy_update", ratio=ratio))
    return _finding("healthy", "healthy", says)
