"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from labtorch.nn.module import Module
from labtorch.ops.shape import stack
from labtorch.tensor.tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call `module` with the given tensors in the places of its parameters and buffers.

    Names are those of `state_dict`; several dicts are taken together. Names that are not given keep
    the module's own tensors, unless `strict`. With `tie_weights`, a parameter that the module has
    under several names is replaced under all of them.
    """
    given: dict[str, Tensor] = {}
    several = parameter_and_buffer_dicts
    for each in [several] if isinstance(several, dict) else several:
        twice = given.keys() & each.keys()
        if twice:
            raise ValueError(f"{min(twice)} appears in multiple dictionaries")
        given.update(each)
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def _replaced(
    module: Module, given: dict[str, Tensor], tie_weights: bool, strict: bool
) -> Iterator[None]:
    """The module with other tensors in its tables, for the length of a call."""
    own: dict[str, tuple[Any, str]] = {}  # state_dict name -> (table, name in it)
    for path, each in module.named_modules(remove_duplicate=False):
        for table in (each._parameters, each._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    own[f"{path}.{name}" if path else name] = (table, name)
    tied: dict[int, list[str]] = {}
    for name, (table, key) in own.items():
        tied.setdefault(id(table[key]), []).append(name)
    wanted = {name: value for name, value in given.items() if name in own}
    if tie_weights:
        for name, value in list(wanted.items()):
            table, key = own[name]
            for other in tied[id(table[key])]:
                wanted.setdefault(other, value)
    if strict:
        missing = sorted(own.keys() - wanted.keys())
        unexpected = sorted(given.keys() - own.keys())
        lines = [
            f"\n\t{what} key(s): {', '.join(map(repr, names))}."
            for what, names in (("Unexpected", unexpected), ("Missing", missing))
            if names
        ]
        if lines:
            raise RuntimeError(
                f"Error(s) in reparametrizing for {type(module).__name__}:" + "".join(lines)
            )
    before: list[tuple[Any, str, Any]] = []
    for name, value in wanted.items():
        table, key = own[name]
        before.append((table, key, table[key]))
        table[key] = value
    try:
        yield
    finally:
        for table, key, tensor in reversed(before):
            table[key] = tensor


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters, and the buffers, of several models of one kind, stacked name by name: what
    `vmap` of `functional_call` takes to run them all.
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(each.training != models[0].training for each in models):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(each) is not type(models[0]) for each in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(each.named_parameters()) for each in models]
    buffers = [dict(each.named_buffers()) for each in models]
    return _stacked(parameters), _stacked(buffers)


def _stacked(tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: stack([each[name].detach() for each in tables]).requires_grad_(
            bool(tables[0][name].requires_grad)
        )
        for name in tables[0]
    }
