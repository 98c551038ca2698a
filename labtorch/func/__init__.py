"""Functions of functions: gradients, Jacobians, batches; modules as functions of parameters."""

from labtorch.func.batching import vmap
from labtorch.func.modules import functional_call, stack_module_state
from labtorch.func.transforms import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
)

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]
