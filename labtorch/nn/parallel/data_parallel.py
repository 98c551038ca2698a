"""One process, several devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labtorch import cuda
from labtorch.backend import devices
from labtorch.nn.module import Module
from labtorch.nn.parallel.replicas import gather, parallel_apply, replicate, scatter


class DataParallel(Module):
    """`module`, each batch cut along `dim` and computed on several GPUs at once.

    At every call the parameters are copied to each device, the parts are computed in threads, and
    the outputs are put together on `output_device`; gradients add up in the original parameters.
    Without a GPU, or with one, it is the module itself. `DistributedDataParallel` copies the
    parameters only once, and is faster.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.dim = dim
        if device_ids is None:
            device_ids = range(cuda.device_count())
        self.device_ids = [devices.device(each) for each in device_ids]
        if output_device is None and self.device_ids:
            output_device = self.device_ids[0]
        self.output_device = None if output_device is None else devices.device(output_device)
        if len(self.device_ids) == 1:
            module.to(self.device_ids[0])

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        where = self.device_ids
        if not where:
            return self.module(*inputs, **kwargs)
        for each in (*self.module.parameters(), *self.module.buffers()):
            if not _same(each.device, where[0]):
                raise RuntimeError(
                    f"module must have its parameters and buffers on device {where[0]} "
                    f"(device_ids[0]) but found one of them on device: {each.device}"
                )
        parts = scatter(inputs, where, self.dim) if inputs else []
        named = scatter(kwargs, where, self.dim) if kwargs else []
        n = max(len(parts), len(named), 1)
        parts += [()] * (n - len(parts))
        named += [{}] * (n - len(named))
        if n == 1:
            return self.module(*parts[0], **named[0])
        replicas = replicate(self.module, where[:n])
        outputs = parallel_apply(replicas, parts, named, where[:n])
        return gather(outputs, self.output_device, self.dim)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """One call of `DataParallel(module, ...)`."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    wrapped = DataParallel(module, device_ids, output_device, dim)
    return wrapped(*inputs, **(module_kwargs or {}))


def _same(a: devices.device, b: devices.device) -> bool:
    return a.type == b.type and (a.index or 0) == (b.index or 0)
