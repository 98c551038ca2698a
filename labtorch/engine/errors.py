"""Errors that name the op, what it was given, the user's line, and what would have worked."""

from __future__ import annotations

import linecache
import os
import sys
from types import FrameType
from typing import Any

from labtorch.backend.arrays import is_array
from labtorch.backend.devices import OutOfMemoryError
from labtorch.engine.op import Op
from labtorch.engine.variable import Variable

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_frame() -> FrameType | None:
    """The innermost frame outside the library."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return frame


def user_line() -> tuple[str, int] | None:
    """The file and line of the innermost frame outside the library: cheap, for `place` to tell."""
    frame = user_frame()
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def place(at: FrameType | tuple[str, int] | None) -> str:
    """'train.py, line 12: y = model(x)'; a notebook's cell is called a cell."""
    if at is None:
        return ""
    name, line = at if isinstance(at, tuple) else (at.f_code.co_filename, at.f_lineno)
    text = linecache.getline(name, line).strip()
    where = "cell" if "ipykernel_" in name or name.startswith("<") else os.path.basename(name)
    return f"{where}, line {line}" + (f": {text}" if text else "")


def changed_by(counter: Any) -> str:
    """', changed last by add_ at train.py, line 7: x += 1', where that is known."""
    if counter.writer is None:
        return ""
    who, line = counter.writer
    return f", changed last by {who}" + (f" at {place(line)}" if line else "")


def described(value: Any) -> str:
    """'float32 (3, 4)' for a tensor; a short repr otherwise."""
    array = value._array if isinstance(value, Variable) else value
    if is_array(array):
        return f"{array.dtype.name} {tuple(array.shape)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def located(error: Exception) -> Exception:
    """`error` with the user's line added to its message."""
    where = place(user_frame())
    if where:
        error.args = (f"{error.args[0] if error.args else ''}\n  at {where}", *error.args[1:])
    return error


def explain(op: Op, args: tuple, arrays: list, error: Exception) -> Exception:
    """The error of a failed forward, told in the op's own words and with PyTorch's type."""
    if getattr(error, "explained", False):
        return error
    message = str(error)
    kind: type[Exception] = type(error)
    if op.hint is not None:
        try:
            message = op.hint(*arrays) or message
        except Exception:  # a hint is a courtesy: the error itself matters more
            message = str(error)
    elif op.broadcasts and isinstance(error, ValueError):
        message = broadcast_message(arrays) or message
    devices = {str(a.device) for a in args if isinstance(a, Variable)}  # type: ignore[attr-defined]
    if len(devices) > 1:
        kind = RuntimeError
        message = (
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{' and '.join(sorted(devices))}! Move one with x.to(device)."
        )
    if isinstance(error, TypeError) and "not supported for the input types" in message:
        kinds = sorted({a.dtype.name for a in arrays if is_array(a)})
        kind, message = NotImplementedError, f'"{op.name}" not implemented for {", ".join(kinds)}'
    elif kind in (AttributeError, KeyError) and args and not isinstance(args[0], Variable):
        kind = TypeError  # the forward asked a number for its dtype, or for its library
        message = (
            f"{op.name}(): argument '{next(iter(op.parameters))}' (position 1) must be Tensor, "
            f"not {type(args[0]).__name__}"
        )
    elif kind in (AttributeError, KeyError):
        kind, message = TypeError, f"an argument is of the wrong type: {message}"
    elif isinstance(error, MemoryError) and kind is not MemoryError:  # of a GPU, CuPy's own
        kind, message = OutOfMemoryError, f"CUDA out of memory. {message}"
    elif kind in (MemoryError, OverflowError, ZeroDivisionError):
        kind, message = RuntimeError, f"{kind.__name__}: {message}"
    elif not raised_by_op(error) and (kind is ValueError or kind.__module__ != "builtins"):
        kind = IndexError if isinstance(error, IndexError) else RuntimeError  # as PyTorch raises
    names = list(op.parameters)
    names += [f"{op.variadic}[{i}]" for i in range(len(args) - len(names))]
    defaults = [*op.defaults, *[None] * len(args)]
    given = [f"{n}: {described(a)}" for n, a, d in zip(names, args, defaults) if a is not d]
    explained = kind(f"{op.name}: {message}\n  given {'; '.join(given)}")
    explained.__dict__["explained"] = True
    return located(explained)


def raised_by_op(error: Exception) -> bool:
    """Does the error come from a check in the op's own code, not from the array library?"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
        return False
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return line.lstrip().startswith("raise")


def cause(error: Exception) -> BaseException | None:
    """What to chain: nothing for a refusal, the error itself where the library is at fault."""
    if getattr(error, "explained", False):
        return error.__cause__
    return error if isinstance(error, (AttributeError, NameError, AssertionError)) else None


def broadcast_message(arrays: list) -> str | None:
    """PyTorch's sentence about the first dimension at which shapes do not fit."""
    shapes = [a.shape for a in arrays if is_array(a)]
    for a, b in zip(shapes, shapes[1:]):
        for back in range(1, min(len(a), len(b)) + 1):
            if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
                dim = max(len(a), len(b)) - back
                return (
                    f"The size of tensor a ({a[-back]}) must match the size of tensor b "
                    f"({b[-back]}) at non-singleton dimension {dim}. Shapes broadcast when, "
                    "counted from the right, each pair of sizes is equal or one of them is 1."
                )
    return None
