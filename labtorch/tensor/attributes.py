"""What a tensor says about itself, draws that fill it, and names that matter elsewhere only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labtorch.backend import devices, dtypes
from labtorch.backend.arrays import namespace
from labtorch.backend.cuda import transfers
from labtorch.engine import errors
from labtorch.engine.inplace import check_writable
from labtorch.engine.public import FUNCTION, METHOD, ONLY_METHOD, public
from labtorch.engine.thread import local
from labtorch.engine.variable import wrap
from labtorch.tensor import random
from labtorch.tensor.tensor import Tensor


def method(function: Callable) -> Callable:
    """Attach a method that ends in "_" by itself, not as the in-place form of an op."""
    setattr(Tensor, function.__name__, function)
    return function


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


@public(METHOD, aliases="is_neg")
def is_conj(input: Tensor) -> bool:
    """Does it wait to be conjugated (negated)? Here that is done at once."""
    return False


@public(METHOD, aliases="resolve_neg")
def resolve_conj(input: Tensor) -> Tensor:
    return input


@public(ONLY_METHOD)
def to_dense(self: Tensor, *args: Any) -> Tensor:
    """Itself: there is one layout here."""
    return self


@public(ONLY_METHOD)
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """A copy in memory that a GPU reads by itself; itself where it is there, or there is no GPU."""
    if not isinstance(self._array, np.ndarray):
        raise RuntimeError(
            f"cannot pin 'torch.cuda.{dtypes.LEGACY.get(self.dtype, '')}Tensor': only dense CPU "
            "tensors can be pinned"
        )
    if transfers.is_pinned(self._array) or not devices.cuda_is_available():
        return self
    return wrap(transfers.pinned(self._array))


@public(ONLY_METHOD)
def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Does it lie in memory that a GPU reads by itself?"""
    return transfers.is_pinned(self._array)


@method
def share_memory_(self: Tensor) -> Tensor:
    """Itself: threads share it anyway, other processes get copies."""
    return self


@public(ONLY_METHOD)
def is_shared(self: Tensor) -> bool:
    return False


@public(ONLY_METHOD)
def record_stream(self: Tensor, stream: Any) -> None:
    """Keep its memory until what is queued on `stream` by now is done."""
    if not isinstance(self._array, np.ndarray):
        transfers.hold(self._array, stream._stream)


@method
def apply_(self: Tensor, callable: Callable) -> Tensor:
    """Replace every element by what `callable` makes of it: slow, as it is in PyTorch."""
    nothing = wrap(np.zeros((), self._array.dtype))
    return map_(self, nothing, lambda x, _: callable(x))


@method
def map_(self: Tensor, tensor: Tensor, callable: Callable) -> Tensor:
    """Replace every element by `callable(element, tensor's element)`."""
    if self._requires_grad and local.thread.grad_enabled:
        check_writable(self, "map_")
        raise RuntimeError("apply_ and map_ cannot be differentiated: use tensor operators")
    if not isinstance(self._array, np.ndarray):
        raise TypeError("map_ and apply_ are only implemented on CPU tensors: use x.cpu()")
    other = np.broadcast_to(tensor._array, self._array.shape)
    for at in np.ndindex(self._array.shape):
        self._array[at] = callable(self._array[at].item(), other[at].item())
    self.version().written("map_", errors.user_line())
    return self


@method
def set_(self: Tensor, source: Tensor) -> Tensor:
    """Show the memory of `source` from now on."""
    if self._requires_grad and self._node is not None:
        raise RuntimeError("set_() cannot change a tensor that other tensors were computed from")
    self._array = source._array
    self.version().written("set_", errors.user_line())
    return self


@public(FUNCTION)
def get_device(input: Tensor) -> Any:
    """The index of the GPU that it is on; -1 on the CPU."""
    return input.get_device()


@public(ONLY_METHOD)
def new_empty_strided(self: Tensor, size: Any, stride: Any, **options: Any) -> Tensor:
    """`new_empty`: the order of the elements in memory is always the usual one."""
    return self.new_empty(size, **options)


@method
def random_(
    self: Tensor, from_: int = 0, to: int | None = None, *, generator: Any = None
) -> Tensor:
    """Draw every element from the integers from .. to - 1; from all that the dtype counts to."""
    if to is None and from_ != 0:
        from_, to = 0, from_  # random_(to)
    if to is None:
        kind = self._array.dtype
        exact = np.finfo(kind).nmant + 1 if kind.kind == "f" else 0  # bits of whole numbers
        to = 2**exact if exact else 2 if kind.kind == "b" else int(np.iinfo(kind).max)
        to += kind.kind in "fu"
    if from_ >= to:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={from_} >= to={to}"
        )
    return _drawn(
        self, random.stream_like(self._array, generator).integers(from_, to, self._array.shape)
    )


@method
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Draw every element from the density lambd exp(-lambd x)."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    drawn = random.stream_like(self._array, generator).standard_exponential(self._array.shape)
    return _drawn(self, drawn / lambd)


@method
def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Draw every element: how many trials of probability p the first success takes."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return _drawn(self, random.stream_like(self._array, generator).geometric(p, self._array.shape))


@method
def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Any = None
) -> Tensor:
    """Draw every element: the exponential of a normal draw."""
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return _drawn(
        self, random.stream_like(self._array, generator).lognormal(mean, std, self._array.shape)
    )


@method
def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None
) -> Tensor:
    """Draw every element from Cauchy's distribution."""
    if sigma <= 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    drawn = random.stream_like(self._array, generator).standard_cauchy(self._array.shape)
    return _drawn(self, median + sigma * drawn)


def asarray(drawn: Any, like: Any) -> Any:
    """A draw that may be a number as an array of the library of `like`."""
    return namespace(like).asarray(drawn)


def _drawn(self: Tensor, array: Any) -> Tensor:
    return self.copy_(wrap(asarray(array, self._array).astype(self._array.dtype)))


@public(FUNCTION)
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Poisson draws, with the elements of `input` as rates."""
    rates = input._array
    if rates.dtype.kind != "f":
        raise NotImplementedError(f'"poisson_cpu" not implemented for {rates.dtype}')
    if (rates < 0).any():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    drawn = random.stream_like(rates, generator).poisson(rates)
    return wrap(asarray(drawn, rates).astype(rates.dtype))


@public(FUNCTION)
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of `count` trials of probability `prob` succeed."""
    trials, p = count._array, prob._array
    drawn = random.stream_like(p, generator).binomial(trials.astype(np.int64), p.clip(0, 1))
    return wrap(asarray(drawn, p).astype(p.dtype))


@public(FUNCTION)
def randint_like(
    input: Tensor, *bounds: int, dtype: Any = None, device: Any = None, **options: Any
) -> Tensor:
    """As `randint(low, high)` or `randint(high)`, with the shape and dtype of `input`."""
    bounds += tuple(options.pop(name) for name in ("low", "high") if name in options)
    where = device or input.device
    return random.randint(*bounds, input.shape, dtype=dtype or input.dtype, device=where, **options)


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
