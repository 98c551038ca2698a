"""What is `fused` becomes one kernel. CuPy's tracer needs CuPy, but no GPU."""

from __future__ import annotations

import gc
import sys
import types
import warnings
from typing import Any

import numpy as np
import pytest

import labtorch as torch
from labtorch.backend import fused
from tests.gpu import standin as stand_in
from tests.gpu.test_optimizers import RULES, start, take


def fused_functions() -> set:
    """All of labtorch's: what each wrapper in memory wraps."""
    wrapper = fused.fused(lambda x: x).__code__
    found = [x for x in gc.get_objects() if type(x) is types.FunctionType]
    found = [x for x in found if x.__code__ is wrapper and x.__module__.startswith("labtorch.")]
    return {x.__wrapped__ for x in found}


def use_all(device: str) -> None:
    """Take steps with every optimiser, and draw numbers."""
    for rule, options in RULES:
        parameters, optimizer = start(rule, options, device)
        take(optimizer, parameters, 7)
    for dtype in (torch.float32, torch.float64):
        torch.rand(5, device=device, dtype=dtype), torch.randn(5, device=device, dtype=dtype)


def array(cupy: Any, dtype: np.dtype, ndim: int) -> Any:
    """An array of CuPy's on a machine without a GPU: nothing may look at its elements."""
    host = np.ones((2,) * ndim, dtype)
    memory = cupy.cuda.UnownedMemory(host.ctypes.data, host.nbytes, host, 0)
    return cupy.ndarray(host.shape, dtype, cupy.cuda.MemoryPointer(memory, 0))


def traced(function: Any, kinds: tuple) -> str:
    """The kernel that CuPy writes for the function, as `cupy.fuse` would before it compiles it."""
    import cupy
    from cupy._core import fusion

    args = [
        None if kind is type(None) else array(cupy, *kind) if isinstance(kind, tuple) else kind(1)
        for kind in kinds
    ]
    local, history = fusion._thread_local, fusion._FusionHistory()
    local.history, local.is_old_fusing = history, True
    try:
        kernel, _ = history.get_fusion(function, args, "k")
    finally:
        local.history, local.is_old_fusing = None, False
    return kernel.operation


@pytest.fixture
def kernels(standin) -> set:
    """The fused functions that are used, with the kinds of their arguments."""
    stand_in.kernels.clear()
    use_all("cuda")
    return set(stand_in.kernels)


def test_every_fused_function_is_used_here(kernels):
    assert {function for function, _ in kernels} == fused_functions()


def test_cupy_can_trace_each(kernels, monkeypatch):
    with monkeypatch.context() as without:
        for name in ("cupy", "cupyx", "cupy.cuda"):
            without.delitem(sys.modules, name)
        pytest.importorskip("cupy", reason="needs CuPy, but no GPU")
        for function, kinds in kernels:
            operation = traced(function, kinds)
            assert "operations" in operation and "float16" not in operation, function


@pytest.mark.gpu
def test_none_runs_unfused_on_a_gpu():
    with warnings.catch_warnings(action="error"):
        use_all("cuda")
