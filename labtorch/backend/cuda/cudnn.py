"""Convolutions by cuDNN, through its Python frontend, where both are there.

`run` gives an array; or None where cuDNN is not there, is switched off, or has no kernel for the
job, and then array code computes it. For each kind of job a graph of one operation is built, once.
The operations go by the frontend's names: `conv_fprop` takes an image and a filter, `conv_dgrad`
the gradient of a result and a filter, `conv_wgrad` an image and the gradient of a result.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from labtorch.backend.arrays import Array, namespace

# read and set as labtorch.backends.cudnn.enabled, ...
switches = SimpleNamespace(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
TYPES = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


@functools.cache
def frontend() -> ModuleType | None:
    """The module `cudnn`; None where it, its library or a GPU that it works on is not there."""
    try:
        import cudnn

        cudnn.destroy_handle(cudnn.create_handle())
    except Exception:  # not installed, no library, no driver: all mean "no"
        return None
    return cudnn


class Job(NamedTuple):
    """All that a graph is built for."""

    operation: str
    first: Sizes
    second: Sizes
    result: Sizes
    stride: Sizes
    pads: Pads
    dilation: Sizes
    dtype: str
    device: int
    deterministic: bool
    allow_tf32: bool
    benchmark: bool


class Plan(NamedTuple):
    """A graph that is built, its three tensors, and which of its plans is taken."""

    graph: Any
    tensors: tuple[Any, Any, Any]
    choice: list[int]  # empty until it is known which plan is the fastest


def run(
    operation: str,
    first: Array,
    second: Array,
    result: Sequence[int],
    stride: Sizes,
    pads: Pads,
    dilation: Sizes,
) -> Array | None:
    """The result, of shape `result`; None where cuDNN does not compute it."""
    shape = tuple(result)
    if len(shape) == 3:  # cuDNN's images have a height
        first, second, shape = first[:, :, None], second[:, :, None], (*shape[:2], 1, shape[2])
        made = run(operation, first, second, shape, (1, *stride), ((0, 0), *pads), (1, *dilation))
        return None if made is None else made[:, :, 0]
    fits = first.dtype == second.dtype and first.dtype.name in TYPES and first.size and second.size
    if not (switches.enabled and fits and 0 not in shape) or min(map(min, pads)) < 0:
        return None
    if frontend() is None:
        return None
    job = Job(
        operation,
        first.shape,
        second.shape,
        shape,
        stride,
        pads,
        dilation,
        first.dtype.name,
        first.device.id,
        switches.deterministic,
        switches.allow_tf32,
        switches.benchmark,
    )
    lib = namespace(first)
    with first.device:
        plan = planned(job)
        if plan is None:
            return None
        arrays = lib.ascontiguousarray(first), lib.ascontiguousarray(second)
        out = lib.empty(shape, first.dtype)
        pointers = dict(zip(plan.tensors, (x.data.ptr for x in (*arrays, out))))
        if not plan.choice:
            plan.choice.append(_fastest(lib, plan.graph, pointers))
        _execute(lib, plan.graph, pointers, plan.choice[0])
    return out


@functools.lru_cache(maxsize=1024)
def planned(job: Job) -> Plan | None:
    """The graph, built; None where cuDNN has no kernel for it."""
    cudnn = frontend()
    assert cudnn is not None
    try:
        graph, tensors = described(cudnn, job, handle())
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        graph.deselect_numeric_notes(_refused(cudnn, job))
        graph.check_support()
        policy = cudnn.build_plan_policy
        graph.build_plans(policy.ALL if job.benchmark else policy.HEURISTICS_CHOICE)
    except cudnn.cudnnGraphNotSupportedError:
        return None
    except Exception as error:  # a frontend that has changed is no reason not to compute
        warnings.warn(f"cuDNN cannot be used for {job.operation}: {error}", stacklevel=2)
        return None
    return Plan(graph, tensors, [] if job.benchmark else [-1])


def described(cudnn: ModuleType, job: Job, handle: Any) -> tuple[Any, tuple[Any, Any, Any]]:
    """The graph of a job and its tensors: the two that it takes and the one that it makes."""
    kind = getattr(cudnn.data_type, TYPES[job.dtype])
    exact = kind if job.dtype == "float64" else cudnn.data_type.FLOAT
    graph = cudnn.pygraph(
        io_data_type=kind, intermediate_data_type=exact, compute_data_type=exact, handle=handle
    )
    first, second = (
        graph.tensor(dim=list(shape), stride=_strides(shape), data_type=kind)
        for shape in (job.first, job.second)
    )
    before, after = zip(*job.pads)
    result = getattr(graph, job.operation)(
        first,
        second,
        pre_padding=list(before),
        post_padding=list(after),
        stride=list(job.stride),
        dilation=list(job.dilation),
    )
    result.set_output(True).set_data_type(kind)
    result.set_dim(list(job.result)).set_stride(_strides(job.result))
    return graph, (first, second, result)


def _strides(shape: Sizes) -> list[int]:
    strides = [1]
    for n in reversed(shape[1:]):
        strides.insert(0, strides[0] * n)
    return strides


def _refused(cudnn: ModuleType, job: Job) -> list[Any]:
    """What kernels must not be: PyTorch leaves out the same ones."""
    notes = []
    if job.deterministic:
        notes.append(cudnn.numerical_note.NONDETERMINISTIC)
    if job.dtype == "float32":
        notes.append(cudnn.numerical_note.DOWN_CONVERT_INPUTS)
        if not job.allow_tf32:
            notes.append(cudnn.numerical_note.TENSOR_CORE)
    return notes


_handles = threading.local()


def handle() -> Any:
    """Of this thread and the current device, on the current stream."""
    from cupy import cuda

    cudnn, device = frontend(), cuda.Device().id
    assert cudnn is not None
    mine = _handles.__dict__
    if device not in mine:
        mine[device] = cudnn.create_handle()
    cudnn.set_stream(handle=mine[device], stream=cuda.get_current_stream().ptr)
    return mine[device]


def _execute(lib: ModuleType, graph: Any, pointers: dict[Any, int], choice: int) -> None:
    """By the plan of that number, or by the one that cuDNN takes for the best: -1."""
    if choice < 0:
        workspace = lib.empty(max(1, graph.get_workspace_size()), "uint8")
        graph.execute(pointers, workspace.data.ptr, handle=handle())
        return
    size = graph.get_workspace_size_plan_at_index(choice)
    workspace = lib.empty(max(1, size), "uint8")
    graph.execute_plan_at_index(pointers, workspace.data.ptr, choice, handle=handle())


def _fastest(lib: ModuleType, graph: Any, pointers: dict[Any, int]) -> int:
    """The plan that took the least time when each was run twice; -1 where none could be."""
    times: dict[int, float] = {}
    for choice in range(graph.get_execution_plan_count()):
        start, end = lib.cuda.Event(), lib.cuda.Event()
        try:
            _execute(lib, graph, pointers, choice)
            start.record()
            _execute(lib, graph, pointers, choice)
        except Exception:  # this one was not built: there are others
            continue
        end.record()
        end.synchronize()
        times[choice] = lib.cuda.get_elapsed_time(start, end)
    return min(times, key=times.__getitem__, default=-1)
