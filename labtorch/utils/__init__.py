"""PyTorch's import paths: `labtorch.utils.data` is `labtorch.data`; also checkpointing."""

from labtorch.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
