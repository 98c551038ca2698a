"""Exporting: run, translate what ran, check."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from labtorch.nn.module import Module
from labtorch.onnx import sizes as sizes_module
from labtorch.onnx.errors import OnnxExporterError, TracerWarning, UnsupportedOperatorError
from labtorch.onnx.graph import DEFAULT_OPSET, FIRST_OPSET, LAST_OPSET, Graph, Value
from labtorch.onnx.program import ONNXProgram
from labtorch.onnx.sizes import Sizes, Sym
from labtorch.onnx.structure import Arguments, results
from labtorch.onnx.table import TRANSLATORS
from labtorch.onnx.trace import Constant, Ref, Trace, run
from labtorch.tensor import random
from labtorch.version import __version__

IR_VERSION = 10  # the first whose nodes carry metadata, by which viewers group them


class TrainingMode:
    """In which mode the model is exported."""

    EVAL, PRESERVE, TRAINING = 0, 1, 2


def export(
    model: Module,
    args: Any = (),
    f: Any = None,
    *,
    kwargs: dict[str, Any] | None = None,
    export_params: bool = True,
    verbose: bool | None = None,
    training: int = TrainingMode.EVAL,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    opset_version: int | None = None,
    do_constant_folding: bool = True,
    keep_initializers_as_inputs: bool = False,
    dynamic_axes: Any = None,
    dynamic_shapes: Any = None,
    verify: bool = False,
    dynamo: bool | None = None,
    **ignored: Any,
) -> ONNXProgram:
    """Run `model` on the example arguments, and translate what ran into an ONNX model.

    `f` is a path, an open binary file, or None; a path is written whole or not at all. Inputs are
    named by `input_names`, else as forward's arguments are. Dimensions named in `dynamic_axes`
    ({"x": {0: "batch"}} or {"x": [0]}), or in `dynamic_shapes`, may have any size later on;
    dimensions of one name have the same size. What Python decides while the model runs, as a
    branch, is exported as it was decided, with a TracerWarning. With `verify`, onnxruntime runs
    the result and is compared with the model.

    Raises UnsupportedOperatorError for an op that has no counterpart in ONNX.
    """
    onnx = _onnx()
    if not isinstance(model, Module):
        raise TypeError(f"onnx.export: model must be an nn.Module, not {type(model).__name__}")
    if isinstance(f, str) and not f:
        raise ValueError("onnx.export: f is an empty path")
    opset = _opset(onnx, opset_version)
    import labtorch.onnx.translators  # noqa: F401  # fills the table

    arguments = Arguments(model, args, kwargs)
    names = _input_names(arguments, input_names)
    axes = _axes(arguments, names, output_names or [], dynamic_axes, dynamic_shapes)
    with _as_it_was(model, training):
        traces = _traces(model, arguments, axes)
    sizes = Sizes(traces, axes)
    graph = Graph(opset)
    outputs = _translate(graph, sizes, names, output_names)
    proto = _assembled(onnx, graph, names, outputs, model, export_params, keep_initializers_as_inputs)
    expected = [each._array for _, each in results(traces[0].result)]
    program = ONNXProgram(
        proto, lambda a, k: arguments.feed([n for n in names], a, k), expected
    )
    if verify:
        program.verify(dict(zip(names, arguments.arrays)))
    if verbose:
        print(onnx.printer.to_text(proto))
    if f is not None:
        program.save(f)
    return program


# -------------------------------------------------------------------- before the run
def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "onnx.export needs the onnx package: pip install 'labtorch[export]' (or pip install "
            "onnx)",
            name="onnx",
        ) from None
    import onnx.checker
    import onnx.helper
    import onnx.numpy_helper
    import onnx.printer

    return onnx


def _opset(onnx: Any, asked: int | None) -> int:
    last = min(LAST_OPSET, onnx.defs.onnx_opset_version())
    if asked is None:
        return min(DEFAULT_OPSET, last)
    if not FIRST_OPSET <= asked <= last:
        raise ValueError(
            f"onnx.export: opset_version {asked} is not supported: {FIRST_OPSET} to {last} are"
        )
    return int(asked)


def _input_names(arguments: Arguments, given: list[str] | None) -> list[str]:
    names, given = list(arguments.names), list(given or [])
    if len(given) > len(names):
        raise ValueError(
            f"onnx.export: {len(given)} input_names for {len(names)} tensors: {', '.join(names)}"
        )
    names[: len(given)] = given
    if len(set(names)) < len(names):
        raise ValueError(f"onnx.export: two inputs have one name: {', '.join(names)}")
    return names


def _axes(
    arguments: Arguments, names: list[str], outputs: list[str], dynamic_axes: Any, shapes: Any
) -> list[dict[str, Any]]:
    """The dynamic dimensions: for each its name, its places in the inputs, and its size."""
    wanted: dict[str, dict[str, Any]] = {}
    if shapes is not None:
        dynamic_axes = _axes_of_shapes(arguments, names, shapes)
    for key, dims in (dynamic_axes or {}).items():
        if key not in names:
            if key in outputs or key in arguments.names:
                if key in outputs:
                    continue  # what an output's sizes are follows from the inputs
                number = arguments.names.index(key)
            else:
                raise ValueError(
                    f"onnx.export: dynamic_axes names '{key}'; the inputs are {', '.join(names)}"
                )
        else:
            number = names.index(key)
        array = arguments.arrays[number]
        labels = dims if isinstance(dims, dict) else {d: f"{key}_dim_{d}" for d in dims}
        for dim, label in labels.items():
            if not isinstance(dim, int) or not -array.ndim <= dim < array.ndim:
                raise ValueError(
                    f"onnx.export: dynamic_axes names dimension {dim} of '{key}', which has "
                    f"{array.ndim}"
                )
            label = label or f"{key}_dim_{dim}"
            size = array.shape[dim]
            entry = wanted.setdefault(
                str(label), {"name": str(label), "places": [], "sizes": [size]}
            )
            if entry["sizes"][0] != size:
                raise ValueError(
                    f"onnx.export: dimension '{label}' is {entry['sizes'][0]} and {size} in the "
                    "example inputs; one name means one size"
                )
            entry["places"].append((number, dim % array.ndim))
    for entry in wanted.values():
        entry["place"] = entry["places"][0]
    return list(wanted.values())


def _axes_of_shapes(arguments: Arguments, names: list[str], shapes: Any) -> dict[str, Any]:
    """PyTorch's `dynamic_shapes`: per argument {dim: name or an object with a name}, or a list."""
    if not isinstance(shapes, dict):
        shapes = dict(zip(arguments.names, shapes))
    found: dict[str, Any] = {}
    for key, dims in shapes.items():
        if dims is None:
            continue
        pairs = dims.items() if isinstance(dims, dict) else enumerate(dims)
        name = names[arguments.names.index(key)] if key in arguments.names else key
        found[name] = {
            d: getattr(label, "__name__", None) or (label if isinstance(label, str) else "")
            for d, label in pairs
            if label is not None and not isinstance(label, int)
        }
    return found


# -------------------------------------------------------------------- the runs
@contextlib.contextmanager
def _as_it_was(model: Module, training: int) -> Iterator[None]:
    """The model in the mode of the export; afterwards mode, state and random numbers as before."""
    modes = [(module, module.training) for module in model.modules()]
    state = [(t, t._array.copy()) for t in (*model.parameters(), *model.buffers())]
    numbers = random.get_rng_state()
    try:
        if int(training) != TrainingMode.PRESERVE:
            model.train(int(training) == TrainingMode.TRAINING)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for tensor, array in state:
            if not np.array_equal(tensor._array, array, equal_nan=array.dtype.kind in "fc"):
                tensor._array[...] = array
        random.set_rng_state(numbers)


def _traces(model: Module, arguments: Arguments, axes: list[dict[str, Any]]) -> list[Trace]:
    state = [(t, t._array.copy()) for t in (*model.parameters(), *model.buffers())]

    def trace(arrays: list[np.ndarray]) -> Trace:
        for tensor, array in state:
            if tensor._array.tobytes() != array.tobytes():
                tensor._array[...] = array
        return run(model, arrays, lambda tensors: arguments.call(model, tensors))

    first = trace(arguments.arrays)
    _warn_of_values(first, trace, arguments.arrays)
    traces = [first]
    for axis in axes:
        traces.append(_other_size(first, trace, arguments.arrays, axis))
    for i, axis in enumerate(axes):
        was, other = axis["sizes"]
        axis["sizes"] = [was] * (len(axes) + 1)
        axis["sizes"][i + 1] = other
    return traces


def _other_size(first: Trace, trace: Any, arrays: list, axis: dict[str, Any]) -> Trace:
    size, said = axis["sizes"][0], ""
    for other in (2 * size, size + 1, size - 1):
        if other < 1 or other == size:
            continue
        resized = list(arrays)
        for number, dim in axis["places"]:
            resized[number] = _resized(resized[number], dim, other)
        try:
            found = trace(resized)
        except OnnxExporterError:
            raise
        except Exception as error:
            said = said or f"with size {other} the model fails: {error}"
            continue
        apart = sizes_module.aligned([first, found])
        if apart is None:
            axis["sizes"].append(other)
            return found  # type: ignore[no-any-return]
        said = said or f"with size {other} the model takes other steps: {apart}"
    raise OnnxExporterError(
        f"onnx.export: dimension '{axis['name']}' cannot be dynamic: {said}. Leave it out of "
        "dynamic_axes, or compute without a Python loop over it"
    )


def _resized(array: np.ndarray, dim: int, size: int) -> np.ndarray:
    places = np.arange(size) % max(array.shape[dim], 1)
    return np.ascontiguousarray(np.take(array, places, axis=dim))


def _warn_of_values(first: Trace, trace: Any, arrays: list[np.ndarray]) -> None:
    """Run on other values, and say what became a constant though it depends on them."""
    random.manual_seed(0)
    try:
        other = trace([_other_values(each) for each in arrays])
    except Exception:
        return  # values that the model does not take: nothing is learnt
    apart = sizes_module.aligned([first, other])
    if apart is not None:
        warnings.warn(
            f"onnx.export: which ops run depends on the values of the inputs ({apart}): the branch "
            "that the example takes is exported. torch.where chooses by value in the graph",
            TracerWarning,
            stacklevel=4,
        )
        return
    for a, b in zip(first.entries, other.entries):
        if any(_moved(x, y) for x, y in zip(a.args, b.args)):
            warnings.warn(
                f"onnx.export: a number or tensor that {a.op.name} takes depends on the values of "
                f"the inputs, or is random, and becomes a constant: module '{a.scope}', {a.line}",
                TracerWarning,
                stacklevel=4,
            )


def _other_values(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f":
        return (array * 0.5 + np.roll(array, 1) * 0.25).astype(array.dtype)
    return np.flip(array).copy().reshape(array.shape)


def _moved(a: Any, b: Any) -> bool:
    if isinstance(a, Constant) and isinstance(b, Constant):
        same = a.array.shape == b.array.shape and a.array.tobytes() == b.array.tobytes()
        return a.name is None and not same
    if isinstance(a, Ref) or isinstance(b, Ref):
        return not (isinstance(a, Ref) and isinstance(b, Ref) and a.number == b.number)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) != len(b) or any(_moved(x, y) for x, y in zip(a, b))
    if isinstance(a, (bool, int, float)) and isinstance(b, (bool, int, float)):
        return a != b and not (a != a and b != b)
    return False


# -------------------------------------------------------------------- translation
def _translate(
    graph: Graph, sizes: Sizes, names: list[str], output_names: list[str] | None
) -> list[Value]:
    first = sizes.traces[0]
    for number, name in enumerate(names):
        graph.used.add(name)
        graph.values[number] = Value(name, first.arrays[number].dtype, sizes.dims(number))
        sizes.met(number)
    graph.used |= set(output_names or ())
    for entries in zip(*(trace.entries for trace in sizes.traces)):
        _translate_op(graph, sizes, list(entries))
    graph.scope, graph.place, graph.op_name = "", None, ""
    return _results(graph, first, output_names)


def _translate_op(graph: Graph, sizes: Sizes, entries: list[Any]) -> None:
    entry = entries[0]
    graph.scope, graph.place, graph.op_name = entry.scope, entry.place, entry.op.name
    translator = TRANSLATORS.get(entry.op.name)
    if translator is None:
        raise _unsupported(entry, "has no translation to ONNX")
    numbers = range(entry.first, entry.first + len(entry.outputs))
    graph.outputs = tuple(
        Value("", out.dtype, sizes.dims(n)) for n, out in zip(numbers, entry.outputs)
    )
    args = [
        graph.argument(sizes.argument(entries, list(each)))
        for each in zip(*(e.args for e in entries))
    ]
    try:
        made = translator(graph, *args)
    except UnsupportedOperatorError as error:
        raise _unsupported(entry, str(error)) from None
    for n, value, out in zip(numbers, made if isinstance(made, tuple) else (made,), graph.outputs):
        value = graph.cast(value, out.dtype)
        if value.dims is None or value.constant is None:
            value = Value(value.name, value.dtype, out.dims, value.constant)
        graph.values[n] = value
        sizes.met(n)


def _unsupported(entry: Any, why: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"onnx.export: the op '{entry.op.name}' {why}: module '{entry.scope or 'the model itself'}'"
        f", {entry.line}\nWrite it with ops that have one, such as arithmetic, matmul, reductions, "
        f"indexing and the layers of nn; all: {', '.join(sorted(TRANSLATORS))}"
    )


def _results(graph: Graph, trace: Trace, given: list[str] | None) -> list[Value]:
    """The outputs under their names; one that is an input, a parameter or twice there is copied."""
    found = results(trace.result)
    names = [name or "output" for name, _ in found]
    if len(found) > 1:
        names = [f"output_{n}" if n.isdigit() else n for n in names]
    names = [name if name not in graph.used or given else graph.fresh(name) for name in names]
    given = list(given or [])
    if len(given) > len(names):
        raise ValueError(f"onnx.export: {len(given)} output_names for {len(names)} outputs")
    names[: len(given)] = given
    if len(set(names)) < len(names) or set(names) & {v.name for v in graph.values.values()}:
        raise ValueError(f"onnx.export: output names must be new: {', '.join(names)}")
    made = []
    for name, (_, tensor) in zip(names, found):
        value = graph.argument(trace.argument(tensor))
        graph.nodes.append(
            graph.onnx.helper.make_node("Identity", [value.name], [name], name=f"/{name}")
        )
        made.append(Value(name, tensor._array.dtype, value.dims))
    return made


def _assembled(
    onnx: Any,
    graph: Graph,
    names: list[str],
    outputs: list[Value],
    model: Module,
    export_params: bool,
    as_inputs: bool,
) -> Any:
    helper = onnx.helper
    inputs = [_info(helper, graph.values[i], name) for i, name in enumerate(names)]
    used = {name for node in graph.nodes for name in node.input}
    kept = {name: a for name, a in graph.initializers.items() if name in used}
    state = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    if as_inputs or not export_params:
        for name in sorted(state & set(kept)):
            inputs.append(_info(helper, Value(name, kept[name].dtype, kept[name].shape), name))
            if not export_params:
                del kept[name]
    weights = [onnx.numpy_helper.from_array(array, name) for name, array in kept.items()]
    infos = [_info(helper, each, each.name) for each in outputs]
    made = helper.make_graph(_live(graph.nodes, outputs), type(model).__name__, inputs, infos, weights)
    proto = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", graph.opset)],
        ir_version=IR_VERSION,
        producer_name="labtorch",
        producer_version=__version__,
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _live(nodes: list[Any], outputs: list[Value]) -> list[Any]:
    """The nodes that the outputs depend on."""
    wanted, kept = {each.name for each in outputs}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _info(helper: Any, value: Value, name: str) -> Any:
    shape = [
        (d.name or None) if isinstance(d, Sym) else d for d in (value.dims or ())
    ]
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(value.dtype), shape
    )
