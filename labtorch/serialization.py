"""The names of `labtorch.io` under PyTorch's path."""

from labtorch.io import add_safe_globals, load, save

__all__ = ["add_safe_globals", "load", "save"]
