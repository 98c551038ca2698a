"""`labtorch.as_torch()`: programs that say `import torch` get labtorch, because they were told to.

Under `with labtorch.as_torch(): import their_program`, its `from torch import nn` is `labtorch.nn`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from labtorch.backend.absent import HINTS


class as_torch:
    """Give labtorch the name `torch` from here on, or, as a context, until its end.

    Nothing does this unasked. It refuses where PyTorch itself has been imported.
    """

    def __init__(self) -> None:
        loaded = sys.modules.get("torch")
        if loaded is not None and loaded is not importlib.import_module("labtorch"):
            raise RuntimeError(
                "as_torch(): PyTorch is imported already, and the two would mix: call it first"
            )
        self._finder = _Finder()
        sys.meta_path.insert(0, self._finder)

    def __enter__(self) -> as_torch:
        return self

    def __exit__(self, *_: Any) -> None:
        sys.meta_path.remove(self._finder)
        for name in [each for each in sys.modules if each.partition(".")[0] == "torch"]:
            del sys.modules[name]


class _Finder:
    """Finds `torch.nn` where `labtorch.nn` is: one module under two names, not a second copy."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        first, _, rest = fullname.partition(".")
        if first != "torch":
            return None
        ours = f"labtorch.{rest}" if rest else "labtorch"
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            hint = f": {HINTS[rest]}" if rest in HINTS else ""
            raise ModuleNotFoundError(f"{error}{hint}", name=fullname) from None
        return ModuleSpec(fullname, _Loader(module))


class _Loader(Loader):
    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import machinery has written torch's over it
