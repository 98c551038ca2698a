"""Which ops of a graph make feature maps, in the order of the network."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, NamedTuple

import numpy as np

CONVOLUTIONS = {"conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"}
MAXIMA = {
    "max_pool1d", "max_pool2d", "max_pool1d_with_indices", "max_pool2d_with_indices",
    "adaptive_max_pool1d", "adaptive_max_pool2d",
}  # fmt: skip
MEANS = {"avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d"}
NORMS = {"batch_norm", "group_norm"}
POINTWISE = {
    "relu", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu_erf", "gelu_tanh", "silu", "mish",
    "hardtanh", "hardswish", "hardsigmoid", "softplus", "softsign", "sigmoid", "tanh", "dropout",
    "add", "sub", "mul", "cat",
}  # fmt: skip
LAYERS = CONVOLUTIONS | MAXIMA | MEANS | NORMS | POINTWISE
ALONG_LINES = {name for name in LAYERS if "1d" in name}

Kind = Literal["image", "convolution", "pooling", "normalization", "pointwise"]


class Layer(NamedTuple):
    """An op whose output is a stack of maps; or, as the first of all, the picture that goes in."""

    key: str  # the same from graph to graph: modules, op, and which of several
    node: int  # of the op; of the picture, the op that takes it
    kind: Kind
    op: str
    name: str  # of the module that calls it; of a bare function, the op's
    type: str  # the module's class; "" where it is a bare function
    shape: tuple[int, int, int]  # channels, rows, columns; one row where the maps are lines
    batched: bool
    line: bool  # is a map a line?

    def maps(self, array: np.ndarray | None, sample: int) -> np.ndarray | None:
        """The maps (channels, rows, columns) of a sample, of the array that the op made or took."""
        if array is None:
            return None
        if self.batched:
            if sample >= len(array):
                return None
            array = array[sample]
        return array[:, None, :] if self.line else array

    def output(self, captured: Any, sample: int) -> np.ndarray | None:
        if captured is None:
            return None
        array = captured.arguments.get("input") if self.kind == "image" else captured.outputs[0]
        return self.maps(array, sample)

    def kept_samples(self, captured: Any) -> int:
        if captured is None:
            return 0
        array = captured.arguments.get("input") if self.kind == "image" else captured.outputs[0]
        return 0 if array is None else len(array) if self.batched else 1


def layers_of(graph: Any) -> list[Layer]:
    """The layers with maps, the picture first; none where no convolution ran."""
    ops = [node for node in graph["nodes"] if node["kind"] == "op" and node["name"] in LAYERS]
    if not any(node["name"] in CONVOLUTIONS for node in ops):
        return []
    taken = {edge["target"]: edge for edge in graph["edges"] if edge["argument"] == "input"}
    lines = any(node["name"] in ALONG_LINES for node in ops)
    single = not lines and any(
        len(taken[node["id"]]["shape"]) == 3 for node in ops if node["name"] in CONVOLUTIONS
    )
    seen: Counter[str] = Counter()
    found: list[Layer] = []
    for node in ops:
        shape = node["shape"]
        if len(shape) not in ((3, 4) if lines or single else (4,)):
            continue
        line, batched = lines and len(shape) == 3, len(shape) == 4 or lines
        scope = None if node["scope"] is None else graph["scopes"][node["scope"]]
        chain = _chain(graph, node["scope"])
        key = "/".join([*chain, node["name"]])
        seen[key] += 1
        own = scope is not None and scope["parent"] is not None and _alone(graph, node)
        layer = Layer(
            key if seen[key] == 1 else f"{key} {seen[key]}",
            node["id"],
            _kind(node["name"]),
            node["name"],
            ".".join(chain[1:]) if own else node["name"],
            scope["type"] if own and scope is not None else "",
            _maps_shape(shape, batched, line),
            batched,
            line,
        )
        if not found and (edge := taken.get(node["id"])) and len(edge["shape"]) == len(shape):
            size = _maps_shape(edge["shape"], batched, line)
            name = graph["nodes"][edge["source"]]["name"]
            found.append(Layer("image", node["id"], "image", "", name, "", size, batched, line))
        found.append(layer)
    return found


def _chain(graph: Any, scope: int | None) -> list[str]:
    names: list[str] = []
    while scope is not None:
        names.insert(0, graph["scopes"][scope]["name"])
        scope = graph["scopes"][scope]["parent"]
    return names


def _alone(graph: Any, node: Any) -> bool:
    """Is the op the only layer in its module? Then the module's name says what it is."""
    return not any(
        other["scope"] == node["scope"] and other["id"] != node["id"] and other["name"] in LAYERS
        and len(other["shape"]) == len(node["shape"])
        for other in graph["nodes"]
    )  # fmt: skip


def _kind(op: str) -> Kind:
    if op in CONVOLUTIONS:
        return "convolution"
    if op in MAXIMA or op in MEANS:
        return "pooling"
    return "normalization" if op in NORMS else "pointwise"


def _maps_shape(shape: list[int], batched: bool, line: bool) -> tuple[int, int, int]:
    sizes = shape[1:] if batched else shape
    return (sizes[0], 1, sizes[1]) if line else (sizes[0], sizes[1], sizes[2])
