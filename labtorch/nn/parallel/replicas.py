"""The four steps of `DataParallel`: cut the batch, copy the model, run, put together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labtorch.backend import devices
from labtorch.engine.modes import set_grad_enabled
from labtorch.engine.thread import current
from labtorch.nn.module import Module
from labtorch.ops.shape import cat, stack
from labtorch.tensor.functions import chunk
from labtorch.tensor.tensor import Tensor


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> Any:
    """Cut each tensor in `inputs` (nested in tuples, lists, dicts) along `dim`, a part a device.

    What is no tensor goes to every device. A batch smaller than the number of devices makes fewer
    parts.
    """
    where = [devices.device(each) for each in target_gpus]
    if isinstance(inputs, Tensor):
        return [part.to(to) for part, to in zip(chunk(inputs, len(where), dim), where)]
    if isinstance(inputs, tuple) and hasattr(inputs, "_fields") and inputs:
        parts = zip(*(scatter(each, where, dim) for each in inputs))
        return [type(inputs)(*each) for each in parts]
    if isinstance(inputs, (list, tuple)) and inputs:
        return [type(inputs)(each) for each in zip(*(scatter(x, where, dim) for x in inputs))]
    if isinstance(inputs, dict) and inputs:
        values = zip(*(scatter(each, where, dim) for each in inputs.values()))
        return [type(inputs)(zip(inputs, each)) for each in values]
    return [inputs for _ in where]


def replicate(network: Module, devices: Sequence[Any], detach: bool = False) -> list[Module]:
    """A copy of `network` on each device; its parameters are copies that gradients go back from.

    The first one has the parameters and buffers themselves if they are on its device already.
    """
    return [_copy(network, to, index > 0, detach, {}) for index, to in enumerate(devices)]


def _copy(module: Module, to: Any, always: bool, detach: bool, made: dict[int, Module]) -> Module:
    if id(module) in made:  # a module that stands in two places
        return made[id(module)]
    twin = made[id(module)] = copy.copy(module)
    twin.__dict__ = dict(module.__dict__)

    def moved(tensor: Tensor | None) -> Tensor | None:
        if tensor is None:
            return None
        return (tensor.detach() if detach else tensor).to(to, copy=always)

    twin.__dict__["_parameters"] = {k: moved(v) for k, v in module._parameters.items()}
    twin.__dict__["_buffers"] = {k: moved(v) for k, v in module._buffers.items()}
    twin.__dict__["_modules"] = {
        k: None if v is None else _copy(v, to, always, detach, made)
        for k, v in module._modules.items()
    }
    return twin


def parallel_apply(
    modules: Sequence[Callable[..., Any]],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Sequence[Any] | None = None,
) -> list[Any]:
    """Call each module with its inputs, all at once, each in a thread of its own."""
    if len(modules) != len(inputs):
        raise ValueError(f"{len(modules)} modules cannot take {len(inputs)} inputs")
    named = kwargs_tup or [{} for _ in modules]
    grad = current().grad_enabled

    def call(index: int) -> Any:
        given = inputs[index]
        given = given if isinstance(given, (list, tuple)) else (given,)
        with set_grad_enabled(grad):  # a thread starts with its own mode
            return modules[index](*given, **named[index])

    if len(modules) == 1:
        return [call(0)]
    with ThreadPoolExecutor(len(modules), "labtorch-replica") as pool:
        return list(pool.map(call, range(len(modules))))


def gather(outputs: Sequence[Any], target_device: Any, dim: int = 0) -> Any:
    """Put the outputs of the replicas together on one device, along `dim`; scalars are stacked."""
    first = outputs[0]
    if isinstance(first, Tensor):
        moved = [each.to(target_device) for each in outputs]
        return stack(moved) if first.ndim == 0 else cat(moved, dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if any(each.keys() != first.keys() for each in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)(
            (key, gather([each[key] for each in outputs], target_device, dim)) for key in first
        )
    if isinstance(first, (list, tuple)):
        parts = [gather(each, target_device, dim) for each in zip(*outputs)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    raise TypeError(f"gather puts tensors together, not {type(first).__name__}")
