r"""Layers that train with their batch norm folded in, so that the folded weight sees its grid.

With \gamma, \sigma and \mu of the batch norm, the layer's weight w is rounded as it will be after
folding, and the fold is undone before the batch norm:

    y = BN(conv(x, Q(w \gamma / \sigma)) \sigma / \gamma + b).

Source: Krishnamoorthi (2018), "Quantizing deep convolutional networks for efficient inference".
"""

from __future__ import annotations

from typing import Any

from labtorch.nn import functional as F
from labtorch.nn import init
from labtorch.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from labtorch.nn.module import Module
from labtorch.quantization import intrinsic
from labtorch.quantization.qat import layers
from labtorch.tensor.tensor import Tensor

NORMS = {1: BatchNorm1d, 2: BatchNorm2d, 3: BatchNorm3d}


class WithNorm(Module):
    """What layers with a batch norm share: the norm can be frozen, and then stays in eval mode."""

    bn: Any
    freeze_bn: bool
    _version = 2

    def _add_norm(self, n: int, count: int, eps: float, momentum: float, freeze: bool) -> None:
        self.bn = NORMS[n](count, eps, momentum, True, True)
        self.reset_bn_parameters()
        self.freeze_bn = freeze if self.training else True
        (self.freeze_bn_stats if self.freeze_bn else self.update_bn_stats)()

    def reset_running_stats(self) -> None:
        """Forget the batches seen."""
        self.bn.reset_running_stats()

    def reset_bn_parameters(self) -> None:
        """Draw the batch norm's parameters anew."""
        self.bn.reset_running_stats()
        init.uniform_(self.bn.weight)
        init.zeros_(self.bn.bias)

    def update_bn_stats(self) -> Any:
        """Let the statistics follow the batches."""
        self.freeze_bn, self.bn.training = False, True
        return self

    def freeze_bn_stats(self) -> Any:
        """Keep the statistics as they are, and use them."""
        self.freeze_bn, self.bn.training = True, False
        return self

    def train(self, mode: bool = True) -> Any:
        """As of all modules, but a frozen batch norm stays frozen."""
        self.training = mode
        if not self.freeze_bn:
            for module in self.children():
                module.train(mode)
        return self

    def _folded(self, input: Tensor) -> Tensor:
        """The layer with its norm."""
        fold = self.bn.weight / (self.bn.running_var + self.bn.eps).sqrt()
        weight: Any = self.weight
        rows = (-1, *(1,) * (weight.ndim - 1))
        rounded = self.weight_fake_quant(weight * fold.reshape(rows))
        y = self._apply_weight(input, rounded)
        channels = (1, -1, *(1,) * (weight.ndim - 2))
        y = y / fold.reshape(channels)
        if self.bias is not None:
            y = y + self.bias.reshape(channels)
        return self.bn(y)

    def _apply_weight(self, input: Tensor, weight: Tensor) -> Tensor:
        raise NotImplementedError

    def _with_norm_of(self, layer: Any, mod: Any) -> Any:
        """Take the parameters of a fused layer and norm, and their mode."""
        layers.shared(self, layer)
        self.bn, self.freeze_bn = mod[1], not mod.training
        return self.train(mod.training)


class _ConvBnNd(WithNorm, layers._ConvNd):
    """What the convolutions share."""

    relu = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: Any = None,
        padding_mode: str = "zeros",
        eps: float = 1e-05,
        momentum: float = 0.1,
        freeze_bn: bool = False,
        qconfig: Any = None,
    ) -> None:
        layers._ConvNd.__init__(
            self,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bool(bias),
            padding_mode,
            qconfig,
        )
        self._add_norm(self.n, out_channels, eps, momentum, freeze_bn)

    def _apply_weight(self, input: Tensor, weight: Tensor) -> Tensor:
        return self._conv_forward(input, weight, None)

    def forward(self, input: Tensor) -> Tensor:
        y = self._folded(input)
        return F.relu(y) if self.relu else y

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The form for training of a fused convolution and norm; parameters are shared."""
        layer = layers.checked(cls, mod, cls._FLOAT_MODULE)
        bn = mod[1]
        made = cls(
            **layers.conv_arguments(layer), eps=bn.eps, momentum=bn.momentum, qconfig=mod.qconfig
        )
        return made._with_norm_of(layer, mod)


class ConvBn1d(_ConvBnNd, layers.Conv1d):
    """Conv1d, BatchNorm1d."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvBn1d,)


class ConvBn2d(_ConvBnNd, layers.Conv2d):
    """Conv2d, BatchNorm2d."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvBn2d,)


class ConvBn3d(_ConvBnNd, layers.Conv3d):
    """Conv3d, BatchNorm3d."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvBn3d,)


class ConvBnReLU1d(ConvBn1d):
    """Conv1d, BatchNorm1d, ReLU."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvBnReLU1d,)
    relu = True


class ConvBnReLU2d(ConvBn2d):
    """Conv2d, BatchNorm2d, ReLU."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvBnReLU2d,)
    relu = True


class ConvBnReLU3d(ConvBn3d):
    """Conv3d, BatchNorm3d, ReLU."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvBnReLU3d,)
    relu = True


class LinearBn1d(WithNorm, layers.Linear):
    """Linear, BatchNorm1d."""

    _FLOAT_MODULE = (intrinsic.LinearBn1d,)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        eps: float = 1e-05,
        momentum: float = 0.1,
        freeze_bn: bool = False,
        qconfig: Any = None,
    ) -> None:
        layers.Linear.__init__(self, in_features, out_features, bias, qconfig)
        self._add_norm(1, out_features, eps, momentum, freeze_bn)

    def _apply_weight(self, input: Tensor, weight: Tensor) -> Tensor:
        return F.linear(input, weight)

    def forward(self, input: Tensor) -> Tensor:
        return self._folded(input)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The form for training of a fused linear layer and norm; parameters are shared."""
        layer = layers.checked(cls, mod, cls._FLOAT_MODULE)
        bn = mod[1]
        made = cls(
            layer.in_features,
            layer.out_features,
            layer.bias is not None,
            bn.eps,
            bn.momentum,
            not mod.training,
            mod.qconfig,
        )
        return made._with_norm_of(layer, mod)


def update_bn_stats(mod: Module) -> None:
    """`update_bn_stats()` of a layer with a norm: model.apply(update_bn_stats) does it for all."""
    if isinstance(mod, WithNorm):
        mod.update_bn_stats()


def freeze_bn_stats(mod: Module) -> None:
    """`freeze_bn_stats()` of a layer with a norm: model.apply(freeze_bn_stats) does it for all."""
    if isinstance(mod, WithNorm):
        mod.freeze_bn_stats()
