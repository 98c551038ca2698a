"""The plain data that views draw from: what JSON can carry, nothing that holds an array alive.

A *graph* is the structure that one step built; it is stored once for all the steps that share it
(equal `key`). A *snapshot* is one step: a row of numbers per node of its graph. `None` always
means "not yet computed" or "not measured in this step", never zero.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Source(TypedDict):
    """Where in the user's code an op was called; columns count from 0, lines from 1."""

    file: str
    line: int
    end_line: int
    column: int
    end_column: int
    text: str  # the line itself, stripped of nothing; "" when the file cannot be read
    function: str  # the enclosing function, "<module>" at top level


class Vjp(TypedDict):
    """The rule for one input: `formula` is LaTeX, with a bar over cotangents."""

    input: str
    formula: str


class Saved(TypedDict):
    """A tensor that an op keeps for its backward pass."""

    name: str
    shape: list[int]
    dtype: str
    nbytes: int
    node: int | None  # whose output it is; None for an inner state of the op's own
    output: int  # which output of that node


class Node(TypedDict):
    """A vertex: an op, or a tensor that no op of this step made."""

    id: int  # its position in Graph["nodes"]
    kind: Literal["op", "input", "parameter", "buffer", "constant"]
    name: str  # of the op ("linear"); else the state_dict path or the variable's name
    scope: int | None  # the innermost module call it belongs to
    function: str | None  # the outermost public function, where it is another than `name`
    shape: list[int]  # of the (first) output
    dtype: str
    device: str
    requires_grad: bool
    arguments: dict[str, object]  # the op's non-tensor arguments
    formula: str  # LaTeX; "" where there is none
    vjps: list[Vjp]
    saved: list[Saved]
    states: list[str]  # inner states that the op computes on its way: "gates", "hidden"
    nbytes: int  # of all outputs together
    flops: int | None  # floating-point operations of the forward pass; None where not known
    source: Source | None


class Edge(TypedDict):
    """A tensor that flows from one node to another."""

    source: int
    target: int
    argument: str  # the parameter of `target` that receives it: "input", "weight", ...
    output: int  # which output of `source` it is
    shape: list[int]
    dtype: str


class Scope(TypedDict):
    """One call of a module; the same module called twice makes two scopes."""

    id: int  # its position in Graph["scopes"]
    parent: int | None
    name: str  # "linear"; for a root module, the user's variable ("model"), else its class
    path: str  # the state_dict path from the root module; "" for the root itself
    type: str  # the class: "Linear"


class Graph(TypedDict):
    key: str  # hash of the structure
    nodes: list[Node]  # in the order of the calls
    edges: list[Edge]
    scopes: list[Scope]
    unused: list[str]  # trainable parameters of the models called that took no part


class Thumbnail(TypedDict):
    """At most 32 x 32 numbers: the tensor itself where it fits (`exact`), else means of blocks."""

    values: list[list[float | None]]  # rows; NaN and inf as the strings below are in `glyphs`
    glyphs: list[tuple[int, int, str]]  # (row, column, "nan" | "inf" | "-inf") where values is None
    exact: bool


class Histogram(TypedDict):
    edges: list[float]  # len(counts) + 1, ascending, over the finite elements
    counts: list[int]


class Summary(TypedDict):
    """A tensor in a fixed number of bytes: moments over its finite elements, norm as L2 norm."""

    shape: list[int]
    dtype: str
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    norm: float | None
    zeros: float  # share of elements that are exactly 0, in [0, 1]
    nan: int  # how many elements
    inf: int
    histogram: Histogram | None
    thumbnail: Thumbnail | None


class Row(TypedDict):
    """What one node did in one step. For a parameter, `value` is the value used in this step."""

    value: Summary | None
    grad: Summary | None
    update: Summary | None  # of a parameter: what the optimizer's step added to it
    forward_seconds: float | None
    backward_seconds: float | None
    forward_start: float | None  # seconds since the step began
    backward_start: float | None
    turn: int | None  # when the backward pass came here: 0 is where it began


class Contribution(TypedDict):
    """What one consumer sent back to a tensor that has several; they add up to its gradient."""

    edge: int  # position in Graph["edges"]: from the tensor to the consumer
    grad: Summary


class Failure(TypedDict):
    """The op that raised, or the first one that made a NaN or an infinity."""

    node: int | None
    op: str
    kind: Literal["error", "nonfinite"]
    message: str


class Snapshot(TypedDict):
    step: int  # counts from 0
    graph: str  # key of the graph
    seconds: float  # since the recording began, at the end of the step
    duration: float  # of the step
    measuring_seconds: NotRequired[float]  # of the duration, how long taking statistics took
    loss: float | None  # the scalar that backward() started from
    learning_rate: float | None  # of the optimizer that stepped
    measured: bool  # were statistics taken in this step?
    failure: Failure | None
    partial: bool  # the step is under way: what has not run yet has no node, or None in its row
    current: int | None  # the node just done, where a step is shown op by op
    rows: list[Row]  # one per node of the graph, in its order
    contributions: list[Contribution]  # of tensors with several consumers, where measured
