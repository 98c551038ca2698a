"""Names only: the modules of `labtorch.quantization` by PyTorch's paths."""

from labtorch.ao.nn import intrinsic, qat, quantized
