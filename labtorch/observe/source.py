"""The user's line, and the columns in it, that called an op."""

from __future__ import annotations

import linecache
import os
import sys
from itertools import islice
from types import CodeType, FrameType

from labtorch.engine.errors import PACKAGE
from labtorch.observe.snapshot import Source

VIEWS = f"{os.sep}labtorch_widgets{os.sep}"  # they call models, too; what they call is not theirs
_library: dict[CodeType, bool] = {}


def calling_frame() -> FrameType | None:
    """The innermost frame outside the library (asked for every op: one dict look-up a frame)."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        inside = _library.get(code)
        if inside is None:
            inside = _library[code] = (
                code.co_filename.startswith(PACKAGE) or VIEWS in code.co_filename
            )
        if not inside:
            return frame
        frame = frame.f_back
    return None


def position(code: CodeType, instruction: int) -> tuple[int | None, ...]:
    """Line, last line and columns of an instruction, by Python's own table."""
    return next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)


def describe(code: CodeType, instruction: int) -> Source:
    """Where an instruction stands in the source; columns by Python's own position table."""
    line, end_line, column, end_column = position(code, instruction)
    line = line or code.co_firstlineno
    text = linecache.getline(code.co_filename, line).rstrip("\n")
    if column is not None:  # the table counts UTF-8 bytes; people count characters
        column = len(text.encode()[:column].decode(errors="ignore"))
    if end_column is not None:
        last = linecache.getline(code.co_filename, end_line or line).rstrip("\n")
        end_column = len(last.encode()[:end_column].decode(errors="ignore"))
    return {
        "file": code.co_filename,
        "line": line,
        "end_line": end_line or line,
        "column": column or 0,
        "end_column": end_column if end_column is not None else len(text),
        "text": text,
        "function": code.co_name,
    }
