"""Saving and loading: PyTorch's own files, read without running the code in them."""

from labtorch.io.load import add_safe_globals, load
from labtorch.io.save import save

__all__ = ["add_safe_globals", "load", "save"]
