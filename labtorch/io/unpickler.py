"""Pickles, read without running what they ask for.

A pickle is a program: it may call anything that can be imported. `Careful` knows only the commands
that a checkpoint is written with, and only names for what it is made of (tensors, containers,
dtypes); anything else is refused before it runs. It is written over Python's own unpickler, not the
one in C, which lets a few bytes claim gigabytes. `Trusting` may import: for files of one's own.
"""

from __future__ import annotations

import importlib
import pickle
import pickletools
import reprlib
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any

from labtorch.backend import devices, dtypes, schemes
from labtorch.io.names import (
    KINDS,
    REBUILD_PARAMETER,
    REBUILD_QUANTIZED,
    REBUILD_TENSOR,
    REBUILD_UNTYPED,
    UNTYPED,
)
from labtorch.nn.parameter import Parameter
from labtorch.tensor.tensor import Size, Tensor

KEY_PARTS = 1000  # of a tuple that is a key: a nested one may take forever to hash

# ---------------------------------------------------------------- names that users allow
_safe: dict[tuple[str, str], Any] = {}


def _names(safe_globals: Iterable[Any]) -> dict[tuple[str, str], Any]:
    named = {}
    for each in safe_globals:
        if isinstance(each, tuple):
            value, path = each
            module, _, name = path.rpartition(".")
            named[module, name] = value
        else:
            named[each.__module__, each.__qualname__] = each
    return named


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let files name these classes or functions of yours, also with `weights_only=True`.

    An entry is the object, or a pair of it and the "module.name" by which files call it.
    """
    _safe.update(_names(safe_globals))


def get_safe_globals() -> list[Any]:
    """What has been allowed."""
    return list(_safe.values())


def clear_safe_globals() -> None:
    """Allow no more than what labtorch itself knows."""
    _safe.clear()


@contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """Allow names inside the block only."""
    before = dict(_safe)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe.clear()
        _safe.update(before)


# ---------------------------------------------------------------- what a checkpoint is made of
def _check_key(key: Any) -> None:
    """Refuse keys that could be hashed or compared for longer than the file is read."""
    parts, seen = [key], 0
    while parts:
        part, seen = parts.pop(), seen + 1
        if seen > KEY_PARTS:
            raise pickle.UnpicklingError("load: a key of a dict or set is nested too deeply")
        if isinstance(part, (tuple, frozenset)):
            parts.extend(part)


def _pairs(items: Any) -> list[tuple[Any, Any]]:
    pairs = [(key, value) for key, value in (items.items() if isinstance(items, dict) else items)]
    for key, _ in pairs:
        _check_key(key)
    return pairs


def _dict(items: Any = ()) -> dict:
    return dict(_pairs(items))


def _ordered(items: Any = ()) -> OrderedDict:
    return OrderedDict(_pairs(items))


def _counter(items: Any = ()) -> Counter:
    return Counter(dict(_pairs(items)))


def _defaultdict(factory: Any = None, items: Any = ()) -> defaultdict:
    made = {_dict: dict, _set: set, _ordered: OrderedDict}.get(factory, factory)
    return defaultdict(made, _pairs(items))


def _set(items: Any = ()) -> set:
    for each in items:
        _check_key(each)
    return set(items)


def _complex(real: float, imag: float) -> complex:
    return complex(float(real), float(imag))


def _bytes(text: str = "", encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("load: bytes are written as latin1")
    return text.encode("latin1")


def _bytearray(content: Any = b"", encoding: str = "latin-1") -> bytearray:
    return bytearray(content if isinstance(content, bytes) else _bytes(content, encoding))


def _size(numbers: Any = ()) -> Size:
    if not all(type(n) is int for n in numbers):
        raise pickle.UnpicklingError("load: a size is made of integers")
    return Size(numbers)


def _device(kind: str, index: int | None = None) -> devices.device:
    return devices.device(kind) if index is None else devices.device(kind, index)


def _parameter(data: Tensor, requires_grad: bool = True, backward_hooks: Any = None) -> Parameter:
    return Parameter(data, bool(requires_grad))


def _parameter_with_state(
    data: Tensor, requires_grad: bool, backward_hooks: Any, state: Any
) -> Parameter:
    return _parameter(data, requires_grad)


def _from_type(rebuild: Any, kind: type, args: tuple, state: Any) -> Any:
    """A tensor with attributes of its own: the tensor."""
    if not isinstance(rebuild, (FunctionType, MethodType)):
        raise pickle.UnpicklingError("load: a tensor that nothing rebuilds")
    made = rebuild(*args)
    return Parameter(made, made.requires_grad) if kind is Parameter else made


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _ordered,
    ("collections", "Counter"): _counter,
    ("collections", "defaultdict"): _defaultdict,
    ("_codecs", "encode"): _bytes,
    ("torch", "Size"): _size,
    ("torch", "device"): _device,
    ("torch", "Tensor"): Tensor,
    ("torch.nn.parameter", "Parameter"): Parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _from_type,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter_with_state,
    REBUILD_PARAMETER: _parameter,
    UNTYPED: "untyped",
}
for _module in ("builtins", "__builtin__"):
    for _make in (_dict, _set, _complex, _bytes, _bytearray):
        _KNOWN[_module, _make.__name__[1:]] = _make
_DTYPES = dtypes.NAMED | {"bfloat16": dtypes.bfloat16}


def _known(module: str, name: str) -> Any:
    """What stands for a name of a checkpoint, or None."""
    found = _KNOWN.get((module, name))
    if found is None and module == "torch":
        found = KINDS.get(name) or _DTYPES.get(name) or schemes.BY_NAME.get(name)
    return found


class _Reading:
    """What both ways of reading share: names of tensors, and storages by reference."""

    storages: Any

    def rebuilt(self, module: str, name: str) -> Any:
        if (module, name) == REBUILD_TENSOR:
            return self.storages.tensor
        if (module, name) == REBUILD_UNTYPED:
            return self.storages.untyped_tensor
        if (module, name) == REBUILD_QUANTIZED:
            return self.storages.quantized_tensor
        return _known(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return self.storages.persistent(pid)


class Trusting(_Reading, pickle.Unpickler):
    """Runs what the pickle asks for; PyTorch's classes are their namesakes here."""

    def __init__(self, file: Any, storages: Any) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] != "torch":
            return super().find_class(module, name)
        found = self.rebuilt(module, name)
        if found is not None:
            return found
        try:
            return getattr(importlib.import_module("labtorch" + module[5:]), name)
        except (ImportError, AttributeError):
            raise pickle.UnpicklingError(
                f"load: the file asks for {module}.{name}, which labtorch does not have: its "
                "state_dict(), saved in PyTorch, can be loaded"
            ) from None


_Base: Any = pickle._Unpickler  # type: ignore[attr-defined]
_COMMANDS = """
    PROTO STOP FRAME MARK GLOBAL STACK_GLOBAL REDUCE BUILD NEWOBJ BINPERSID
    NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
    BINUNICODE SHORT_BINUNICODE SHORT_BINSTRING BINBYTES SHORT_BINBYTES
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
    EMPTY_SET ADDITEMS BINGET LONG_BINGET BINPUT LONG_BINPUT MEMOIZE
"""


class Careful(_Reading, _Base):
    """Builds tensors, numbers, strings and containers; refuses the rest of the language."""

    dispatch = {
        getattr(pickle, name)[0]: _Base.dispatch[getattr(pickle, name)[0]]
        for name in _COMMANDS.split()
    }

    def __init__(self, file: Any, storages: Any) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        found = self.rebuilt(module, name)
        if found is None:
            found = _safe.get((module, name))
        if found is None:
            asked = f"{module}.{name}"[:200]
            raise pickle.UnpicklingError(
                f"Weights only load failed: the file asks for {asked}, which is more than "
                "tensors, numbers and containers, and was not called. If you trust the file, "
                "load(..., weights_only=False) runs it; or allow the name alone with "
                "labtorch.serialization.add_safe_globals"
            )
        return found

    def load(self) -> Any:
        try:
            return super().load()
        except KeyError as error:
            code = error.args[0] if error.args else None
            if isinstance(code, int) and code not in self.dispatch:
                raise pickle.UnpicklingError(
                    f"Weights only load failed: the pickle has a command {code} that no checkpoint "
                    "needs"
                ) from None
            raise

    def load_reduce(self) -> None:
        function, arguments = self.stack[-2], self.stack[-1]
        made_here = isinstance(function, (FunctionType, MethodType))
        if not made_here and not any(function is each for each in _safe.values()):
            raise pickle.UnpicklingError(f"load: {reprlib.repr(function)} is not to be called")
        if not isinstance(arguments, tuple):
            raise pickle.UnpicklingError("load: a call without a tuple of arguments")
        _Base.load_reduce(self)

    def load_newobj(self) -> None:
        kind = self.stack[-2]
        if kind is _ordered:
            self.stack[-2:] = [OrderedDict()]
            return
        if not any(kind is each for each in _safe.values()):
            raise pickle.UnpicklingError(f"load: {reprlib.repr(kind)} is not to be made")
        _Base.load_newobj(self)

    def load_build(self) -> None:
        made, state = self.stack[-2], self.stack[-1]
        if isinstance(made, OrderedDict) and isinstance(state, dict):
            metadata = state.get("_metadata")
            if isinstance(metadata, dict):
                made._metadata = metadata  # type: ignore[attr-defined]
            self.stack.pop()
            return
        if not any(type(made) is each for each in _safe.values()):
            raise pickle.UnpicklingError(f"load: a {type(made).__name__} takes no state")
        _Base.load_build(self)

    def load_setitem(self) -> None:
        _check_key(self.stack[-2])
        self._check_dict(self.stack[-3])
        _Base.load_setitem(self)

    def load_setitems(self) -> None:
        for key in self.stack[::2]:
            _check_key(key)
        self._check_dict(self.metastack[-1][-1])
        _Base.load_setitems(self)

    def load_additems(self) -> None:
        for each in self.stack:
            _check_key(each)
        _Base.load_additems(self)

    def _check_dict(self, target: Any) -> None:
        if not isinstance(target, dict):  # a tensor would take the item, too
            raise pickle.UnpicklingError(f"load: a {type(target).__name__} takes no items")

    def load_append(self) -> None:
        self._check_list(self.stack[-2])
        _Base.load_append(self)

    def load_appends(self) -> None:
        self._check_list(self.metastack[-1][-1])
        _Base.load_appends(self)

    def _check_list(self, target: Any) -> None:
        if type(target) is not list:
            raise pickle.UnpicklingError(f"load: a {type(target).__name__} is not appended to")


for _name in ("reduce", "newobj", "build", "setitem", "setitems", "additems", "append", "appends"):
    Careful.dispatch[getattr(pickle, _name.upper())[0]] = getattr(Careful, f"load_{_name}")


def unsafe_names(pickled: bytes) -> list[str]:
    """The names a pickle asks for that a careful load refuses."""
    known = {*_safe, REBUILD_TENSOR, REBUILD_UNTYPED, REBUILD_QUANTIZED}
    found, strings = [], ["", ""]
    for code, argument, _ in pickletools.genops(pickled):
        if isinstance(argument, str) and code.name != "GLOBAL":
            strings = [strings[-1], argument]
        if code.name in ("GLOBAL", "STACK_GLOBAL"):
            module, name = argument.split(" ", 1) if argument else strings
            if (module, name) not in known and _known(module, name) is None:
                found.append(f"{module}.{name}")
    return list(dict.fromkeys(found))
