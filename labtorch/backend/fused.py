"""One text, two ways to run: array code on NumPy, one kernel on a GPU.

A chain of elementwise functions reads and writes memory once per function. On NumPy that is the way
to compute; on a GPU, `cupy.fuse` traces the same text and compiles it to one kernel.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

from numpy import ndarray

from labtorch.backend.dtypes import get_default_dtype

enabled = os.environ.get("LABTORCH_FUSE", "1") != "0"


def fused(function: Callable) -> Callable:
    """One kernel on a GPU, of a function that is elementwise: broadcasting, ufuncs, no branches on
    values, no keyword arguments. It finds its library with `namespace`. Its first argument is an
    array; the others are arrays, numbers or None. A rule of an op may be one, too: on tensors, in a
    recorded backward pass, it runs as it stands, and so it does on complex numbers.

    Numbers are computed outside and handed in: where two Python numbers meet inside, CuPy works in
    half precision. Where CuPy cannot fuse it, the function runs as it stands, and a warning says
    so once.
    """
    kernels: dict[Any, Any] = {}  # by the default dtype, which is what integers may become
    place = f"{function.__module__.rpartition('.')[2]}_{function.__code__.co_firstlineno}"
    name = function.__name__.strip("_") or place  # rules are called _

    def elsewhere(*args: Any) -> Any:
        cupy = sys.modules.get("cupy")
        fuse = getattr(cupy, "fuse", None)  # a stand-in may have none
        if fuse is None or not enabled:
            return function(*args)
        first = args[0]
        if not isinstance(first, cupy.ndarray) or first.dtype.kind == "c":  # type: ignore[union-attr]
            return function(*args)
        default = get_default_dtype()
        if default not in kernels:
            kernels[default] = fuse(kernel_name=f"labtorch_{name}")(function)
        kernel = kernels[default]
        if kernel is None:
            return function(*args)
        try:
            return kernel(*args)
        except (TypeError, NotImplementedError, AttributeError, _compile_error(cupy)) as error:
            result = function(*args)  # an error of the arguments is raised here, as ever
            kernels[default] = None
            warnings.warn(
                f"{name} runs unfused on the GPU: CuPy could not fuse it ({error})",
                stacklevel=2,
            )
            return result

    return _choice(function, elsewhere)


def _choice(function: Callable, elsewhere: Callable) -> Callable:
    """The function itself for NumPy's arrays."""
    made = _maker(function.__code__.co_argcount)(function, elsewhere)
    functools.update_wrapper(made, function)
    made.__defaults__ = function.__defaults__  # type: ignore[attr-defined]
    return made


@functools.cache
def _maker(arity: int) -> Callable:
    """Its text has a place for each argument: with *args, small steps on the CPU show the time."""
    names = ", ".join(f"x{i}" for i in range(arity))
    scope: dict[str, Any] = {"ndarray": ndarray}
    source = f"""
def make(function, elsewhere):
    def call({names}):
        if x0.__class__ is ndarray:
            return function({names})
        return elsewhere({names})
    return call
"""
    exec(compile(source, f"{__file__}: a choice", "exec"), scope)
    return scope["make"]


def _compile_error(cupy: Any) -> type[Exception]:
    return cupy.cuda.compiler.CompileException
