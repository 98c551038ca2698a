"""Mixed precision, by PyTorch's names. Here everything is computed in the dtype that it has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from labtorch.engine.variable import Variable


class autocast:
    """Accepted, and changes nothing: ops stay in their operands' dtype, float32 in float32.

    A context (`with autocast("cuda"): ...`) and a decorator.
    """

    def __init__(
        self,
        device_type: str = "cuda",
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def __call__(self, function: Callable) -> Callable:
        return function


class GradScaler:
    """What PyTorch's is where it is disabled: losses are not scaled, no step is skipped.

    Scaling keeps small gradients from vanishing in float16; float32 has room for them.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None: ...

    def scale(self, outputs: Variable | Iterable) -> Any:
        return outputs

    def unscale_(self, optimizer: Any) -> None: ...

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None: ...

    def get_scale(self) -> float:
        return 1.0

    def is_enabled(self) -> bool:
        return False

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state_dict: dict) -> None: ...


def custom_fwd(fwd: Callable | None = None, **options: Any) -> Callable:
    """For `autograd.Function.forward`: the function itself, as autocast changes nothing."""
    return functools.partial(custom_fwd, **options) if fwd is None else fwd


custom_bwd = custom_fwd


def is_autocast_available(device_type: str) -> bool:
    return False
