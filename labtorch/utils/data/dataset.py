"""The names of `labtorch.data` under PyTorch's path."""

from labtorch.data import *  # noqa: F403 - every public name, and only those
