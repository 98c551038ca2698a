"""PyTorch's import path of `Module` and of the hooks on all modules."""

from labtorch.nn.modules import module

__all__ = ["module"]
