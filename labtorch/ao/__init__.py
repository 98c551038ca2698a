"""Names only: `labtorch.quantization` under PyTorch's newer paths."""

from labtorch.ao import nn, quantization
