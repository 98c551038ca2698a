"""Saving and loading: safetensors and PyTorch's own files, read without running what is in them."""

from labtorch.io.load import get_unsafe_globals_in_checkpoint, load
from labtorch.io.save import save
from labtorch.io.unpickler import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "safe_globals",
    "save",
]
