"""Linear algebra, under PyTorch's path."""

from labtorch.engine.public import names as _names
from labtorch.ops.matrices import LinAlgError as LinAlgError

globals().update(_names("linalg"))
