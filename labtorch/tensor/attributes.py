"""What a tensor says about itself, and names that mean something on other machines only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labtorch.engine.inplace import check_writable
from labtorch.engine.public import FUNCTION, METHOD, ONLY_METHOD, public
from labtorch.engine.thread import local
from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import Tensor


@public(ONLY_METHOD)
def ndimension(self: Tensor) -> int:
    return self.ndim


@public()
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Are the shapes equal?"""
    return input.shape == other.shape


@public(ONLY_METHOD)
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Do both show the same memory in the same way?"""
    mine, other = self._array, tensor._array
    same = self.data_ptr() == tensor.data_ptr() and mine.strides == other.strides
    return same and mine.shape == other.shape and mine.dtype == other.dtype


@public()
def is_signed(input: Tensor) -> bool:
    return input.dtype.is_signed


@public()
def is_nonzero(input: Tensor) -> bool:
    """Is the one element other than 0?"""
    return bool(input)


@public(FUNCTION)
def is_complex(input: Tensor) -> bool:
    return input._array.dtype.kind == "c"


@public()
def is_inference(input: Tensor) -> bool:
    """Was it made in inference mode? Here such tensors are like any others."""
    return False


@public(METHOD, aliases="is_neg")
def is_conj(input: Tensor) -> bool:
    """Does it wait to be conjugated (negated)? Here that is done at once."""
    return False


@public(METHOD, aliases="resolve_neg")
def resolve_conj(input: Tensor) -> Tensor:
    return input


@public(ONLY_METHOD, aliases="to_dense")
def pin_memory(self: Tensor, *args: Any) -> Tensor:
    """Itself: there is one kind of memory and one layout here."""
    return self


@public(ONLY_METHOD)
def is_pinned(self: Tensor, device: Any = None) -> bool:
    return False


@public(ONLY_METHOD)
def share_memory_(self: Tensor) -> Tensor:
    """Itself: threads share it anyway, other processes get copies."""
    return self


@public(ONLY_METHOD)
def is_shared(self: Tensor) -> bool:
    return False


@public(ONLY_METHOD)
def record_stream(self: Tensor, stream: Any) -> None:
    """Nothing: memory is counted by references, not by streams."""


@public(ONLY_METHOD)
def apply_(self: Tensor, callable: Callable) -> Tensor:
    """Replace every element by what `callable` makes of it: slow, as it is in PyTorch."""
    return map_(self, wrap(np.zeros((), self._array.dtype)), lambda x, _: callable(x))


@public(ONLY_METHOD)
def map_(self: Tensor, tensor: Tensor, callable: Callable) -> Tensor:
    """Replace every element by `callable(element, tensor's element)`."""
    if self._requires_grad and local.thread.grad_enabled:
        check_writable(self, "map_")
        raise RuntimeError("apply_ and map_ cannot be differentiated: use tensor operators")
    other = np.broadcast_to(tensor._array, self._array.shape)
    for at in np.ndindex(self._array.shape):
        self._array[at] = callable(self._array[at].item(), other[at].item())
    self.version().count += 1
    return self


@public(ONLY_METHOD)
def set_(self: Tensor, source: Tensor) -> Tensor:
    """Show the memory of `source` from now on."""
    if self._requires_grad and self._node is not None:
        raise RuntimeError("set_() cannot change a tensor that other tensors were computed from")
    self._array = source._array
    self.version().count += 1
    return self


class Storage:
    """The memory behind a tensor and its views, as a row of elements (of bytes, if untyped)."""

    def __init__(self, array: np.ndarray, untyped: bool) -> None:
        while isinstance(array.base, np.ndarray):
            array = array.base
        flat = array.ravel(order="K")
        self.elements = flat.view(np.uint8) if untyped else flat

    def data_ptr(self) -> int:
        return self.elements.ctypes.data

    def nbytes(self) -> int:
        return self.elements.nbytes

    def size(self) -> int:
        return len(self.elements)

    __len__ = size

    def __getitem__(self, index: Any) -> Any:
        return self.elements[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self.elements[index] = value

    def tolist(self) -> list:
        return self.elements.tolist()


@public(ONLY_METHOD)
def storage(self: Tensor) -> Storage:
    """The memory that this tensor and its views show."""
    return Storage(self._array, untyped=False)


@public(ONLY_METHOD)
def untyped_storage(self: Tensor) -> Storage:
    """The bytes that this tensor and its views show."""
    return Storage(self._array, untyped=True)


def _absent(name: str, reason: str) -> None:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Tensor.{name}: {reason}")

    method.__name__, method.__doc__ = name, f"Not here: {reason}"
    setattr(Tensor, name, method)


for _name in ("to_sparse", "to_sparse_coo", "to_sparse_csr", "to_mkldnn", "to_padded_tensor"):
    _absent(_name, "all tensors are dense here; masks and indexing do what sparse layouts would")
_absent("reinforce", "gone from PyTorch, too; use -log_prob(action) * reward as the loss")
