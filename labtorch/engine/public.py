"""Where an op or a function can be called from: PyTorch's spellings, declared beside it.

    @public(ELEMENTWISE, aliases="arcsinh")
    @op(r"y = \\operatorname{arsinh} x")
    def asinh(input): ...

makes `labtorch.asinh`, `Tensor.asinh`, `Tensor.asinh_`, and the same three for `arcsinh`. An alias
with a dot has that one place: "special.erf" is `labtorch.special.erf` only. `labtorch` and its
namespaces take their names from here, `labtorch.tensor.methods` the methods.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.engine import errors
from labtorch.engine.inplace import CATEGORY, refuse_overlap
from labtorch.engine.op import NUMPY_NAMES, Op
from labtorch.engine.thread import local
from labtorch.engine.variable import Variable

F = TypeVar("F", bound=Callable[..., Any])

FUNCTION = ("{}",)
METHOD = ("{}", "Tensor.{}")
ELEMENTWISE = ("{}", "Tensor.{}", "Tensor.{}_")
ONLY_METHOD = ("Tensor.{}",)
ONLY_METHODS = ("Tensor.{}", "Tensor.{}_")
NOWHERE = ()  # by its aliases only

# PyTorch's `out=` is strict for these: of the result's dtype, and apart from the inputs in memory
SAME_DTYPE = {"gather", "take", "index_select", "aminmax", "multinomial", "kthvalue"}
READS_ELSEWHERE = {"gather", "take", "index_select", "cat", "masked_select", "kthvalue"}

SPELLINGS: dict[str, Callable] = {}  # "sinh", "Tensor.sinh", "Tensor.sinh_", "special.erf"


def public(
    where: tuple[str, ...] = METHOD, aliases: str = "", *, out: bool = False
) -> Callable[[F], F]:
    """Declare where an op or a plain function is called from; `out=True` gives a plain function
    PyTorch's `out=` (an op whose result is not a view has it anyway)."""

    def declare(function: F) -> F:
        spelled = function if isinstance(function, Op) else with_numpy_names(function)
        delivering = with_out(spelled) if out else spelled
        for each in (function.__name__, *aliases.split()):
            for place in ("{}",) if "." in each else where:
                path = place.format(each)
                SPELLINGS[path] = spelled if path.startswith("Tensor.") else delivering
        return function

    return declare


def names(space: str = "") -> dict[str, Callable]:
    """What is public in a namespace: "" for labtorch itself, else "special", "linalg", "Tensor"."""
    prefix = f"{space}." if space else ""
    return {
        path[len(prefix) :]: function
        for path, function in SPELLINGS.items()
        if path.startswith(prefix) and "." not in path[len(prefix) :]
    }


def with_numpy_names(function: F) -> F:
    """`function`, which also takes NumPy's `axis` for `dim` and `keepdims` for `keepdim`."""
    known = inspect.signature(function).parameters
    names = {old: new for old, new in NUMPY_NAMES.items() if new in known}
    if not names:
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not names.keys().isdisjoint(kwargs):
            kwargs = {names.get(name, name): value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return call  # type: ignore[return-value]  # the same signature


def with_out(function: F) -> F:
    """`function`, which also takes `out=`: tensors that the results are written into."""

    @functools.wraps(function)
    def call(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if out is None:
            return function(*args, **kwargs)
        return deliver(function.__name__, lambda: function(*args, **kwargs), args, out)

    return call  # type: ignore[return-value]  # the same signature and one argument more


def deliver(name: str, compute: Callable[[], Any], args: tuple, out: Any) -> Any:
    """Write the results of `compute()` into `out`, a tensor or a tuple of tensors, and return it.

    An `out` of another shape is resized, with a warning unless it was empty; its dtype stays.
    """
    targets = (out,) if isinstance(out, Variable) else tuple(out)
    _refuse_overlap(name, targets, args)
    if not all(isinstance(each, Variable) for each in targets):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    given = [each for each in (*args, *targets) if isinstance(each, Variable)]
    thread = local.thread
    if thread.grad_enabled and any(each._requires_grad for each in given):
        raise errors.located(
            RuntimeError(
                f"{name}(): functions with out=... arguments don't support automatic "
                "differentiation, but one of the arguments requires grad."
            )
        )
    computed = compute()
    results = (computed,) if isinstance(computed, Variable) else tuple(computed)
    if len(results) != len(targets):
        raise TypeError(f"{name}(): expected {len(results)} tensors in 'out', got {len(targets)}")
    for target, result in zip(targets, results):
        have, want = target._array, result._array
        if name in SAME_DTYPE and have.dtype != want.dtype:
            raise errors.located(
                RuntimeError(
                    f"{name}(): Expected out tensor to have dtype {want.dtype}, but got "
                    f"{have.dtype} instead"
                )
            )
        if CATEGORY[want.dtype.kind] > CATEGORY[have.dtype.kind]:
            raise errors.located(
                RuntimeError(
                    f"{name}(): result type {want.dtype} can't be cast to the desired output type "
                    f"{have.dtype}"
                )
            )
    for target, result in zip(targets, results):
        _fill(target, result._array)
    return out


def _refuse_overlap(name: str, targets: tuple, args: tuple) -> None:
    """Refuse an `out` that is several elements in one place, or an input that is read elsewhere."""
    for target in targets:
        if isinstance(target, Variable) and 0 in target._array.strides and target._array.size > 1:
            refuse_overlap(name)
        if name in READS_ELSEWHERE:
            flat = [
                x for each in args for x in (each if isinstance(each, (tuple, list)) else (each,))
            ]
            for each in flat:
                if isinstance(each, Variable) and _overlap(each._array, target._array):
                    raise errors.located(
                        RuntimeError(
                            "unsupported operation: some elements of the input tensor and the "
                            "written-to tensor refer to a single memory location. Please clone() "
                            f"the tensor before {name}"
                        )
                    )


def _overlap(a: Any, b: Any) -> bool:
    same = isinstance(a, np.ndarray) == isinstance(b, np.ndarray)
    return same and namespace(a).may_share_memory(a, b)


def _fill(target: Variable, value: Any) -> None:
    if target._array.shape == value.shape:
        target._array[...] = value
    else:
        if target._array.size:
            warnings.warn(
                "An output with one or more elements was resized since it had shape "
                f"{list(target._array.shape)}, which does not match the required output shape "
                f"{list(value.shape)}. Give an empty tensor or one of that shape.",
                stacklevel=5,
            )
        target._array = value.astype(target._array.dtype)
    target.version().count += 1
