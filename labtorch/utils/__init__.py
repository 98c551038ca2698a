"""PyTorch's import paths: `labtorch.utils.data` is `labtorch.data`."""

from labtorch.utils import data

__all__ = ["data"]
