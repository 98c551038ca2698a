"""The names of `labtorch.data` under PyTorch's path."""

from labtorch.data import *  # noqa: F403 - every public name, and only those
from labtorch.data import __all__ as __all__
