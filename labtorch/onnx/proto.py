"""A finished graph as ONNX's protobuf: what is used, under the names that were asked for."""

from __future__ import annotations

from typing import Any

from labtorch.nn.module import Module
from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.sizes import Sym
from labtorch.version import __version__

IR_VERSION = 10  # the first whose nodes carry metadata, by which viewers group them


def assembled(
    graph: Graph,
    names: list[str],
    outputs: list[tuple[str, Value]],
    model: Module,
    as_inputs: bool,
    export_params: bool,
) -> Any:
    """The checked model; parameters are inputs, too, or nothing but inputs, where that is asked."""
    onnx, helper = graph.onnx, graph.onnx.helper
    _name_outputs(graph, names, outputs)
    nodes = _live(graph.nodes, {name for name, _ in outputs})
    used = {name for node in nodes for name in node.input}
    kept = {name: array for name, array in graph.initializers.items() if name in used}
    inputs = [_info(helper, graph.values[i], name) for i, name in enumerate(names)]
    if as_inputs:
        state = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
        for name in sorted(state & set(kept)):
            inputs.append(_info(helper, Value(name, kept[name].dtype, kept[name].shape), name))
            if not export_params:
                del kept[name]
    made = helper.make_graph(
        nodes,
        type(model).__name__,
        inputs,
        [_info(helper, value, name) for name, value in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in kept.items()],
    )
    proto = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", graph.opset)],
        ir_version=IR_VERSION,
        producer_name="labtorch",
        producer_version=__version__,
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _name_outputs(graph: Graph, names: list[str], outputs: list[tuple[str, Value]]) -> None:
    """Give nodes' results the outputs' names; an input, a parameter or a second name is copied."""
    made = {name for node in graph.nodes for name in node.output}
    renamed: dict[str, str] = {}
    for name, value in outputs:
        if value.name in made and value.name not in renamed:
            renamed[value.name] = name
    for node in graph.nodes:
        for each in (node.input, node.output):
            if any(name in renamed for name in each):
                each[:] = [renamed.get(name, name) for name in each]
    for name, value in outputs:
        if renamed.get(value.name) != name:
            source = renamed.get(value.name, value.name)
            copy = graph.onnx.helper.make_node("Identity", [source], [name], name=f"/{name}")
            graph.nodes.append(copy)


def _live(nodes: list[Any], wanted: set[str]) -> list[Any]:
    """The nodes that the outputs depend on."""
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _info(helper: Any, value: Value, name: str) -> Any:
    shape = [(d.name or None) if isinstance(d, Sym) else d for d in (value.dims or ())]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape)
