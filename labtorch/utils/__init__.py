"""PyTorch's import paths: `labtorch.utils.data` is `labtorch.data`; also checkpointing."""

from labtorch.utils import checkpoint, data
from labtorch.utils.as_torch import as_torch

__all__ = ["as_torch", "checkpoint", "data"]
