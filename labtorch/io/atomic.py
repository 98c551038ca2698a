"""Files that are written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".labtorch-tmp"
STALE = 60.0  # seconds without a write, after which an unlocked temporary is nobody's


@contextlib.contextmanager
def written(path: Any) -> Iterator[Any]:
    """An open file that becomes `path` when the block ends well.

    The bytes go to a temporary beside it, `.<name>.<random>.labtorch-tmp`, are forced to disk, and
    take the name in one step: a kill or a power cut leaves the old file or the new one. What a
    killed process left behind is never read, and the next write to the same path removes it.
    """
    path = os.path.realpath(os.fspath(path))  # a link stays a link
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):  # a pipe or a device; a folder refuses
        with open(path, "wb") as file:
            yield file
        return
    _sweep(folder, name)
    with _named(path):
        handle, temporary = tempfile.mkstemp(SUFFIX, f".{name[:100]}.", folder)
    try:
        with _named(path), os.fdopen(handle, "wb") as file:
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a file system without locks
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask() if mode is None else stat.S_IMODE(mode))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync(folder)


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """An error of the file system names the file that was to be written, not the temporary."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and str(error.filename or SUFFIX).endswith(SUFFIX):
            error.filename = path
        raise


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(folder: str) -> None:
    """Force the new name to disk, where a folder can be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(folder: str, name: str) -> None:
    """Remove the temporaries of `name` whose writers are dead: a living one holds a lock."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            mine = entry.name.startswith(f".{name[:100]}.") and entry.name.endswith(SUFFIX)
            with contextlib.suppress(OSError):
                if mine and time.time() - entry.stat().st_mtime > STALE:
                    with open(entry.path, "rb") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.unlink(entry.path)
