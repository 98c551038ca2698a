"""Arguments and results as flat lists: tensors found in tuples, lists, dicts and dataclasses."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from labtorch.engine.variable import Variable
from labtorch.onnx.errors import OnnxExporterError


def flatten(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """The leaves of a nested value with their names: `x`, `x_0`, `x_key`."""
    if isinstance(value, Mapping):
        parts = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = list(zip(value._fields, value))
    elif isinstance(value, (tuple, list)):
        parts = [(str(i), each) for i, each in enumerate(value)]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    else:
        return [(name, value)]
    return [leaf for key, each in parts for leaf in flatten(each, f"{name}_{key}" if name else key)]


def replaced(value: Any, tensors: Any) -> Any:
    """`value` with its tensors, in the order of `flatten`, taken from the iterator `tensors`."""
    if isinstance(value, Variable):
        return next(tensors)
    if isinstance(value, Mapping):
        return {key: replaced(each, tensors) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(replaced(each, tensors) for each in value))
    if isinstance(value, (tuple, list)):
        return type(value)(replaced(each, tensors) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: replaced(getattr(value, f.name), tensors) for f in _initial(value)}
        return dataclasses.replace(value, **parts)
    return value


def _initial(value: Any) -> list:
    return [f for f in dataclasses.fields(value) if f.init]


class Arguments:
    """The example arguments of a model, and how others are fed to the exported graph."""

    def __init__(self, model: Any, args: Any, kwargs: dict[str, Any] | None) -> None:
        if isinstance(args, Variable):
            args = (args,)
        elif not isinstance(args, (tuple, list)):
            raise TypeError(
                "onnx.export: args must be a Tensor or a tuple of the model's arguments, "
                f"not {type(args).__name__}"
            )
        self.args, self.kwargs = tuple(args), dict(kwargs or {})
        self.signature = inspect.signature(model.forward)
        if self.args and isinstance(self.args[-1], dict) and kwargs is None:
            try:  # PyTorch's old spelling: the last of `args` may hold the keyword arguments
                self.signature.bind(*self.args[:-1], **self.args[-1])
                self.args, self.kwargs = self.args[:-1], dict(self.args[-1])
            except TypeError:
                pass  # it is an argument like the others: a dict
        self.leaves = self._leaves(self.args, self.kwargs)
        for name, each in self.leaves:
            if getattr(each, "is_quantized", False):
                raise ValueError(
                    f"onnx.export: the argument '{name}' is a quantized tensor: let the model take "
                    "floats and begin with a QuantStub"
                )
            if each.is_cuda:
                raise ValueError("onnx.export runs models on the CPU: x.cpu(), and model.cpu()")
        self.arrays = [each._array for _, each in self.leaves]
        self.names = [name for name, _ in self.leaves]

    def _leaves(self, args: tuple, kwargs: dict) -> list[tuple[str, Any]]:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"onnx.export: the model's forward(): {error}") from None
        found: list[tuple[str, Any]] = []
        for name, value in bound.arguments.items():
            kind = self.signature.parameters[name].kind
            found += flatten(value, "" if kind is inspect.Parameter.VAR_KEYWORD else name)
        for name, each in found:
            if isinstance(each, np.ndarray):
                raise TypeError(
                    f"onnx.export: the argument '{name}' is a NumPy array; inputs are tensors, as "
                    "torch.from_numpy(x) is one"
                )
        return [(name, each) for name, each in found if isinstance(each, Variable)]

    def call(self, model: Any, tensors: list) -> Any:
        """The model with other tensors in the places of the example's."""
        bound = self.signature.bind(*self.args, **self.kwargs)
        supply = iter(tensors)
        for name, value in bound.arguments.items():
            bound.arguments[name] = replaced(value, supply)
        return model(*bound.args, **bound.kwargs)

    def feed(self, names: list[str], args: tuple, kwargs: dict) -> dict[str, np.ndarray]:
        """The graph's inputs for these arguments of the model."""
        leaves = self._leaves(args, kwargs)
        if len(leaves) != len(self.leaves):
            raise TypeError(
                f"the exported model takes {len(self.leaves)} tensors "
                f"({', '.join(self.names)}), but was given {len(leaves)}"
            )
        return {name: each.detach().cpu()._array for name, (_, each) in zip(names, leaves)}


def results(value: Any) -> list[tuple[str, Any]]:
    """The tensors that a model returned, with the names of their places; None is left out."""
    found = []
    for name, each in flatten(value):
        if isinstance(each, (bool, int, float, np.ndarray, np.generic)):
            raise OnnxExporterError(
                f"onnx.export: the model returns a {type(each).__name__} ({name or 'its result'}), "
                "which would be the same for every input; return a tensor"
            )
        if each is not None and not isinstance(each, Variable):
            raise OnnxExporterError(
                f"onnx.export: the model returns a {type(each).__name__}; tensors in tuples, "
                "lists, dicts and dataclasses are what can be exported"
            )
        if getattr(each, "is_quantized", False):
            raise OnnxExporterError(
                "onnx.export: the model returns a quantized tensor: let it end with a DeQuantStub"
            )
        if each is not None:
            found.append((name, each))
    if not found:
        raise OnnxExporterError("onnx.export: the model returns no tensor")
    return found
