"""Hooks on the calls of all modules. While there are none, a call costs what it did before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from labtorch.nn.module import Module
from labtorch.tensor.tensor import RemovableHandle


class _GlobalHandle(RemovableHandle):
    """Removes a global hook; the last one lets calls take the short way again."""

    def remove(self) -> None:
        super().remove()
        Module._hooked = any(Module._global_hooks.values())


def _register(table: str, hook: Any) -> RemovableHandle:
    Module._hooked = True  # seen through every module that has no hook of its own
    return _GlobalHandle.of(Module._global_hooks.setdefault(table, OrderedDict()), hook)


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(module, args)` before the forward of every module; it may return new arguments."""
    return _register("_forward_pre_hooks", (hook, False, False))


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after every forward; it may return a new output."""
    return _register("_forward_hooks", (hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the gradients of a module's inputs are computed."""
    return _register("_backward_pre_hooks", hook)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` once a module's input gradients are there."""
    return _register("_backward_hooks", hook)


def register_module_backward_hook(hook: Callable) -> RemovableHandle:
    """As `register_module_full_backward_hook`."""
    return register_module_full_backward_hook(hook)
