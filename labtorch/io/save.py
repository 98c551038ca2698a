"""Writing a file: which format, and to where."""

from __future__ import annotations

import os
from typing import Any

from labtorch.io import atomic, pickler, safetensors
from labtorch.io.load import check_file

# names by which programs mean PyTorch's own format
PYTORCH = {".pt", ".pth", ".bin", ".ckpt", ".chkpt", ".checkpoint", ".tar", ".pkl", ".pickle"}
PYTORCH |= {".th", ".zip", ".model"}


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object (a state_dict, a checkpoint, a model) to a path or an open binary file.

    A dict of tensors becomes a safetensors file; anything more, anything written to an open file,
    and every name that means PyTorch's format (.pt, .pth, .bin, .ckpt, .tar, .pkl, ...) becomes
    PyTorch's zip, which `torch.load` reads. `load` tells them apart by their content. In a
    safetensors file, tensors that share memory are each written whole, and a gradient is not asked
    for. A path is written whole or not at all: until the last byte is on disk, an older file keeps
    its place. Raises ValueError if a name ends in .safetensors and `obj` is no dict of tensors.
    """
    if pickle_protocol != 2 or not _use_new_zipfile_serialization:
        raise NotImplementedError("save writes PyTorch's zip format with pickle protocol 2 only")
    check_file("save", f, "write", ": save(obj, f) takes the object first")
    if hasattr(f, "write"):
        pickler.write(obj, f)
        return
    write = safetensors.write if _suits_safetensors(obj, os.fspath(f)) else pickler.write
    with atomic.written(f) as file:
        write(obj, file)


def _suits_safetensors(obj: Any, path: Any) -> bool:
    suffix = os.path.splitext(os.fsdecode(path))[1].lower()
    if suffix in PYTORCH:
        return False
    refused = safetensors.obstacle(obj)
    if suffix == ".safetensors":
        if refused:
            raise ValueError(
                f"save: this cannot be a safetensors file: {refused}. It can be saved in PyTorch's "
                "format, under a name that ends in .pth"
            )
        return True
    return not refused and bool(obj) and not any(each.requires_grad for each in obj.values())
