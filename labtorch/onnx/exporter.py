"""Exporting: run, translate what ran, check."""

from __future__ import annotations

import enum
import warnings
from typing import Any

import numpy as np

from labtorch.nn.module import Module
from labtorch.onnx.axes import dynamic_axes_of
from labtorch.onnx.errors import UnsupportedOperatorError
from labtorch.onnx.graph import DEFAULT_OPSET, FIRST_OPSET, LAST_OPSET, Graph, Value
from labtorch.onnx.program import ONNXProgram
from labtorch.onnx.proto import assembled
from labtorch.onnx.quantized import whole_layers
from labtorch.onnx.runs import as_it_was, traces_of
from labtorch.onnx.sizes import Sizes
from labtorch.onnx.structure import Arguments
from labtorch.onnx.table import TRANSLATORS
from labtorch.onnx.trace import SMALL, Entry, Ref

OLDEST_OPSET = 7  # the oldest that PyTorch takes; before FIRST_OPSET see `_older`
# PyTorch's options that change nothing here, and those that would
IDLE = {"dynamo", "external_data", "report", "optimize", "profile", "dump_exported_program"}
IDLE |= {"artifacts_dir", "operator_export_type", "autograd_inlining", "fallback"}
REFUSED = {"custom_translation_table", "custom_opsets", "export_modules_as_functions"}


class TrainingMode(enum.IntEnum):
    """In which mode the model is exported."""

    EVAL, PRESERVE, TRAINING = 0, 1, 2


def export(
    model: Module,
    args: Any = (),
    f: Any = None,
    *,
    kwargs: dict[str, Any] | None = None,
    verbose: bool | None = None,
    input_names: list[str] | None = None,
    output_names: list[str] | None = None,
    opset_version: int | None = None,
    dynamic_shapes: Any = None,
    verify: bool = False,
    export_params: bool = True,
    keep_initializers_as_inputs: bool = False,
    dynamic_axes: Any = None,
    training: int = TrainingMode.EVAL,
    do_constant_folding: bool = True,
    **options: Any,
) -> ONNXProgram:
    """Run `model` on the example arguments, and translate what ran into an ONNX model.

    `f` is a path, an open binary file, or None; a path is written whole or not at all. Inputs are
    named by `input_names`, else as forward's arguments are. Dimensions named in `dynamic_axes`
    ({"x": {0: "batch"}} or {"x": [0]}), or in `dynamic_shapes`, may have any size later on;
    dimensions of one name have the same size. What Python decides while the model runs, as a
    branch, is exported as it was decided, with a TracerWarning. With `do_constant_folding`, what
    depends on neither inputs nor parameters is computed now. With `verify`, onnxruntime runs the
    result and is compared with the model. PyTorch's other options are taken and change nothing.

    Raises UnsupportedOperatorError for an op that has no counterpart in ONNX; then nothing is
    written.
    """
    onnx = _onnx()
    _check(model, f, options)
    opset = _opset(onnx, opset_version)
    import labtorch.onnx.translators  # noqa: F401  # fills the table

    arguments = Arguments(model, args, kwargs)
    names = _input_names(arguments, input_names)
    axes = dynamic_axes_of(arguments, names, output_names or [], dynamic_axes, dynamic_shapes)
    as_inputs = keep_initializers_as_inputs or not export_params
    with as_it_was(model, int(training)) as state, whole_layers(model):
        sizes = Sizes(traces_of(model, state, arguments, axes), axes)
    graph = Graph(max(opset, FIRST_OPSET), free_parameters=as_inputs)
    _translate(graph, sizes, names, do_constant_folding)
    outputs = _outputs(graph, sizes, output_names)
    proto = assembled(graph, names, outputs, model, as_inputs, export_params)
    if opset < FIRST_OPSET:
        proto = _older(onnx, proto, opset)
    expected = [array for _, _, array in sizes.traces[0].results]
    program = ONNXProgram(proto, lambda a, k: arguments.feed(names, a, k), expected)
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
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
        import onnx.printer
        import onnx.version_converter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'onnx.export needs the onnx package: pip install "labtorch[export]"', name=error.name
        ) from None
    return onnx


def _check(model: Any, f: Any, options: dict[str, Any]) -> None:
    if not isinstance(model, Module):
        raise TypeError(f"onnx.export: model must be an nn.Module, not {type(model).__name__}")
    if isinstance(f, (str, bytes)) and not f:
        raise ValueError("onnx.export: f is an empty path")
    for name, value in options.items():
        if name not in IDLE and name not in REFUSED:
            raise TypeError(f"onnx.export() got an unexpected keyword argument '{name}'")
        if name in REFUSED and value:
            raise NotImplementedError(f"onnx.export: {name} is not supported")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if type(tensor).__name__.startswith("Uninitialized"):
            raise ValueError(
                f"onnx.export: '{name}' has no shape before the first call: call the model once"
            )
        if not isinstance(tensor._array, np.ndarray):
            raise ValueError("onnx.export runs models on the CPU: model.cpu()")


def _opset(onnx: Any, asked: int | None) -> int:
    last = min(LAST_OPSET, onnx.defs.onnx_opset_version())
    if asked is None:
        return min(DEFAULT_OPSET, last)
    if not OLDEST_OPSET <= asked <= last:
        raise ValueError(
            f"onnx.export: opset_version {asked} is not supported: {OLDEST_OPSET} to {last} are"
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


# -------------------------------------------------------------------- translation
def _translate(graph: Graph, sizes: Sizes, names: list[str], folding: bool) -> None:
    first = sizes.traces[0]
    for number, name in enumerate(names):
        graph.used.add(name)
        graph.values[number] = Value(name, first.arrays[number].dtype, sizes.dims(number))
        sizes.met(number)
    for entries in zip(*(trace.entries for trace in sizes.traces)):
        if folding and _folded(graph, sizes, entries[0]):
            continue
        _translate_op(graph, sizes, list(entries))
    graph.at("", None, "")


def _folded(graph: Graph, sizes: Sizes, entry: Entry) -> bool:
    """Is what the op makes the same for all inputs and parameters? Then it becomes a constant."""
    sources = list(_tensors(entry.args))
    numbers = range(entry.first, entry.first + len(entry.outputs))
    if not sources or sum(out.size for out in entry.outputs) > SMALL:
        return False
    for each in sources:
        if each.name is not None if not isinstance(each, Ref) else each.number not in graph.folded:
            return False
    if not all(sizes.same(n) for n in numbers):
        return False
    graph.at(entry.scope, entry.place, entry.op.name)
    for n, out in zip(numbers, entry.outputs):
        graph.values[n] = graph.constant(out)
        graph.folded.add(n)
    return True


def _tensors(args: Any) -> Any:
    """The tensors among an op's arguments, as the trace knows them."""
    if isinstance(args, slice):
        args = (args.start, args.stop, args.step)
    if isinstance(args, tuple):
        for each in args:
            yield from _tensors(each)
    elif isinstance(args, Ref) or hasattr(args, "array"):
        yield args


def _translate_op(graph: Graph, sizes: Sizes, entries: list[Entry]) -> None:
    entry = entries[0]
    graph.at(entry.scope, entry.place, entry.op.name)
    translator = TRANSLATORS.get(entry.op.name)
    if translator is None:
        raise _unsupported(entry, "has no translation to ONNX")
    numbers = range(entry.first, entry.first + len(entry.outputs))
    graph.outputs = tuple(
        Value("", out.dtype, sizes.dims(n)) for n, out in zip(numbers, entry.outputs)
    )
    args = [graph.argument(each) for each in sizes.arguments(entries)]
    try:
        made = translator(graph, *args)
    except UnsupportedOperatorError as error:
        raise _unsupported(entry, str(error)) from None
    for n, value, out in zip(numbers, made if isinstance(made, tuple) else (made,), graph.outputs):
        value = graph.cast(value, out.dtype)
        graph.values[n] = Value(value.name, value.dtype, out.dims, value.constant)
        graph.values[n].stored = value.stored
        sizes.met(n)


def _unsupported(entry: Entry, why: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"onnx.export: the op '{entry.op.name}' {why}: module '{entry.scope or 'the model itself'}'"
        f", {entry.line}\nWrite it with ops that have one, such as arithmetic, matmul, reductions, "
        f"indexing and the layers of nn; all: {', '.join(sorted(TRANSLATORS))}"
    )


def _outputs(graph: Graph, sizes: Sizes, given: list[str] | None) -> list[tuple[str, Value]]:
    """The names of the outputs, and what they are."""
    found, given = sizes.traces[0].results, list(given or [])
    if len(given) > len(found):
        raise ValueError(f"onnx.export: {len(given)} output_names for {len(found)} outputs")
    names = list(given)
    for name, _, _ in found[len(given) :]:
        if not name or name.isdigit():
            name = "output" if len(found) == 1 else f"output_{name}"
        names.append(graph.fresh(name))
    if len(set(names)) < len(names) or set(given) & graph.used:
        raise ValueError(f"onnx.export: output names must be new: {', '.join(names)}")
    made = []
    for name, *runs in zip(names, *(trace.results for trace in sizes.traces)):
        value = sizes.argument([argument for _, argument, _ in runs], f"output '{name}'")
        made.append((name, graph.value(graph.argument(value))))
    return made


def _older(onnx: Any, proto: Any, opset: int) -> Any:
    """The model in an older version of ONNX's ops; where there is none, as it is, as PyTorch does.

    From 13 on versions of an op differ in what they allow, not in what they mean, so that a model
    that the checker accepts under an older one means the same there. onnx converts some others.
    """
    for way in (_relabelled, _converted):
        try:
            made = way(onnx, proto, opset)
            onnx.checker.check_model(made, full_check=True)
            return made
        except Exception as error:
            said = str(error).strip().splitlines()[0]
    warnings.warn(
        f"onnx.export: the model cannot be expressed in opset_version {opset} ({said}): it is "
        f"written in {FIRST_OPSET}",
        stacklevel=3,
    )
    return proto


def _relabelled(onnx: Any, proto: Any, opset: int) -> Any:
    if opset < 13:
        raise ValueError("ops before version 13 mean other things")
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    made.opset_import[0].version = opset
    return made


def _converted(onnx: Any, proto: Any, opset: int) -> Any:
    if opset == 13:  # onnx has no way from 14 to 13 for ops that only allow more since
        return _relabelled(onnx, onnx.version_converter.convert_version(proto, 14), opset)
    return onnx.version_converter.convert_version(proto, opset)
