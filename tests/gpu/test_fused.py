"""What is `fused` becomes one kernel. CuPy's tracer needs CuPy, but no GPU."""

from __future__ import annotations

import copy
import gc
import sys
import types
import warnings
from typing import Any

import numpy as np
import pytest

import labtorch as torch
import labtorch.nn.functional as F
from labtorch import nn
from labtorch.backend import fused
from tests.gpu import standin as stand_in
from tests.gpu.test_optimizers import RULES, start, take


def fused_functions() -> set:
    """All of labtorch's: what each wrapper in memory wraps."""
    made = fused.fused(lambda x: x).__code__.co_filename
    found = [x for x in gc.get_objects() if type(x) is types.FunctionType]
    found = [x for x in found if x.__code__.co_filename == made and hasattr(x, "__wrapped__")]
    found = [x for x in found if x.__module__.startswith("labtorch.")]
    return {x.__wrapped__ for x in found}


def use_all(device: str) -> None:
    """Take steps with every optimiser, and draw numbers."""
    for rule, options in RULES:
        parameters, optimizer = start(rule, options, device)
        take(optimizer, parameters, 7)
    for dtype in (torch.float32, torch.float64):
        torch.rand(5, device=device, dtype=dtype), torch.randn(5, device=device, dtype=dtype)


def some(*shape: int) -> Any:
    return torch.tensor(0.1 + 0.8 * np.random.default_rng(0).random(shape))


NORMS = (nn.LayerNorm(3), nn.RMSNorm(3), nn.BatchNorm1d(3), nn.GroupNorm(1, 3))
PLAIN_NORMS = (
    nn.LayerNorm(3, elementwise_affine=False),
    nn.RMSNorm(3, elementwise_affine=False),
    nn.BatchNorm1d(3, affine=False, track_running_stats=False),
    nn.GroupNorm(1, 3, affine=False),
)
SEEN = np.array([[True, False], [True, True]])
OPS = {
    **{
        name: getattr(F, name)
        for name in (
            "relu sigmoid tanh silu gelu softplus mish elu selu celu hardswish hardsigmoid "
            "leaky_relu hardtanh softsign logsigmoid dropout"
        ).split()
    },
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "threshold": lambda x: F.threshold(x, 0.5, 2.0),
    "prelu": lambda x: F.prelu(x, torch.ones(1, dtype=x.dtype, device=x.device)),
    "erf": torch.erf,
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "mse": lambda x, y: F.mse_loss(x, y),
    "l1": lambda x, y: F.l1_loss(x, y),
    "smooth l1": lambda x, y: F.smooth_l1_loss(x, y),
    "huber": lambda x, y: F.huber_loss(x, y),
    "bce": lambda x, y: F.binary_cross_entropy(x, y),
    "bce of logits": lambda x, y: F.binary_cross_entropy_with_logits(x, y),
    "weighted bce": lambda x, y: F.binary_cross_entropy_with_logits(x, y, x, pos_weight=y),
    "kl_div": lambda x, y: F.kl_div(x, y, reduction="sum"),
    "kl_div of logarithms": lambda x, y: F.kl_div(x, y, reduction="sum", log_target=True),
    "cross_entropy": lambda x: F.cross_entropy(x, torch.tensor([0, 2], device=x.device)),
    "attention with dropout": lambda x, y: F.scaled_dot_product_attention(x, y, x, dropout_p=0.1),
    "masked attention": lambda x, y: F.scaled_dot_product_attention(
        x, y, y, torch.tensor(SEEN, device=x.device)
    ),
    **{type(norm).__name__: norm for norm in NORMS},
    **{f"{type(norm).__name__} without weights": norm for norm in PLAIN_NORMS},
    "LSTM": nn.LSTM(3, 4, num_layers=2),
    "LSTM with projections": nn.LSTM(3, 4, proj_size=2),
    "GRU": nn.GRU(3, 4),
    "RNN": nn.RNN(3, 4),
    "RNN with ReLU": nn.RNN(3, 4, nonlinearity="relu"),
}


BY_CHANCE = {"dropout", "attention with dropout"}


def results(name: str, device: str, dtype: Any) -> list:
    """The values of an op, and the gradients of its inputs and parameters."""
    op = OPS[name]
    inputs = [some(2, 3), some(2, 3) + 0.05][: op.__code__.co_argcount if is_lambda(op) else 1]
    if name == "threshold":
        inputs = [some(2, 3) - 0.02]
    if isinstance(op, nn.Module):
        torch.manual_seed(0)
        op = copy.deepcopy(op).to(device, dtype)
    parameters = list(op.parameters()) if isinstance(op, nn.Module) else []
    inputs = [x.to(device, dtype).requires_grad_() for x in inputs]
    torch.manual_seed(0)
    y = op(*inputs)
    y = y[0] if isinstance(y, tuple) else y
    (y * y).sum().backward()
    return [y, *(x.grad for x in (*inputs, *parameters))]


def is_lambda(op: Any) -> bool:
    return getattr(op, "__name__", "") == "<lambda>"


def use_ops(device: str) -> None:
    """Every op that is fused, and the rules, for every dtype."""
    for name in OPS:
        for dtype in (torch.float32, torch.float64, torch.float16):
            results(name, device, dtype)
    w = torch.ones(3, device=device, requires_grad=True)
    w.sum().backward()
    nn.utils.clip_grad_norm_([w], 0.1)


def array(cupy: Any, dtype: np.dtype, ndim: int) -> Any:
    """An array of CuPy's on a machine without a GPU: nothing may look at its elements."""
    host = np.ones((2,) * ndim, dtype)
    memory = cupy.cuda.UnownedMemory(host.ctypes.data, host.nbytes, host, 0)
    return cupy.ndarray(host.shape, dtype, cupy.cuda.MemoryPointer(memory, 0))


def traced(function: Any, kinds: tuple) -> Any:
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
    return kernel


@pytest.fixture
def kernels(standin) -> dict:
    """The fused functions that are used, with the kinds of their arguments and results."""
    stand_in.kernels.clear()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*unfused")
        use_all("cuda")
        use_ops("cuda")
    return dict(stand_in.kernels)


def test_every_fused_function_is_used_here(kernels):
    assert {function for function, _ in kernels} == fused_functions()


def test_cupy_can_trace_each(kernels, monkeypatch):
    with monkeypatch.context() as without:
        for name in ("cupy", "cupyx", "cupy.cuda"):
            without.delitem(sys.modules, name)
        pytest.importorskip("cupy", reason="needs CuPy, but no GPU")
        for (function, kinds), dtypes in kernels.items():
            where = f"{function.__module__}, line {function.__code__.co_firstlineno}: {kinds}"
            kernel = traced(function, kinds)
            assert "operations" in kernel.operation, where
            assert [each.dtype for each in kernel.out_params] == list(dtypes), where
            if not any("float16" in str(each) for each in kinds):
                assert "float16" not in kernel.operation, where


@pytest.mark.gpu
def test_none_runs_unfused_on_a_gpu():
    with warnings.catch_warnings(action="error"):
        use_all("cuda")
        use_ops("cuda")


@pytest.mark.parametrize("name", [x for x in OPS if x not in BY_CHANCE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_values_and_gradients_are_the_cpus(gpu, name, dtype):
    places = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 1e-2}[dtype]
    for here, there in zip(results(name, "cpu", dtype), results(name, gpu, dtype)):
        assert here.dtype == there.dtype == dtype
        np.testing.assert_allclose(
            there.detach().cpu().numpy(), here.detach().numpy(), places, places
        )
