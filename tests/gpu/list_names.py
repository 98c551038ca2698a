"""Write down which names, arguments and loops CuPy has: `python tests/gpu/list_names.py`.

CuPy can be imported without a GPU. What it says of itself goes into cupy_names.json, which the
stand-in of `standin.py` keeps to: a name or an argument that is not listed is refused.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("cupy_names.json")
SPACES = ("", "linalg", "fft", "lib.stride_tricks", "random")
OF_CUPYX = ("", "scipy.special", "scipy.linalg")


def parameters(function: Any) -> str | None:
    """The names that a function takes, those with a default marked by "="."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    parts, keywords = [], False
    for each in found:
        if each.kind is each.VAR_POSITIONAL:
            parts.append(f"*{each.name}")
            keywords = True
        elif each.kind is each.VAR_KEYWORD:
            parts.append(f"**{each.name}")
        else:
            if each.kind is each.KEYWORD_ONLY and not keywords:
                parts.append("*")
                keywords = True
            parts.append(each.name + ("" if each.default is each.empty else "=0"))
    return ", ".join(parts)


def documented(method: Any) -> str | None:
    """As `parameters`, from the first line that Cython writes into a method's docstring."""
    found = re.match(r"[\w.]+\((.*?)\)(?: ->.*)?$", (method.__doc__ or "").split("\n")[0])
    if not found:
        return None
    parts = []
    for part in found[1].split(", "):
        name, has_default, _ = part.partition("=")
        parts.append(name.split(" ")[-1] + ("=0" if has_default else ""))
    return ", ".join(part for part in parts if part != "self")


def space(module: Any, ufunc: type) -> dict[str, Any]:
    functions, ufuncs = {}, {}
    for name in sorted(n for n in dir(module) if not n.startswith("_")):
        each = getattr(module, name)
        if isinstance(each, ufunc):
            ufuncs[name] = " ".join(each.types)
        elif callable(each) and not isinstance(each, (type, types.ModuleType)):
            functions[name] = parameters(each) or "*args, **kwargs"
    return {"functions": functions, "ufuncs": ufuncs}


def table() -> dict[str, Any]:
    """What the CuPy that is installed says of itself."""
    import importlib

    import cupy
    import numpy as np

    array = cupy.ndarray
    mine = [n for n in dir(array) if not n.startswith("_") or hasattr(np.ndarray, n)]
    methods = {n: documented(getattr(array, n)) for n in mine if not n.startswith("_")}
    return {
        "version": cupy.__version__,
        "constants": sorted(
            n for n in dir(cupy) if hasattr(np, n) and getattr(cupy, n) is getattr(np, n)
        ),
        "members": sorted(mine),
        "methods": {name: said for name, said in methods.items() if said is not None},
        "cupy": {
            each: space(importlib.import_module(f"cupy.{each}".rstrip(".")), cupy.ufunc)
            for each in SPACES
        },
        "cupyx": {
            each: space(importlib.import_module(f"cupyx.{each}".rstrip(".")), cupy.ufunc)
            for each in OF_CUPYX
        },
    }


if __name__ == "__main__":
    TABLE.write_text(json.dumps(table(), indent=0, sort_keys=True) + "\n")
