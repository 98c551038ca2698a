"""The engine of quantized models: any of PyTorch's can be chosen; sums are exact here with each."""

import sys
from types import ModuleType

supported_engines = ["qnnpack", "onednn", "x86", "fbgemm"]
_chosen = "x86"


class _Switches(ModuleType):
    """A module whose `engine` is one of those that PyTorch knows."""

    @property
    def engine(self) -> str:
        return _chosen

    @engine.setter
    def engine(self, name: str) -> None:
        global _chosen
        if name not in supported_engines:
            raise RuntimeError(
                f"{name!r} is not a valid value for quantized engine: {supported_engines} are known"
            )
        _chosen = name


sys.modules[__name__].__class__ = _Switches
