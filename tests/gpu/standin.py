"""A stand-in for CuPy that computes with NumPy, and refuses what CuPy refuses.

Its arrays are no NumPy arrays: a NumPy function that is given one raises, an operand that is a
NumPy array raises, and names and arguments that the real CuPy lacks (`cupy_names.json` lists those
that it has) raise. So what runs here touches the device's arrays through `namespace(array)` only.
What crosses between the device and the host is counted in `crossings`.

    with standin.installed():
        x = labtorch.ones(3, device="cuda")
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import operator
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

NAMES = json.loads(Path(__file__).with_name("cupy_names.json").read_text())
DEVICES = 2
SCALARS = (bool, int, float, complex, np.generic)

crossings: Counter[str] = Counter()  # "to device", "to host", "number"
places: Counter[str] = Counter()  # of those, the lines of labtorch that asked for them


def crossed(kind: str) -> None:
    """Note that data went to the device, to the host, or to the host as one number."""
    crossings[kind] += 1
    for frame in reversed(traceback.extract_stack(limit=25)):
        if "/labtorch/" in frame.filename:
            where = frame.filename.rpartition("/labtorch/")[2]
            places[f"{kind}: {where}:{frame.lineno} {frame.line}"] += 1
            break


class _Current(threading.local):
    device = 0
    fusing = False


current = _Current()
launches: Counter[str] = Counter()  # of kernels, by the names of functions


def launched(name: str) -> None:
    if not current.fusing:
        launches[name] += 1


@contextlib.contextmanager
def one_launch() -> Iterator[None]:
    """What is called inside belongs to a kernel that has been counted."""
    before, current.fusing = current.fusing, True
    try:
        yield
    finally:
        current.fusing = before


# ------------------------------------------------------------------------------ arrays
def root(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def wrap(value: Any, sources: tuple = ()) -> Any:
    """NumPy's results as the device's; one that shows a source's memory has it as its base."""
    if isinstance(value, (np.ndarray, np.generic)):
        host = np.asarray(value)
        if host.dtype.kind not in "biufc":
            raise TypeError(f"CuPy has no arrays of {host.dtype}")
        out = object.__new__(ndarray)
        out._host, out.base, out._id = host, None, current.device
        if isinstance(value, np.ndarray):
            for each in sources:
                if root(each._host) is root(host):
                    out.base = each if each.base is None else each.base
                    out._id = each._id
        return out
    if isinstance(value, (tuple, list)):
        return (
            type(value)(wrap(each, sources) for each in value)
            if type(value) in (tuple, list)
            else tuple(wrap(each, sources) for each in value)
        )
    return value


def unwrap(value: Any, seen: list, name: str, index: bool = False) -> Any:
    """The device's arrays as NumPy's; a NumPy array in their place is refused, as CuPy does."""
    if isinstance(value, ndarray):
        if value._id != current.device:
            raise ValueError(
                f"Array device must be same as the current device: array device = {value._id} "
                f"while current = {current.device}"
            )
        seen.append(value)
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)} (in {name})")
    if isinstance(value, tuple):
        return tuple(unwrap(each, seen, name, index) for each in value)
    if isinstance(value, list):
        if index and value:
            crossed("to device")
        return [unwrap(each, seen, name, index) for each in value]
    if index and isinstance(value, slice):
        for part in (value.start, value.stop, value.step):
            operator.index(0 if part is None else part)
    return value


@functools.cache
def signature(parameters: str) -> inspect.Signature:
    scope: dict[str, Any] = {}
    exec(f"def f({parameters}): pass", scope)
    return inspect.signature(scope["f"])


def checked(name: str, parameters: str, args: tuple, kwargs: dict) -> None:
    try:
        signature(parameters).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"cupy.{name}({parameters}): {error}") from None


class Flags:
    def __init__(self, host: np.ndarray, owns: bool) -> None:
        self.c_contiguous, self.f_contiguous = host.flags.c_contiguous, host.flags.f_contiguous
        self.owndata, self.forc, self.fnc = owns, host.flags.forc, host.flags.fnc

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class ndarray:
    """An array of the device."""

    __slots__ = ("_host", "base", "_id", "__weakref__")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __new__(cls, *args: Any, **kwargs: Any) -> ndarray:
        return wrap(np.ndarray(*args, **kwargs))

    # what NumPy asks an array that is not its own
    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to "
            "construct a NumPy array explicitly."
        )

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} was called with an array of the device")

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        scalars = [each for each in inputs if isinstance(each, np.generic)]
        if method == "__call__" and scalars and not kwargs:  # numpy.float32(2) * array
            return getattr(module, function.__name__)(*inputs)
        for each in inputs:
            if isinstance(each, np.ndarray):
                raise TypeError(f"Unsupported type {type(each)} (in numpy.{function.__name__})")
        raise TypeError(f"numpy.{function.__name__} was called with an array of the device")

    dtype = property(lambda self: self._host.dtype)
    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    flags = property(lambda self: Flags(self._host, self.base is None))
    device = property(lambda self: Device(self._id))
    T = property(lambda self: wrap(self._host.T, (self,)))
    mT = property(lambda self: wrap(self._host.mT, (self,)))

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self._host.ctypes.data, device_id=self._id, device=self.device)

    @property
    def real(self) -> ndarray:
        return wrap(self._host.real, (self,))

    @real.setter
    def real(self, value: Any) -> None:
        self._host.real = unwrap(value, [], "real")

    @property
    def imag(self) -> ndarray:
        return wrap(self._host.imag, (self,))

    @imag.setter
    def imag(self, value: Any) -> None:
        self._host.imag = unwrap(value, [], "imag")

    @property
    def __cuda_array_interface__(self) -> dict:
        said = dict(self._host.__array_interface__)
        return said | {"version": 3, "stream": 1}

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._id

    def __dlpack__(self, **options: Any) -> Any:
        return self  # no capsule: only `module.from_dlpack` can read it

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> ndarray:
        assert not current.fusing, "cupy.fuse takes no index"
        seen: list = [self]
        return (
            wrap(self._host[unwrap(index, seen, "an index", index=True)], (self,))
            if not isinstance(index, ndarray) or index.ndim
            else self._by_0d(index)
        )

    def _by_0d(self, index: ndarray) -> ndarray:
        return wrap(np.array(self._host[unwrap(index, [], "an index")]))

    def __setitem__(self, index: Any, value: Any) -> None:
        launched("assignment")
        place = unwrap(index, [], "an index", index=True)
        given = unwrap(value, [], "an assignment")
        if not isinstance(value, (ndarray, *SCALARS)):
            raise TypeError(f"cannot assign {type(value)} to an array of the device")
        self._host[place] = given

    # one number, or all of them, on the host
    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True):
        crossed("to host")
        return self._host.copy(order)

    def set(self, arr: Any, stream: Any = None) -> None:
        crossed("to device")
        self._host[...] = arr

    def item(self) -> Any:
        crossed("number")
        return self._host.item()

    def tolist(self) -> Any:
        crossed("to host")
        return self._host.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        crossed("to host")
        return self._host.tobytes(order)

    def _number(kind: type) -> Any:  # type: ignore[misc]
        def convert(self: Any) -> Any:
            crossed("number")
            return kind(self._host)

        return convert

    __bool__, __int__, __float__, __complex__ = map(_number, (bool, int, float, complex))

    def __repr__(self) -> str:
        crossed("to host")
        return repr(self._host)

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        with Device(self._id):
            return self.copy()

    def __reduce__(self) -> Any:
        return array, (self.get(),)

    def __format__(self, spec: str) -> str:
        return format(self.item() if not self.ndim else self.get(), spec)

    def scatter_add(self, slices: Any, value: Any) -> None:
        place = unwrap(slices, [], "scatter_add", index=True)
        np.add.at(self._host, place, unwrap(value, [], "scatter_add"))

    def scatter_max(self, slices: Any, value: Any) -> None:
        np.maximum.at(self._host, unwrap(slices, [], "scatter_max"), unwrap(value, [], "scatter"))

    def scatter_min(self, slices: Any, value: Any) -> None:
        np.minimum.at(self._host, unwrap(slices, [], "scatter_min"), unwrap(value, [], "scatter"))


def _method(name: str, parameters: str) -> Any:
    def call(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        checked(f"ndarray.{name}", parameters, args, kwargs)
        assert not current.fusing or name in ("astype", "copy"), f"cupy.fuse lacks {name}()"
        seen: list = []
        host = unwrap(self, seen, name)
        args = unwrap(args, seen, name)
        out = kwargs.get("out")
        kwargs = {key: unwrap(value, seen, name) for key, value in kwargs.items()}
        result = getattr(host, name)(*args, **kwargs)
        if name == "astype" and result is host:
            return self
        if name not in FREE:
            launched(name)
        if name == "diagonal":  # NumPy's may not be written to
            result.flags.writeable = True
        return wrap(result, tuple(seen)) if out is None else out

    call.__name__ = name
    return call


for _name, _parameters in NAMES["methods"].items():
    if _name not in vars(ndarray) and hasattr(np.ndarray, _name):
        setattr(ndarray, _name, _method(_name, _parameters))


def _binary(symbol: str, ufunc: str) -> None:
    def forward(self: ndarray, other: Any) -> Any:
        if not isinstance(other, (ndarray, np.ndarray, *SCALARS)):
            return NotImplemented
        return getattr(module, ufunc)(self, other)

    def reversed_(self: ndarray, other: Any) -> Any:
        if not isinstance(other, (ndarray, np.ndarray, *SCALARS)):
            return NotImplemented
        return getattr(module, ufunc)(other, self)

    def in_place(self: ndarray, other: Any) -> Any:
        if not isinstance(other, (ndarray, np.ndarray, *SCALARS)):
            return NotImplemented
        getattr(module, ufunc)(self, other, out=self)
        return self

    setattr(ndarray, f"__{symbol}__", forward)
    if ufunc not in COMPARISONS:
        setattr(ndarray, f"__r{symbol}__", reversed_)
        if f"__i{symbol}__" in NAMES["members"]:
            setattr(ndarray, f"__i{symbol}__", in_place)


COMPARISONS = {"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"}
BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
for _symbol, _ufunc in BINARY.items():
    _binary(_symbol, _ufunc)
ndarray.__neg__ = lambda self: module.negative(self)  # type: ignore[attr-defined]
ndarray.__pos__ = lambda self: module.positive(self)  # type: ignore[attr-defined]
ndarray.__invert__ = lambda self: module.invert(self)  # type: ignore[attr-defined]
ndarray.__abs__ = lambda self: module.absolute(self)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------ functions
class ufunc:
    """NumPy's ufunc with CuPy's loops: the dtype of a result is CuPy's."""

    def __init__(self, name: str, host: Any, types: str) -> None:
        self.name = self.__name__ = name
        self._host, self.types = host, types.split(" ")
        self.nin = self.types[0].index("-")
        self.nout = len(self.types[0]) - self.nin - 2
        self._loops: dict[tuple, Any] = {}

    def _loop(self, kinds: tuple) -> Any:
        """The dtypes of the results: those of the first loop that takes the operands."""
        if kinds not in self._loops:
            for each in self.types:
                if all(np.can_cast(have, want) for have, want in zip(kinds, each)):
                    self._loops[kinds] = [np.dtype(c) for c in each[self.nin + 2 :]]
                    break
            else:
                raise TypeError(f"cupy.{self.name} has no loop for {[str(k) for k in kinds]}")
        return self._loops[kinds]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        checked(
            self.name, "*args, out=0, dtype=0, casting=0, order=0, subok=0, where=0", args, kwargs
        )
        if not self.nin <= len(args) <= self.nin + self.nout:
            raise TypeError(f"cupy.{self.name} takes {self.nin} operands, got {len(args)}")
        launched(self.name)
        seen: list = []
        inputs, outs = args[: self.nin], args[self.nin :]
        if any(not isinstance(each, (ndarray, *SCALARS)) for each in inputs):
            wrong = next(x for x in inputs if not isinstance(x, (ndarray, *SCALARS)))
            raise TypeError(f"Unsupported type {type(wrong)} (in cupy.{self.name})")
        given = kwargs.pop("out", None)
        outs = outs or (() if given is None else given if isinstance(given, tuple) else (given,))
        host = unwrap(args[: self.nin], seen, self.name)
        kwargs = {key: unwrap(value, seen, self.name) for key, value in kwargs.items()}
        if outs:
            places = unwrap(outs, seen, self.name)
            self._host(*host, out=places, **kwargs)
            return outs[0] if len(outs) == 1 else outs
        result = self._host(*host, **kwargs)
        typed = all(hasattr(each, "dtype") for each in host)
        if typed and "dtype" not in kwargs:
            kinds = self._loop(tuple(each.dtype for each in host))
            several = isinstance(result, tuple)
            result = [
                x.astype(k, copy=False) for x, k in zip(result if several else [result], kinds)
            ]
            result = tuple(result) if several else result[0]
        return wrap(result)

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        seen: list = []
        return wrap(self._host.outer(*unwrap((A, B), seen, self.name), **kwargs))

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        if self.name not in ("add", "maximum", "minimum", "bitwise_and", "bitwise_or"):
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        seen: list = []
        a, indices, b = unwrap(a, seen, self.name), unwrap(indices, seen, self.name, True), b
        self._host.at(a, indices, unwrap(b, seen, self.name))

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims=False):
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return wrap(self._host.reduce(unwrap(array, [], self.name), axis, dtype, None, keepdims))

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return wrap(self._host.accumulate(unwrap(array, [], self.name), axis, dtype))


FREE = {"reshape", "ravel", "transpose", "swapaxes", "moveaxis", "expand_dims", "squeeze", "view"}
FREE |= {"empty", "empty_like", "diagonal", "broadcast_to", "ndim", "shape", "size"}  # no kernel
BOXED = {"allclose", "array_equal", "array_equiv", "isin"}  # NumPy gives a bool
PLAIN = {"ndim", "shape", "size", "result_type", "can_cast", "iscomplexobj", "isrealobj"}
PLAIN |= {"may_share_memory", "shares_memory", "isscalar", "min_scalar_type", "common_type"}
HOST = {"asarray", "array", "ascontiguousarray", "asanyarray", "asfortranarray"}
HOST |= {"full", "full_like", "arange", "linspace", "isscalar", "result_type", "can_cast"}


def function(name: str, host: Any, parameters: str) -> Any:
    short = name.rpartition(".")[2]

    def call(*args: Any, **kwargs: Any) -> Any:
        checked(name, parameters, args, kwargs)
        if short not in FREE:
            launched(name)
        if parameters != "*args, **kwargs":
            kwargs.pop("blocking", None)
        seen: list = []
        out = kwargs.get("out")
        if out is None and short in ("clip", "round", "concatenate", "stack", "take", "sum"):
            bound = signature(parameters).bind(*args, **kwargs).arguments
            out = bound.get("out")
        args = tuple(unwrap(each, seen, name) for each in args)
        kwargs = {key: unwrap(value, seen, name) for key, value in kwargs.items()}
        result = host(*args, **kwargs)
        if short in PLAIN:
            return result
        if out is not None:
            return out
        if short in BOXED or short == "concatenate":
            return wrap(np.asarray(result))
        return wrap(result, tuple(seen))

    call.__name__ = call.__qualname__ = short
    return call


def array(obj: Any, dtype: Any = None, copy: Any = True, order: str = "K", **_: Any) -> ndarray:
    """Onto the device: from NumPy's arrays, numbers and lists."""
    if isinstance(obj, ndarray):
        same = dtype is None or obj.dtype == np.dtype(dtype)
        if same and not copy and obj._id == current.device:
            return obj
        if obj._id != current.device:
            crossed("between devices")
        return wrap(np.array(obj._host, dtype, order=order))
    crossed("to device")
    if isinstance(obj, (list, tuple)) and any(isinstance(each, ndarray) for each in obj):
        obj = [each._host if isinstance(each, ndarray) else each for each in obj]
    return wrap(np.array(obj, dtype, order="C" if order == "K" else order))


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking=False):
    return array(a, dtype, bool(copy), order or "K")


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking=True) -> Any:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    if isinstance(a, ndarray) and a.flags.c_contiguous and dtype in (None, a.dtype) and a.ndim:
        return a
    return wrap(np.ascontiguousarray(unwrap(a, [], "ascontiguousarray"), dtype))


def as_strided(x: Any, shape: Any = None, strides: Any = None) -> Any:
    host = np.lib.stride_tricks.as_strided(x._host, shape, strides)
    return _shown(host, x)


def sliding_window_view(x: Any, window_shape: Any, axis: Any = None, **options: Any) -> Any:
    host = np.lib.stride_tricks.sliding_window_view(x._host, window_shape, axis, writeable=True)
    return _shown(host, x)


def broadcast_to(array: Any, shape: Any) -> Any:
    host = np.lib.stride_tricks.as_strided(
        np.broadcast_to(unwrap(array, [], "broadcast_to"), shape), writeable=True
    )
    return _shown(host, array)


def broadcast_arrays(*args: Any) -> list:
    shape = np.broadcast_shapes(*(x.shape for x in args))
    return [broadcast_to(x, shape) for x in args]


def _shown(host: np.ndarray, source: ndarray) -> ndarray:
    """A view that `as_strided` made: NumPy's base is then no array, the device's is."""
    out = wrap(host)
    out.base, out._id = source if source.base is None else source.base, source._id
    return out


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """CuPy takes no number for `v`."""
    if not isinstance(v, ndarray):
        raise NotImplementedError("Only int or ndarray are supported for v")
    seen: list = []
    return wrap(np.searchsorted(*unwrap((a, v), seen, "searchsorted"), side))


def from_dlpack(array: Any) -> Any:
    if array.__dlpack_device__()[0] != 2:
        raise ValueError("Unsupported array type for from_dlpack: it is not of the device")
    given = array.__dlpack__()
    return wrap(given._host, (given,))


class Device:
    """A GPU; several can be had, and an array belongs to one."""

    def __init__(self, device: Any = None) -> None:
        self.id = current.device if device is None else getattr(device, "id", device)
        self._before: list[int] = []

    def __enter__(self) -> Device:
        if not 0 <= self.id < DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self._before.append(current.device)
        current.device = self.id
        return self

    def __exit__(self, *_: Any) -> None:
        current.device = self._before.pop()

    use = __enter__

    def __eq__(self, other: object) -> bool:
        return self.id == getattr(other, "id", other)

    def __int__(self) -> int:
        return self.id

    def __index__(self) -> int:
        return self.id

    __hash__ = None  # type: ignore[assignment]

    def synchronize(self) -> None:
        crossings["synchronize"] += 1

    compute_capability = "90"
    mem_info = (1 << 33, 1 << 34)


class CUDARuntimeError(RuntimeError):
    """CuPy's own, raised where the driver refuses."""


class Stream:
    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self.ptr = 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def synchronize(self) -> None:
        crossings["synchronize"] += 1

    def wait_event(self, event: Any) -> None:
        """All work is done at once here: there is nothing to wait for."""

    def record(self, event: Any = None) -> Any:
        return event or Event()

    def is_capturing(self) -> bool:
        return False

    done = True


class Event:
    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def record(self, stream: Any = None) -> None:
        pass

    def synchronize(self) -> None:
        crossings["synchronize"] += 1

    done = True


# ------------------------------------------------------------------------------ modules
kernels: dict[tuple, tuple] = {}  # each function that was fused, and what CuPy compiles it for:
# the kinds of its arguments, and the dtypes of its results


def fuse(kernel_name: str) -> Any:
    """Runs the function as it stands, and notes for which kinds of arguments.

    Inside, what is fused itself is a part of the same kernel, and an array has no more than CuPy's
    tracer gives it.
    """

    def kind(value: Any) -> Any:
        if isinstance(value, ndarray):
            return value.dtype, value.ndim
        assert value is None or isinstance(value, SCALARS), f"cupy.fuse takes no {type(value)}"
        return type(value)

    def decorate(function: Any) -> Any:
        def call(*args: Any) -> Any:
            key = function, tuple(map(kind, args))
            launched(kernel_name)
            with one_launch():
                result = function(*args)
            several = result if isinstance(result, tuple) else (result,)
            kernels[key] = tuple(each.dtype for each in several if each is not None)
            return result

        return call

    return decorate


def _pool() -> Any:
    zero = lambda: 0  # noqa: E731
    return SimpleNamespace(
        used_bytes=zero,
        total_bytes=zero,
        free_bytes=zero,
        get_limit=zero,
        free_all_blocks=lambda stream=None: None,
        set_limit=lambda size=None, fraction=None: None,
    )


def _fill(space: ModuleType, host: Any, listed: dict, path: str) -> ModuleType:
    """Give a module the listed functions that NumPy has, too."""
    for name, parameters in listed["functions"].items():
        if hasattr(host, name) and not hasattr(space, name):
            setattr(space, name, function(f"{path}{name}", getattr(host, name), parameters))
    for name, types in listed["ufuncs"].items():
        if hasattr(host, name):
            setattr(space, name, ufunc(name, getattr(host, name), types))

    def absent(name: str) -> Any:
        if name in listed["functions"] or name in listed["ufuncs"]:
            raise NotImplementedError(f"the stand-in has no cupy.{path}{name} yet")
        raise AttributeError(f"module 'cupy' has no attribute '{path}{name}'", name=name)

    space.__getattr__ = absent  # type: ignore[method-assign]
    return space


def _module() -> ModuleType:
    cupy = ModuleType("cupy")
    cupy.__version__ = NAMES["version"]
    cupy.__path__ = []
    for name in NAMES["constants"]:
        if name != "__builtins__":
            setattr(cupy, name, getattr(np, name))
    own = (array, asarray, asanyarray_, asnumpy, ascontiguousarray, broadcast_to, broadcast_arrays)
    for each in (*own, searchsorted, from_dlpack, ndarray, ufunc):
        setattr(cupy, each.__name__.rstrip("_"), each)
    cupy.get_array_module = lambda *args: (
        cupy if any(isinstance(each, ndarray) for each in args) else np
    )
    cupy.is_available = lambda: True
    cupy.fuse = fuse
    cupy.memoize = lambda for_each_device=False: functools.cache
    cupy.get_default_memory_pool = cupy.get_default_pinned_memory_pool = _pool
    listed = NAMES["cupy"]
    _fill(cupy, np, listed[""], "")
    cupy.matmul = function("matmul", np.matmul, listed[""]["functions"]["matmul"])
    for name in ("linalg", "fft"):
        inner = ModuleType(f"cupy.{name}")
        setattr(cupy, name, _fill(inner, getattr(np, name), listed[name], f"{name}."))
    cupy.linalg.LinAlgError = np.linalg.LinAlgError
    tricks = SimpleNamespace(as_strided=as_strided, sliding_window_view=sliding_window_view)
    cupy.lib = SimpleNamespace(stride_tricks=tricks)
    runtime = SimpleNamespace(
        getDeviceCount=lambda: DEVICES,
        CUDARuntimeError=CUDARuntimeError,
        runtimeGetVersion=lambda: 13000,
        driverGetVersion=lambda: 13000,
        getDevice=lambda: current.device,
        setDevice=lambda index: setattr(current, "device", index),
        deviceSynchronize=lambda: crossings.update({"synchronize": 1}),
        getDeviceProperties=lambda index: {
            "name": b"stand-in",
            "totalGlobalMem": 1 << 34,
            "major": 9,
            "minor": 0,
            "multiProcessorCount": 132,
        },
    )
    cupy.cuda = ModuleType("cupy.cuda")
    cupy.cuda.Device, cupy.cuda.Stream, cupy.cuda.Event = Device, Stream, Event
    cupy.cuda.runtime = runtime
    cupy.cuda.is_available = lambda: True
    cupy.cuda.get_current_stream = lambda device_id=-1: Stream()
    cupy.cuda.Stream.null = Stream()
    return cupy


def asanyarray_(a: Any, dtype: Any = None, order: Any = None) -> Any:
    return asarray(a, dtype, order)


def _extras() -> ModuleType:
    cupyx = ModuleType("cupyx")
    cupyx.__path__ = []
    cupyx.scatter_add = lambda a, slices, value: a.scatter_add(slices, value)
    cupyx.scatter_max = lambda a, slices, value: a.scatter_max(slices, value)
    cupyx.scatter_min = lambda a, slices, value: a.scatter_min(slices, value)
    cupyx.errstate = lambda **kinds: contextlib.nullcontext()
    cupyx.rsqrt = lambda x: 1 / module.sqrt(x)
    return cupyx


module = _module()
extras = _extras()


@contextlib.contextmanager
def installed() -> Iterator[ModuleType]:
    """`import cupy` gives the stand-in until the block ends."""
    from labtorch.tensor import random

    mine = {"cupy": module, "cupyx": extras, "cupy.cuda": module.cuda}
    before = {name: sys.modules.get(name) for name in mine}
    sys.modules.update(mine)
    crossings.clear()
    places.clear()
    try:
        yield module
    finally:
        random._of_device.clear()  # the streams of GPUs that are no more
        for name, old in before.items():
            if old is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = old
