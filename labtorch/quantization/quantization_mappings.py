"""Which module takes the place of which: quantized, dynamically quantized, or for training."""

from __future__ import annotations

from typing import Any

from labtorch import nn
from labtorch.nn.linear import NonDynamicallyQuantizableLinear
from labtorch.quantization import dynamic, intrinsic, qat, quantized
from labtorch.quantization.fake_quantize import (
    default_fixed_qparams_range_0to1_fake_quant,
    default_fixed_qparams_range_neg1to1_fake_quant,
)
from labtorch.quantization.stubs import DeQuantStub, QuantStub

DEFAULT_STATIC_QUANT_MODULE_MAPPINGS: dict[type, Any] = {
    QuantStub: quantized.Quantize,
    DeQuantStub: quantized.DeQuantize,
    nn.BatchNorm2d: quantized.BatchNorm2d,
    nn.BatchNorm3d: quantized.BatchNorm3d,
    nn.Dropout: quantized.Dropout,
    nn.Conv1d: quantized.Conv1d,
    nn.Conv2d: quantized.Conv2d,
    nn.Conv3d: quantized.Conv3d,
    nn.ELU: quantized.ELU,
    nn.Embedding: quantized.Embedding,
    nn.EmbeddingBag: quantized.EmbeddingBag,
    nn.GroupNorm: quantized.GroupNorm,
    nn.Hardswish: quantized.Hardswish,
    nn.InstanceNorm1d: quantized.InstanceNorm1d,
    nn.InstanceNorm2d: quantized.InstanceNorm2d,
    nn.InstanceNorm3d: quantized.InstanceNorm3d,
    nn.LayerNorm: quantized.LayerNorm,
    nn.LeakyReLU: quantized.LeakyReLU,
    nn.Linear: quantized.Linear,
    NonDynamicallyQuantizableLinear: quantized.Linear,
    nn.ReLU6: quantized.ReLU6,
    quantized.FloatFunctional: quantized.QFunctional,
    intrinsic.BNReLU2d: quantized.BNReLU2d,
    intrinsic.BNReLU3d: quantized.BNReLU3d,
    intrinsic.ConvReLU1d: quantized.ConvReLU1d,
    intrinsic.ConvReLU2d: quantized.ConvReLU2d,
    intrinsic.ConvReLU3d: quantized.ConvReLU3d,
    intrinsic.LinearReLU: quantized.LinearReLU,
    qat.ConvBn1d: quantized.Conv1d,
    qat.ConvBn2d: quantized.Conv2d,
    qat.ConvBn3d: quantized.Conv3d,
    qat.ConvBnReLU1d: quantized.ConvReLU1d,
    qat.ConvBnReLU2d: quantized.ConvReLU2d,
    qat.ConvBnReLU3d: quantized.ConvReLU3d,
    qat.ConvReLU1d: quantized.ConvReLU1d,
    qat.ConvReLU2d: quantized.ConvReLU2d,
    qat.ConvReLU3d: quantized.ConvReLU3d,
    qat.LinearReLU: quantized.LinearReLU,
    qat.LinearBn1d: quantized.Linear,
    qat.Linear: quantized.Linear,
    qat.Conv1d: quantized.Conv1d,
    qat.Conv2d: quantized.Conv2d,
    qat.Conv3d: quantized.Conv3d,
}
DEFAULT_QAT_MODULE_MAPPINGS: dict[type, Any] = {
    nn.Conv1d: qat.Conv1d,
    nn.Conv2d: qat.Conv2d,
    nn.Conv3d: qat.Conv3d,
    nn.Linear: qat.Linear,
    NonDynamicallyQuantizableLinear: qat.Linear,
    intrinsic.ConvBn1d: qat.ConvBn1d,
    intrinsic.ConvBn2d: qat.ConvBn2d,
    intrinsic.ConvBn3d: qat.ConvBn3d,
    intrinsic.ConvBnReLU1d: qat.ConvBnReLU1d,
    intrinsic.ConvBnReLU2d: qat.ConvBnReLU2d,
    intrinsic.ConvBnReLU3d: qat.ConvBnReLU3d,
    intrinsic.ConvReLU1d: qat.ConvReLU1d,
    intrinsic.ConvReLU2d: qat.ConvReLU2d,
    intrinsic.ConvReLU3d: qat.ConvReLU3d,
    intrinsic.LinearReLU: qat.LinearReLU,
    intrinsic.LinearBn1d: qat.LinearBn1d,
}
DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS: dict[type, Any] = {
    nn.GRUCell: dynamic.GRUCell,
    nn.Linear: dynamic.Linear,
    NonDynamicallyQuantizableLinear: dynamic.Linear,
    nn.LSTM: dynamic.LSTM,
    nn.GRU: dynamic.GRU,
    nn.LSTMCell: dynamic.LSTMCell,
    nn.RNNCell: dynamic.RNNCell,
    intrinsic.LinearReLU: dynamic.LinearReLU,
    nn.EmbeddingBag: quantized.EmbeddingBag,
    nn.Embedding: quantized.Embedding,
}
DEFAULT_MODULE_TO_ACT_POST_PROCESS: dict[type, Any] = {
    nn.Hardsigmoid: default_fixed_qparams_range_0to1_fake_quant,
    nn.Sigmoid: default_fixed_qparams_range_0to1_fake_quant,
    nn.Softmax: default_fixed_qparams_range_0to1_fake_quant,
    nn.Tanh: default_fixed_qparams_range_neg1to1_fake_quant,
}


def get_default_static_quant_module_mappings() -> dict[type, Any]:
    """What `convert` makes of each type of module."""
    return dict(DEFAULT_STATIC_QUANT_MODULE_MAPPINGS)


def get_embedding_static_quant_module_mappings() -> dict[type, Any]:
    """The same, and what it makes of embeddings that were trained with fake quantizers."""
    return DEFAULT_STATIC_QUANT_MODULE_MAPPINGS | {qat.Embedding: quantized.Embedding}


def get_default_qat_module_mappings() -> dict[type, Any]:
    """What `prepare_qat` makes of each type of module."""
    return dict(DEFAULT_QAT_MODULE_MAPPINGS)


def get_embedding_qat_module_mappings() -> dict[type, Any]:
    """The same, and what it makes of embeddings."""
    return DEFAULT_QAT_MODULE_MAPPINGS | {nn.Embedding: qat.Embedding}


def get_default_dynamic_quant_module_mappings() -> dict[type, Any]:
    """What `quantize_dynamic` makes of each type of module."""
    return dict(DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS)


def get_default_qconfig_propagation_list() -> set[type]:
    """The types of modules that `prepare` gives observers."""
    return {
        *DEFAULT_STATIC_QUANT_MODULE_MAPPINGS,
        *DEFAULT_QAT_MODULE_MAPPINGS,
        *DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS,
        nn.Sequential,
    }


def _class_for(kind: type, known: dict[type, Any], more: dict[type, Any] | None) -> Any:
    found = (known | (more or {})).get(kind)
    if found is None:
        raise AssertionError(
            f"Floating point module class {kind} does not have a corresponding quantized module "
            "class"
        )
    return found


def get_static_quant_module_class(
    float_module_class: type, additional_static_quant_mapping: dict[type, Any] | None = None
) -> Any:
    """What `convert` makes of a type of module."""
    known = DEFAULT_STATIC_QUANT_MODULE_MAPPINGS
    return _class_for(float_module_class, known, additional_static_quant_mapping)


def get_dynamic_quant_module_class(
    float_module_class: type, additional_dynamic_quant_mapping: dict[type, Any] | None = None
) -> Any:
    """What `quantize_dynamic` makes of a type of module."""
    known = DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS
    return _class_for(float_module_class, known, additional_dynamic_quant_mapping)
