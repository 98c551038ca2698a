"""The Tensor: an array with a gradient and a place in the graph, under PyTorch's API."""

from labtorch.tensor.tensor import Size, Tensor

__all__ = ["Size", "Tensor"]
