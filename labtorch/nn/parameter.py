"""Tensors that a module owns: parameters, which are trained, and buffers, which are not."""

from __future__ import annotations

from typing import Any

from labtorch.engine.variable import wrap
from labtorch.tensor.creation import empty
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


class UninitializedTensorMixin:
    """A tensor whose shape the first call of its lazy module decides."""

    becomes: type

    def materialize(self: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Take a shape, and memory for it; the tensor is then an ordinary one."""
        made = empty(shape, device=device or self.device, dtype=dtype or self.dtype)
        self._array = made._array
        self.__class__ = self.becomes

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer: call the module once "
            "with an input of the right size"
        )

    def numel(self, *_: Any) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter: call the module once with an input of "
            "the right size"
        )

    size = __add__ = __mul__ = __matmul__ = __getitem__ = __len__ = numel

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter of a lazy module before its first call."""

    becomes = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        return _adopt(cls, empty(0, device=device, dtype=dtype), requires_grad)

    def __deepcopy__(self, memo: dict) -> Parameter:
        out = type(self)(self._requires_grad, self.device, self.dtype)
        memo[id(self)] = out
        return out


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer of a lazy module before its first call."""

    becomes = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        out = _adopt(cls, empty(0, device=device, dtype=dtype), requires_grad)
        out.persistent = persistent
        return out


def is_lazy(param: Any) -> bool:
    """Does it wait for its shape?"""
    return isinstance(param, UninitializedTensorMixin)


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
