"""Attach the ops and public functions to Tensor as methods, and the in-place forms of the ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.backend.arrays import namespace
from labtorch.engine import errors, events
from labtorch.engine.apply import apply
from labtorch.engine.inplace import apply_inplace, check_writable, former, write
from labtorch.engine.op import Op
from labtorch.engine.public import SPELLINGS, names
from labtorch.engine.thread import local
from labtorch.ops import shape
from labtorch.tensor import (
    arranging,  # noqa: F401 - its functions are methods, too
    attributes,  # noqa: F401
    complexes,  # noqa: F401
    creation,
    functions,
    lowrank,  # noqa: F401 - public functions
    masking,  # noqa: F401
    products,  # noqa: F401
    quantized,  # noqa: F401
    random,
    settings,  # noqa: F401
    spectra,  # noqa: F401
    statistics,  # noqa: F401
    typed,  # noqa: F401
    windows,  # noqa: F401
)
from labtorch.tensor.tensor import Tensor


def _method(operation: Op) -> Any:
    def unary(self: Tensor) -> Any:
        return apply(operation, (self,))

    def general(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return operation(self, *args, **kwargs)

    call = unary if operation.arity == 1 else general
    call.__name__, call.__doc__ = operation.name, f"y = {operation.formula}"
    return call


def _inplace(operation: Op) -> Any:
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return apply_inplace(operation, operation.bind((self, *args), kwargs))

    call.__name__ = operation.name + "_"
    call.__doc__ = f"`{operation.name}`, written into the tensor itself."
    return call


def _where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    return functions.where(condition, self, other)


Tensor.where = _where  # type: ignore[attr-defined]


def _to(kind: dtypes.dtype) -> Any:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return self.to(kind)

    convert.__doc__ = f"The tensor as {kind.name}; itself if it is already."
    return convert


_KINDS = {"bool": dtypes.bool, "byte": dtypes.uint8, "bfloat16": dtypes.bfloat16}
for _name, _kind in {**dtypes.ALIASES, **_KINDS}.items():
    setattr(Tensor, _name, _to(_kind))


# ---------------------------------------------------------------- writing into a tensor
def _write(self: Tensor, name: str, value: Any) -> Tensor:
    """Overwrite all elements by values that no gradient flows to."""
    if local.thread.grad_enabled and self._requires_grad:
        check_writable(self, name)
        return apply_inplace(_overwrite, (self, value))
    if events.writes_are_followed(local.thread):
        return apply_inplace(_overwrite, (self, value))
    self.version().written(name + "_", errors.user_line())
    self._array[...] = value
    return self


@shape.op(r"y = v", name="fill")
def _overwrite(input, value):
    y = namespace(input).empty_like(input)
    y[...] = value
    return y


@_overwrite.vjp("input", r"\bar x = 0")
def _(g):
    return g * 0


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to `value`."""
    return _write(self, "fill", value.item() if isinstance(value, Tensor) else value)


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return _write(self, "zero", 0)


def copy_(self: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    """Copy the elements of `source`, which broadcasts to this shape, into this tensor."""
    if source.device != self.device:
        source = source.to(self.device, non_blocking=non_blocking)
    recorded = local.thread.grad_enabled and (self._requires_grad or source._requires_grad)
    if recorded or events.writes_are_followed(local.thread):
        self[...] = source
        return self
    self.version().written("copy_", errors.user_line())
    self._array[...] = source._array
    return self


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Any = None) -> Tensor:
    """Draw every element uniformly from [a, b)."""
    if a > b:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={a} > to={b}"
        )
    draw = random.rand_like(self, generator=generator)._array
    return _write(self, "uniform", draw * (b - a) + a)


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Draw every element from a normal distribution."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    draw = random.randn_like(self, generator=generator)._array
    return _write(self, "normal", draw * std + mean)


def bernoulli_(self: Tensor, p: float = 0.5, *, generator: Any = None) -> Tensor:
    """Draw every element: 1 with probability p, else 0."""
    draw = random.rand(self.shape, generator=generator, device=self.device)._array
    return _write(self, "bernoulli", draw < p)


def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Set the elements where `mask` is true to `value`."""
    if mask._array.dtype.kind != "b":
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    self[mask.expand(self.shape)] = value
    return self


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Set the main diagonal; with `wrap`, that of a tall matrix goes on below."""
    if self.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if self.ndim > 2 and len(set(self.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    n, width = min(self.shape), self.shape[-1]
    if self.ndim == 2 and wrap and self.shape[0] > width:
        places = np.arange(0, self.numel(), width + 1)
        self[places // width, places % width] = fill_value
    else:
        at = np.arange(n)
        self[(at,) * self.ndim] = fill_value
    return self


def _resized(flat: Any, count: int) -> Any:
    if count <= flat.size:
        return flat[:count]
    more = namespace(flat).zeros(count - flat.size, flat.dtype)
    return namespace(flat).concatenate([flat, more])


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Another shape in place: elements are kept in order, new ones are whatever was there."""
    shape = functions._ints(sizes)
    if self._requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    count = int(np.prod(shape, dtype=np.int64))
    flat = self._array.reshape(-1)
    self._array = _resized(flat, count).reshape(shape)
    return self


def resize_as_(self: Tensor, other: Tensor, memory_format: Any = None) -> Tensor:
    return resize_(self, *other.shape)


def _from_function(name: str, function: Any) -> Any:
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        before = former(self)
        recorded = local.thread.grad_enabled
        if recorded and any(isinstance(x, Tensor) and x._requires_grad for x in (self, *args)):
            check_writable(self, name)
            before._array = before._array.copy()  # the nodes may keep it, and it is about to go
        result = function(before, *args, **kwargs)
        if result._array.shape != self._array.shape:
            raise RuntimeError(f"{name}_ cannot change the shape {list(self.shape)}")
        write(self, result)
        return self

    call.__name__, call.__doc__ = name + "_", f"`{name}`, written into the tensor itself."
    return call


def _spell(path: str, function: Any) -> None:
    """Attach what `@public` declares: "sinh" or "sinh_"."""
    if not path.endswith("_"):
        method = _method(function) if isinstance(function, Op) else function
    elif isinstance(function, Op):
        method = _inplace(function)
    else:
        method = _from_function(path[:-1], function)
    setattr(Tensor, path, method)


for _name, _function in names("Tensor").items():
    _spell(_name, _function)


# PyTorch has these as functions, too: torch.relu_(x)
_FUNCTIONS = (
    "abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh as_strided asin asinh "
    "atan atanh ceil clamp clamp_max clamp_min clip conj_physical cos cosh deg2rad detach erf "
    "erfc exp2 exp expm1 fill fix floor frac gcd i0 index_put lcm ldexp log10 log1p log2 log "
    "logit nan_to_num neg negative rad2deg reciprocal relu resize_as round rsqrt sigmoid sin "
    "sinc sinh sqrt square tan tanh trunc xlogy zero"
)


def _as_view(name: str) -> Any:
    """The in-place form of an op that changes the shape: the tensor shows its memory anew."""

    def call(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        seen = getattr(Tensor, name)(former(self), *args, **kwargs)
        self._array, self._node, self._output = seen._array, seen._node, seen._output
        return self

    call.__name__, call.__doc__ = name + "_", f"`{name}`, of the tensor itself."
    return call


def new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    """A tensor of `data` with this one's dtype, unless another is given."""
    options.setdefault("dtype", self.dtype)
    options.setdefault("device", self.device)
    return creation.tensor(data, **options)


def _new(make: Any) -> Any:
    def new(self: Tensor, *args: Any, **options: Any) -> Tensor:
        if options.get("dtype") is None:
            options["dtype"] = self.dtype
        if options.get("device") is None:
            options["device"] = self.device
        return make(*args, **options)

    return new


for _function in (
    fill_,
    zero_,
    copy_,
    uniform_,
    normal_,
    bernoulli_,
    masked_fill_,
    new_tensor,
    fill_diagonal_,
    resize_,
    resize_as_,
):
    setattr(Tensor, _function.__name__, _function)
for _name in ("zeros", "ones", "empty", "full"):
    setattr(Tensor, f"new_{_name}", _new(getattr(creation, _name)))
for _name in "squeeze unsqueeze transpose swapaxes swapdims t".split():
    setattr(Tensor, _name + "_", _as_view(_name))
for _name in _FUNCTIONS.split():
    if hasattr(Tensor, _name + "_"):
        SPELLINGS[_name + "_"] = getattr(Tensor, _name + "_")
Tensor.multinomial = random.multinomial  # type: ignore[attr-defined]
Tensor.bernoulli = random.bernoulli  # type: ignore[attr-defined]
