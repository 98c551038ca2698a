"""Gradients on demand, the grad modes, and checks of gradients by finite differences."""

from labtorch.autograd import function
from labtorch.autograd.function import Function
from labtorch.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from labtorch.autograd.gradients import backward, grad
from labtorch.engine.modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "GradcheckError",
    "backward",
    "enable_grad",
    "function",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]
