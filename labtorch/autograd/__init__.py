"""Gradients on demand, the grad modes, and checks of gradients by finite differences."""

from labtorch.autograd import forward_ad, function, functional, graph
from labtorch.autograd.function import Function
from labtorch.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from labtorch.autograd.gradients import backward, grad
from labtorch.engine.modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
    set_multithreading_enabled,
)
from labtorch.tensor.tensor import Tensor as Variable

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]
