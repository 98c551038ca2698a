"""Fusing layers: a convolution, its batch norm and its ReLU become one layer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from labtorch.nn.linear import Identity
from labtorch.nn.module import Module
from labtorch.nn.utils.parametrize import type_before_parametrizations
from labtorch.quantization.fuser_method_mappings import get_fuser_method


def fuse_known_modules(
    mod_list: Sequence[Module], is_qat: bool, additional_fuser_method_mapping: Any = None
) -> list[Module]:
    """The fused layer, and an `Identity` in place of each of the rest."""
    types = tuple(type_before_parametrizations(each) for each in mod_list)
    fused = get_fuser_method(types, additional_fuser_method_mapping)(is_qat, *mod_list)
    move_hooks(mod_list[0], mod_list[-1], fused)
    rest = [Identity().train(mod_list[0].training) for _ in mod_list[1:]]
    return [fused, *rest]


def move_hooks(first: Module, last: Module, to: Module) -> None:
    """Give the hooks before one module and after another to the module that replaces both."""
    for hook, with_kwargs, _ in first._forward_pre_hooks.values():
        to.register_forward_pre_hook(hook, with_kwargs=with_kwargs)
    for hook, with_kwargs, always in last._forward_hooks.values():
        to.register_forward_hook(hook, with_kwargs=with_kwargs, always_call=always)
    for module, table in ((first, "_forward_pre_hooks"), (last, "_forward_hooks")):
        if getattr(module, table):
            getattr(module, table).clear()


def fuse_modules(
    model: Any,
    modules_to_fuse: Sequence,
    inplace: bool = False,
    fuser_func: Callable = fuse_known_modules,
    fuse_custom_config_dict: dict | None = None,
) -> Any:
    """A copy of a model in eval mode (or the model itself) with layers fused.

    `modules_to_fuse` is a list of names, ["conv", "bn", "relu"], or a list of such lists. Known are
    conv-bn, conv-bn-relu, conv-relu, linear-bn, linear-relu and bn-relu. The first name becomes the
    fused layer, the others `nn.Identity`. Raises NotImplementedError for layers that are not known
    to fuse, AttributeError for names that the model does not have.

    >>> from labtorch import nn
    >>> fuse_modules(nn.Sequential(nn.Linear(2, 3), nn.ReLU()).eval(), ["0", "1"])
    Sequential(
      (0): LinearReLU(
        (0): Linear(in_features=2, out_features=3, bias=True)
        (1): ReLU()
      )
      (1): Identity()
    )
    """
    return _fused(model, modules_to_fuse, False, inplace, fuser_func, fuse_custom_config_dict)


def fuse_modules_qat(
    model: Any,
    modules_to_fuse: Sequence,
    inplace: bool = False,
    fuser_func: Callable = fuse_known_modules,
    fuse_custom_config_dict: dict | None = None,
) -> Any:
    """As `fuse_modules`, of a model in training mode: batch norms go on training."""
    return _fused(model, modules_to_fuse, True, inplace, fuser_func, fuse_custom_config_dict)


def _fused(
    model: Any,
    names: Sequence,
    is_qat: bool,
    inplace: bool,
    fuse: Callable,
    config: dict | None,
) -> Any:
    if isinstance(names, str):
        raise TypeError(f"fuse_modules takes a list of names, such as [{names!r}, 'relu']")
    model = model if inplace else copy.deepcopy(model)
    more = (config or {}).get("additional_fuser_method_mapping", {})
    rows = [names] if all(isinstance(each, str) for each in names) else names
    made = []  # all is fused before the first is put in its place
    for row in rows:
        made.append((row, fuse([model.get_submodule(name) for name in row], is_qat, more)))
    for row, modules in made:
        for name, module in zip(row, modules):
            path, _, last = name.rpartition(".")
            setattr(model.get_submodule(path), last, module)
    return model
