"""Convolutions by cuDNN: what its frontend is asked, and what happens where it cannot.

Where there is no GPU, a stand-in for the frontend computes what it is asked with NumPy. That tells
whether shapes, strides, padding and the order of the arguments are right, not whether cuDNN is.
"""

from __future__ import annotations

import ctypes
import enum
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import labtorch as torch
from labtorch.backend.cuda import cudnn
from labtorch.nn import functional as F
from labtorch.ops import conv
from tests.gpu import standin as stand_in
from tests.oracle import randn


class NotSupported(Exception):
    """The frontend's word for a graph that no kernel computes."""


class FakeTensor:
    def __init__(self, dim, stride, data_type):
        self.dim, self.stride, self.data_type, self.output = dim, stride, data_type, False

    def set_output(self, yes):
        self.output = yes
        return self

    def set_data_type(self, kind):
        self.data_type = kind
        return self

    def set_dim(self, dim):
        self.dim = dim
        return self

    def set_stride(self, stride):
        self.stride = stride
        return self

    def at(self, pointer):
        """The memory at a pointer, as this tensor describes it."""
        kind = np.dtype({"HALF": "f2", "FLOAT": "f4", "DOUBLE": "f8"}[self.data_type])
        block = (ctypes.c_char * (math.prod(self.dim) * kind.itemsize)).from_address(pointer)
        flat = np.frombuffer(block, kind)
        strides = [n * kind.itemsize for n in self.stride]
        return np.lib.stride_tricks.as_strided(flat, self.dim, strides)


class FakeGraph:
    def __init__(self, frontend, **options):
        self.frontend, self.options, self.asked, self.plan = frontend, options, [], None
        frontend.graphs.append(self)

    def tensor(self, *, dim, stride, data_type):
        return FakeTensor(dim, stride, data_type)

    def _operation(self, name, first, second, **placing):
        assert not self.asked
        out = FakeTensor(None, None, None)
        self.asked = [name, first, second, out, placing]
        return out

    def conv_fprop(self, image, weight, **placing):
        return self._operation("fprop", image, weight, **placing)

    def conv_dgrad(self, loss, filter, **placing):
        return self._operation("dgrad", loss, filter, **placing)

    def conv_wgrad(self, image, loss, **placing):
        return self._operation("wgrad", image, loss, **placing)

    def validate(self):
        self.steps = ["validate"]

    def build_operation_graph(self):
        self.steps.append("lower")

    def create_execution_plans(self, modes):
        self.steps.append("plan")

    def deselect_numeric_notes(self, notes):
        self.steps.append("filter")
        self.refused = set(notes)

    def check_support(self):
        if self.frontend.refuses:
            raise self.frontend.refuses

    def build_plans(self, policy):
        self.steps.append("build")
        self.policy = policy

    def get_workspace_size(self):
        return 10

    def get_workspace_size_plan_at_index(self, index):
        return 10

    def get_execution_plan_count(self):
        return 3

    def execute_plan_at_index(self, pointers, workspace, index, handle):
        if index == 1:
            raise RuntimeError("this plan was not built")
        self.execute(pointers, workspace, handle)
        self.plan = index

    def execute(self, pointers, workspace, handle):
        assert handle in self.frontend.handles and workspace
        assert self.steps == ["validate", "lower", "plan", "filter", "build"]
        name, first, second, out, placing = self.asked
        assert set(pointers) == {first, second, out} and out.output
        a, b, result = (t.at(pointers[t]) for t in (first, second, out))
        pads = tuple(zip(placing["pre_padding"], placing["post_padding"]))
        where = tuple(placing["stride"]), pads, tuple(placing["dilation"])
        if name == "fprop":
            made = conv.convolve.forward(a, b, *where, a.shape[1] // b.shape[1])
        elif name == "dgrad":
            groups = result.shape[1] // b.shape[1]
            made = conv.spread.forward(a, b, result.shape[2:], *where, groups)
        else:
            groups = a.shape[1] // result.shape[1]
            made = conv.correlate.forward(a, b, result.shape[2:], *where, groups)
        result[...] = made
        self.frontend.executed += 1


class FakeFrontend:
    """The names of `cudnn` that are used."""

    data_type = SimpleNamespace(HALF="HALF", FLOAT="FLOAT", DOUBLE="DOUBLE")
    heur_mode = SimpleNamespace(A="A", FALLBACK="FALLBACK")
    build_plan_policy = SimpleNamespace(ALL="ALL", HEURISTICS_CHOICE="HEURISTICS_CHOICE")
    numerical_note = enum.Enum(
        "numerical_note", ["NONDETERMINISTIC", "DOWN_CONVERT_INPUTS", "TENSOR_CORE"]
    )
    cudnnGraphNotSupportedError = NotSupported

    def __init__(self):
        self.graphs: list[FakeGraph] = []
        self.handles: list[Any] = []
        self.executed, self.refuses = 0, None

    def pygraph(self, **options):
        return FakeGraph(self, **options)

    def create_handle(self):
        self.handles.append(object())
        return self.handles[-1]

    def set_stream(self, *, handle, stream):
        assert handle in self.handles

    def backend_version(self):
        return 91400


@pytest.fixture
def fake(standin, monkeypatch):
    made = FakeFrontend()
    monkeypatch.setattr(cudnn, "frontend", lambda: made)
    monkeypatch.setattr(cudnn, "_handles", SimpleNamespace())
    cudnn.planned.cache_clear()
    yield made
    cudnn.planned.cache_clear()


CASES = [
    (F.conv1d, (2, 4, 9), (6, 2, 3), {"stride": 2, "padding": 1, "groups": 2}),
    (F.conv2d, (2, 3, 8, 9), (4, 3, 3, 2), {"stride": (2, 1), "padding": (1, 0), "dilation": 2}),
    (F.conv2d, (2, 3, 7, 8), (4, 3, 4, 2), {"padding": "same"}),
    (F.conv2d, (6, 6, 7), (6, 1, 3, 3), {"groups": 6}),
    (F.conv3d, (1, 2, 4, 5, 6), (3, 2, 2, 3, 2), {"stride": 2, "padding": 1}),
    (F.conv_transpose2d, (2, 4, 3, 4), (4, 3, 3, 3), {"stride": 2, "padding": 1}),
    (F.conv_transpose1d, (2, 4, 5), (4, 1, 3), {"stride": 2, "groups": 2, "dilation": 2}),
]


def results(device, function, x, w, options, dtype="float32"):
    """The output and the gradients of both inputs, on the host."""
    x, w = (
        torch.from_numpy(randn(*shape, seed=i).astype(dtype)).to(device).requires_grad_()
        for i, shape in enumerate((x, w))
    )
    y = function(x, w, **options)
    (y * y).sum().backward()
    return [each.detach().cpu().numpy() for each in (y, x.grad, w.grad)]


def same(case, device, dtype="float32", rtol=1e-4):
    for mine, theirs in zip(results(device, *case, dtype), results("cpu", *case, dtype)):
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol, rtol * abs(theirs).max())


@pytest.mark.parametrize("case", CASES)
def test_cudnn_is_asked_for_the_convolution_and_both_gradients(fake, case):
    same(case, "cuda")
    assert fake.executed == 3 and len(fake.graphs) == 3
    assert {graph.asked[0] for graph in fake.graphs} == {"fprop", "dgrad", "wgrad"}
    same(case, "cuda")
    assert fake.executed == 6 and len(fake.graphs) == 3  # a graph is built once


def test_nothing_is_copied_to_the_host(fake):
    x, w = torch.randn(2, 3, 8, 8, device="cuda"), torch.randn(4, 3, 3, 3, device="cuda")
    stand_in.crossings.clear()
    F.conv2d(x, w.requires_grad_()).sum().backward()
    assert fake.executed and not stand_in.crossings


@pytest.mark.parametrize(
    ("dtype", "compute", "refused"),
    [
        ("float16", "FLOAT", {"NONDETERMINISTIC"}),
        ("float32", "FLOAT", {"NONDETERMINISTIC", "DOWN_CONVERT_INPUTS", "TENSOR_CORE"}),
        ("float64", "DOUBLE", {"NONDETERMINISTIC"}),
    ],
)
def test_what_is_computed_in_which_type(fake, dtype, compute, refused):
    same(CASES[1], "cuda", dtype, 1e-2 if dtype == "float16" else 1e-4)
    for graph in fake.graphs:
        assert graph.options["compute_data_type"] == compute
        assert {note.name for note in graph.refused} == refused
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=True, deterministic=False):
        results("cuda", *CASES[1], dtype)
    notes = {note.name for note in fake.graphs[-1].refused}
    assert notes == refused - {"NONDETERMINISTIC", "TENSOR_CORE"}


def test_switched_off_it_is_not_asked(fake):
    torch.backends.cudnn.enabled = False
    try:
        same(CASES[1], "cuda")
    finally:
        torch.backends.cudnn.enabled = True
    assert not fake.graphs


@pytest.mark.parametrize("case", CASES)
def test_what_it_has_no_kernel_for_is_computed_all_the_same(fake, case):
    fake.refuses = NotSupported("no engine")
    same(case, "cuda")
    built = len(fake.graphs)
    same(case, "cuda")
    assert not fake.executed and len(fake.graphs) == built == 3  # it is asked once


def test_a_frontend_that_fails_is_named_in_a_warning(fake):
    fake.refuses = TypeError("an argument has another name now")
    with pytest.warns(UserWarning, match="another name"):
        same(CASES[1], "cuda")
    assert not fake.executed


def test_the_fastest_plan_is_looked_for_where_benchmark_says_so(fake, monkeypatch):
    times = iter([3.0, 1.0])  # of the plans 0 and 2; number 1 was not built
    monkeypatch.setattr(
        stand_in.module.cuda, "get_elapsed_time", lambda a, b: next(times), raising=False
    )
    x, w = torch.randn(2, 3, 8, 8, device="cuda"), torch.randn(4, 3, 3, 3, device="cuda")
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        for _ in range(2):
            F.conv2d(x, w)
    (graph,) = fake.graphs
    assert graph.policy == "ALL" and graph.plan == 2


def test_the_names_tell_what_is_there(fake, monkeypatch):
    assert torch.backends.cudnn.is_available() and torch.backends.cudnn.version() == 91400
    monkeypatch.setattr(cudnn, "frontend", lambda: None)
    assert not torch.backends.cudnn.is_available() and torch.backends.cudnn.version() is None


def test_integers_and_empty_batches_are_not_for_cudnn(fake):
    x, w = torch.randn(0, 3, 8, 8, device="cuda"), torch.randn(4, 3, 3, 3, device="cuda")
    assert F.conv2d(x, w).shape == (0, 4, 6, 6)
    F.conv2d(torch.ones(1, 3, 8, 8, dtype=torch.int64, device="cuda"), w.long())
    assert not fake.graphs


@pytest.mark.parametrize("case", CASES)
def test_the_frontend_itself_infers_the_same_shapes(standin, case):
    """The real frontend takes a graph of ours apart without a GPU, up to where it is built."""
    real = pytest.importorskip("cudnn", reason="needs nvidia-cudnn-frontend, but no GPU")
    infer = pytest.importorskip("cudnn._pygraph")._conv_fprop_dims
    fake = FakeFrontend()
    function, x, w, options = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cudnn, "frontend", lambda: fake)
        patch.setattr(cudnn, "_handles", SimpleNamespace())
        jobs: list[cudnn.Job] = []
        patch.setattr(cudnn, "planned", lambda job: jobs.append(job))
        results("cuda", function, x, w, options)
    for job in jobs:
        graph, (first, second, result) = cudnn.described(real, job, None)
        (node,) = graph.nodes
        assert node.params["stride"] == list(job.stride)
        assert result.get_dim() == list(job.result)
        if job.operation == "conv_fprop":
            assert infer(node) == list(job.result)
            assert [t.get_dim() for t in (node.inputs["image"], node.inputs["weight"])] == [
                list(job.first),
                list(job.second),
            ]
    assert {job.operation for job in jobs} == {"conv_fprop", "conv_dgrad", "conv_wgrad"}


@pytest.mark.gpu
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("case", CASES)
def test_on_a_gpu_convolutions_are_the_cpus(case, dtype, enabled):
    with torch.backends.cudnn.flags(enabled=enabled, deterministic=True, allow_tf32=False):
        same(case, "cuda", dtype, {"float64": 1e-9, "float32": 1e-3, "float16": 2e-2}[dtype])
