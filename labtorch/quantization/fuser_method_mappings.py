"""Which layers in a row are made one, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.nn.activation import ReLU
from labtorch.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from labtorch.nn.conv import Conv1d, Conv2d, Conv3d
from labtorch.nn.linear import Linear
from labtorch.nn.module import Module
from labtorch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from labtorch.quantization import intrinsic

WITH_NORM = {
    Conv1d: intrinsic.ConvBn1d,
    Conv2d: intrinsic.ConvBn2d,
    Conv3d: intrinsic.ConvBn3d,
    Linear: intrinsic.LinearBn1d,
}
WITH_NORM_AND_RELU = {
    Conv1d: intrinsic.ConvBnReLU1d,
    Conv2d: intrinsic.ConvBnReLU2d,
    Conv3d: intrinsic.ConvBnReLU3d,
}
WITH_RELU = {
    Conv1d: intrinsic.ConvReLU1d,
    Conv2d: intrinsic.ConvReLU2d,
    Conv3d: intrinsic.ConvReLU3d,
    Linear: intrinsic.LinearReLU,
    BatchNorm2d: intrinsic.BNReLU2d,
    BatchNorm3d: intrinsic.BNReLU3d,
}


def _check(is_qat: bool, layer: Any, bn: Any, *rest: Module) -> None:
    """Can the norm be folded: is it of the layer's size, and both in one mode?"""
    if len({each.training for each in (layer, bn, *rest)}) > 1:
        raise AssertionError(
            f"{type(layer).__name__} and {type(bn).__name__} both must be in the same mode (train "
            "or eval): call model.eval(), or model.train() for training with fake quantizers"
        )
    count = layer.out_features if isinstance(layer, Linear) else layer.out_channels
    if bn.num_features != count:
        raise AssertionError(
            f"Output channel of {type(layer).__name__} must match num_features of "
            f"{type(bn).__name__}, but they are {count} and {bn.num_features}"
        )
    if is_qat and not (bn.affine and bn.track_running_stats):
        raise AssertionError(
            f"Only support fusing {type(bn).__name__} with affine and track_running_stats set to "
            "True"
        )


def fuse_conv_bn(is_qat: bool, conv: Any, bn: Any) -> Module:
    """For training, the two as one module; else a convolution that does the norm's work, too."""
    _check(is_qat, conv, bn)
    return WITH_NORM[type(conv)](conv, bn) if is_qat else fuse_conv_bn_eval(conv, bn)


def fuse_conv_bn_relu(is_qat: bool, conv: Any, bn: Any, relu: Any) -> Module:
    """As `fuse_conv_bn`, with a ReLU after it."""
    _check(is_qat, conv, bn, relu)
    if is_qat:
        return WITH_NORM_AND_RELU[type(conv)](conv, bn, relu)
    return WITH_RELU[type(conv)](fuse_conv_bn_eval(conv, bn), relu)


def fuse_linear_bn(is_qat: bool, linear: Any, bn: Any) -> Module:
    """As `fuse_conv_bn`, of a linear layer."""
    _check(is_qat, linear, bn)
    return intrinsic.LinearBn1d(linear, bn) if is_qat else fuse_linear_bn_eval(linear, bn)


def _with_relu(is_qat: bool, layer: Any, relu: Any) -> Module:
    return WITH_RELU[type(layer)](layer, relu)


FUSERS: dict[tuple, Callable] = {
    (Conv1d, BatchNorm1d): fuse_conv_bn,
    (Conv1d, BatchNorm1d, ReLU): fuse_conv_bn_relu,
    (Conv2d, BatchNorm2d): fuse_conv_bn,
    (Conv2d, BatchNorm2d, ReLU): fuse_conv_bn_relu,
    (Conv3d, BatchNorm3d): fuse_conv_bn,
    (Conv3d, BatchNorm3d, ReLU): fuse_conv_bn_relu,
    (Linear, BatchNorm1d): fuse_linear_bn,
    **{(kind, ReLU): _with_relu for kind in WITH_RELU},
}


def get_fuser_method(
    op_list: tuple, additional_fuser_method_mapping: dict | None = None
) -> Callable:
    """How layers of these types, in this order, are fused; an error if they are not."""
    found = (FUSERS | (additional_fuser_method_mapping or {})).get(op_list)
    if found is None:
        kinds = ", ".join(each.__name__ for each in op_list)
        known = "; ".join(", ".join(each.__name__ for each in kinds) for kinds in FUSERS)
        raise NotImplementedError(f"did not find fuser method for: {kinds}. Known are: {known}")
    return found
