"""What to tell a learner about a step that raised: the error, and the line of theirs behind it."""

from __future__ import annotations

import linecache
import sysconfig
import traceback
from pathlib import Path
from typing import Any

_LIBRARIES = tuple(
    str(Path(path).resolve())
    for path in {*sysconfig.get_paths().values()}
    if path and "site-packages" in path or "dist-packages" in path
) + (str(Path(sysconfig.get_paths()["stdlib"]).resolve()),)


def describe(error: BaseException) -> dict[str, Any]:
    """Type, message, and the innermost line of the traceback that the learner wrote."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _own(frame.filename)]
    told: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if not frames:
        return told | {"line": None, "text": "", "where": "", "function": ""}
    frame = frames[-1]
    return told | {
        "line": frame.lineno,
        "text": frame.line or linecache.getline(frame.filename, frame.lineno or 0).strip(),
        "where": "" if in_cell(frame.filename) else Path(frame.filename).name,
        "function": frame.name,
    }


def in_cell(filename: str) -> bool:
    """Is this the name under which the kernel compiled a notebook cell?"""
    return "ipykernel_" in filename or filename.startswith("<ipython-input")


def _own(filename: str) -> bool:
    """Is this the learner's file, neither a library's nor labtorch's own?"""
    if filename.startswith("<") and not in_cell(filename):
        return False
    path = str(Path(filename).resolve())
    packages = {part for part in Path(path).parts if part in ("labtorch", "labtorch_widgets")}
    return not packages and not path.startswith(_LIBRARIES)
