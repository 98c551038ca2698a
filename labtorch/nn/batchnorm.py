"""Normalisation per channel: batch, instance and group norm, and their lazy forms."""

from __future__ import annotations

from typing import Any

from labtorch.backend import dtypes
from labtorch.engine.modes import no_grad
from labtorch.nn import functional as F
from labtorch.nn import init
from labtorch.nn.lazy import LazyModuleMixin
from labtorch.nn.module import Module
from labtorch.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from labtorch.tensor.creation import empty, ones, tensor, zeros
from labtorch.tensor.tensor import Tensor


class _NormBase(Module):
    """Parameters and running statistics of batch and instance norms."""

    _version = 2
    dims: tuple[int, ...] = ()  # the input's numbers of dimensions
    words = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            made = Parameter(empty(num_features, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, made)
        running = (
            (zeros(num_features, device=device, dtype=dtype), "running_mean"),
            (ones(num_features, device=device, dtype=dtype), "running_var"),
            (tensor(0, dtype=dtypes.int64, device=device), "num_batches_tracked"),
        )
        for buffer, name in running:
            self.register_buffer(name, buffer if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self.dims:
            raise ValueError(f"expected {self.words} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any
    ) -> None:
        key = prefix + "num_batches_tracked"
        if local_metadata.get("version", 2) < 2 and self.track_running_stats:
            state_dict.setdefault(key, tensor(0))  # states of version 1 had no count
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        own = self._buffers
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and own["num_batches_tracked"] is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the mean over all batches
                momentum = 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or own["running_mean"] is None and own["running_var"] is None
        tracked = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            own["running_mean"] if tracked else None,
            own["running_var"] if tracked else None,
            self.weight,
            self.bias,
            by_batch,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    r"""y = (x - mean) / sqrt(var + eps) * weight + bias, per channel of (N, C) or (N, C, L).

    While training, mean and variance are the batch's; else the running ones, which each batch in
    training moves by `momentum` (None: their mean over all batches). Source: Ioffe, Szegedy (2015).
    """

    dims, words = (2, 3), "2D or 3D"


class BatchNorm2d(_BatchNorm):
    """As `BatchNorm1d`, of images (N, C, H, W)."""

    dims, words = (4,), "4D"


class BatchNorm3d(_BatchNorm):
    """As `BatchNorm1d`, of volumes (N, C, D, H, W)."""

    dims, words = (5,), "5D"


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        alone = input.ndim == self.dims[0]  # one sample without a batch
        x = input.unsqueeze(0) if alone else input
        if x.shape[1] != self.num_features and self.affine:
            raise ValueError(
                f"expected input's size at dim={0 if alone else 1} to match num_features "
                f"({self.num_features}), but got: {x.shape[1]}."
            )
        by_sample = self.training or not self.track_running_stats
        statistics = self.running_mean, self.running_var
        affine = self.weight, self.bias
        momentum = 0.0 if self.momentum is None else self.momentum
        y = F.instance_norm(x, *statistics, *affine, by_sample, momentum, self.eps)
        return y.squeeze(0) if alone else y


class InstanceNorm1d(_InstanceNorm):
    """As `BatchNorm1d`, with mean and variance of each sample's channel by itself: (N, C, L)."""

    dims, words = (2, 3), "2D or 3D"


class InstanceNorm2d(_InstanceNorm):
    """As `InstanceNorm1d`, of images (N, C, H, W)."""

    dims, words = (3, 4), "3D or 4D"


class InstanceNorm3d(_InstanceNorm):
    """As `InstanceNorm1d`, of volumes (N, C, D, H, W)."""

    dims, words = (4, 5), "4D or 5D"


class GroupNorm(Module):
    """Mean 0 and variance 1 per sample and group of channels, then an affine map per channel."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            made = Parameter(empty(num_channels, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """x / (k + alpha mean(x^2 over `size` neighbouring channels))^beta."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _LazyNormBase(LazyModuleMixin, _NormBase):
    """A norm that takes num_features from its first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0, dtype=dtypes.int64, device=device)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:  # type: ignore[override]
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        with no_grad():
            names: tuple[str, ...] = ("weight",) * self.affine
            names += ("bias",) * (self.bias is not None)
            names += ("running_mean", "running_var") * self.track_running_stats
            for name in names:
                getattr(self, name).materialize((self.num_features,))
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNormBase, _BatchNorm):
    """`BatchNorm1d` that takes num_features from its first input."""

    cls_to_become = BatchNorm1d
    dims, words = BatchNorm1d.dims, BatchNorm1d.words


class LazyBatchNorm2d(_LazyNormBase, _BatchNorm):
    """`BatchNorm2d` that takes num_features from its first input."""

    cls_to_become = BatchNorm2d
    dims, words = BatchNorm2d.dims, BatchNorm2d.words


class LazyBatchNorm3d(_LazyNormBase, _BatchNorm):
    """`BatchNorm3d` that takes num_features from its first input."""

    cls_to_become = BatchNorm3d
    dims, words = BatchNorm3d.dims, BatchNorm3d.words


class LazyInstanceNorm1d(_LazyNormBase, _InstanceNorm):
    """`InstanceNorm1d` that takes num_features from its first input."""

    cls_to_become = InstanceNorm1d
    dims, words = InstanceNorm1d.dims, InstanceNorm1d.words


class LazyInstanceNorm2d(_LazyNormBase, _InstanceNorm):
    """`InstanceNorm2d` that takes num_features from its first input."""

    cls_to_become = InstanceNorm2d
    dims, words = InstanceNorm2d.dims, InstanceNorm2d.words


class LazyInstanceNorm3d(_LazyNormBase, _InstanceNorm):
    """`InstanceNorm3d` that takes num_features from its first input."""

    cls_to_become = InstanceNorm3d
    dims, words = InstanceNorm3d.dims, InstanceNorm3d.words
