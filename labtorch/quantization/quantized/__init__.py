"""Modules that compute on integers: `torch.ao.nn.quantized`, and their fused forms."""

from labtorch.nn.pooling import MaxPool2d
from labtorch.quantization.quantized.conv import Conv1d, Conv2d, Conv3d
from labtorch.quantization.quantized.embedding import Embedding, EmbeddingBag
from labtorch.quantization.quantized.ends import DeQuantize, Quantize
from labtorch.quantization.quantized.functional_modules import (
    FloatFunctional,
    FXFloatFunctional,
    QFunctional,
)
from labtorch.quantization.quantized.fused import ConvReLU1d, ConvReLU2d, ConvReLU3d, LinearReLU
from labtorch.quantization.quantized.linear import Linear
from labtorch.quantization.quantized.rounded import (
    ELU,
    BatchNorm2d,
    BatchNorm3d,
    BNReLU2d,
    BNReLU3d,
    Dropout,
    GroupNorm,
    Hardswish,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LeakyReLU,
    ReLU6,
    Sigmoid,
    Softmax,
)
