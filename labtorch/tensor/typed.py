"""The names from before dtypes: `FloatTensor([1, 2])` is `tensor([1.0, 2.0])`."""

from __future__ import annotations

from typing import Any

from labtorch.backend import devices, dtypes
from labtorch.engine.public import FUNCTION, ONLY_METHOD, public
from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import Tensor, constructed


class tensortype:
    """Makes tensors of one dtype from data or from sizes; asks whether a tensor is one of its own.

    >>> LongTensor([1, 2])
    tensor([1, 2])
    >>> isinstance(LongTensor([1, 2]), LongTensor)
    True
    """

    def __init__(self, name: str, dtype: dtypes.dtype, cuda: bool = False) -> None:
        self.__name__, self.dtype, self.is_cuda = name, dtype, cuda
        self.__module__ = "torch.cuda" if cuda else "torch"

    def __call__(self, *args: Any, device: Any = None) -> Tensor:
        if args and isinstance(args[0], Tensor) and args[0].dtype is not self.dtype:
            raise TypeError(
                f"expected a tensor of {self.dtype} (got one of {args[0].dtype}): convert it with "
                ".to(dtype)"
            )
        where = devices.device(device or ("cuda" if self.is_cuda else "cpu"))
        return wrap(devices.move(constructed(args, self.dtype), where))

    def __instancecheck__(self, instance: object) -> bool:
        return (
            isinstance(instance, Tensor)
            and instance.dtype is self.dtype
            and instance.is_cuda == self.is_cuda
        )

    def __repr__(self) -> str:
        return f"<class '{self}'>"

    def __str__(self) -> str:
        return f"{self.__module__}.{self.__name__}"


TYPES = {f"{name}Tensor": tensortype(f"{name}Tensor", kind) for kind, name in dtypes.LEGACY.items()}


@public(ONLY_METHOD)
def new(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of this one's dtype from data, or uninitialised from sizes."""
    name = dtypes.LEGACY[self.dtype]
    return TYPES[f"{name}Tensor"](*args, device=self.device if device is None else device)


@public(FUNCTION)
def set_default_tensor_type(t: Any) -> None:
    """As `set_default_dtype`, with a type such as `DoubleTensor` or its name."""
    if isinstance(t, str):
        t = TYPES[t.rpartition(".")[2]]
    dtypes.set_default_dtype(t.dtype)


def cuda_types() -> dict[str, tensortype]:
    """The types of tensors on a GPU, by name."""
    return {name: tensortype(name, kind.dtype, cuda=True) for name, kind in TYPES.items()}
