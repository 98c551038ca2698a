"""Names only: see `labtorch.quantization.qat`."""

from labtorch.quantization.qat import Conv1d, Conv2d, Conv3d, Embedding, Linear

__all__ = ["Conv1d", "Conv2d", "Conv3d", "Embedding", "Linear"]
