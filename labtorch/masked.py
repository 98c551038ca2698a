"""Functions that leave elements out, under PyTorch's path."""

from labtorch.engine.public import names as _names

globals().update(_names("masked"))
