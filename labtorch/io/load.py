"""Reading a file: which format it is, told by its content."""

from __future__ import annotations

import io
import os
from typing import Any

from labtorch.io import legacy, safetensors, zipped
from labtorch.io.locate import placer
from labtorch.io.unpickler import unsafe_names

MAGIC = b"PK\x03\x04"
OTHERS = {  # how files begin that are met in place of weights, and what they are
    b"version https://git-lfs": "a pointer of Git LFS to the file: `git lfs pull` fetches it",
    b"<!doctype html": "a web page: the address did not lead to the file",
    b"<html": "a web page: the address did not lead to the file",
    b"\x1f\x8b": "a file compressed by gzip: gunzip it first",
    b"\x93numpy": "a NumPy array: numpy.load reads it",
    b"\x89hdf": "an HDF5 file, as Keras writes: h5py reads it",
}
HEAD = 32  # bytes that tell one from another


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `save`, or PyTorch's, wrote to a path or an open binary file.

    safetensors files and PyTorch's are told apart by their content. With `weights_only`
    (the default) nothing in the file is run: state dicts, checkpoints of tensors, numbers, strings
    and containers. `map_location` says where tensors go: a device, a function of (tensor, tag), or
    a dict of tags. `mmap` reads tensors of a zip at a path when they are looked at. bfloat16, which
    NumPy does not have, becomes float32. A file that is damaged, or not what it says, raises
    RuntimeError or pickle.UnpicklingError.
    """
    weights_only = weights_only is not False
    if weights_only and pickle_module is not None:
        raise RuntimeError(
            "Can not safely load weights when explicit pickle_module is specified: leave it out, "
            "or trust the file with weights_only=False"
        )
    check_file("load", f, "read")
    if mmap and hasattr(f, "read"):
        raise ValueError("f must be a file name in order to use the mmap argument")
    if hasattr(f, "read"):
        return _read(f, map_location, weights_only, None)
    path = os.fspath(f)
    with open(path, "rb") as file:
        return _read(file, map_location, weights_only, path if mmap else None)


def _read(file: Any, map_location: Any, weights_only: bool, mapped: Any) -> Any:
    start = _start(file)
    head = file.read(HEAD)
    file.seek(start)
    if head[:4] == MAGIC:
        return zipped.read(file, placer(map_location), weights_only, mapped)
    if safetensors.recognise(head[:9]):
        return safetensors.read(file, placer(map_location))
    if head.startswith(legacy.BEGINS):
        return legacy.read(file, placer(map_location), weights_only)
    if not head:
        raise RuntimeError("load: the file is empty")
    for start_of, what in OTHERS.items():
        if head.lower().startswith(start_of):
            raise RuntimeError(f"load: this is {what}")
    raise RuntimeError(
        "load: this is neither a safetensors file nor one that torch.save has written; weights of "
        "other programs can be turned into tensors with torch.from_numpy"
    )


def check_file(what: str, f: Any, method: str, hint: str = "") -> None:
    """Refuse what is neither a path nor an open binary file."""
    if isinstance(f, io.TextIOBase):
        raise TypeError(
            f"{what}: the file is open for text: open(path, '{method[0]}b') is for bytes"
        )
    if not hasattr(f, method) and not isinstance(f, (str, bytes, os.PathLike)):
        raise TypeError(
            f"{what}: f must be a path or an open binary file, not {type(f).__name__}{hint}"
        )


def _start(file: Any) -> int:
    try:
        return file.seek(file.tell())
    except (AttributeError, OSError) as error:
        raise type(error)(
            f"{error}. You can only load from a file that is seekable: read it into an io.BytesIO "
            "and load from that"
        ) from None


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The "module.name"s a zip file asks for that `weights_only` would refuse; none is run."""
    if hasattr(f, "read"):
        return unsafe_names(zipped.pickled_bytes(f))
    with open(os.fspath(f), "rb") as file:
        return unsafe_names(zipped.pickled_bytes(file))
