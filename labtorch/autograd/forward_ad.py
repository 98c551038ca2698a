"""PyTorch's dual numbers, which are not there: forward mode goes by `jvp`.

A Jacobian-vector product takes two backward passes here; see `labtorch.autograd.functional`.
"""

from __future__ import annotations

from typing import Any


def _missing(name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"forward_ad.{name} is not there: labtorch has no dual numbers. "
            "labtorch.autograd.functional.jvp(func, inputs, v) and "
            "labtorch.func.jvp(func, primals, tangents) compute the same derivative"
        )

    refuse.__name__ = name
    return refuse


dual_level = _missing("dual_level")
enter_dual_level = _missing("enter_dual_level")
exit_dual_level = _missing("exit_dual_level")
make_dual = _missing("make_dual")
unpack_dual = _missing("unpack_dual")
