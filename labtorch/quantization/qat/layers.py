"""Float layers that see their own weight on a grid while they train."""

from __future__ import annotations

from typing import Any

from labtorch.nn import conv, embedding
from labtorch.nn import functional as F
from labtorch.nn.linear import Linear as FloatLinear
from labtorch.nn.linear import NonDynamicallyQuantizableLinear
from labtorch.nn.module import Module
from labtorch.nn.utils.parametrize import type_before_parametrizations
from labtorch.quantization import intrinsic
from labtorch.tensor.tensor import Tensor


def checked(cls: Any, mod: Any, kinds: tuple[type, ...]) -> Any:
    """The float layer to take parameters from; errors as of all `from_float`."""
    if type_before_parametrizations(mod) not in kinds:
        known = ", ".join(each.__name__ for each in kinds)
        raise AssertionError(
            f"qat.{cls.__name__}.from_float only works for {known}, not {type(mod).__name__}"
        )
    if not getattr(mod, "qconfig", None):
        raise AssertionError("Input float module must have a valid qconfig")
    return mod[0] if isinstance(mod, intrinsic._FusedModule) else mod


class FakeQuantized(Module):
    """Put before a float layer, it gives it `weight_fake_quant`, made by `qconfig.weight()`."""

    weight_fake_quant: Module

    def _quantize_weight_by(self, qconfig: Any) -> None:
        if not qconfig:
            raise AssertionError("qconfig must be provided for QAT module")
        self.qconfig = qconfig
        self.weight_fake_quant = qconfig.weight()


class Linear(FakeQuantized, FloatLinear):
    """`nn.Linear` whose weight is rounded to its grid in forward."""

    _FLOAT_MODULE: tuple[type, ...] = (FloatLinear, NonDynamicallyQuantizableLinear)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        qconfig: Any = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self._quantize_weight_by(qconfig)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight_fake_quant(self.weight), self.bias)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The form for training of an `nn.Linear` with a qconfig; parameters are shared."""
        layer = checked(cls, mod, cls._FLOAT_MODULE)
        made = cls(layer.in_features, layer.out_features, layer.bias is not None, mod.qconfig)
        return shared(made, layer)

    def to_float(self) -> FloatLinear:
        """An `nn.Linear` with the same parameters."""
        return shared(FloatLinear(self.in_features, self.out_features, self.bias is not None), self)


class LinearReLU(Linear):
    """`Linear` and ReLU."""

    _FLOAT_MODULE = (intrinsic.LinearReLU,)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(super().forward(input))


def shared(made: Any, layer: Any) -> Any:
    """`made` with the parameters, and the mode, of `layer`."""
    made.weight, made.bias = layer.weight, layer.bias
    return made.train(layer.training)


CONV_ARGUMENTS = """
    in_channels out_channels kernel_size stride padding dilation groups padding_mode
""".split()


def conv_arguments(layer: Any) -> dict[str, Any]:
    """What a convolution was made with."""
    given = {name: getattr(layer, name) for name in CONV_ARGUMENTS}
    return given | {"bias": layer.bias is not None}


class _ConvNd(FakeQuantized, conv._ConvNd):
    """What the convolutions share; arguments as of the float ones, and a qconfig."""

    _FLOAT_MODULE: tuple[type, ...] = ()
    _FLOAT_CONV_MODULE: Any = None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        qconfig: Any = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        conv._ConvNd.__init__(
            self,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )
        self._quantize_weight_by(qconfig)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight_fake_quant(self.weight), self.bias)

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The form for training of a convolution with a qconfig; parameters are shared."""
        layer = checked(cls, mod, cls._FLOAT_MODULE)
        return shared(cls(**conv_arguments(layer), qconfig=mod.qconfig), layer)

    def to_float(self) -> Any:
        """The float convolution with the same parameters."""
        return shared(self._FLOAT_CONV_MODULE(**conv_arguments(self)), self)


class Conv1d(_ConvNd, conv.Conv1d):
    """`nn.Conv1d` whose weight is rounded to its grid in forward."""

    _FLOAT_MODULE: tuple[type, ...] = (conv.Conv1d,)
    _FLOAT_CONV_MODULE = conv.Conv1d


class Conv2d(_ConvNd, conv.Conv2d):
    """`nn.Conv2d` whose weight is rounded to its grid in forward."""

    _FLOAT_MODULE: tuple[type, ...] = (conv.Conv2d,)
    _FLOAT_CONV_MODULE = conv.Conv2d


class Conv3d(_ConvNd, conv.Conv3d):
    """`nn.Conv3d` whose weight is rounded to its grid in forward."""

    _FLOAT_MODULE: tuple[type, ...] = (conv.Conv3d,)
    _FLOAT_CONV_MODULE = conv.Conv3d


class ConvReLU1d(Conv1d):
    """`Conv1d` and ReLU."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvReLU1d,)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(super().forward(input))


class ConvReLU2d(Conv2d):
    """`Conv2d` and ReLU."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvReLU2d,)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(super().forward(input))


class ConvReLU3d(Conv3d):
    """`Conv3d` and ReLU."""

    _FLOAT_MODULE: tuple[type, ...] = (intrinsic.ConvReLU3d,)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(super().forward(input))


class Embedding(FakeQuantized, embedding.Embedding):
    """`nn.Embedding` whose table is rounded to its grids in forward."""

    def __init__(self, *args: Any, qconfig: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._quantize_weight_by(qconfig)
        if not self.weight_fake_quant.qscheme.name.endswith("float_qparams"):
            raise AssertionError(
                "Embedding weights requires a qscheme of torch.per_channel_affine_float_qparams, "
                f"got {self.weight_fake_quant.qscheme!r}: see default_embedding_qat_qconfig"
            )

    def forward(self, input: Tensor) -> Tensor:
        table = self.weight_fake_quant(self.weight)
        return F.embedding(
            input,
            table,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The form for training of an `nn.Embedding` with a qconfig; the table is shared."""
        layer = checked(cls, mod, (embedding.Embedding,))
        made = cls(
            layer.num_embeddings,
            layer.embedding_dim,
            layer.padding_idx,
            layer.max_norm,
            layer.norm_type,
            layer.scale_grad_by_freq,
            layer.sparse,
            layer.weight.detach(),
            qconfig=mod.qconfig,
        )
        made.weight = layer.weight
        return made.train(layer.training)
