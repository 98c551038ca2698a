"""Tensors that a module owns: parameters, which are trained, and buffers, which are not."""

from __future__ import annotations

from typing import Any

from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a module registers as one of its parameters when it is assigned to it.

    It shares the memory of `data` and requires a gradient unless told otherwise.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        return _adopt(cls, data, requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo: dict) -> Parameter:
        return _copied(self, memo)


class Buffer(Tensor):
    """A tensor that a module registers as a buffer when it is assigned to it."""

    persistent: bool = True

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        out = _adopt(cls, data, False)
        out.persistent = persistent
        return out


class UninitializedParameter(Parameter):
    """A parameter whose shape the first call of its lazy module decides."""

    def materialize(self, shape: Any) -> None:
        """Take a shape, and memory for it; the parameter is then an ordinary one."""
        self._array = Tensor(*shape).to(self.dtype)._array
        self.__class__ = Parameter  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<UninitializedParameter>"


def _adopt(cls: type, data: Tensor | None, requires_grad: bool) -> Any:
    if data is None:
        data = Tensor(0)
    elif not isinstance(data, Tensor):
        raise TypeError(
            f"cannot make a {cls.__name__} from {type(data).__name__}: it takes a tensor, "
            f"{cls.__name__}(labtorch.tensor(data))"
        )
    out: Any = object.__new__(cls)
    out._array = data._array
    if requires_grad:
        out.requires_grad = True
    return out


def _copied(parameter: Parameter, memo: dict) -> Parameter:
    """A copy of the values; the gradient and the hooks stay with the original."""
    out = type(parameter)(wrap(parameter._array.copy()), parameter._requires_grad)
    memo[id(parameter)] = out
    return out
