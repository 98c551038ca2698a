"""Batch norm whose batch is that of all ranks together."""

from __future__ import annotations

from typing import Any

from labtorch.autograd.function import Function
from labtorch.engine.modes import no_grad
from labtorch.nn.batchnorm import _BatchNorm, _NormBase
from labtorch.nn.module import Module
from labtorch.tensor.tensor import Tensor


class _SumOverRanks(Function):
    r"""y = \sum_r x_r on every rank; so is the gradient: \bar x = \sum_r \bar y_r."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, group: Any) -> Tensor:
        from labtorch.distributed.collectives import all_reduce

        ctx.group = group
        total = input.clone()
        all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return _SumOverRanks.apply(g.contiguous(), ctx.group), None


class SyncBatchNorm(_BatchNorm):
    """`BatchNorm` of any dimension, with mean and variance of the batches of all ranks together.

    In one process, or out of training, it is `BatchNorm`.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        from labtorch.distributed import groups

        alone = not groups.is_initialized() or groups.get_world_size(self.process_group) == 1
        if alone or not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        dims = [d for d in range(input.ndim) if d != 1]
        shape = [-1 if d == 1 else 1 for d in range(input.ndim)]
        over_ranks = _SumOverRanks.apply
        mine = input.numel() // input.shape[1]
        n = float(over_ranks(input.new_tensor([mine]), self.process_group))
        mean = over_ranks(input.sum(dims), self.process_group) / n
        centred = input - mean.reshape(shape)
        var = over_ranks((centred * centred).sum(dims), self.process_group) / n
        if self.track_running_stats:
            self._track(mean.detach(), var.detach() * (n / max(n - 1, 1)))
        y = centred * (var + self.eps).rsqrt().reshape(shape)
        if self.weight is not None:
            y = y * self.weight.reshape(shape)
        return y if self.bias is None else y + self.bias.reshape(shape)

    @no_grad()
    def _track(self, mean: Tensor, var: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        by = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, by)
        self.running_var.lerp_(var, by)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """`module` with every `BatchNorm` in it replaced, parameters and statistics kept."""
        out = module
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            own: _NormBase = module
            out = cls(
                own.num_features,
                own.eps,
                own.momentum,
                own.affine,
                own.track_running_stats,
                process_group,
                bias=own.bias is not None,
            )
            out._parameters.update(own._parameters)
            out._buffers.update(own._buffers)
            out.training = own.training
        for name, child in module.named_children():
            out.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return out
