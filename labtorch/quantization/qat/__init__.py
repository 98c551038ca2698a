"""Float modules that train with their grids in sight: `torch.ao.nn.qat`, and their fused forms."""

from labtorch.quantization.qat.batchnorm import (
    ConvBn1d,
    ConvBn2d,
    ConvBn3d,
    ConvBnReLU1d,
    ConvBnReLU2d,
    ConvBnReLU3d,
    LinearBn1d,
    freeze_bn_stats,
    update_bn_stats,
)
from labtorch.quantization.qat.layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvReLU1d,
    ConvReLU2d,
    ConvReLU3d,
    Embedding,
    Linear,
    LinearReLU,
)
